"""Whether a sparse Cholesky factor of H is too large to be had, told before it is ordered."""

import numpy as np
import scipy.sparse as sp

from mixedlm_pt._typing import BoolArray, IntArray

# A factor of more numbers takes 1.6 GB with its pattern, one of more multiplications more than ten
# seconds each time; a fit needs about fifty.
MAX_NUMBERS, MAX_WORK = 1e8, 1e10
# A column that meets more others than this many times the root of their number is a hub.
HUB = 4.0


def is_too_large(row: IntArray, column: IntArray, q: int) -> bool:
    """Whether the bounds of `factor_cost` forbid a sparse factor; see there for the arguments."""
    numbers, work = factor_cost(row, column, q)
    return numbers > MAX_NUMBERS or work > MAX_WORK


def hubs(row: IntArray, column: IntArray, q: int) -> BoolArray:
    """Columns that meet so many others that they belong at the end of any order, shape (q,)."""
    degree = np.bincount(row, minlength=q) + np.bincount(column, minlength=q)
    is_hub: BoolArray = degree > HUB * np.sqrt(q) + 2.0
    return is_hub


def factor_cost(row: IntArray, column: IntArray, q: int) -> tuple[float, float]:
    """Most numbers in a sparse Cholesky factor of H, and most multiplications for it.

    L fills no more than the envelope of H. In the reverse Cuthill-McKee order, with hubs at the
    end, that is narrow wherever levels meet in chains, blocks or clusters, and as wide as the
    matrix where they meet at random. Minimum degree does better, but its own time grows with the
    fill.

    Parameters
    ----------
    row, column : arrays, shape (pairs,)
        Where H has numbers, in one triangle with the diagonal.
    q : int
        Number of columns of H.
    """
    is_hub = hubs(row, column, q)
    apart = ~(is_hub[row] | is_hub[column])
    ones = np.ones(int(apart.sum()), np.int8)
    graph = sp.csr_array((ones, (row[apart], column[apart])), shape=(q, q))
    order = sp.csgraph.reverse_cuthill_mckee(graph + graph.T, symmetric_mode=True)
    order = np.concatenate([order[~is_hub[order]], order[is_hub[order]]])
    place = np.empty(q, np.int64)
    place[order] = np.arange(q)
    first, here, there = np.arange(q), place[row], place[column]
    np.minimum.at(first, np.maximum(here, there), np.minimum(here, there))
    width = (np.arange(q) - first).astype(np.float64)
    # To eliminate a column from a row costs at most the width of either.
    before = np.concatenate([[0.0], np.cumsum(width)])
    work = np.minimum(width**2 / 2.0, before[:-1] - before[first])
    return float(width.sum() + q), float(work.sum())
