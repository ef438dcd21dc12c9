"""Every structured factorisation equals dense linear algebra on random groupings."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mixedlm_pt.linalg import KERNELS
from tests.linalg.problems import KINDS, Problem, information, problems

ALL_KINDS = [*KINDS, "dense"]


def kernels_of(problem, kind):
    structure = problem.structure(kind)
    return KERNELS[kind], structure.index, structure.layout.columns


@pytest.mark.parametrize("kind", ALL_KINDS)
@settings(max_examples=150)
@given(data=st.data())
def test_structure_equals_dense_linear_algebra(kind, data):
    problem = data.draw(problems(kind))
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
    problem = data.draw(problems(kind))
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
    codes = [np.array([0, 1, 1])] + [np.array([0, 0, 0])] * (kind != "tree")
    M = np.ones((3, len(codes)))
    M[0, 1:] = 0.0
    return Problem(codes, [1] * len(codes), np.array([d, 1.0, 1.0]), M, np.random.default_rng(0))
