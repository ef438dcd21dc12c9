"""Reference implementation: H as a dense matrix. Every other structure is tested against it.

The index is ``(cols, n_levels)``; ``packed`` is the lower Cholesky factor of H, flattened.
"""

import numpy as np
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray, IntArray

type Index = tuple[IntArray, ...]


def scaled_design(M: FloatArray, cols: IntArray, q: int) -> FloatArray:
    """``Z Lambda`` as a dense (n, q) matrix."""
    A = np.zeros((len(M), q))
    np.add.at(A, (np.arange(len(M))[:, None], cols), M)
    return A


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    cols, n_levels = index
    q = int(n_levels @ np.array(columns))
    A = scaled_design(M, cols, q)
    try:
        L = sl.cholesky(np.eye(q) + A.T @ (D[:, None] * A), lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        L = np.full((q, q), np.nan)
    return 2.0 * float(np.log(np.diag(L)).sum()), L.ravel()


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    q = len(rhs)
    x: FloatArray = sl.cho_solve((packed.reshape(q, q), True), rhs, check_finite=False)
    return x


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    cols, n_levels = index
    q = int(n_levels @ np.array(columns))
    inverse = sl.cho_solve((packed.reshape(q, q), True), np.eye(q), check_finite=False)
    R: FloatArray = np.einsum("nab,nb->na", inverse[cols[:, :, None], cols[:, None, :]], M)
    return R
