"""Several large crossed factors: sparse Cholesky of H with a fill-reducing ordering.

The pattern of the factor is known before any number is: `structure.sparse_index` orders the
columns by minimum degree and lists, column by column, the rows of L (diagonal first, ascending).
Here numbers are scattered into that pattern, factored in place from left to right, and, for the
leverages, turned into the entries of H^-1 on the same pattern by Takahashi's recursion (Takahashi,
Fagan and Chen 1973; Erisman and Tinney 1975, Commun. ACM 18, 177-179).

The index is ``(cols, n_levels, order, start, row, row_slot)``: ``order[c]`` is the pivot position
of column c of H, L's pattern is (start, row) in compressed columns, and ``row_slot`` (n, K(K+1)/2)
says where the product of two columns of a row's design belongs. ``packed`` holds L's values.

The loops have no vectorised form, so they are compiled even for small data.
"""

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg.loops import Loop

type Index = tuple[IntArray, ...]


@Loop
def elimination_tree(
    start: IntArray, column: IntArray, parent: IntArray, seen: IntArray, count: IntArray
) -> None:
    """Parents in the elimination tree, and numbers below the diagonal of every column of L.

    Row i of L holds the columns on the way from H's columns in row i up the elimination tree
    (Liu 1990, SIAM J. Matrix Anal. Appl. 11, 134-172). ``parent`` and ``seen`` hold -1, ``count``
    zeros.
    """
    for i in range(len(parent)):
        seen[i] = i
        for s in range(start[i], start[i + 1]):
            j = column[s]
            while seen[j] != i:
                if parent[j] < 0:
                    parent[j] = i
                seen[j] = i
                count[j] += 1
                j = parent[j]


@Loop
def list_rows(
    start: IntArray,
    column: IntArray,
    parent: IntArray,
    seen: IntArray,
    cursor: IntArray,
    row: IntArray,
) -> None:
    """The rows of L, column by column; ``cursor`` holds where each column starts."""
    for i in range(len(parent)):
        seen[i], row[cursor[i]] = i, i
        cursor[i] += 1
        for s in range(start[i], start[i + 1]):
            j = column[s]
            while seen[j] != i:
                seen[j], row[cursor[j]] = i, i
                cursor[j] += 1
                j = parent[j]


def factor_pattern(start: IntArray, column: IntArray) -> tuple[IntArray, IntArray]:
    """Pattern of L in compressed columns, diagonal first, from H's lower triangle by rows."""
    parent, seen = np.full((2, len(start) - 1), -1, np.int64)
    count = np.zeros(len(parent), np.int64)
    elimination_tree(start, column, parent, seen, count)
    factor_start = np.concatenate([[0], np.cumsum(count + 1)])
    row = np.empty(factor_start[-1], np.int64)
    seen[:] = -1
    list_rows(start, column, parent, seen, factor_start[:-1].copy(), row)
    return factor_start, row


@Loop
def scatter(D: FloatArray, M: FloatArray, row_slot: IntArray, H: FloatArray) -> None:
    """Add ``sum_i D_i M_i M_i'`` on the pattern of L."""
    for i in range(M.shape[0]):
        pair = 0
        for a in range(M.shape[1]):
            weighted = D[i] * M[i, a]
            for b in range(a, M.shape[1]):
                H[row_slot[i, pair]] += weighted * M[i, b]
                pair += 1


@Loop
def cholesky_in_place(
    start: IntArray,
    row: IntArray,
    L: FloatArray,
    work: FloatArray,
    cursor: IntArray,
    waiting: IntArray,
    following: IntArray,
) -> float:
    """Left-looking Cholesky on a fixed pattern; returns log|H|, NaN if H is not positive definite.

    Column k takes part in column j as long as its next unread row is j: `waiting[j]` heads a
    linked list of those columns and `cursor[k]` is their next unread slot. ``work`` holds zeros,
    ``cursor`` the slot after every diagonal, ``waiting`` and ``following`` hold -1.
    """
    q = len(start) - 1
    logdet = 0.0
    for j in range(q):
        for s in range(start[j], start[j + 1]):
            work[row[s]] = L[s]
        k = waiting[j]
        while k >= 0:
            after, pivot = following[k], L[cursor[k]]
            for s in range(cursor[k], start[k + 1]):
                work[row[s]] -= pivot * L[s]
            cursor[k] += 1
            if cursor[k] < start[k + 1]:
                head = row[cursor[k]]
                following[k], waiting[head] = waiting[head], k
            k = after
        if not work[j] > 0.0:
            return np.nan
        diagonal = np.sqrt(work[j])
        logdet += 2.0 * np.log(diagonal)
        for s in range(start[j], start[j + 1]):
            L[s] = work[row[s]] / diagonal
            work[row[s]] = 0.0
        if cursor[j] < start[j + 1]:
            head = row[cursor[j]]
            following[j], waiting[head] = waiting[head], j
    return logdet


@Loop
def solve_in_place(start: IntArray, row: IntArray, L: FloatArray, x: FloatArray) -> None:
    """``x <- (L L')^-1 x`` for x of shape (q, m) in pivot order."""
    q, m = x.shape[0], x.shape[1]
    for j in range(q):
        for c in range(m):
            x[j, c] /= L[start[j]]
        for s in range(start[j] + 1, start[j + 1]):
            for c in range(m):
                x[row[s], c] -= L[s] * x[j, c]
    for j in range(q - 1, -1, -1):
        for s in range(start[j] + 1, start[j + 1]):
            for c in range(m):
                x[j, c] -= L[s] * x[row[s], c]
        for c in range(m):
            x[j, c] /= L[start[j]]


@Loop
def inverse_on_pattern(
    start: IntArray,
    row: IntArray,
    L: FloatArray,
    weight: FloatArray,
    total: FloatArray,
    inverse: FloatArray,
) -> None:
    """Entries of ``(L L')^-1`` on the pattern of L.

    Outside column j's pattern ``weight`` is zero and nothing reads what ``total`` collects.
    """
    q = len(start) - 1
    for j in range(q - 1, -1, -1):
        first, end = start[j], start[j + 1]
        for s in range(first + 1, end):
            weight[row[s]], total[row[s]] = L[s] / L[first], 0.0
        for s in range(first + 1, end):
            k = row[s]
            here = weight[k] * inverse[start[k]]
            for t in range(start[k] + 1, start[k + 1]):
                total[row[t]] += weight[k] * inverse[t]
                here += weight[row[t]] * inverse[t]
            total[k] += here
        own = 1.0 / L[first] ** 2
        for s in range(first + 1, end):
            inverse[s] = -total[row[s]]
            own += weight[row[s]] * total[row[s]]
            weight[row[s]] = 0.0
        inverse[first] = own


@Loop
def apply_blocks(inverse: FloatArray, M: FloatArray, row_slot: IntArray, R: FloatArray) -> None:
    """Product of every row's block of the inverse with its scaled design, added to R (n, K)."""
    for i in range(M.shape[0]):
        pair = 0
        for a in range(M.shape[1]):
            for b in range(a, M.shape[1]):
                value = inverse[row_slot[i, pair]]
                R[i, a] += value * M[i, b]
                if a != b:
                    R[i, b] += value * M[i, a]
                pair += 1


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    _, _, _, start, row, row_slot = index
    q = len(start) - 1
    L = np.zeros(start[-1])
    L[start[:-1]] = 1.0
    scatter(np.ascontiguousarray(D), np.ascontiguousarray(M), row_slot, L)
    waiting, following = np.full((2, q), -1, np.int64)
    logdet = cholesky_in_place(start, row, L, np.zeros(q), start[:-1] + 1, waiting, following)
    if np.isnan(logdet):
        L[:] = np.nan
    return logdet, L


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    _, _, order, start, row, _ = index
    x = np.empty(rhs.shape)
    x[order] = rhs
    solve_in_place(start, row, packed, x)
    return x[order]


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    _, _, _, start, row, row_slot = index
    inverse, (weight, total) = np.empty(len(packed)), np.zeros((2, len(start) - 1))
    inverse_on_pattern(start, row, packed, weight, total, inverse)
    R = np.zeros(M.shape)
    apply_blocks(inverse, np.ascontiguousarray(M), row_slot, R)
    return R
