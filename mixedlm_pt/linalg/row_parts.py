"""Which rows a part of a pass over the rows has, and to which positions it adds.

Rows are cut by the data alone, never by the number of threads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any
from weakref import ref

from mixedlm_pt.linalg.cores import team

# Below so many rows a thread is awake too late to help; more parts would be no gain on the cores
# of a desktop, and their own sums take memory.
LEAST, MOST = 25_000, 16
# As many times as many rows make a part where a row, or a level, takes a few operations only.
LIGHT = 4


@dataclass(frozen=True, eq=False)
class RowParts:
    """Parts of the rows.

    Attributes
    ----------
    cuts : tuple of int
        First row of every part, and the number of rows.
    spans : tuple of tuple of (int, int)
        For every array of positions the least of each part and one more than the greatest.
    """

    cuts: tuple[int, ...]
    spans: tuple[tuple[tuple[int, int], ...], ...] = ()

    def __len__(self) -> int:
        return len(self.cuts) - 1


def in_parts(n: int, work: Callable[[int, int], Any]) -> list[Any]:
    """What ``work(first, end)`` returns for every part of so many rows, or levels."""
    cuts = row_parts(n, scale=LIGHT).cuts
    return team.run(partial(work, *bounds) for bounds in pairwise(cuts))


_known: dict[tuple[int, ...], tuple[list[Any], RowParts]] = {}


def row_parts(n: int, most: int = MOST, scale: int = 1) -> RowParts:
    """Parts of so many rows, each of ``scale * LEAST`` at least."""
    n_parts = max(min(n // (scale * LEAST), most), 1)
    return RowParts(tuple(n * part // n_parts for part in range(n_parts + 1)))


def adding_parts(n: int, positions: Sequence[Any], scale: int = 1) -> RowParts:
    """Parts of rows that add to positions, each to memory of its own.

    One part where their own sums together would have more than half as many entries as there are
    rows: to clear and to add them would take what a second core saves.

    Parameters
    ----------
    n : int
    positions : sequence of int array, shape (n,) or (n, k)
        Remembered: their entries must not change.
    scale : int
        A part has ``scale * LEAST`` rows at least.
    """
    if n < 2 * scale * LEAST or not positions:
        return row_parts(n, scale=scale)
    key = scale, *map(id, positions)
    if key in _known and all(alive() is not None for alive in _known[key][0]):
        return _known[key][1]
    parts, most = row_parts(n, 1), MOST
    while most > 1:
        cuts = row_parts(n, most, scale).cuts
        spans = tuple(tuple(spans_of(array, cuts)) for array in positions)
        if sum(stop - start for span in spans for start, stop in span) <= n // 2:
            parts = RowParts(cuts, spans)
            break
        most //= 2
    _known[key] = [ref(array, lambda _: _known.pop(key, None)) for array in positions], parts
    return parts


def spans_of(positions: Any, cuts: Sequence[int]) -> list[tuple[int, int]]:
    """Least position of every part, and one more than the greatest."""
    parts = [positions[start:stop] for start, stop in pairwise(cuts)]
    return [(int(part.min()), int(part.max()) + 1) for part in parts]
