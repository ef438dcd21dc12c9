"""Crossed grouping factors, R replicates at once; see `crossed` for the notation.

The blocks of factor 0 and the entries of all replicates are one long list; the Schur complements
are R dense matrices. The index is that of `crossed`, where ``cols``, ``codes``, ``row_entry`` and
``row_pair`` have a leading dimension R and count on from replicate to replicate.
"""

import numpy as np
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import tree
from mixedlm_pt.linalg.batched_tree import counted_on
from mixedlm_pt.linalg.crossed import DENSE_ADVANTAGE, entry_sums, rest_size

type Index = tuple[IntArray, ...]


def batched_index(index: Index, R: int) -> Index:
    """The index of R replicates of one data set."""
    cols, codes, n_levels, start, level, column, row_entry, rest_pairs, row_pair = index
    return (
        cols,
        counted_on(codes, int(n_levels[0]), R),
        n_levels,
        start,
        level,
        column,
        counted_on(row_entry, len(level), R),
        rest_pairs,
        counted_on(row_pair, len(rest_pairs), R),
    )


def is_dense(index: Index, q: int) -> bool:
    """Whether products over levels are cheaper on dense (levels x rest) matrices."""
    counts = np.diff(index[3])
    return bool(int(index[2][0]) * q * q < DENSE_ADVANTAGE * int(counts @ counts))


def numbers(index: Index, columns: tuple[int, ...]) -> int:
    """About how many numbers the largest array of one replicate has."""
    q, counts = rest_size(index, columns), np.diff(index[3])
    products = int(index[2][0]) * q if is_dense(index, q) else int(counts @ counts)
    return max(q * q, products)


def meetings(start: IntArray) -> tuple[IntArray, IntArray]:
    """All ordered pairs of entries of the same level."""
    counts = np.diff(start)
    per_entry = np.repeat(counts, counts)
    first = np.repeat(np.arange(len(per_entry)), per_entry)
    run = np.repeat(np.cumsum(per_entry) - per_entry, per_entry)
    return first, np.repeat(np.repeat(start[:-1], counts), per_entry) + np.arange(len(run)) - run


def spread(values: FloatArray, index: Index, q: int) -> FloatArray:
    """Values (R, entries) in dense (R, levels, rest) matrices."""
    dense = np.zeros((len(values), int(index[2][0]), q))
    dense[:, index[4], index[5]] = values
    return dense


def unpack(
    packed: FloatArray, index: Index, columns: tuple[int, ...], R: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Views: L (R, n, k, k), T (R, entries, k), Cholesky factors of S (R, q, q)."""
    k, n, entries, q = columns[0], int(index[2][0]), len(index[4]), rest_size(index, columns)
    L, T, rest = np.split(packed, [R * n * k * k, R * (n * k * k + entries * k)])
    return L.reshape(R, n, k, k), T.reshape(R, entries, k), rest.reshape(R, q, q)


def schur(
    D: FloatArray, M: FloatArray, C: FloatArray, T: FloatArray, index: Index, q: int
) -> FloatArray:
    """S = I + (rest by rest) - C'A^-1 C, shape (R, q, q); only the lower triangles count."""
    _, _, _, start, _, column, _, rest_pairs, row_pair = index
    R, _, k = C.shape
    r = M.shape[1] - k
    S = np.zeros((R, q * q))
    pairs, flat_pair, pair = len(rest_pairs), row_pair.reshape(-1, row_pair.shape[-1]), 0
    for a in range(r):
        weighted = D * M[:, k + a]
        for b in range(a, r):
            sums = np.bincount(flat_pair[:, pair], weighted * M[:, k + b], R * pairs)
            S[:, rest_pairs] += sums.reshape(R, pairs)
            pair += 1
    if is_dense(index, q):
        for a in range(k):
            left, right = spread(C[:, :, a], index, q), spread(T[:, :, a], index, q)
            S -= (left.transpose(0, 2, 1) @ right).reshape(R, q * q)
    else:
        first, second = meetings(start)
        products = np.einsum("rek,rek->re", C[:, first], T[:, second])
        where = counted_on(column[first] * q + column[second], q * q, R)
        S -= np.bincount(where.reshape(-1), products.reshape(-1), S.size).reshape(S.shape)
    S[:, :: q + 1] += 1.0
    return S.reshape(R, q, q)


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """``log|H|`` of every replicate (R,), and the packed factorisation."""
    _, codes, n_levels, _, level, _, row_entry, _, _ = index
    R, n, K = M.shape
    k, q, levels, entries = columns[0], rest_size(index, columns), int(n_levels[0]), len(level)
    D, M, row_entry = D.reshape(-1), M.reshape(R * n, K), row_entry.reshape(-1, K - k)
    A = tree.cross_products(codes.reshape(-1), D, M[:, :k], R * levels) + np.eye(k)
    L = tree.cholesky(A).reshape(R, levels, k, k)
    C = entry_sums(D, M, row_entry, R * entries, k)
    at_entries = L[:, level].reshape(R * entries, k, k)
    T = tree.solve_blocks(at_entries, C[:, :, None]).reshape(R, entries, k)
    L_rest = schur(D, M, C.reshape(T.shape), T, index, q)
    for S in L_rest:
        lower, info = sl.lapack.dpotrf(S, lower=1)
        S[:] = np.nan if info else lower
    logdet = np.log(np.diagonal(L, axis1=2, axis2=3)).sum(axis=(1, 2))
    logdet += np.log(np.diagonal(L_rest, axis1=1, axis2=2)).sum(axis=1)
    return 2.0 * logdet, np.concatenate([L.ravel(), T.ravel(), L_rest.ravel()])


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (R, q, m)."""
    level, column = index[4], index[5]
    R, _, m = rhs.shape
    L, T, L_rest = unpack(packed, index, columns, R)
    n, k, q = L.shape[1], L.shape[2], L_rest.shape[1]
    r = rhs[:, : n * k].reshape(R, n, k, m)
    moved = (T[:, :, :, None] * r[:, level]).sum(axis=2).reshape(-1, m)
    sums = tree.sum_by(counted_on(column, q, R).reshape(-1), moved, R * q)
    rest = rhs[:, n * k :] - sums.reshape(R, q, m)
    for lower, x in zip(L_rest, rest, strict=True):
        x[:] = sl.cho_solve((lower, True), x, check_finite=False)
    back = (T[:, :, :, None] * rest[:, column][:, :, None, :]).reshape(-1, k, m)
    sums = tree.sum_by(counted_on(level, n, R).reshape(-1), back, R * n)
    own = tree.solve_blocks(L.reshape(-1, k, k), r.reshape(-1, k, m)) - sums
    return np.concatenate([own.reshape(R, n * k, m), rest], axis=1)


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row of every replicate, shape (R, n, K)."""
    cols, codes, _, _, level, _, row_entry, _, _ = index
    R, _, K = M.shape
    L, T, L_rest = unpack(packed, index, columns, R)
    n, k = L.shape[1], L.shape[2]
    half = np.array([sl.lapack.dtrtri(lower, lower=1)[0] for lower in L_rest])
    inverse = np.matmul(half.transpose(0, 2, 1), half)
    V = entry_products(T, inverse, index)
    identity = np.broadcast_to(np.eye(k), (R * n, k, k))
    outer = (T[:, :, :, None] * V[:, :, None, :]).reshape(-1, k, k)
    own = tree.solve_blocks(L.reshape(-1, k, k), identity)
    own = own + tree.sum_by(counted_on(level, n, R).reshape(-1), outer, R * n)
    flat, M, V = codes.reshape(-1), M.reshape(-1, K), V.reshape(-1, k)
    result = np.empty_like(M)
    result[:, :k] = np.einsum("nab,nb->na", own[flat], M[:, :k])
    entry, rest = row_entry.reshape(-1, K - k), cols[0, :, k:] - n * k
    for b in range(K - k):
        Vb = V[entry[:, b]]
        result[:, :k] -= Vb * M[:, k + b, None]
        result[:, k + b] = -(Vb * M[:, :k]).sum(axis=1)
        for c in range(K - k):
            at_rows = inverse[:, rest[:, b], rest[:, c]].reshape(-1)
            result[:, k + b] += at_rows * M[:, k + c]
    return result.reshape(R, -1, K)


def entry_products(T: FloatArray, inverse: FloatArray, index: Index) -> FloatArray:
    """Sums over the entries e' of a level of ``T_e' S^-1[e', e]``, by entry, shape of T."""
    start, level, column = index[3:6]
    V = np.empty_like(T)
    if is_dense(index, inverse.shape[1]):
        for a in range(T.shape[2]):
            product = spread(T[:, :, a], index, inverse.shape[1]) @ inverse
            V[:, :, a] = product[:, level, column]
        return V
    first, second = meetings(start)
    weight = inverse[:, column[second], column[first]]
    where = counted_on(first, len(level), len(T)).reshape(-1)
    for a in range(T.shape[2]):
        products = (weight * T[:, second, a]).reshape(-1)
        V[:, :, a] = np.bincount(where, products, V[:, :, a].size).reshape(len(T), -1)
    return V
