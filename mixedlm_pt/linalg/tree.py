"""Nested grouping factors (one factor included): every Schur complement stays block diagonal.

The factors are ordered from the finest to the coarsest; factor 0's levels are the leaves, and
``parents[f]`` maps a level of factor f to the level of factor f+1 that contains it. A row's
scaled design ``M_i`` holds the columns of all factors, so the cross-products of the rows of one
leaf form one small matrix over the whole chain. Eliminating the leaf's own columns leaves a
matrix over the coarser factors that is summed over the leaves of each parent, and so on up.

The index is ``(cols, leaf, n_levels, *parents)``. ``packed`` holds, factor by factor, the
Cholesky factors ``L`` (n_levels, k, k) of the pivot blocks A and ``T = A^-1 G`` (n_levels, k,
remaining columns), each flattened in C order.
"""

from collections.abc import Iterator

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray

type Index = tuple[IntArray, ...]


def remaining(columns: tuple[int, ...]) -> tuple[int, ...]:
    """Number of columns of the coarser factors, for each factor."""
    return tuple(sum(columns[f + 1 :]) for f in range(len(columns)))


def ancestors(
    f: int, parents: list[IntArray], columns: tuple[int, ...]
) -> Iterator[tuple[int, int, IntArray]]:
    """Every coarser factor g, its first column in T, and the level of g above each level of f."""
    used, above = 0, parents[f] if f < len(parents) else np.empty(0, np.int64)
    for g in range(f + 1, len(columns)):
        yield g, used, above
        used += columns[g]
        above = parents[g][above] if g < len(parents) else above


def sum_by(codes: IntArray, values: FloatArray, n_levels: int) -> FloatArray:
    """Sums of ``values`` (n, ...) over rows with the same code, shape (n_levels, ...)."""
    flat = values.reshape(len(codes), -1)
    sums = [np.bincount(codes, flat[:, c], n_levels) for c in range(flat.shape[1])]
    return np.stack(sums, axis=1).reshape(n_levels, *values.shape[1:])


def cross_products(codes: IntArray, D: FloatArray, M: FloatArray, n_levels: int) -> FloatArray:
    """``sum_i D_i M_i M_i'`` over the rows of every level, shape (n_levels, K, K)."""
    K = M.shape[1]
    G = np.empty((n_levels, K, K))
    for a in range(K):
        weighted = D * M[:, a]
        for b in range(a, K):
            G[:, a, b] = G[:, b, a] = np.bincount(codes, weighted * M[:, b], n_levels)
    return G


def cholesky(A: FloatArray) -> FloatArray:
    """Batched lower Cholesky factors; NaN in the blocks that are not positive definite.

    Entry by entry over all blocks at once: for such small ones faster than LAPACK one by one.
    """
    L = np.zeros_like(A)
    for b in range(A.shape[-1]):
        for a in range(b, A.shape[-1]):
            rest = A[..., a, b].copy()
            for c in range(b):
                rest -= L[..., a, c] * L[..., b, c]
            if a == b:
                L[..., a, b] = np.sqrt(np.where(rest > 0.0, rest, np.nan))
            else:
                L[..., a, b] = rest / L[..., b, b]
    return L


def solve_lower(L: FloatArray, B: FloatArray) -> FloatArray:
    """``L^-1 B`` for batched lower triangular L; B has shape (n_levels, k, m)."""
    X = np.array(B)
    for a in range(L.shape[-1]):
        for c in range(a):
            X[:, a] -= L[:, a, c, None] * X[:, c]
        X[:, a] /= L[:, a, a, None]
    return X


def solve_upper(L: FloatArray, B: FloatArray) -> FloatArray:
    """``L'^-1 B``, as `solve_lower`."""
    k = L.shape[-1]
    X = np.array(B)
    for a in reversed(range(k)):
        for c in range(a + 1, k):
            X[:, a] -= L[:, c, a, None] * X[:, c]
        X[:, a] /= L[:, a, a, None]
    return X


def solve_blocks(L: FloatArray, B: FloatArray) -> FloatArray:
    """``A^-1 B`` for batched ``A = L L'``; B has shape (n_levels, k, m)."""
    return solve_upper(L, solve_lower(L, B))


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    blocks = eliminated(D, M, index, columns)
    logdet = 2.0 * float(sum(log_diagonals(L).sum() for L, _ in blocks))
    return logdet, np.concatenate([part.ravel() for block in blocks for part in block])


def log_diagonals(L: FloatArray) -> FloatArray:
    """Logarithms of the diagonals of batched matrices, shape (n_levels, k)."""
    diagonals: FloatArray = np.log(np.diagonal(L, axis1=1, axis2=2))
    return diagonals


def eliminated(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> list[tuple[FloatArray, FloatArray]]:
    """``(L, T)`` of every factor, finest first."""
    _, codes, n_levels, *parents = index
    G = cross_products(codes, D, M, int(n_levels[0]))
    blocks = []
    for f, k in enumerate(columns):
        L = cholesky(G[:, :k, :k] + np.eye(k))
        T = solve_blocks(L, G[:, :k, k:])
        blocks.append((L, T))
        if f + 1 < len(columns):
            S = G[:, k:, k:] - G[:, :k, k:].transpose(0, 2, 1) @ T
            G = sum_by(parents[f], S, int(n_levels[f + 1]))
    return blocks


def unpack(
    packed: FloatArray, n_levels: IntArray, columns: tuple[int, ...]
) -> list[tuple[FloatArray, FloatArray]]:
    """Views ``(L, T)`` of every factor, finest first."""
    views, start = [], 0
    for n, k, r in zip(n_levels.tolist(), columns, remaining(columns), strict=True):
        middle, end = start + n * k * k, start + n * k * (k + r)
        L = packed[start:middle].reshape(n, k, k)
        views.append((L, packed[middle:end].reshape(n, k, r)))
        start = end
    return views


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    _, _, n_levels, *parents = index
    views, m = unpack(packed, n_levels, columns), rhs.shape[1]
    starts = np.concatenate([[0], np.cumsum(n_levels * np.array(columns))])
    r = [rhs[starts[f] : starts[f + 1]].reshape(-1, k, m).copy() for f, k in enumerate(columns)]
    for f, (_, T) in enumerate(views):
        for g, used, ancestor in ancestors(f, parents, columns):
            part = T[:, :, used : used + columns[g]].transpose(0, 2, 1) @ r[f]
            r[g] -= sum_by(ancestor, part, int(n_levels[g]))
    x: list[FloatArray] = list(r)
    for f in reversed(range(len(columns))):
        L, T = views[f]
        x[f] = solve_blocks(L, r[f])
        for g, used, ancestor in ancestors(f, parents, columns):
            x[f] -= T[:, :, used : used + columns[g]] @ x[g][ancestor]
    return np.concatenate([block.reshape(-1, m) for block in x])


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    _, codes, n_levels, *parents = index
    views = unpack(packed, n_levels, columns)
    P = np.zeros((1, 0, 0))
    for f in reversed(range(len(columns))):
        L, T = views[f]
        n, k, r = T.shape
        above = P[parents[f]] if r else np.zeros((n, 0, 0))
        TP = T @ above
        P = np.empty((n, k + r, k + r))
        P[:, :k, :k] = solve_blocks(L, np.broadcast_to(np.eye(k), (n, k, k)))
        P[:, :k, :k] += TP @ T.transpose(0, 2, 1)
        P[:, :k, k:] = -TP
        P[:, k:, :k] = -TP.transpose(0, 2, 1)
        P[:, k:, k:] = above
    R: FloatArray = np.einsum("nab,nb->na", P[codes], M)
    return R
