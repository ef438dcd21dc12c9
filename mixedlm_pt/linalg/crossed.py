"""Crossed grouping factors: eliminate the factor with most levels, factor the rest densely.

Factor 0 (the one with most levels) is block diagonal in H. Level j of it meets only some of the
``q_rest`` columns of the other factors; each such meeting is an *entry*, sorted by level, and
holds a vector of factor 0's k columns. The Schur complement S of the rest is assembled from the
entries of one level at a time and has a dense Cholesky factor.

The index is ``(cols, codes, n_levels, entry_start, entry_level, entry_column, row_entry,
rest_pairs, row_pair)``, see `structure.crossed_index`. ``packed`` holds the Cholesky factors of
the blocks A (n_levels, k, k), ``T = A^-1 C`` by entry (entries, k) and the lower Cholesky factor
of S (q_rest, q_rest), each flattened in C order.
"""

import numpy as np
import scipy.linalg as sl
from scipy.sparse import csr_array

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import tree

type Index = tuple[IntArray, ...]

# A dense product runs about a hundred times as many operations a second as a sparse one.
DENSE_ADVANTAGE = 100
# Through dpotri OpenBLAS wakes threads for the smallest matrices, and waits for them where others
# use the processor.
POTRI_LEAST = 64
# Rows of the dense (levels x rest) product that `row_inverse` holds at a time, in numbers.
CHUNK = 4_000_000


def rest_size(index: Index, columns: tuple[int, ...]) -> int:
    """Number of columns of H outside factor 0."""
    return int(index[2][1:] @ np.array(columns[1:]))


def unpack(
    packed: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Views: L of the blocks, T by entry, Cholesky factor of S."""
    k, n, entries, q = columns[0], int(index[2][0]), len(index[4]), rest_size(index, columns)
    middle, end = n * k * k, n * k * k + entries * k
    L, T = packed[:middle].reshape(n, k, k), packed[middle:end].reshape(entries, k)
    return L, T, packed[end:].reshape(q, q)


def entry_sums(
    D: FloatArray, M: FloatArray, row_entry: IntArray, entries: int, k: int
) -> FloatArray:
    """C: sums over rows of ``D_i M_i0 M_ic`` by entry, shape (entries, k)."""
    C = np.zeros((entries, k))
    for a in range(k):
        weighted = D * M[:, a]
        for b in range(row_entry.shape[1]):
            C[:, a] += np.bincount(row_entry[:, b], weighted * M[:, k + b], entries)
    return C


def schur(
    D: FloatArray, M: FloatArray, C: FloatArray, T: FloatArray, index: Index, q: int
) -> FloatArray:
    """S = I + (rest by rest) - C'A^-1 C, shape (q_rest, q_rest); only the lower triangle counts."""
    _, _, n_levels, start, level, column, _, rest_pairs, row_pair = index
    k, r = C.shape[1], M.shape[1] - C.shape[1]
    S = np.zeros((q, q))
    pair = 0
    for a in range(r):
        weighted = D * M[:, k + a]
        for b in range(a, r):
            sums = np.bincount(row_pair[:, pair], weighted * M[:, k + b], len(rest_pairs))
            S.reshape(-1)[rest_pairs] += sums
            pair += 1
    counts = np.diff(start)
    if int(n_levels[0]) * q * q < DENSE_ADVANTAGE * int(counts @ counts):
        dense_C, dense_T = np.zeros((2, int(n_levels[0]), q))
        for a in range(k):
            dense_C[level, column], dense_T[level, column] = C[:, a], T[:, a]
            S -= dense_C.T @ dense_T
    else:
        shape = (int(n_levels[0]), q)
        for a in range(k):
            left = csr_array((C[:, a], column, start), shape=shape)
            right = csr_array((T[:, a], column, start), shape=shape)
            S -= np.asarray((left.T.tocsr() @ right).toarray(), np.float64)
    S.reshape(-1)[:: q + 1] += 1.0
    return S


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    _, codes, n_levels, _, level, *_ = index
    k, q = columns[0], rest_size(index, columns)
    A = tree.cross_products(codes, D, M[:, :k], int(n_levels[0])) + np.eye(k)
    L = tree.cholesky(A)
    C = entry_sums(D, M, index[6], len(level), k)
    T = tree.solve_blocks(L[level], C[:, :, None])[:, :, 0]
    try:
        L_rest = sl.cholesky(schur(D, M, C, T, index, q), lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        L_rest = np.full((q, q), np.nan)
    logdet = np.log(np.diagonal(L, axis1=1, axis2=2)).sum() + np.log(np.diag(L_rest)).sum()
    return 2.0 * float(logdet), np.concatenate([L.ravel(), T.ravel(), L_rest.ravel()])


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    level, column = index[4], index[5]
    L, T, L_rest = unpack(packed, index, columns)
    n, k, m = L.shape[0], L.shape[1], rhs.shape[1]
    r = rhs[: n * k].reshape(n, k, m)
    moved = (T[:, :, None] * r[level]).sum(axis=1)
    rest = rhs[n * k :] - tree.sum_by(column, moved, len(L_rest))
    rest = sl.cho_solve((L_rest, True), rest, check_finite=False)
    back = tree.sum_by(level, T[:, :, None] * rest[column][:, None, :], n)
    return np.concatenate([(tree.solve_blocks(L, r) - back).reshape(n * k, m), rest])


def rest_inverse(L_rest: FloatArray) -> FloatArray:
    """S^-1 in the lower triangle, C-contiguous as LAPACK's transposed upper one."""
    if len(L_rest) < POTRI_LEAST:
        inverse: FloatArray = sl.lapack.dpotrs(L_rest.T, np.eye(len(L_rest)), lower=0)[0].T
    else:
        inverse = sl.lapack.dpotri(L_rest.T, lower=0)[0].T
    return inverse


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    cols, codes, _, start, level, column, row_entry, _, _ = index
    L, T, L_rest = unpack(packed, index, columns)
    n, k, q = L.shape[0], L.shape[1], len(L_rest)
    inverse = np.tril(rest_inverse(L_rest))
    inverse += np.tril(inverse, -1).T
    V = np.empty_like(T)
    step = max(1, CHUNK // q)
    for first in range(0, n, step):
        last = min(first + step, n)
        here = slice(start[first], start[last])
        shape = (last - first, q)
        for a in range(k):
            part = csr_array(
                (T[here, a], column[here], start[first : last + 1] - start[first]), shape=shape
            )
            V[here, a] = (part @ inverse)[level[here] - first, column[here]]
    identity = np.broadcast_to(np.eye(k), (n, k, k))
    own = tree.solve_blocks(L, identity) + tree.sum_by(level, T[:, :, None] * V[:, None, :], n)
    R = np.empty_like(M)
    R[:, :k] = (own[codes] @ M[:, :k, None])[:, :, 0]
    rest_cols = cols[:, k:] - n * k
    for b in range(rest_cols.shape[1]):
        Vb = V[row_entry[:, b]]
        R[:, :k] -= Vb * M[:, k + b, None]
        R[:, k + b] = -(Vb * M[:, :k]).sum(axis=1)
        for c in range(rest_cols.shape[1]):
            R[:, k + b] += inverse[rest_cols[:, b], rest_cols[:, c]] * M[:, k + c]
    return R
