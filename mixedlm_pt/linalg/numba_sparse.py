"""Entry points of the sparse kernels for compiled graphs; the loops are those of `sparse`."""

import numba as nb
import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import sparse

type Index = tuple[IntArray, ...]

apply_blocks = sparse.apply_blocks.numba
cholesky_in_place = sparse.cholesky_in_place.numba
inverse_on_pattern = sparse.inverse_on_pattern.numba
scatter = sparse.scatter.numba
solve_in_place = sparse.solve_in_place.numba


@nb.njit(cache=True)
def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: IntArray
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    start, q = index[3], len(index[3]) - 1
    L = np.zeros(start[-1])
    for c in range(q):
        L[start[c]] = 1.0
    scatter(D, M, index[5], L)
    work, waiting, following = np.zeros(q), np.full(q, -1), np.full(q, -1)
    logdet = cholesky_in_place(start, index[4], L, work, start[:-1] + 1, waiting, following)
    if np.isnan(logdet):
        L[:] = np.nan
    return logdet, L


@nb.njit(cache=True)
def solve(packed: FloatArray, rhs: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q,)."""
    order = index[2]
    x = np.empty((len(rhs), 1))
    for c in range(len(rhs)):
        x[order[c], 0] = rhs[c]
    solve_in_place(index[3], index[4], packed, x)
    solution = np.empty(len(rhs))
    for c in range(len(rhs)):
        solution[c] = x[order[c], 0]
    return solution


@nb.njit(cache=True)
def row_inverse(packed: FloatArray, M: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    q = len(index[3]) - 1
    inverse, R = np.empty(len(packed)), np.zeros(M.shape)
    inverse_on_pattern(index[3], index[4], packed, np.zeros(q), np.zeros(q), inverse)
    apply_blocks(inverse, M, index[5], R)
    return R
