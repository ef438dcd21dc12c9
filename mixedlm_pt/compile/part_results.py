"""Memory into which the parts of a loop write, and the results made of it."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from mixedlm_pt.linalg.addresses import address


class RowResult:
    """A value for each row; every part writes its own rows."""

    def __init__(self, first: Sequence[int]) -> None:
        self.first = first

    def memory(self, shape: tuple[int, ...]) -> tuple[Any, list[int]]:
        """An array, and where each part writes."""
        array = np.empty(shape)
        return array, row_addresses(array, self.first)

    def clear(self, array: Any) -> None:
        """Every row is written: there is nothing to clear."""

    def value(self, array: Any) -> Any:
        """The array."""
        return array


class TotalResult:
    """Totals over all rows; every part has its own, which are added in the order of the parts."""

    def __init__(self, n_parts: int) -> None:
        self.n_parts = n_parts

    def memory(self, shape: tuple[int, ...]) -> tuple[Any, list[int]]:
        """Totals of the parts, and where they are."""
        totals = np.empty((self.n_parts, *shape))
        return totals, row_addresses(totals, range(self.n_parts))

    def clear(self, totals: Any) -> None:
        """Every part writes its totals: there is nothing to clear."""

    def value(self, totals: Any) -> Any:
        """The totals over all parts."""
        if self.n_parts == 1:
            return totals.reshape(totals.shape[1:])
        return np.asarray(totals.sum(axis=0))


class SumResult:
    """Sums by position; every part has its own over the span of its positions.

    Parameters
    ----------
    spans : sequence of (int, int)
        Least position of every part, and one more than the greatest; empty where there is one
        part, which writes the result itself.
    """

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self.spans = spans
        self.ends = [0, *accumulate(stop - start for start, stop in spans)]
        self.own = np.empty(self.ends[-1])

    def memory(self, shape: tuple[int, ...]) -> tuple[Any, list[int]]:
        """An array for all sums, and where each part has position 0, if it had it."""
        array = np.empty(shape)
        if not self.spans:
            return array, [address(array)]
        first = [end - start for end, (start, _) in zip(self.ends, self.spans, strict=False)]
        return array, row_addresses(self.own, first)

    def clear(self, array: Any) -> None:
        """Let the sums begin at zero."""
        array.fill(0.0)
        self.own.fill(0.0)

    def value(self, array: Any) -> Any:
        """The sums over all parts, added in their order."""
        for k, (start, stop) in enumerate(self.spans):
            array[start:stop] += self.own[self.ends[k] : self.ends[k + 1]]
        return array


def row_addresses(array: Any, rows: Sequence[int]) -> list[int]:
    """Where some rows of an array begin."""
    start = address(array)
    return [start + row * array.strides[0] for row in rows]
