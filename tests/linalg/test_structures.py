"""Every structured factorisation equals dense linear algebra on random groupings."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mixedlm_pt.linalg import KERNELS, compiled_crossed, level_products
from tests.linalg.problems import KINDS, Problem, information, problems

# Every structure in NumPy and, where there is one, as compiled loops.
ALL_KINDS = [*KINDS, "dense", "compiled tree", "compiled crossed"]


def kernels_of(problem, name):
    kind = name.removeprefix("compiled ")
    structure, kernels = problem.structure(kind), KERNELS[kind]
    module = kernels.arrays if kind == name else kernels.loops
    return module, structure.index, structure.layout.columns


@pytest.mark.parametrize("kind", ALL_KINDS)
@settings(max_examples=150)
@given(data=st.data())
def test_structure_equals_dense_linear_algebra(kind, data):
    problem = data.draw(problems(kind.removeprefix("compiled ")))
    kernels, index, columns = kernels_of(problem, kind)
    H, cols = information(problem), index[0]
    inverse = np.linalg.inv(H)
    rhs = problem.rng.normal(size=(len(H), 2))
    logdet, packed = kernels.factor(problem.D, problem.M, index, columns)
    np.testing.assert_allclose(logdet, np.linalg.slogdet(H)[1], rtol=1e-8, atol=1e-10)
    x = kernels.solve(packed, rhs, index, columns)
    np.testing.assert_allclose(x, inverse @ rhs, rtol=1e-8, atol=1e-10)
    expected = [inverse[np.ix_(c, c)] @ m for c, m in zip(cols, problem.M, strict=True)]
    R = kernels.row_inverse(packed, problem.M, index, columns)
    np.testing.assert_allclose(R, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", ALL_KINDS)
@given(data=st.data())
def test_logdet_is_nan_exactly_where_h_is_indefinite(kind, data):
    problem = data.draw(problems(kind.removeprefix("compiled ")))
    problem.D -= data.draw(st.floats(0.0, 1.0))
    smallest = np.linalg.eigvalsh(information(problem))[0]
    assume(abs(smallest) > 1e-8)
    kernels, index, columns = kernels_of(problem, kind)
    logdet, packed = kernels.factor(problem.D, problem.M, index, columns)
    assert np.isnan(logdet) == (smallest < 0)
    if smallest < 0:
        rhs = problem.rng.normal(size=(len(information(problem)), 1))
        assert np.isnan(kernels.solve(packed, rhs, index, columns)).any()


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("d", [-1.0, np.nan])
def test_logdet_is_nan_where_h_is_singular_or_not_a_number(kind, d):
    problem = first_pivot_is_one_plus(d, kind)
    kernels, index, columns = kernels_of(problem, kind)
    logdet, _ = kernels.factor(problem.D, problem.M, index, columns)
    assert np.isnan(logdet)


def first_pivot_is_one_plus(d, kind):
    """Three rows of which the first alone makes H's first pivot."""
    codes = [np.array([0, 1, 1])] + [np.array([0, 0, 0])] * ("tree" not in kind)
    M = np.ones((3, len(codes)))
    M[0, 1:] = 0.0
    return Problem(codes, [1] * len(codes), np.array([d, 1.0, 1.0]), M, np.random.default_rng(0))


@pytest.mark.parametrize("share", [1.0, 0.9])
@pytest.mark.parametrize("k", [1, 2])
def test_dense_products_over_levels_equal_those_over_pairs(monkeypatch, share, k):
    rng = np.random.default_rng(0)
    level, column = np.nonzero(rng.random((40, 12)) < share)
    D, M = rng.gamma(1.0, size=len(level)), rng.normal(size=(len(level), k + 1))
    problem = Problem([level, column], [k, 1], D, M, rng)
    index, columns = problem.structure("crossed").index, (k, 1)
    assert not level_products.is_dense(index, 12)
    by_pair = compiled_crossed.factor(D, M, index, columns)
    rows = compiled_crossed.row_inverse(by_pair[1], M, index, columns)
    monkeypatch.setattr(level_products, "DENSE_LEAST", 0)
    monkeypatch.setattr(level_products, "CHUNK", 100)
    assert level_products.is_dense(index, 12)
    logdet, packed = compiled_crossed.factor(D, M, index, columns)
    np.testing.assert_allclose(logdet, by_pair[0], rtol=1e-12)
    np.testing.assert_allclose(logdet, np.linalg.slogdet(information(problem))[1], rtol=1e-12)
    R = compiled_crossed.row_inverse(packed, M, index, columns)
    np.testing.assert_allclose(R, rows, rtol=1e-9, atol=1e-12)
