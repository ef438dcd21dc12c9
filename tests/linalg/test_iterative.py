"""The iterative structure: exact solutions, an unbiased log|H| and that estimate's derivative."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mixedlm_pt.linalg import (
    choose_structure,
    iterative,
    iterative_choice,
    iterative_trace,
    structure,
)
from mixedlm_pt.linalg.structure import sparse_index
from tests.linalg.problems import Problem, compact, information, problems

EXACT = 10**6


def kernel_arguments(problem, n_probes):
    n_levels = [int(g.max()) + 1 for g in problem.codes]
    names = [f"g{f}" for f in range(len(n_levels))]
    chosen = choose_structure(
        problem.codes, n_levels, problem.columns, names, "iterative", n_probes=n_probes
    )
    return chosen.index, chosen.layout.columns


def crossing(columns, sizes=(30, 20, 10), n=150, seed=1):
    rng = np.random.default_rng(seed)
    codes = [compact(rng.integers(0, q, n)) for q in sizes[: len(columns)]]
    M = rng.normal(size=(n, sum(columns)))
    return Problem(codes, columns, rng.gamma(1.0, size=n), M, rng)


@settings(max_examples=40)
@given(problem=problems("crossed"))
def test_with_as_many_probes_as_columns_all_kernels_equal_dense_linear_algebra(problem):
    index, columns = kernel_arguments(problem, EXACT)
    H = information(problem)
    inverse, rhs = np.linalg.inv(H), problem.rng.normal(size=(len(H), 2))
    logdet, packed = iterative.factor(problem.D, problem.M, index, columns)
    np.testing.assert_allclose(logdet, np.linalg.slogdet(H)[1], rtol=1e-8, atol=1e-10)
    x = iterative.solve(packed, rhs, index, columns)
    np.testing.assert_allclose(x, inverse @ rhs, rtol=1e-8, atol=1e-9)
    expected = [inverse[np.ix_(c, c)] @ m for c, m in zip(index[0], problem.M, strict=True)]
    R = iterative.row_inverse(packed, problem.M, index, columns)
    np.testing.assert_allclose(R, expected, rtol=1e-7, atol=1e-9)
    assert iterative.logdet_se(problem.D, problem.M, index, columns) == 0.0


@given(problem=problems("crossed"), shift=st.floats(0.0, 1.0))
def test_logdet_is_nan_exactly_where_h_is_indefinite(problem, shift):
    problem.D -= shift
    smallest = np.linalg.eigvalsh(information(problem))[0]
    assume(abs(smallest) > 1e-6)
    index, columns = kernel_arguments(problem, EXACT)
    logdet, packed = iterative.factor(problem.D, problem.M, index, columns)
    assert np.isnan(logdet) == (smallest < 0)
    rhs = problem.rng.normal(size=(len(information(problem)), 1))
    assert np.isnan(iterative.solve(packed, rhs, index, columns)).all() == (smallest < 0)
    R = iterative.row_inverse(packed, problem.M, index, columns)
    assert np.isnan(R).any() == (smallest < 0)


def test_solutions_are_nan_where_h_is_not_a_number():
    problem = crossing([1, 1])
    problem.D[3] = np.nan
    index, columns = kernel_arguments(problem, 4)
    marker, packed = iterative.prepare(problem.D, problem.M, index, columns)
    assert np.isnan(marker)
    assert np.isnan(iterative.solve(packed, np.ones((50, 1)), index, columns)).any()


@pytest.mark.parametrize("columns", [[1, 1], [2, 1], [1, 2], [2, 1, 2]])
def test_solutions_are_exact_whatever_the_probes(columns):
    problem = crossing(columns)
    index, columns = kernel_arguments(problem, 2)
    H = information(problem)
    rhs = problem.rng.normal(size=(len(H), 3))
    rhs[:, 1] = 0.0
    _, packed = iterative.prepare(problem.D, problem.M, index, columns)
    x = iterative.solve(packed, rhs, index, columns)
    np.testing.assert_allclose(x, np.linalg.solve(H, rhs), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("columns", [[1, 1], [2, 1], [1, 2], [2, 3], [2, 1, 2]])
def test_row_inverse_is_the_exact_derivative_of_the_estimate(columns):
    problem = crossing(columns, n=60)
    index, columns = kernel_arguments(problem, 3)
    D, M, h = problem.D, problem.M, 1e-5

    def logdet(D, M):
        return iterative.factor(D, M, index, columns)[0]

    _, packed = iterative.factor(D, M, index, columns)
    R = iterative.row_inverse(packed, M, index, columns)
    for _ in range(4):
        d, m = problem.rng.normal(size=D.shape), problem.rng.normal(size=M.shape)
        slope = (logdet(D + h * d, M + h * m) - logdet(D - h * d, M - h * m)) / (2.0 * h)
        expected = (d * (R * M).sum(axis=1)).sum() + (2.0 * D[:, None] * R * m).sum()
        assert slope == pytest.approx(expected, rel=1e-7)


def test_row_inverse_needs_no_more_than_prepare_packs():
    problem = crossing([2, 1])
    index, columns = kernel_arguments(problem, 3)
    _, packed = iterative.factor(problem.D, problem.M, index, columns)
    _, prepared = iterative.prepare(problem.D, problem.M, index, columns)
    np.testing.assert_array_equal(
        iterative.row_inverse(prepared, problem.M, index, columns),
        iterative.row_inverse(packed, problem.M, index, columns),
    )


@pytest.mark.parametrize("columns", [[1, 1], [1, 2]])
def test_the_estimate_is_unbiased_and_its_standard_error_is_its_spread(columns, monkeypatch):
    problem = crossing(columns, sizes=(60, 40), n=400)
    exact = np.linalg.slogdet(information(problem))[1]
    errors, claimed = [], []
    for seed in range(100):
        monkeypatch.setattr(structure, "PROBE_SEED", seed)
        index, k = kernel_arguments(problem, 8)
        logdet, packed = iterative.factor(problem.D, problem.M, index, k)
        errors.append(logdet - exact)
        claimed.append(packed[-1])
    spread = np.std(errors)
    assert abs(np.mean(errors)) < 3.5 * spread / np.sqrt(100)
    assert np.sqrt(np.mean(np.square(claimed))) == pytest.approx(spread, rel=0.25)


def test_the_trace_of_the_preconditioned_matrix_is_no_source_of_error():
    # Weak crossing: log|E| is -|E - I|^2 / 2 to first order, and the error is a part of that.
    problem = crossing([1, 1], sizes=(60, 40), n=400)
    problem.M *= 0.1
    index, columns = kernel_arguments(problem, 8)
    H = information(problem)
    unit = np.sqrt(np.diag(H))
    second_order = 0.5 * ((H / np.outer(unit, unit) - np.eye(len(H))) ** 2).sum()
    assert iterative.logdet_se(problem.D, problem.M, index, columns) < 0.05 * second_order


def test_the_estimate_does_not_depend_on_the_batches(monkeypatch):
    problem = crossing([2, 1])
    index, columns = kernel_arguments(problem, 6)
    logdet, packed = iterative.factor(problem.D, problem.M, index, columns)
    monkeypatch.setattr(iterative_trace, "WORK", 1)
    one_by_one, repacked = iterative.factor(problem.D, problem.M, index, columns)
    assert one_by_one == pytest.approx(logdet, rel=1e-13)
    np.testing.assert_allclose(repacked, packed, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_confounded_factors_are_solved(scale):
    # Groups of levels that hardly meet each other: H has eigenvalues from 1 to 1e6.
    rng = np.random.default_rng(2)
    first = rng.integers(0, 120, 1500)
    second = first // 8 * 5 + rng.integers(0, 5, 1500)
    second[:20] = rng.integers(0, 75, 20)
    codes = [compact(first), compact(second)]
    problem = Problem(codes, [1, 1], np.full(1500, 0.2), np.full((1500, 2), scale), rng)
    index, columns = kernel_arguments(problem, EXACT)
    H = information(problem)
    logdet, packed = iterative.factor(problem.D, problem.M, index, columns)
    assert logdet == pytest.approx(np.linalg.slogdet(H)[1], rel=1e-9)
    rhs = rng.normal(size=(len(H), 1))
    x = iterative.solve(packed, rhs, index, columns)
    np.testing.assert_allclose(x, np.linalg.solve(H, rhs), rtol=1e-6, atol=1e-8)


def pairs(codes):
    """H's lower triangle for crossed factors of one column."""
    sizes = [int(g.max()) + 1 for g in codes]
    cols = structure.column_positions(codes, np.array(sizes), [1] * len(codes))
    q = sum(sizes)
    return (*np.divmod(structure.pair_index(cols, q)[0], q), q), cols


def chain(n):
    return [np.repeat(np.arange(n), 2)[1:-1], np.repeat(np.arange(n - 1), 2)]


def test_the_bound_of_a_chain_is_its_factor():
    place, cols = pairs(chain(200))
    numbers, work = iterative_choice.factor_cost(*place)
    assert numbers == sparse_index(cols, place[2])[1][-1]
    assert work < place[2]


def test_the_bound_of_random_crossings_is_a_dense_factor():
    rng = np.random.default_rng(0)
    place, cols = pairs([compact(rng.integers(0, 400, 4000)) for _ in range(2)])
    numbers, work = iterative_choice.factor_cost(*place)
    assert sparse_index(cols, 800)[1][-1] < numbers
    assert 0.2 * 800**2 < numbers <= 800 * 801 / 2
    assert 800**3 / 30 < work <= 800**3 / 6


def test_hubs_leave_the_rest_sparse():
    codes = chain(2000)
    codes.append(np.random.default_rng(0).integers(0, 5, len(codes[0])))
    place, _ = pairs(codes)
    numbers, _ = iterative_choice.factor_cost(*place)
    assert numbers < 8 * place[2]


@pytest.mark.parametrize(("limit", "kind"), [(1e9, "sparse"), (10.0, "iterative")])
def test_iterative_is_chosen_where_neither_factor_fits(limit, kind, monkeypatch):
    monkeypatch.setattr(structure, "DENSE_REST_LIMIT", 10)
    monkeypatch.setattr(iterative_choice, "MAX_NUMBERS", limit)
    rng = np.random.default_rng(0)
    codes = [compact(rng.integers(0, q, 300)) for q in (40, 20)]
    chosen = choose_structure(codes, [40, 20], [1, 1], ["pupil", "book"], n_probes=7)
    assert chosen.layout.kind == kind
    if kind == "iterative":
        assert chosen.description == (
            "iterative: pupil (40 x 1) eliminated, conjugate gradients with 7 probes for "
            "book (20 x 1)"
        )


def test_a_dense_rest_that_fits_is_preferred(monkeypatch):
    monkeypatch.setattr(iterative_choice, "MAX_NUMBERS", 10.0)
    rng = np.random.default_rng(0)
    codes = [compact(rng.integers(0, q, 300)) for q in (40, 20)]
    assert choose_structure(codes, [40, 20], [1, 1], ["a", "b"]).layout.kind == "crossed"
