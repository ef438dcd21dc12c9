"""docs/coverage.md from coverage's JSON report.

``python tests/coverage_page.py REPORT PAGE [REMARK]``; the remark says what a run left out.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

# Files below this share of lines and branches are named, with the reason.
ENOUGH = 95.0

# Pattern of files: what their missed lines are. The first pattern that fits is the reason.
REASONS: Mapping[str, str] = {
    "linalg/dispatch_numba.py": "bodies that Numba compiles; the whole backend is a slow test",
    "linalg/numba_*.py": "kernels that Numba compiles: the tests run them as machine code",
    "linalg/sparse.py": "bodies of loops that LLVM compiles",
    "linalg/compiled_*.py": "bodies of loops that LLVM compiles",
    "linalg/square_root.py": "the body of a loop that LLVM compiles",
    "bayes/joint_loops.py": "bodies of loops that LLVM compiles",
    "bayes/joint_code.py": "what LLVM compiles, and writes it",
    "__init__.py": "imports that only type checkers read, `dir()` of the package",
    "__main__.py": "runs in a process of its own",
    "demo.py": "the demonstration that `make demo` prints",
    "compile/backends.py": "the Numba backend, which slow tests run",
    "compile/scalar_code.py": "graphs that have no scalar code, and are left to PyTensor",
    "families/quasi.py": "printing a quasi family; wrong combinations of arguments",
    "families/variance_function.py": "variance functions with a minus, a product by mu or a "
    "function inside; text that is no expression",
    "families/custom.py": "functions of a wrong signature in a family of one's own",
    "families/*.py": "wrong arguments, printing and hashing, what a family of one's own may leave "
    "out",
    "covariance/*.py": "wrong arguments, printing and hashing",
    "estimation/batch/objective.py": "modes that are sought again from zero",
    "estimation/*.py": "where a step, a start or a gradient fails: returns to a safe one",
    "diagnostics/parameter_names.py": "names of the parameters of a covariance of one's own",
    "diagnostics/*.py": "modes and information that do not exist; cases left out for failing",
    "glmer_model.py": "printing a model that is not fitted; sampling it without a fit",
    "design/evaluate.py": "comparisons, `%in%` and `!` inside calls",
    "design/*.py": "wrong values in a call of a formula",
    "interpretation/adjustment.py": "joint p-values of a single test, and of none",
    "plotting/profile_pairs.py": "traces of a profile that leave its region",
    "plotting/prior_plot.py": "responses with a wide range, many levels, an absent observed one",
    "plotting/*.py": "empty panels and curves that have no limit; no Matplotlib",
    "refitting/*.py": "refits that fail, results that were interrupted; wrong arguments",
    "bayes/conditional.py": "proposals at which the mode does not exist",
    "bayes/whitened_*.py": "draws at which the density does not exist; wrong arguments",
    "bayes/dispersion.py": "a family of one's own with another dispersion",
    "bayes/random_variables.py": "improper priors that cannot be drawn from",
    "bayes/pymc_prior.py": "distributions on (0, 1) or without a log density as priors",
    "bayes/*.py": "wrong arguments; verdicts that only rare posteriors get",
    "arguments.py": "numbers and names of a wrong type",
    "cli/*.py": "wrong files and interrupted runs",
}

INTRODUCTION = """# Coverage

Which lines and branches of the package the tests run. `make coverage` runs the tests under
coverage.py, processes of joblib and of the command line included, and writes this page; tests that
are marked slow are not in it. What runs as machine code, made by LLVM or Numba, is not seen:
coverage.py watches the Python interpreter. Such code is tested by its results, against plain Python
and against R. "Covered" is coverage.py's figure for lines and branches together.
"""


def page(report: Mapping[str, Any], remark: str = "") -> str:
    """The page, in Markdown."""
    total = report["totals"]
    lines = [
        INTRODUCTION,
        *([remark + "\n"] if remark else []),
        f"All: {total['num_statements']:,} statements, {total['missing_lines']:,} of them missed; "
        f"{total['num_branches']:,} branches, {total['missing_branches']:,} of them missed: "
        f"**{total['percent_covered']:.1f} % covered**. coverage.py "
        f"{report['meta']['version']}, {report['meta']['timestamp'][:10]}.\n",
        "| part | statements | missed | branches | missed | covered |",
        "|---|---:|---:|---:|---:|---:|",
        *(row(name, summaries) for name, summaries in parts(report["files"])),
        f"\n## Files below {ENOUGH:g} %\n",
        *gaps(report["files"]),
    ]
    return "\n".join(lines) + "\n"


def parts(files: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, int]]]]:
    """The folders of the package, and its own modules together, with their files' figures."""
    found = defaultdict(list)
    for name, facts in files.items():
        inside = Path(name).parts[1:]
        part = f"`{inside[0]}/`" if len(inside) > 1 else "modules of the package itself"
        found[part].append(facts["summary"])
    yield from sorted(found.items())


def row(name: str, summaries: Iterable[Mapping[str, int]]) -> str:
    """A line of the table: the figures of some files together."""
    keys = ("num_statements", "missing_lines", "num_branches", "missing_branches")
    sums = [sum(one[key] for one in summaries) for key in keys]
    possible = sums[0] + sums[2]
    covered = 100.0 * (possible - sums[1] - sums[3]) / possible if possible else 100.0
    cells = [name, *(f"{value:,}" for value in sums), f"{covered:.1f} %"]
    return f"| {' | '.join(cells)} |"


def gaps(files: Mapping[str, Any]) -> Iterator[str]:
    """A table of the files that are covered too little, and why."""
    low = {
        name: facts for name, facts in files.items() if facts["summary"]["percent_covered"] < ENOUGH
    }
    if not low:
        yield "None."
        return
    yield "| file | covered | lines missed | what they are |"
    yield "|---|---:|---|---|"
    for name, facts in sorted(low.items(), key=lambda one: one[1]["summary"]["percent_covered"]):
        short = name.removeprefix("mixedlm_pt/")
        percent = facts["summary"]["percent_covered"]
        missed = ranges(facts["missing_lines"]) or "branches only"
        yield f"| `{short}` | {percent:.1f} % | {missed} | {reason(short)} |"


def reason(name: str) -> str:
    """What the missed lines of a file are."""
    return next((why for pattern, why in REASONS.items() if fnmatch(name, pattern)), "not yet said")


def ranges(numbers: Iterable[int]) -> str:
    """Line numbers, those that follow each other as ``first-last``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in runs)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_text(page(json.loads(source.read_text()), *sys.argv[3:]), encoding="utf-8")
