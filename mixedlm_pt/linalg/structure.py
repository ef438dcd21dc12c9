"""Which structure the grouping indices have, and the index arrays that its Ops work on."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import scipy.sparse as sp

from mixedlm_pt._typing import IntArray
from mixedlm_pt.linalg import compiled_crossed
from mixedlm_pt.linalg.crossed import rest_size
from mixedlm_pt.linalg.iterative_choice import factor_cost, hubs, is_too_large
from mixedlm_pt.linalg.sparse import factor_pattern

# Above this many columns the dense block of the crossed structure takes too much memory (n^2
# numbers, 0.5 GB, and as much again for its inverse).
DENSE_REST_LIMIT = 8000
# Below this many columns a dense factor takes less than 0.1 s and the fill is not worth a look.
ANALYSED_REST = 2000
# LAPACK runs about this many times as many operations a second as the loops of `sparse`.
DENSE_ADVANTAGE = 12
# A solve and the joint density take about as long as this many operations of a factorisation for
# each number in the rows, and for so many numbers more.
SOLVE_WORK, SOLVE_OVERHEAD = 20, 50_000
# A factorisation that takes so many times as long as these is worth a few more steps.
COSTLY = 5
# Positions that are marked in a table, for each number that is looked up; else they are sorted.
TABLE_PER_NUMBER, TABLE_LEAST = 16, 4_000_000
# Positions in the index of the arrays with one entry, or one row, for every row of the data.
ROW_ARRAYS = {
    "tree": (0, 1),
    "crossed": (0, 1, 6, 8),
    "sparse": (0, 5),
    "dense": (0,),
    "iterative": (0, 1, 6, 8),
}
# Random vectors from which log|H| is estimated where no factorisation fits, and their seed.
N_PROBES, PROBE_SEED = 32, 20250707


@dataclass(frozen=True)
class Layout:
    """The static part of a structure: what a compiled graph depends on.

    Attributes
    ----------
    kind : str
        ``"tree"`` (one factor, or nested ones), ``"crossed"``, ``"sparse"``, ``"dense"`` or
        ``"iterative"``.
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

    @cached_property
    def has_costly_factor(self) -> bool:
        """Whether a factorisation takes several times as long as a solve and the joint density.

        With a sparse factor it always does; with nested factors it does not.
        """
        if self.layout.kind != "crossed":
            return self.layout.kind == "sparse"
        dense = rest_size(self.index, self.layout.columns) ** 3 // (3 * DENSE_ADVANTAGE)
        solve = SOLVE_WORK * (self.cols.size + SOLVE_OVERHEAD)
        return compiled_crossed.work(self.index) + dense > COSTLY * solve

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
    n_probes: int = N_PROBES,
) -> Structure:
    """The cheapest structure for these grouping factors: an exact one where any fits.

    Parameters
    ----------
    codes : list of arrays, shape (n,)
        Level of every row, one array a factor, by decreasing number of levels.
    n_levels, columns : list of int
        Levels and columns of each factor.
    names : list of str
        Names of the factors, for the description.
    kind : str, optional
        Force a structure: ``"crossed"``, ``"sparse"`` and ``"dense"`` are exact for any factors;
        ``"iterative"`` estimates log|H|.
    n_probes : int
        Random vectors from which ``"iterative"`` estimates it.
    """
    sizes = np.array(n_levels, np.int64)
    cols = column_positions(codes, sizes, columns)
    q = int(sizes @ np.array(columns))
    q_rest = q - int(sizes[0]) * columns[0]
    parents = nesting(codes, n_levels)
    if kind is None:
        is_tree = parents is not None
        kind = "tree" if is_tree else crossed_kind(cols, q, q_rest)
    if kind == "tree":
        assert parents is not None, "the factors are not nested"
        index: tuple[IntArray, ...] = (cols, codes[0], sizes, *parents)
    elif kind in ("crossed", "iterative"):
        rest = cols[:, columns[0] :] - (q - q_rest)
        index = (cols, codes[0], sizes, *crossed_index(rest, codes[0], int(sizes[0]), q_rest))
        if kind == "iterative":
            index = (*index, probes(q_rest, n_probes))
    elif kind == "sparse":
        index = (cols, sizes, *sparse_index(cols, q))
    else:
        index = (cols, sizes)
    index = tuple(np.ascontiguousarray(array, np.int64) for array in index)
    layout = Layout(kind, tuple(columns), len(index))
    return Structure(layout, index, q, describe(kind, n_levels, columns, names, n_probes))


def describe(
    kind: str, n_levels: list[int], columns: list[int], names: list[str], n_probes: int
) -> str:
    """The structure in words."""
    parts = [f"{name} ({n} x {k})" for name, n, k in zip(names, n_levels, columns, strict=True)]
    if kind == "tree":
        return "block diagonal: " + " nested in ".join(parts)
    if kind == "crossed":
        return f"crossed: {parts[0]} eliminated, dense Cholesky of " + " and ".join(parts[1:])
    if kind == "iterative":
        how = f"conjugate gradients with {n_probes} probes"
        return f"iterative: {parts[0]} eliminated, {how} for " + " and ".join(parts[1:])
    return f"{kind} Cholesky of " + " and ".join(parts)


def crossed_kind(cols: IntArray, q: int, q_rest: int) -> str:
    """The structure of crossed factors."""
    if is_crossed(cols, q, q_rest):
        return "crossed"
    distinct, _ = pair_index(cols, q)
    has_no_factor = q_rest > DENSE_REST_LIMIT and is_too_large(*np.divmod(distinct, q), q)
    return "iterative" if has_no_factor else "sparse"


def probes(q: int, n: int) -> IntArray:
    """n vectors of random signs (q, n), always the same; the identity where n is at least q."""
    if n >= q:
        return np.eye(q, dtype=np.int64)
    signs = np.random.default_rng(PROBE_SEED).integers(0, 2, (q, n), np.int64)
    return 2 * signs - 1


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


def is_crossed(cols: IntArray, q: int, q_rest: int) -> bool:
    """Whether a dense Cholesky of the rest fits and costs less than a sparse one of the whole H.

    A bound tells: to count the sparse operations H has to be ordered, which takes minutes where
    levels meet at random.
    """
    if not ANALYSED_REST < q_rest <= DENSE_REST_LIMIT:
        return q_rest <= DENSE_REST_LIMIT
    distinct, _ = pair_index(cols, q)
    _, work = factor_cost(*np.divmod(distinct, q), q)
    return bool(q_rest**3 / 6 < DENSE_ADVANTAGE * work)


def located(keys: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Distinct keys, which are below ``size``, in ascending order, and each key's place in them."""
    if size > TABLE_PER_NUMBER * keys.size + TABLE_LEAST:
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place.reshape(keys.shape)
    occurs = np.zeros(size, bool)
    occurs[keys.reshape(-1)] = True
    distinct = np.flatnonzero(occurs)
    table = np.empty(size, np.int64)
    table[distinct] = np.arange(len(distinct))
    return distinct, table[keys]


def crossed_index(
    rest: IntArray, codes: IntArray, n_levels: int, q_rest: int
) -> tuple[IntArray, ...]:
    """Where each level of factor 0 meets a column of the rest, and where the rest meets itself."""
    entries, row_entry = located(codes[:, None] * q_rest + rest, n_levels * q_rest)
    level, column = np.divmod(entries, q_rest)
    start = np.searchsorted(level, np.arange(n_levels + 1))
    return (start, level, column, row_entry, *pair_index(rest, q_rest))


def pair_index(cols: IntArray, stride: int) -> tuple[IntArray, IntArray]:
    """Distinct lower-triangle positions ``row * stride + column`` of all pairs, and each row's."""
    pairs = [
        np.maximum(cols[:, a], cols[:, b]) * stride + np.minimum(cols[:, a], cols[:, b])
        for a, b in combinations_with_replacement(range(cols.shape[1]), 2)
    ]
    return located(np.stack(pairs, axis=1), stride * stride)


def sparse_index(cols: IntArray, q: int) -> tuple[IntArray, ...]:
    """Minimum-degree order, pattern of L in compressed columns, and each row pair's slot in it."""
    distinct, _ = pair_index(cols, q)
    order = minimum_degree(distinct // q, distinct % q, q)
    ordered, row_pair = pair_index(order[cols], q)
    # The pairs are sorted by row of H.
    pair_row, pair_column = np.divmod(ordered, q)
    start, row = factor_pattern(np.searchsorted(pair_row, np.arange(q + 1)), pair_column)
    column = np.repeat(np.arange(q), np.diff(start))
    slots = np.searchsorted(column * q + row, pair_column * q + pair_row)
    return order, start, row, slots[row_pair]


def minimum_degree(row: IntArray, column: IntArray, q: int) -> IntArray:
    """Pivot position of every column of H, from SuperLU's minimum degree on the pattern.

    Hubs go last, without being looked at: with them the search takes hours.
    """
    is_hub = hubs(row, column, q)
    apart = ~(is_hub[row] | is_hub[column])
    row, column = row[apart], column[apart]
    # An incomplete factorisation that drops everything gives the order without the work of L.
    below = sp.csc_array((np.full(len(row), 1e-3 / q), (row, column)), shape=(q, q))
    matrix: Any = below + below.T + sp.eye_array(q)
    options = {"SymmetricMode": True}
    lu = sp.linalg.spilu(
        matrix.tocsc(),
        drop_tol=1.0,
        fill_factor=1.0,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options=options,
    )
    order = np.empty(q, np.int64)
    order[np.lexsort([lu.perm_c, is_hub])] = np.arange(q)
    return order
