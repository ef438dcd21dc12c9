"""Entry points of the iterative kernels for compiled graphs, which call those of `iterative`.

Their time goes to sparse products, which numba does not run faster.
"""

import numba as nb
import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import iterative

type Index = tuple[IntArray, ...]


@nb.njit
def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: IntArray
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed numbers."""
    with nb.objmode(logdet="float64", packed="float64[::1]"):
        logdet, packed = iterative.factor(D, M, index, tuple(columns.tolist()))
    return logdet, packed


@nb.njit
def solve(packed: FloatArray, rhs: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q,)."""
    with nb.objmode(x="float64[::1]"):
        x = np.ravel(iterative.solve(packed, rhs[:, None], index, tuple(columns.tolist())))
    return x  # noqa: RET504 (what leaves object mode is named there)


@nb.njit
def row_inverse(packed: FloatArray, M: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    with nb.objmode(R="float64[:,::1]"):
        R = np.ascontiguousarray(iterative.row_inverse(packed, M, index, tuple(columns.tolist())))
    return R  # noqa: RET504
