"""Nested grouping factors, R replicates at once: one tree with R times the levels.

The index is that of `tree` with a leading dimension: ``(cols, leaf, n_levels, *parents)``, shapes
(R, n, K), (R, n), (F,), (R, n_levels_f), where the codes of replicate r count on from those of
replicate r - 1.
"""

from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import compiled_tree, tree

type Index = tuple[IntArray, ...]


def batched_index(index: Index, R: int) -> Index:
    """The index of R replicates of one data set."""
    cols, leaf, n_levels, *parents = index
    above = [counted_on(p, int(n), R) for p, n in zip(parents, n_levels[1:], strict=True)]
    return cols, counted_on(leaf, int(n_levels[0]), R), n_levels, *above


def counted_on(codes: IntArray, n: int, R: int) -> IntArray:
    """R copies of codes below n, each with n more than the one before, shape (R, ...)."""
    shift = n * np.arange(R, dtype=np.int64)
    return codes + shift.reshape(-1, *(1 for _ in codes.shape))


def flat(index: Index, R: int) -> Index:
    """The index of the one tree that R replicates make; ``cols`` is not needed."""
    cols, leaf, n_levels, *parents = index
    return cols, leaf.reshape(-1), R * n_levels, *(p.reshape(-1) for p in parents)


def kernels(columns: tuple[int, ...]) -> Any:
    """Compiled loops, but NumPy's functions of whole arrays where a row has but one column.

    Not a matter of R: the last bits of a replicate would depend on how many there are.
    """
    return tree if columns == (1,) else compiled_tree


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """``log|H|`` of every replicate (R,), and the packed factorisation of the one tree."""
    (R, n, K), one_tree = M.shape, flat(index, len(M))
    rows = M.reshape(R * n, K)
    total, packed = kernels(columns).factor(D.reshape(-1), rows, one_tree, columns)
    if np.isnan(total):
        blocks = tree.eliminated(D.reshape(-1), rows, one_tree, columns)
        bad = np.isnan(log_determinants([L for L, _ in blocks], R))
        # With D = 0 these replicates leave the others their factors.
        rest = np.where(bad[:, None], 0.0, D).reshape(-1)
        _, packed = kernels(columns).factor(rest, rows, one_tree, columns)
    else:
        bad = np.zeros(R, np.bool_)
    blocks = tree.unpack(packed, one_tree[2], columns)
    logdet = log_determinants([L for L, _ in blocks], R)
    return np.where(bad, np.nan, logdet), packed


def log_determinants(factors: list[FloatArray], R: int) -> FloatArray:
    """``log|H|`` of every replicate from the Cholesky factors of its blocks, shape (R,)."""
    logdet = np.zeros(R)
    for L in factors:
        logdet += 2.0 * tree.log_diagonals(L).reshape(R, -1).sum(axis=1)
    return logdet


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (R, q, m)."""
    R, _, m = rhs.shape
    one_tree = flat(index, R)
    if len(columns) == 1:
        x: FloatArray = kernels(columns).solve(packed, rhs.reshape(-1, m), one_tree, columns)
        return x.reshape(rhs.shape)
    ends = np.cumsum(index[2] * np.array(columns))
    # u holds the replicates one after the other, the one tree's its factors.
    by_factor = [part.reshape(-1, m) for part in np.split(rhs, ends[:-1], axis=1)]
    x = kernels(columns).solve(packed, np.concatenate(by_factor), one_tree, columns)
    parts = np.split(x, R * ends[:-1])
    return np.concatenate([part.reshape(R, -1, m) for part in parts], axis=1)


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row of every replicate, shape (R, n, K)."""
    R, n, K = M.shape
    one_tree = flat(index, R)
    product: FloatArray = kernels(columns).row_inverse(
        packed, M.reshape(R * n, K), one_tree, columns
    )
    return product.reshape(M.shape)
