"""Compiled by numba, every Op equals its NumPy version."""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.graph.op import Op

from mixedlm_pt.linalg import (
    KERNELS,
    Factor,
    RowInverse,
    Solve,
    numba_crossed,
    ops,
    rows,
    sum_rows,
)
from mixedlm_pt.linalg.dispatch_numba import DISPATCH, NUMBA_KERNELS
from tests.linalg.problems import problems

# One compilation each.
LAYOUTS = [
    ("tree", (1,)),
    ("tree", (2, 1, 1)),
    ("crossed", (1, 1)),
    ("crossed", (2, 1, 1)),
    ("sparse", (2, 1)),
    ("dense", (2, 1)),
    ("iterative", (2, 1)),
]


@cache
def compiled(layout, dims):
    """``(D, M, rhs, *index) -> log|H|, packed, H^-1 rhs, row inverse, rows, sums``."""
    D, rhs, M = pt.dvector("D"), pt.dvector("rhs"), pt.dmatrix("M")
    index = [pt.tensor(dtype="int64", shape=(None,) * d) for d in dims]
    logdet, packed = Factor(layout)(D, M, *index)
    outputs = [
        logdet,
        packed,
        Solve(layout)(rhs, D, M, packed, *index),
        RowInverse(layout)(M, packed, *index),
        rows(rhs, index[0], rhs.shape[0]),
        sum_rows(M, index[0], rhs.shape[0]),
    ]
    return pytensor.function([D, M, rhs, *index], outputs, mode="NUMBA")


def both(problem, kind):
    """Outputs of the compiled function, and of the NumPy kernels."""
    structure = problem.structure(kind)
    layout, index, D, M = structure.layout, structure.index, problem.D, problem.M
    rhs = problem.rng.normal(size=structure.q)
    ours = compiled(layout, tuple(a.ndim for a in index))(D, M, rhs, *index)
    kernels = KERNELS[kind]
    logdet, packed = kernels.factor(D, M, index, layout.columns)
    reference = [
        logdet,
        packed,
        kernels.solve(packed, rhs[:, None], index, layout.columns)[:, 0],
        kernels.row_inverse(packed, M, index, layout.columns),
        rhs[structure.cols],
        np.bincount(structure.cols.ravel(), M.ravel(), structure.q),
    ]
    return ours, reference


@pytest.mark.parametrize(("kind", "columns"), LAYOUTS)
@settings(max_examples=100)
@given(data=st.data())
def test_numba_equals_numpy(kind, columns, data):
    for ours, reference in zip(*both(data.draw(problems(kind, columns)), kind), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "columns"), LAYOUTS)
@settings(max_examples=30)
@given(data=st.data())
def test_numba_is_nan_where_h_is_not_positive_definite(kind, columns, data):
    problem = data.draw(problems(kind, columns))
    row = data.draw(st.integers(0, len(problem.D) - 1))
    problem.D[row] = -1e3
    problem.M[row] = 1.0 + abs(problem.M[row])
    (logdet, packed, x, *_), (reference, *_) = both(problem, kind)
    assert np.isnan(logdet)
    assert np.isnan(reference)
    assert np.isnan(packed).all()
    assert np.isnan(x).all()


@pytest.mark.parametrize("dense", [True, False])
def test_crossed_products_agree_whether_dense_or_by_entry(dense):
    rng = np.random.default_rng(1)
    n, q, k = 30, 7, 2
    meets = rng.random((n, q)) < (0.9 if dense else 0.05)
    meets[0] = True
    level, column = np.nonzero(meets)
    start = np.searchsorted(level, np.arange(n + 1))
    unused = np.zeros(1, np.int64)
    index = (unused, unused, unused, start, level, column)
    assert numba_crossed.is_dense(start, n, q) == dense
    C, T = rng.normal(size=(2, len(level), k))
    inverse = np.cov(rng.normal(size=(q, 20)))
    full_C, full_T = np.zeros((2, n, q, k))
    full_C[level, column], full_T[level, column] = C, T
    S = np.zeros((q, q))
    numba_crossed.subtract_eliminated(C, T, index, S)
    expected = -np.einsum("nia,nja->ij", full_C, full_T)
    np.testing.assert_allclose(np.tril(S), np.tril(expected), atol=1e-12)
    V = numba_crossed.times_inverse(T, np.tril(inverse), index)
    expected = np.einsum("nia,ij->nja", full_T, inverse)[level, column]
    np.testing.assert_allclose(V, expected, atol=1e-12)


def test_index_arrays_may_be_constants_of_the_graph():
    rng = np.random.default_rng(0)
    cols = rng.integers(0, 5, (20, 2))
    u = pt.dvector("u")
    value = (rows(u, cols, np.int64(5)) ** 2).sum()
    f = pytensor.function([u], [value, pt.grad(value, u)], mode="NUMBA")
    x = rng.normal(size=5)
    np.testing.assert_allclose(f(x)[0], (x[cols] ** 2).sum())
    np.testing.assert_allclose(f(x)[1], 2.0 * x * np.bincount(cols.ravel(), minlength=5))


def test_every_op_and_every_kind_has_a_numba_version():
    public = {Factor, RowInverse, Solve, ops.Rows, ops.SumRows}
    assert set(DISPATCH) == public
    declared = {c for c in vars(ops).values() if isinstance(c, type) and issubclass(c, Op)}
    assert declared - {Op, ops.StructuredOp} == public
    assert set(NUMBA_KERNELS) == set(KERNELS)
