"""Draws with covariance H^-1: products with a square root of H^-1, by structure.

A Cholesky factor R with ``H = R R'`` in the order of elimination gives ``R'^-1 z``, whose
covariance is H^-1 for standard normal z, and whose form in H is ``z'z``.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg as sl
from scipy.sparse import csr_array

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import crossed, sparse, tree
from mixedlm_pt.linalg.loops import Loop

type Index = tuple[IntArray, ...]
type InverseRoot = Callable[[FloatArray, FloatArray, Index, tuple[int, ...]], FloatArray]


def of_tree(
    packed: FloatArray, z: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """From the coarsest factor down: every level given its ancestors."""
    _, _, n_levels, *parents = index
    m = z.shape[1]
    ends = np.cumsum(n_levels * np.array(columns))
    parts = np.split(z, ends[:-1])
    x = [part.reshape(-1, k, m) for part, k in zip(parts, columns, strict=True)]
    views = tree.unpack(packed, n_levels, columns)
    for f in reversed(range(len(columns))):
        L, T = views[f]
        x[f] = tree.solve_upper(L, x[f])
        for g, used, ancestor in tree.ancestors(f, parents, columns):
            x[f] -= T[:, :, used : used + columns[g]] @ x[g][ancestor]
    return np.concatenate([block.reshape(-1, m) for block in x])


def of_crossed(
    packed: FloatArray, z: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """The other factors first, then the one with most levels given these."""
    start, column = index[3], index[5]
    L, T, S = crossed.unpack(packed, index, columns)
    n, k, m = len(L), L.shape[1], z.shape[1]
    rest = sl.solve_triangular(S, z[n * k :], trans="T", lower=True, check_finite=False)
    x = tree.solve_upper(L, z[: n * k].reshape(n, k, m))
    for a in range(k):
        meetings = csr_array((T[:, a], column, start), shape=(n, len(rest)))
        x[:, a] -= np.asarray(meetings @ rest, np.float64)
    return np.concatenate([x.reshape(n * k, m), rest])


def of_dense(
    packed: FloatArray, z: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """All at once."""
    L = packed.reshape(len(z), len(z))
    x: FloatArray = sl.solve_triangular(L, z, trans="T", lower=True, check_finite=False)
    return x


@Loop
def solve_upper_in_place(start: IntArray, row: IntArray, L: FloatArray, x: FloatArray) -> None:
    """``x <- L'^-1 x`` for x of shape (q, m) in pivot order."""
    for j in range(x.shape[0] - 1, -1, -1):
        for c in range(x.shape[1]):
            for s in range(start[j] + 1, start[j + 1]):
                x[j, c] -= L[s] * x[row[s], c]
            x[j, c] /= L[start[j]]


def of_sparse(
    packed: FloatArray, z: FloatArray, index: sparse.Index, columns: tuple[int, ...]
) -> FloatArray:
    """From the last pivot to the first."""
    _, _, order, start, row, _ = index
    x = np.array(z, order="C")
    solve_upper_in_place(start, row, packed, x)
    return x[order]


# The iterative structure has no factor.
INVERSE_ROOTS: dict[str, InverseRoot] = {
    "tree": of_tree,
    "crossed": of_crossed,
    "sparse": of_sparse,
    "dense": of_dense,
}
