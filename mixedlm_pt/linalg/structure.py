"""Which structure the grouping indices have, and the index arrays that its Ops work on."""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import spilu

from mixedlm_pt._typing import IntArray
from mixedlm_pt.linalg.sparse import factor_pattern

# Above this many columns the dense block of the crossed structure takes too much memory (n^2
# numbers, 0.5 GB) and time (n^3/3 operations). Below, random crossings fill a sparse factor so far
# that it is slower: with 5,000 columns of rest 33 s a factorisation against 2.3 s.
DENSE_REST_LIMIT = 8000
# Positions in the index of the arrays with one entry, or one row, for every row of the data.
ROW_ARRAYS = {"tree": (0, 1), "crossed": (0, 1, 6, 8), "sparse": (0, 5), "dense": (0,)}


@dataclass(frozen=True)
class Layout:
    """The static part of a structure: what a compiled graph depends on.

    Attributes
    ----------
    kind : str
        ``"tree"`` (one factor, or nested ones), ``"crossed"``, ``"sparse"`` or ``"dense"``.
    columns : tuple of int
        Number of columns of each grouping factor, by decreasing number of levels.
    n_index : int
        Number of index arrays.
    """

    kind: str
    columns: tuple[int, ...]
    n_index: int


@dataclass(frozen=True, eq=False)
class Structure:
    """A layout with the index arrays of one data set.

    Attributes
    ----------
    layout : Layout
    index : tuple of int64 arrays
        First ``cols`` (n, K): the positions in u of every row's columns. The rest is described in
        the module of the kind.
    q : int
        Number of random effects; u holds factor after factor, level after level.
    description : str
        The choice in words, with the names of the factors.
    """

    layout: Layout
    index: tuple[IntArray, ...]
    q: int
    description: str

    @property
    def cols(self) -> IntArray:
        """Positions in u of every row's columns, shape (n, K)."""
        return self.index[0]

    def index_at(self, rows: IntArray) -> tuple[IntArray, ...]:
        """The index arrays of other rows, each grouped as one of these, for `row_inverse`."""
        by_row = ROW_ARRAYS[self.layout.kind]
        return tuple(array[rows] if i in by_row else array for i, array in enumerate(self.index))


def choose_structure(
    codes: list[IntArray],
    n_levels: list[int],
    columns: list[int],
    names: list[str],
    kind: str | None = None,
) -> Structure:
    """The cheapest structure that is exact for these grouping factors.

    Parameters
    ----------
    codes : list of arrays, shape (n,)
        Level of every row, one array a factor, by decreasing number of levels.
    n_levels, columns : list of int
        Levels and columns of each factor.
    names : list of str
        Names of the factors, for the description.
    kind : str, optional
        Force a structure: ``"crossed"``, ``"sparse"`` and ``"dense"`` are exact for any factors.
    """
    sizes = np.array(n_levels, np.int64)
    cols = column_positions(codes, sizes, columns)
    q = int(sizes @ np.array(columns))
    parents = nesting(codes, n_levels)
    if kind is None:
        is_small = q - n_levels[0] * columns[0] <= DENSE_REST_LIMIT
        kind = "tree" if parents is not None else "crossed" if is_small else "sparse"
    if kind == "tree":
        assert parents is not None, "the factors are not nested"
        index: tuple[IntArray, ...] = (cols, codes[0], sizes, *parents)
    elif kind == "crossed":
        eliminated = int(sizes[0]) * columns[0]
        rest = cols[:, columns[0] :] - eliminated
        index = (
            cols,
            codes[0],
            sizes,
            *crossed_index(rest, codes[0], int(sizes[0]), q - eliminated),
        )
    elif kind == "sparse":
        index = (cols, sizes, *sparse_index(cols, q))
    else:
        index = (cols, sizes)
    layout = Layout(kind, tuple(columns), len(index))
    return Structure(layout, index, q, describe(kind, n_levels, columns, names))


def describe(kind: str, n_levels: list[int], columns: list[int], names: list[str]) -> str:
    """The structure in words."""
    parts = [f"{name} ({n} x {k})" for name, n, k in zip(names, n_levels, columns, strict=True)]
    if kind == "tree":
        return "block diagonal: " + " nested in ".join(parts)
    if kind == "crossed":
        return f"crossed: {parts[0]} eliminated, dense Cholesky of " + " and ".join(parts[1:])
    return f"{kind} Cholesky of " + " and ".join(parts)


def column_positions(codes: list[IntArray], sizes: IntArray, columns: list[int]) -> IntArray:
    """Positions in u of every row's columns, shape (n, K)."""
    starts = np.concatenate([[0], np.cumsum(sizes * np.array(columns))[:-1]])
    parts = [
        start + code[:, None] * k + np.arange(k)
        for start, code, k in zip(starts, codes, columns, strict=True)
    ]
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.int64)


def nesting(codes: list[IntArray], n_levels: list[int]) -> list[IntArray] | None:
    """Parent of every level in the next factor; None if some factor is not nested in the next."""
    parents = []
    for fine, coarse, n in zip(codes, codes[1:], n_levels, strict=False):
        parent = np.zeros(n, np.int64)
        parent[fine] = coarse
        if not np.array_equal(parent[fine], coarse):
            return None
        parents.append(parent)
    return parents


def crossed_index(
    rest: IntArray, codes: IntArray, n_levels: int, q_rest: int
) -> tuple[IntArray, ...]:
    """Where each level of factor 0 meets a column of the rest, and where the rest meets itself."""
    entries, row_entry = np.unique(codes[:, None] * q_rest + rest, return_inverse=True)
    level, column = entries // q_rest, entries % q_rest
    start = np.searchsorted(level, np.arange(n_levels + 1))
    return (start, level, column, row_entry.reshape(rest.shape), *pair_index(rest, q_rest))


def pair_index(cols: IntArray, stride: int) -> tuple[IntArray, IntArray]:
    """Distinct lower-triangle positions ``row * stride + column`` of all pairs, and each row's."""
    pairs = [
        np.maximum(cols[:, a], cols[:, b]) * stride + np.minimum(cols[:, a], cols[:, b])
        for a, b in combinations_with_replacement(range(cols.shape[1]), 2)
    ]
    stacked = np.stack(pairs, axis=1)
    distinct, inverse = np.unique(stacked, return_inverse=True)
    return distinct, inverse.reshape(stacked.shape)


def sparse_index(cols: IntArray, q: int) -> tuple[IntArray, ...]:
    """Minimum-degree order, pattern of L in compressed columns, and each row pair's slot in it."""
    distinct, _ = pair_index(cols, q)
    order = minimum_degree(distinct // q, distinct % q, q)
    ordered, row_pair = pair_index(order[cols], q)
    # The pairs are sorted by row of H.
    start, row = factor_pattern(np.searchsorted(ordered // q, np.arange(q + 1)), ordered % q)
    column = np.repeat(np.arange(q), np.diff(start))
    slots = np.searchsorted(column * q + row, (ordered % q) * q + ordered // q)
    return order, start, row, slots[row_pair]


def minimum_degree(row: IntArray, column: IntArray, q: int) -> IntArray:
    """Pivot position of every column of H, from SuperLU's minimum degree on the pattern."""
    # An incomplete factorisation that drops everything gives the order without the work of L.
    below = csc_array((np.full(len(row), 1e-3 / q), (row, column)), shape=(q, q))
    matrix: Any = below + below.T + eye_array(q)
    options = {"SymmetricMode": True}
    lu = spilu(
        matrix.tocsc(),
        drop_tol=1.0,
        fill_factor=1.0,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options=options,
    )
    return np.asarray(lu.perm_c, np.int64)
