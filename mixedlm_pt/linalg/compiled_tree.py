"""Compiled kernels of nested grouping factors: the elimination of `tree`, level by level.

``packed`` is that of `tree`, so either set of kernels can read what the other wrote.
"""

from functools import partial
from itertools import pairwise

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg.cores import team
from mixedlm_pt.linalg.loops import Loop
from mixedlm_pt.linalg.row_parts import LIGHT, adding_parts, in_parts
from mixedlm_pt.linalg.tree import ancestors, remaining, unpack

type Index = tuple[IntArray, ...]

# Pivots are multiplied up to here before a logarithm is taken: it costs as much as ten products.
LARGE, TINY = 1e100, 1e-100


def work(index: Index) -> int:
    """Products of columns in a factorisation, by row."""
    n, K = index[0].shape
    return int(n * K**2)


@Loop
def add_rows(codes: IntArray, D: FloatArray, M: FloatArray, G: FloatArray) -> None:
    """Add ``D_i M_i M_i'`` to the upper triangle of every row's level, G (n_levels, K, K)."""
    add_rows_from(codes, D, M, 0, G)


@Loop
def add_rows_from(codes: IntArray, D: FloatArray, M: FloatArray, first: int, G: FloatArray) -> None:
    """As `add_rows` where G begins with level ``first``."""
    for i in range(M.shape[0]):
        j = codes[i] - first
        for a in range(G.shape[1]):
            weighted = D[i] * M[i, a]
            for b in range(a, G.shape[1]):
                G[j, a, b] += weighted * M[i, b]


@Loop
def solve_block(L: FloatArray, j: int, X: FloatArray, e: int) -> None:
    """``X[e] <- (L[j] L[j]')^-1 X[e]`` for X of shape (blocks, k, m)."""
    k = L.shape[1]
    for b in range(X.shape[2]):
        for a in range(k):
            value = X[e, a, b]
            for c in range(a):
                value -= L[j, a, c] * X[e, c, b]
            X[e, a, b] = value / L[j, a, a]
        for a in range(k - 1, -1, -1):
            value = X[e, a, b]
            for c in range(a + 1, k):
                value -= L[j, c, a] * X[e, c, b]
            X[e, a, b] = value / L[j, a, a]


@Loop
def factor_blocks(G: FloatArray, L: FloatArray) -> float:
    """Cholesky factors of ``I + G[j]`` over its first k columns; the sum of their log|.|."""
    logdet, product = 0.0, 1.0
    for j in range(G.shape[0]):
        for a in range(L.shape[1]):
            for b in range(a + 1):
                pivot = G[j, b, a]
                for c in range(b):
                    pivot -= L[j, a, c] * L[j, b, c]
                if b < a:
                    L[j, a, b] = pivot / L[j, b, b]
                else:
                    pivot += 1.0
                    if not pivot > 0.0:
                        return np.nan
                    L[j, a, a] = np.sqrt(pivot)
                    if pivot > LARGE or pivot < TINY:
                        logdet += np.log(pivot)
                    else:
                        product *= pivot
                    if product > LARGE or product < TINY:
                        logdet += np.log(product)
                        product = 1.0
            for b in range(a + 1, L.shape[1]):
                L[j, a, b] = 0.0
    return float(logdet + np.log(product))


def factor_levels(G: FloatArray, L: FloatArray) -> float:
    """`factor_blocks` on several cores."""
    return float(sum(in_parts(len(G), lambda a, b: factor_blocks(G[a:b], L[a:b]))))


@Loop
def eliminate(G: FloatArray, L: FloatArray, T: FloatArray, S: FloatArray, p: IntArray) -> None:
    """``T = A^-1 G`` of every level, and its Schur complement added to that of its parent."""
    k, r = T.shape[1], T.shape[2]
    for j in range(G.shape[0]):
        for a in range(k):
            for b in range(r):
                T[j, a, b] = G[j, a, k + b]
        solve_block(L, j, T, j)
        for a in range(r):
            for b in range(a, r):
                value = G[j, k + a, k + b]
                for c in range(k):
                    value -= G[j, c, k + a] * T[j, c, b]
                S[p[j], a, b] += value


def cross_products(codes: IntArray, D: FloatArray, M: FloatArray, n_levels: int) -> FloatArray:
    """Upper triangles of ``sum_i D_i M_i M_i'`` of every level, shape (n_levels, K, K)."""
    D, M = np.ascontiguousarray(D), np.ascontiguousarray(M)
    n, K = M.shape
    G, parts = np.zeros((n_levels, K, K)), adding_parts(n, [codes], LIGHT)
    if len(parts) == 1:
        add_rows(codes, D, M, G)
        return G
    [spans] = parts.spans
    own = [np.zeros((stop - start, K, K)) for start, stop in spans]
    team.run(
        partial(add_rows_from, codes[a:b], D[a:b], M[a:b], start, sums)
        for (a, b), (start, _), sums in zip(pairwise(parts.cuts), spans, own, strict=True)
    )
    for (start, stop), sums in zip(spans, own, strict=True):
        G[start:stop] += sums
    return G


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    _, codes, n_levels, *parents = index
    widths = remaining(columns)
    k, r = np.array(columns), np.array(widths)
    packed = np.empty(int(n_levels @ (k * (k + r))))
    G, logdet = cross_products(codes, D, M, int(n_levels[0])), 0.0
    for f, (L, T) in enumerate(unpack(packed, n_levels, columns)):
        logdet += factor_levels(G, L)
        if np.isnan(logdet):
            packed[:] = np.nan
            break
        if widths[f]:
            S = np.zeros((n_levels[f + 1], widths[f], widths[f]))
            eliminate(G, L, T, S, parents[f])
            G = S
    return logdet, packed


@Loop
def move_up(T: FloatArray, own: FloatArray, above: FloatArray, p: IntArray, used: int) -> None:
    """Subtract ``T'own`` of every level from the ancestor's right-hand side."""
    for j in range(T.shape[0]):
        for b in range(above.shape[1]):
            for a in range(T.shape[1]):
                for c in range(own.shape[2]):
                    above[p[j], b, c] -= T[j, a, used + b] * own[j, a, c]


@Loop
def move_down(T: FloatArray, own: FloatArray, above: FloatArray, p: IntArray, used: int) -> None:
    """Subtract ``T above`` from every level's own solution."""
    for j in range(T.shape[0]):
        for a in range(T.shape[1]):
            for b in range(above.shape[1]):
                for c in range(own.shape[2]):
                    own[j, a, c] -= T[j, a, used + b] * above[p[j], b, c]


@Loop
def solve_blocks(L: FloatArray, X: FloatArray) -> None:
    """``X[j] <- (L[j] L[j]')^-1 X[j]`` for X of shape (n_levels, k, m)."""
    for j in range(L.shape[0]):
        solve_block(L, j, X, j)


def solve_levels(L: FloatArray, X: FloatArray) -> None:
    """`solve_blocks` on several cores."""
    in_parts(len(L), lambda a, b: solve_blocks(L[a:b], X[a:b]))


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    _, _, n_levels, *parents = index
    views, x, start = unpack(packed, n_levels, columns), np.array(rhs, order="C"), 0
    blocks = []
    for L, _ in views:
        n, k, _ = L.shape
        blocks.append(x[start : start + n * k].reshape(n, k, rhs.shape[1]))
        start += n * k
    for f, (_, T) in enumerate(views):
        for g, used, ancestor in ancestors(f, parents, columns):
            move_up(T, blocks[f], blocks[g], ancestor, used)
    for f in reversed(range(len(columns))):
        L, T = views[f]
        solve_levels(L, blocks[f])
        for g, used, ancestor in ancestors(f, parents, columns):
            move_down(T, blocks[f], blocks[g], ancestor, used)
    return x


@Loop
def inverse_blocks(
    L: FloatArray, T: FloatArray, above: FloatArray, p: IntArray, P: FloatArray
) -> None:
    """Blocks P of H^-1 for every level and its ancestors, from the ancestors' blocks."""
    k, r = T.shape[1], T.shape[2]
    for j in range(T.shape[0]):
        for a in range(k):
            for b in range(k + r):
                P[j, a, b] = 0.0
            P[j, a, a] = 1.0
        solve_block(L, j, P, j)
        for b in range(r):
            for c in range(r):
                P[j, k + b, k + c] = above[p[j], b, c]
            for a in range(k):
                value = 0.0
                for c in range(r):
                    value -= T[j, a, c] * above[p[j], c, b]
                P[j, a, k + b] = value
                P[j, k + b, a] = value
        for a in range(k):
            for b in range(k):
                for c in range(r):
                    P[j, a, b] -= P[j, a, k + c] * T[j, b, c]


def inverse_levels(
    L: FloatArray, T: FloatArray, above: FloatArray, p: IntArray, P: FloatArray
) -> None:
    """`inverse_blocks` on several cores."""
    in_parts(len(P), lambda a, b: inverse_blocks(L[a:b], T[a:b], above, p[a:b], P[a:b]))


@Loop
def apply_blocks(codes: IntArray, P: FloatArray, M: FloatArray, R: FloatArray) -> None:
    """``R_i = P[codes_i] M_i``."""
    for i in range(R.shape[0]):
        for a in range(P.shape[1]):
            value = 0.0
            for b in range(P.shape[1]):
                value += P[codes[i], a, b] * M[i, b]
            R[i, a] = value


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    _, codes, n_levels, *parents = index
    views = unpack(packed, n_levels, columns)
    P, parent = np.zeros((1, 0, 0)), np.zeros(n_levels[-1], np.int64)
    for f in reversed(range(len(columns))):
        L, T = views[f]
        above, P = P, np.empty((T.shape[0], *2 * (T.shape[1] + T.shape[2],)))
        inverse_levels(L, T, above, parents[f] if f < len(parents) else parent, P)
    M, R = np.ascontiguousarray(M), np.empty(M.shape)
    in_parts(len(M), lambda a, b: apply_blocks(codes[a:b], P, M[a:b], R[a:b]))
    return R
