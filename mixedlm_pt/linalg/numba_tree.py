"""Numba kernels for nested grouping factors: the recursion of `tree`, one level at a time.

``packed`` has the layout of `tree`, so either set of kernels can read what the other wrote. Levels
of all factors are numbered through, finest factor first: ``nodes[f]`` is the number of factor f's
first level, and ``parent`` maps such a number to a level of the next factor.

Arrays are copied number by number: numba takes seconds to compile ``x[:] = y``.
"""

import numba as nb
import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray

type Index = tuple[IntArray, ...]
type Nest = tuple[IntArray, IntArray, IntArray]


@nb.njit(cache=True)
def cross_products(
    codes: IntArray, D: FloatArray, M: FloatArray, n_levels: int, k: int
) -> FloatArray:
    """Upper triangles of ``sum_i D_i M_i M_i'`` of k columns, shape (n_levels, k, k)."""
    G = np.zeros((n_levels, k, k))
    for i in range(M.shape[0]):
        j = codes[i]
        for a in range(k):
            weighted = D[i] * M[i, a]
            for b in range(a, k):
                G[j, a, b] += weighted * M[i, b]
    return G


@nb.njit(cache=True, error_model="numpy")
def cholesky_block(G: FloatArray, j: int, L: FloatArray) -> float:
    """``L[j]`` of the pivot block ``I + G[j]``; returns its log-determinant, NaN on failure."""
    logdet = 0.0
    for a in range(L.shape[1]):
        for b in range(a + 1):
            pivot = G[j, b, a]
            for c in range(b):
                pivot -= L[j, a, c] * L[j, b, c]
            if b < a:
                L[j, a, b] = pivot / L[j, b, b]
        pivot += 1.0
        if not pivot > 0.0:
            return np.nan
        logdet += np.log(pivot)
        L[j, a, a] = np.sqrt(pivot)
        L[j, a, a + 1 :] = 0.0
    return logdet


@nb.njit(cache=True, error_model="numpy")
def solve_block(L: FloatArray, j: int, X: FloatArray) -> None:
    """``X <- (L[j] L[j]')^-1 X`` for X of shape (k, m)."""
    k, m = X.shape
    for b in range(m):
        for a in range(k):
            for c in range(a):
                X[a, b] -= L[j, a, c] * X[c, b]
            X[a, b] /= L[j, a, a]
        for a in range(k - 1, -1, -1):
            for c in range(a + 1, k):
                X[a, b] -= L[j, c, a] * X[c, b]
            X[a, b] /= L[j, a, a]


@nb.njit(cache=True)
def nest_of(index: Index) -> Nest:
    """Leaf of every row, levels of every factor, and the parents one factor after the other.

    Its type does not depend on the number of factors, so the kernels compile once for all of them.
    """
    # The empty piece gives np.concatenate something to join when there is one factor.
    return index[1], index[2], np.concatenate((index[1][:0], *index[3:]))


@nb.njit(cache=True)
def offsets(n_levels: IntArray, columns: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Where every factor starts among the levels, in u and in `packed`, and columns from it on."""
    F = len(columns)
    nodes, starts, ends, widths = np.zeros((4, F + 1), np.int64)
    for f in range(F - 1, -1, -1):
        widths[f] = widths[f + 1] + columns[f]
    for f in range(F):
        nodes[f + 1] = nodes[f] + n_levels[f]
        starts[f + 1] = starts[f] + n_levels[f] * columns[f]
        ends[f + 1] = ends[f] + n_levels[f] * columns[f] * widths[f]
    return nodes, starts, ends, widths


@nb.njit(cache=True)
def views(packed: FloatArray, start: int, n: int, k: int, r: int) -> tuple[FloatArray, FloatArray]:
    """L (n, k, k) and T (n, k, r) of one factor."""
    middle, end = start + n * k * k, start + n * k * (k + r)
    return packed[start:middle].reshape((n, k, k)), packed[middle:end].reshape((n, k, r))


@nb.njit(cache=True)
def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: IntArray
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    return factor_nest(D, M, nest_of(index), columns)


@nb.njit(cache=True)
def factor_nest(
    D: FloatArray, M: FloatArray, nest: Nest, columns: IntArray
) -> tuple[float, FloatArray]:
    """`factor` from a nest."""
    codes, n_levels, parent = nest
    nodes, _, ends, _ = offsets(n_levels, columns)
    packed, logdet = np.empty(ends[-1]), 0.0
    G = cross_products(codes, D, M, n_levels[0], M.shape[1])
    for f in range(len(columns)):
        n, k = len(G), columns[f]
        r = G.shape[1] - k
        L, T = views(packed, ends[f], n, k, r)
        n_above = n_levels[f + 1] if r > 0 else 0
        S = np.zeros((n_above, r, r))
        for j in range(n):
            logdet += cholesky_block(G, j, L)
            if np.isnan(logdet):
                packed[:] = np.nan
                return logdet, packed
            for a in range(k):
                for b in range(r):
                    T[j, a, b] = G[j, a, k + b]
            if r > 0:
                solve_block(L, j, T[j])
                eliminate(G, j, T, S, parent[nodes[f] + j])
        G = S
    return logdet, packed


@nb.njit(cache=True)
def eliminate(G: FloatArray, j: int, T: FloatArray, S: FloatArray, p: int) -> None:
    """Add level j's Schur complement to its parent p, in the upper triangle."""
    k, r = T.shape[1], T.shape[2]
    for a in range(r):
        for b in range(a, r):
            value = G[j, k + a, k + b]
            for c in range(k):
                value -= G[j, c, k + a] * T[j, c, b]
            S[p, a, b] += value


@nb.njit(cache=True)
def solve(packed: FloatArray, rhs: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q,)."""
    return solve_nest(packed, rhs, nest_of(index), columns)


@nb.njit(cache=True)
def solve_nest(packed: FloatArray, rhs: FloatArray, nest: Nest, columns: IntArray) -> FloatArray:
    """`solve` from a nest."""
    _, n_levels, parent = nest
    nodes, starts, ends, widths = offsets(n_levels, columns)
    F, x = len(columns), rhs.copy()
    for f in range(F - 1):
        k = columns[f]
        _, T = views(packed, ends[f], n_levels[f], k, widths[f + 1])
        for j in range(n_levels[f]):
            level, own, used = j, starts[f] + j * k, 0
            for g in range(f + 1, F):
                level = parent[nodes[g - 1] + level]
                for b in range(columns[g]):
                    for a in range(k):
                        x[starts[g] + level * columns[g] + b] -= T[j, a, used + b] * x[own + a]
                used += columns[g]
    for f in range(F - 1, -1, -1):
        k = columns[f]
        L, T = views(packed, ends[f], n_levels[f], k, widths[f + 1])
        for j in range(n_levels[f]):
            level, own, used = j, starts[f] + j * k, 0
            solve_block(L, j, x[own : own + k].reshape((k, 1)))
            for g in range(f + 1, F):
                level = parent[nodes[g - 1] + level]
                for b in range(columns[g]):
                    for a in range(k):
                        x[own + a] -= T[j, a, used + b] * x[starts[g] + level * columns[g] + b]
                used += columns[g]
    return x


@nb.njit(cache=True)
def inverse_block(L: FloatArray, T: FloatArray, j: int, above: FloatArray, P: FloatArray) -> None:
    """Block P of H^-1 for level j and its ancestors, from the ancestors' block."""
    k, r = T.shape[1], T.shape[2]
    own = np.eye(k)
    solve_block(L, j, own)
    for b in range(r):
        for c in range(r):
            P[k + b, k + c] = above[b, c]
        for a in range(k):
            value = 0.0
            for c in range(r):
                value -= T[j, a, c] * above[c, b]
            P[a, k + b] = P[k + b, a] = value
    for a in range(k):
        for b in range(k):
            P[a, b] = own[a, b]
            for c in range(r):
                P[a, b] -= P[a, k + c] * T[j, b, c]


@nb.njit(cache=True)
def row_inverse(packed: FloatArray, M: FloatArray, index: Index, columns: IntArray) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    return row_inverse_nest(packed, M, nest_of(index), columns)


@nb.njit(cache=True)
def row_inverse_nest(
    packed: FloatArray, M: FloatArray, nest: Nest, columns: IntArray
) -> FloatArray:
    """`row_inverse` from a nest."""
    codes, n_levels, parent = nest
    nodes, _, ends, _ = offsets(n_levels, columns)
    F = len(columns)
    P, r = np.zeros((1, 0, 0)), 0
    for f in range(F - 1, -1, -1):
        n, k = n_levels[f], columns[f]
        L, T = views(packed, ends[f], n, k, r)
        above, P = P, np.empty((n, k + r, k + r))
        for j in range(n):
            p = parent[nodes[f] + j] if f < F - 1 else 0
            inverse_block(L, T, j, above[p], P[j])
        r += k
    R = np.zeros(M.shape)
    for i in range(M.shape[0]):
        j = codes[i]
        for a in range(r):
            for b in range(r):
                R[i, a] += P[j, a, b] * M[i, b]
    return R
