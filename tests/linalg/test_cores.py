"""Parts on several cores do what one does, for whoever has work, and after forks."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, get_ident

import numpy as np
import pytest

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.linalg.cores import n_cores, n_threads, team


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    monkeypatch.setenv("MIXEDLM_THREADS", "3")


def square(k):
    return k * k


def nested(k):
    return sum(team.run(partial(square, k + j) for j in range(5)))


def test_what_parts_return_comes_in_their_order():
    assert team.run(partial(square, k) for k in range(20)) == [k * k for k in range(20)]
    assert team.run([]) == []


def test_parts_run_at_the_same_time():
    # Each waits for the others: on one thread this would never end.
    together = Barrier(3, timeout=30)
    assert sorted(team.run([together.wait] * 3)) == [0, 1, 2]


def test_one_thread_is_that_of_the_caller(monkeypatch):
    monkeypatch.setenv("MIXEDLM_THREADS", "1")
    assert team.run([get_ident] * 4) == [get_ident()] * 4


def test_parts_may_have_parts_and_several_threads_may_have_work():
    expected = [nested(k) for k in range(8)]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(20):
            assert list(pool.map(nested, range(8))) == expected
            assert team.run(partial(nested, k) for k in range(8)) == expected


def test_an_error_of_a_part_is_that_of_the_whole():
    with pytest.raises(ZeroDivisionError):
        team.run(partial(divmod, 1, k) for k in (3, 2, 1, 0, 1))
    assert nested(1) == 1 + 4 + 9 + 16 + 25


def test_parts_have_the_settings_of_the_caller():
    with np.errstate(divide="raise"):
        for _ in range(20):
            with pytest.raises(FloatingPointError):
                team.run([partial(np.divide, 1.0, 0.0)] * 3)


def test_a_forked_process_has_parts_of_its_own():
    expected = nested(3)
    assert team._threads
    child = os.fork()
    if child == 0:
        os._exit(0 if nested(3) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert nested(3) == expected


def test_the_number_of_threads_is_what_the_environment_says(monkeypatch):
    assert n_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert n_threads() == 3
    monkeypatch.delenv("MIXEDLM_THREADS")
    assert n_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert n_threads() == n_cores()


def test_a_process_of_multiprocessing_has_one_thread(monkeypatch):
    import multiprocessing.process as processes

    monkeypatch.delenv("MIXEDLM_THREADS")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(processes, "parent_process", lambda: sys)
    assert n_threads() == 1


@pytest.mark.parametrize("value", ["0", "two", "-1", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("MIXEDLM_THREADS", value)
    with pytest.raises(ArgumentError, match=f"MIXEDLM_THREADS is '{value}'.*1 or more"):
        n_threads()
