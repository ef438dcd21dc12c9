"""Functions of loops do compiled what they do in Python."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixedlm_pt.linalg import KERNELS
from mixedlm_pt.linalg.loops import Loop
from tests.linalg.problems import Problem

OFFSET, SCALE = 3, 0.5


@Loop
def collatz(start: int, limit: int) -> int:
    """Steps to 1, with `while`, `if` and integer arithmetic."""
    steps, value = 0, start
    while value != 1 and steps < limit:
        if value % 2 == 0:
            value = value // 2
            steps += 1
        else:
            value = OFFSET * value + 1
            steps += 1
    return steps


@Loop
def first_above(x, bound: float) -> int:
    """Place of the first larger number; nothing is read behind the end."""
    i = 0
    while i < len(x) and not x[i] > bound:
        i += 1
    return i


@Loop
def outside(x, low: float, high: float) -> float:
    """Sum of what lies outside an interval, or NaN where the interval is empty."""
    if low > high:
        return np.nan
    total = 0.0
    for i in range(len(x) - 1, -1, -1):
        if x[i] < low or x[i] > high:
            total += x[i]
        elif x[i] == low:
            total -= 1
    return total


@Loop
def weighted(x, w: float) -> float:
    total = 0.0
    for a in range(x.shape[1]):
        total += w * np.sqrt(x[0, a] ** 2) - np.log(2.0) / SCALE
    return total


@Loop
def accumulate(x, places, sums) -> None:
    """Calls another loop, writes elements, and takes the larger of two places."""
    for i in range(0, x.shape[0], 2):
        for a in range(x.shape[1]):
            sums[max(places[i], places[a]), min(a, 1)] += -x[i, a]
            sums[places[i], 0], sums[places[i], 1] = sums[places[i], 1], sums[places[i], 0]
    sums[0, 0] *= weighted(x, 2)


@given(start=st.integers(1, 10**9), limit=st.integers(0, 200))
def test_integers_conditions_and_while(start, limit):
    assert collatz(start, limit) == collatz.function(start, limit)


@given(x=st.lists(st.floats(-5, 5), max_size=9), bound=st.floats(-5, 5))
def test_a_condition_is_not_looked_at_where_an_earlier_one_decides(x, bound):
    x = np.array(x, np.float64)
    assert first_above(x, bound) == first_above.function(x, bound)


@given(x=st.lists(st.floats(-5, 5), max_size=9), low=st.floats(-5, 5), high=st.floats(-5, 5))
def test_early_returns_alternatives_and_downward_ranges(x, low, high):
    x = np.array([*x, low])
    np.testing.assert_allclose(
        outside(x, low, high), outside.function(x, low, high), rtol=1e-14, atol=1e-14
    )


def test_comparisons_with_nan_are_false_and_unequal_is_true():
    x = np.array([np.nan, 1.0])
    assert first_above(x, 0.0) == 1
    assert outside(x, 0.0, 0.5) == 1.0


@settings(deadline=None)
@given(n=st.sampled_from([1, 5, 40]), K=st.integers(1, 6), seed=st.integers(0, 99))
def test_known_and_unknown_sizes_give_the_same(n, K, seed):
    rng = np.random.default_rng(seed)
    x, places = rng.normal(size=(n, K)), rng.integers(0, 7, max(n, K))
    ours, expected = np.ones((2, 7, 2))
    accumulate(x, places, ours)
    accumulate.function(x, places, expected)
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("x", [np.ones((4, 4))[:, 0], np.ones(4, np.float32), np.ones(4, np.int32)])
def test_other_arrays_are_refused(x):
    with pytest.raises(AssertionError):
        first_above(x, 0.0)


def test_what_is_not_translated_fails_before_anything_runs():
    @Loop
    def doubled(x) -> None:
        for i in range(len(x)):
            x[i] = [2 * x[i]][0]

    x = np.ones(3)
    with pytest.raises(AttributeError, match="of_list"):
        doubled(x)
    assert (x == 1.0).all()


def test_threads_may_compile_at_the_same_time():
    def sum_of(K):
        @Loop
        def total(x) -> float:
            s = 0.0
            for i in range(x.shape[0]):
                for a in range(x.shape[1]):
                    s += x[i, a]
            return s

        return total(np.ones((50, K)))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sum_of, range(1, 13))) == [50.0 * K for K in range(1, 13)]


def nested(n):
    g = np.arange(n) // 5
    return [g, g // 10]


def crossed(n):
    rng = np.random.default_rng(n)
    return [np.unique(rng.integers(0, n // 10, n), return_inverse=True)[1], np.arange(n) % 7]


@pytest.mark.parametrize(("kind", "codes"), [("tree", nested), ("crossed", crossed)])
def test_large_data_run_compiled_and_give_the_same(kind, codes):
    rng, kernels = np.random.default_rng(0), KERNELS[kind]
    for n, module in ((100, kernels.arrays), (20_000, kernels.loops)):
        problem = Problem(codes(n), [2, 1], rng.gamma(1.0, size=n), rng.normal(size=(n, 3)), rng)
        structure = problem.structure(kind)
        index, columns = structure.index, structure.layout.columns
        assert kernels.at(index) is module
        logdet, packed = kernels.factor(problem.D, problem.M, index, columns)
        reference, packed_too = kernels.arrays.factor(problem.D, problem.M, index, columns)
        np.testing.assert_allclose(logdet, reference, rtol=1e-12)
        np.testing.assert_allclose(packed, packed_too, rtol=1e-9, atol=1e-12)
        rhs = rng.normal(size=(structure.q, 3))
        x = kernels.solve(packed, rhs, index, columns)
        np.testing.assert_allclose(
            x, kernels.arrays.solve(packed, rhs, index, columns), rtol=1e-9, atol=1e-12
        )
        R = kernels.row_inverse(packed, problem.M, index, columns)
        expected = kernels.arrays.row_inverse(packed, problem.M, index, columns)
        np.testing.assert_allclose(R, expected, rtol=1e-9, atol=1e-12)
        # Rows of other data that share the levels.
        rows = rng.integers(0, n, 10)
        M, other = rng.normal(size=(10, 3)), structure.index_at(rows)
        np.testing.assert_allclose(
            kernels.loops.row_inverse(packed, M, other, columns),
            kernels.arrays.row_inverse(packed, M, other, columns),
            rtol=1e-9,
            atol=1e-12,
        )
