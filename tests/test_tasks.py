"""Long work: order, seeds, interruption, any number of workers."""

import threading
import time

import joblib
import numpy as np
import pytest

from mixedlm_pt.arguments import positive_integer
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.tasks import recorded_seed, run_tasks, spawn_seeds


def doubled(task):
    return 2 * task


def normals(seed):
    return np.random.default_rng(seed).normal(size=3)


def test_outcomes_keep_the_order_of_their_tasks():
    def slow_at_first(task):
        time.sleep(0.02 if task == 0 else 0.0)
        return task

    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert run_tasks(slow_at_first, range(6), label="test") == list(range(6))


def test_workers_in_other_processes_give_the_same():
    # Workers cannot import this module; a function of a function travels by its code.
    def local(seed):
        return np.random.default_rng(seed).normal(size=3)

    seeds = spawn_seeds(11, 6)
    one = run_tasks(local, seeds, label="test", n_jobs=1)
    two = run_tasks(local, seeds, label="test", n_jobs=2)
    np.testing.assert_array_equal(one, two)


def test_the_backend_that_the_user_configures_does_the_work():
    here = threading.get_ident()

    def thread(task):
        return threading.get_ident()

    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert here not in run_tasks(thread, range(4), label="test")
    assert set(run_tasks(thread, range(4), label="test")) == {here}


@pytest.mark.parametrize("n_jobs", [None, 1])
def test_what_is_finished_survives_an_interruption(n_jobs):
    def interrupted(task):
        if task == 3:
            raise KeyboardInterrupt
        return doubled(task)

    assert run_tasks(interrupted, range(10), label="test", n_jobs=n_jobs) == [0, 2, 4]


def test_an_interruption_before_anything_is_finished_is_raised():
    def interrupted(task):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks(interrupted, range(3), label="test")


def test_an_error_is_raised():
    def failing(task):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_tasks(failing, range(3), label="test")


def test_progress_is_shown_only_on_request(capsys):
    run_tasks(doubled, range(3), label="counting sheep")
    assert "counting sheep" not in capsys.readouterr().out
    run_tasks(doubled, range(3), label="counting sheep", progress=True)
    assert "counting sheep" in capsys.readouterr().out


def test_a_seed_does_not_depend_on_their_number():
    few, many = spawn_seeds(4, 2), spawn_seeds(4, 9)
    for a, b in zip(few, many, strict=False):
        np.testing.assert_array_equal(normals(a), normals(b))
    states = {tuple(seed.generate_state(4)) for seed in many}
    assert len(states) == 9


def test_a_seed_that_was_not_given_can_be_given_again():
    seed = recorded_seed(None)
    assert recorded_seed(5) == 5
    np.testing.assert_array_equal(
        normals(spawn_seeds(seed, 1)[0]), normals(spawn_seeds(seed, 1)[0])
    )
    assert recorded_seed(None) != seed


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
def test_a_count_is_a_positive_integer(value):
    with pytest.raises(ArgumentError, match=f"nsim is {value!r}; it must be a positive integer"):
        positive_integer("nsim", value)
    assert positive_integer("nsim", np.int64(3)) == 3


def test_a_seed_sequence_gives_the_same_seeds_each_time():
    sequence = np.random.SeedSequence(5)
    first, second = (spawn_seeds(sequence, 3) for _ in range(2))
    assert [seed.generate_state(1) for seed in first] == [s.generate_state(1) for s in second]
    assert normals(first[0]).tolist() == normals(spawn_seeds(5, 3)[0]).tolist()
