"""Numba kernels for crossed grouping factors: the elimination of `crossed`, level by level.

``packed`` has the layout of `crossed`, so either set of kernels can read what the other wrote.
"""

import numba as nb
import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg.numba_dense import cholesky_in_place, inverse_in_place, solve_in_place
from mixedlm_pt.linalg.numba_tree import cholesky_block, cross_products, solve_block

type Index = tuple[IntArray, ...]

# A dense product runs about twenty times as many operations a second as these loops.
DENSE_ADVANTAGE = 20
# Rows of the dense (levels x rest) factors that a product holds at a time, in numbers.
CHUNK = 4_000_000


@nb.njit(cache=True)
def views(
    packed: FloatArray, index: Index, columns: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """L of the blocks, T by entry, Cholesky factor of S."""
    k, n, entries, q = columns[0], index[2][0], len(index[4]), rest_size(index, columns)
    middle, end = n * k * k, n * k * k + entries * k
    L, T = packed[:middle].reshape((n, k, k)), packed[middle:end].reshape((entries, k))
    return L, T, packed[end:].reshape((q, q))


@nb.njit(cache=True)
def rest_size(index: Index, columns: IntArray) -> int:
    """Number of columns of H outside factor 0."""
    q = 0
    for f in range(1, len(columns)):
        q += index[2][f] * columns[f]
    return q


@nb.njit(cache=True)
def is_dense(start: IntArray, n_levels: int, q: int) -> bool:
    """Whether a dense product over all columns beats loops over pairs of entries."""
    pairs = 0
    for j in range(n_levels):
        pairs += (start[j + 1] - start[j]) ** 2
    return n_levels * q * q < DENSE_ADVANTAGE * pairs


@nb.njit(cache=True)
def dense_rows(
    values: FloatArray, a: int, index: Index, first: int, last: int, q: int
) -> FloatArray:
    """Column a of the entries of levels first to last as a dense matrix (last - first, q)."""
    start, level, column = index[3], index[4], index[5]
    rows = np.zeros((last - first, q))
    for e in range(start[first], start[last]):
        rows[level[e] - first, column[e]] = values[e, a]
    return rows


@nb.njit(cache=True)
def add_rest(
    D: FloatArray, M: FloatArray, cols: IntArray, k: int, first: int, S: FloatArray
) -> None:
    """Add I and the products of the rest with itself to the lower triangle of S."""
    for c in range(len(S)):
        S[c, c] += 1.0
    for i in range(M.shape[0]):
        for a in range(k, M.shape[1]):
            weighted = D[i] * M[i, a]
            for b in range(k, a + 1):
                row, column = max(cols[i, a], cols[i, b]), min(cols[i, a], cols[i, b])
                S[row - first, column - first] += weighted * M[i, b]


@nb.njit(cache=True)
def subtract_eliminated(C: FloatArray, T: FloatArray, index: Index, S: FloatArray) -> None:
    """``S <- S - C'A^-1 C`` in the lower triangle."""
    start, column, n, q, k = index[3], index[5], len(index[3]) - 1, len(S), C.shape[1]
    if is_dense(start, n, q):
        step = max(1, CHUNK // q)
        for first in range(0, n, step):
            last = min(first + step, n)
            for a in range(k):
                left = dense_rows(C, a, index, first, last, q)
                product = left.T @ dense_rows(T, a, index, first, last, q)
                for row in range(q):
                    for d in range(row + 1):
                        S[row, d] -= product[row, d]
        return
    for j in range(n):
        for e in range(start[j], start[j + 1]):
            row = column[e]
            for d in range(start[j], e + 1):
                for a in range(k):
                    S[row, column[d]] -= C[e, a] * T[d, a]


@nb.njit(cache=True, error_model="numpy")
def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: IntArray
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    cols, codes, start, row_entry = index[0], index[1], index[3], index[6]
    k, n, q = columns[0], index[2][0], rest_size(index, columns)
    packed = np.zeros(n * k * k + start[n] * k + q * q)
    L, T, S = views(packed, index, columns)
    logdet, G = 0.0, cross_products(codes, D, M, n, k)
    for i in range(M.shape[0]):
        for b in range(row_entry.shape[1]):
            weighted = D[i] * M[i, k + b]
            for a in range(k):
                T[row_entry[i, b], a] += weighted * M[i, a]
    C = T.copy()
    for j in range(n):
        logdet += cholesky_block(G, j, L)
        solve_block(L, j, T[start[j] : start[j + 1]].T)
    add_rest(D, M, cols, k, n * k, S)
    subtract_eliminated(C, T, index, S)
    if np.isnan(logdet) or not cholesky_in_place(S):
        packed[:] = np.nan
        return np.nan, packed
    for c in range(q):
        logdet += 2.0 * np.log(S[c, c])
    return logdet, packed


@nb.njit(cache=True)
def solve(packed: FloatArray, rhs: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q,)."""
    level, column, x = index[4], index[5], rhs.copy()
    L, T, L_rest = views(packed, index, columns)
    n, k = L.shape[0], L.shape[1]
    rest = x[n * k :]
    for e in range(len(level)):
        for a in range(k):
            rest[column[e]] -= T[e, a] * x[level[e] * k + a]
    solve_in_place(L_rest, rest)
    for j in range(n):
        solve_block(L, j, x[j * k : (j + 1) * k].reshape((k, 1)))
    for e in range(len(level)):
        for a in range(k):
            x[level[e] * k + a] -= T[e, a] * rest[column[e]]
    return x


@nb.njit(cache=True)
def times_inverse(T: FloatArray, inverse: FloatArray, index: Index) -> FloatArray:
    """``T S^-1`` at the entries, from the lower triangle of S^-1."""
    start, level, column, n = index[3], index[4], index[5], len(index[3]) - 1
    V, q, k = np.zeros(T.shape), len(inverse), T.shape[1]
    if is_dense(start, n, q):
        step = max(1, CHUNK // q)
        for c in range(q):
            for r in range(c):
                inverse[r, c] = inverse[c, r]
        for first in range(0, n, step):
            last = min(first + step, n)
            for a in range(k):
                product = dense_rows(T, a, index, first, last, q) @ inverse
                for e in range(start[first], start[last]):
                    V[e, a] = product[level[e] - first, column[e]]
        return V
    for j in range(n):
        for e in range(start[j], start[j + 1]):
            row = column[e]
            for d in range(start[j], e):
                value = inverse[row, column[d]]
                for a in range(k):
                    V[e, a] += value * T[d, a]
                    V[d, a] += value * T[e, a]
            for a in range(k):
                V[e, a] += inverse[row, row] * T[e, a]
    return V


@nb.njit(cache=True)
def own_blocks(L: FloatArray, T: FloatArray, V: FloatArray, level: IntArray) -> FloatArray:
    """Diagonal blocks of H^-1 at factor 0, shape (n_levels, k, k)."""
    n, k = L.shape[0], L.shape[1]
    P = np.zeros((n, k, k))
    for j in range(n):
        for b in range(k):
            P[j, b, b] = 1.0
        solve_block(L, j, P[j])
    for e in range(len(level)):
        for a in range(k):
            for b in range(k):
                P[level[e], a, b] += T[e, a] * V[e, b]
    return P


@nb.njit(cache=True)
def row_inverse(packed: FloatArray, M: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    cols, codes, row_entry = index[0], index[1], index[6]
    L, T, L_rest = views(packed, index, columns)
    k, first = L.shape[1], L.shape[0] * L.shape[1]
    inverse = L_rest.copy()
    inverse_in_place(inverse)
    V = times_inverse(T, inverse, index)
    P = own_blocks(L, T, V, index[4])
    R = np.zeros(M.shape)
    for i in range(M.shape[0]):
        for a in range(k):
            for b in range(k):
                R[i, a] += P[codes[i], a, b] * M[i, b]
        for b in range(k, M.shape[1]):
            e = row_entry[i, b - k]
            for a in range(k):
                R[i, a] -= V[e, a] * M[i, b]
                R[i, b] -= V[e, a] * M[i, a]
            for c in range(k, M.shape[1]):
                row, column = max(cols[i, b], cols[i, c]), min(cols[i, b], cols[i, c])
                R[i, b] += inverse[row - first, column - first] * M[i, c]
    return R
