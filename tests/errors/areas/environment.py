"""Surroundings.

Faults that take other processes or a broken disk to bring about: the tests named here do it.
"""

from tests.errors.case import Fault

ROBUST = "tests/robustness/test_environment.py"
CASES = (
    Fault(
        "Damaged or foreign files among the compiled code that is kept from earlier sessions.",
        "Nothing: that code is compiled anew, and the fit is the same.",
        f"{ROBUST}::test_damaged_swapped_and_foreign_files_are_compiled_anew",
    ),
    Fault(
        "A folder where a file of compiled code should be.",
        "Nothing.",
        f"{ROBUST}::test_a_folder_in_the_place_of_a_file_does_no_harm",
    ),
    Fault(
        "Neither a home folder, nor a C compiler, nor a folder for caches.",
        "Nothing: no compiler is used, and code is compiled again in every session.",
        f"{ROBUST}::test_a_fit_needs_no_home_no_compiler_and_no_cache",
    ),
    Fault(
        "A full disk.",
        "Nothing: the compiled code is not kept.",
        f"{ROBUST}::test_a_full_disk_costs_the_cache_and_nothing_else",
    ),
    Fault(
        "A folder for caches that cannot be written to.",
        "Nothing: the compiled code is not kept.",
        f"{ROBUST}::test_a_folder_that_takes_no_files_keeps_nothing",
    ),
    Fault(
        "Several processes that fit, and compile, at the same time.",
        "Nothing: all have the result of one.",
        f"{ROBUST}::test_processes_that_compile_at_once_have_one_result_and_leave_whole_files",
    ),
    Fault(
        "Several threads that fit, and compile, at the same time.",
        "Nothing: all have the result of one.",
        f"{ROBUST}::test_threads_that_compile_and_fit_at_once_have_the_results_of_one",
    ),
    Fault(
        "Code compiled by another version or for another processor.",
        "Nothing: it is kept apart and not used.",
        f"{ROBUST}::test_code_of_another_compiler_processor_or_system_is_kept_apart",
    ),
    Fault(
        "Control-C during a fit.",
        "`KeyboardInterrupt`; the next fit is as if it had not happened.",
        f"{ROBUST}::test_an_interrupted_fit_leaves_the_next_one_as_it_was",
    ),
)
