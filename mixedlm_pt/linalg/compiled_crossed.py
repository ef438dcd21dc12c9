"""Compiled kernels of crossed grouping factors: the elimination of `crossed`, level by level.

``packed`` is that of `crossed`, so either set of kernels can read what the other wrote. LAPACK
works on the lower triangle of a C-ordered matrix as on the upper one of its transpose, in place.
"""

import numpy as np
from scipy.linalg import lapack

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import tiles
from mixedlm_pt.linalg.compiled_tree import factor_blocks, solve_block, solve_blocks
from mixedlm_pt.linalg.crossed import rest_inverse, rest_size, unpack
from mixedlm_pt.linalg.level_products import subtract_eliminated, times_inverse
from mixedlm_pt.linalg.loops import Loop
from mixedlm_pt.linalg.row_parts import in_parts

type Index = tuple[IntArray, ...]

# Columns of the rest from which on it is factored and inverted tile by tile: that takes a quarter
# less time than LAPACK on two cores, a fifth more on one.
TILED_LEAST = 800


def work(index: Index) -> int:
    """Products of columns in a factorisation by row, and about the fewest that levels make."""
    n, K = index[0].shape
    return int(n * K**2) + len(index[4]) ** 2 // len(index[3])


@Loop
def add_rows(
    D: FloatArray,
    M: FloatArray,
    codes: IntArray,
    row_entry: IntArray,
    column: IntArray,
    G: FloatArray,
    C: FloatArray,
    S: FloatArray,
) -> None:
    """Add the rows' products to G (n_levels, k, k), C (entries, k), S (q_rest, q_rest).

    G is filled in the upper triangles, S in the lower one.
    """
    k, r = G.shape[1], row_entry.shape[1]
    for i in range(M.shape[0]):
        j = codes[i]
        for a in range(k):
            weighted = D[i] * M[i, a]
            for b in range(a, k):
                G[j, a, b] += weighted * M[i, b]
            for b in range(r):
                C[row_entry[i, b], a] += weighted * M[i, k + b]
        for a in range(r):
            weighted = D[i] * M[i, k + a]
            row = column[row_entry[i, a]]
            for b in range(a + 1):
                other = column[row_entry[i, b]]
                S[max(row, other), min(row, other)] += weighted * M[i, k + b]


@Loop
def solve_entries(L: FloatArray, level: IntArray, T: FloatArray) -> None:
    """``T_e <- A^-1 T_e`` for every entry e, T of shape (entries, k, 1)."""
    for e in range(T.shape[0]):
        solve_block(L, level[e], T, e)


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    _, codes, n_levels, _, level, column, row_entry, *_ = index
    k, q, n = columns[0], rest_size(index, columns), int(n_levels[0])
    packed = np.zeros(n * k * k + len(level) * k + q * q)
    L, T, S = unpack(packed, index, columns)
    G, C = np.zeros((n, k, k)), np.zeros((len(level), k))
    D, M = np.ascontiguousarray(D), np.ascontiguousarray(M)
    add_rows(D, M, codes, row_entry, column, G, C, S)
    logdet = factor_blocks(G, L)
    if np.isnan(logdet):
        packed[:] = np.nan
        return np.nan, packed
    T[:] = C
    solve_entries(L, level, T[:, :, None])
    S.reshape(-1)[:: q + 1] += 1.0
    subtract_eliminated(C, T, index, S)
    if not factor_rest(S):
        packed[:] = np.nan
        return np.nan, packed
    return logdet + 2.0 * float(np.log(np.diag(S)).sum()), packed


def factor_rest(S: FloatArray) -> bool:
    """Overwrite S's lower triangle by that of its Cholesky factor; False if there is none."""
    if len(S) >= TILED_LEAST:
        return tiles.cholesky(S)
    _, info = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)
    return not info


@Loop
def move_to_rest(
    T: FloatArray, level: IntArray, column: IntArray, own: FloatArray, rest: FloatArray
) -> None:
    """``rest <- rest - T'own``, own of shape (n_levels, k, m), rest (q_rest, m)."""
    for e in range(T.shape[0]):
        for a in range(T.shape[1]):
            for c in range(rest.shape[1]):
                rest[column[e], c] -= T[e, a] * own[level[e], a, c]


@Loop
def move_to_levels(
    T: FloatArray, level: IntArray, column: IntArray, own: FloatArray, rest: FloatArray
) -> None:
    """``own <- own - T rest``."""
    for e in range(T.shape[0]):
        for a in range(T.shape[1]):
            for c in range(rest.shape[1]):
                own[level[e], a, c] -= T[e, a] * rest[column[e], c]


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    level, column = index[4], index[5]
    L, T, L_rest = unpack(packed, index, columns)
    n, k, _ = L.shape
    x = np.array(rhs, order="C")
    own, rest = x[: n * k].reshape(n, k, rhs.shape[1]), x[n * k :]
    move_to_rest(T, level, column, own, rest)
    rest[:] = lapack.dpotrs(L_rest.T, rest, lower=0)[0]
    solve_blocks(L, own)
    move_to_levels(T, level, column, own, rest)
    return x


@Loop
def inverse_blocks(
    L: FloatArray, T: FloatArray, V: FloatArray, start: IntArray, P: FloatArray
) -> None:
    """Diagonal blocks of H^-1 at factor 0 into P (n_levels, k, k), which holds zeros."""
    k = L.shape[1]
    for j in range(P.shape[0]):
        for a in range(k):
            P[j, a, a] = 1.0
        solve_block(L, j, P, j)
        for e in range(start[j], start[j + 1]):
            for a in range(k):
                for b in range(k):
                    P[j, a, b] += T[e, a] * V[e, b]


@Loop
def apply_rows(
    M: FloatArray,
    codes: IntArray,
    row_entry: IntArray,
    column: IntArray,
    P: FloatArray,
    V: FloatArray,
    inverse: FloatArray,
    R: FloatArray,
) -> None:
    """Product of every row's block of H^-1 with its scaled design, added to R."""
    k, r = P.shape[1], row_entry.shape[1]
    for i in range(R.shape[0]):
        for a in range(k):
            for b in range(k):
                R[i, a] += P[codes[i], a, b] * M[i, b]
        for b in range(r):
            e = row_entry[i, b]
            for a in range(k):
                R[i, a] -= V[e, a] * M[i, k + b]
                R[i, k + b] -= V[e, a] * M[i, a]
            for c in range(r):
                row, other = column[e], column[row_entry[i, c]]
                R[i, k + b] += inverse[max(row, other), min(row, other)] * M[i, k + c]


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    _, codes, _, start, _, column, row_entry, *_ = index
    L, T, L_rest = unpack(packed, index, columns)
    is_tiled = len(L_rest) >= TILED_LEAST
    inverse = tiles.inverse(L_rest) if is_tiled else rest_inverse(L_rest)
    V, P, R = times_inverse(T, inverse, index), np.zeros(L.shape), np.zeros(M.shape)
    inverse_blocks(L, T, V, start, P)
    M = np.ascontiguousarray(M)
    in_parts(
        len(M),
        lambda a, b: apply_rows(M[a:b], codes[a:b], row_entry[a:b], column, P, V, inverse, R[a:b]),
    )
    return R
