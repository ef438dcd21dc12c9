"""A loop on arrays: the tables of addresses that its code reads, one for every part."""

from collections.abc import Collection, Container, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mixedlm_pt.compile.loop_writer import Loop, Result
from mixedlm_pt.compile.part_results import RowResult, SumResult, TotalResult
from mixedlm_pt.linalg.addresses import address
from mixedlm_pt.linalg.cores import team
from mixedlm_pt.linalg.row_parts import RowParts, adding_parts, row_parts

type Made = RowResult | SumResult | TotalResult


class RunningLoop:
    """A loop whose known arguments are entered once.

    Many rows are cut into parts, which run on several cores. Not to be run twice at the same
    time: it keeps results that no caller sees for the next call.

    Parameters
    ----------
    loop : Loop
    registers : sequence
        Values of the arguments known so far.
    known : collection of int
        Registers that hold them.
    fresh : collection of int
        Registers whose arrays must be new at every call.
    """

    def __init__(
        self,
        loop: Loop,
        registers: Sequence[Any],
        known: Collection[int],
        fresh: Collection[int],
    ) -> None:
        self._function, self._fresh = loop.function, fresh
        moving = {place: k for k, place in enumerate(moving_arguments(loop, known))}
        parts = parts_of(loop, registers, moving)
        self._first = parts.cuts[:-1]
        self._numbers = np.zeros(max(len(loop.numbers), 1))
        # A table of addresses for every part.
        self._table = np.zeros((len(parts), 1 + len(loop.operands) + len(loop.results)), np.int64)
        self._table[:, 0] = address(self._numbers)
        self._parts = [
            (stop - start, address(table))
            for (start, stop), table in zip(pairwise(parts.cuts), self._table, strict=True)
        ]
        # What the tables point to must not be freed.
        self._held: dict[int, Any] = {}
        self._fixed_n: int | None = None
        for k, place in enumerate(loop.numbers):
            if place in known:
                self._numbers[k] = np.asarray(registers[place]).item()
        self._moving_numbers = [
            (k, moving[place]) for k, place in enumerate(loop.numbers) if place in moving
        ]
        self._moving_arrays = []
        for slot, (place, dtype, by_row) in enumerate(loop.operands, start=1):
            if place in moving:
                self._moving_arrays.append((slot, moving[place], dtype, by_row))
            else:
                rows = self._enter(slot, registers[place], dtype, by_row)
                self._fixed_n = agreed(self._fixed_n, rows) if by_row else self._fixed_n
        self._results = []
        spans = iter(parts.spans)
        for slot, result in enumerate(loop.results, start=1 + len(loop.operands)):
            length = None if result.length is None or result.length in moving else result.length
            size = None if length is None else int(registers[length])
            made = made_by(result, self._first, spans)
            self._results.append((slot, result, made, size, moving.get(result.length or -1)))

    def __call__(self, *arguments: Any) -> list[Any]:
        """Arrays of the results."""
        for k, which in self._moving_numbers:
            self._numbers[k] = arguments[which].item()
        n = self._fixed_n
        for slot, which, dtype, by_row in self._moving_arrays:
            n_rows = self._enter(slot, arguments[which], dtype, by_row)
            n = agreed(n, n_rows) if by_row else n
        assert n is not None, "a loop reads at least one register by row"
        written = []
        for slot, result, made, size, moving in self._results:
            length = size if moving is None else int(arguments[moving])
            written.append((made, self._memory(slot, result, made, result.shape(n, length))))
        if len(self._parts) > 1:
            team.run(partial(self._run_part, *part) for part in self._parts)
        else:
            self._function(n, self._parts[0][1])
        return [made.value(array) for made, array in written]

    def _run_part(self, n: int, table: int) -> None:
        """Run so many rows. A method: memory is held where an interruption ends the wait."""
        self._function(n, table)

    def _enter(self, slot: int, array: Any, dtype: str, by_row: bool) -> int:
        """Put an array's address into the tables; its number of rows."""
        if array.dtype != dtype or not array.flags.c_contiguous:
            array = np.ascontiguousarray(array, dtype)
        self._held[slot] = array
        start, step = address(array), array.strides[0] if by_row else 0
        for part, first in enumerate(self._first):
            self._table[part, slot] = start + first * step
        return len(array)

    def _memory(self, slot: int, result: Result, made: Made, shape: tuple[int, ...]) -> Any:
        """Memory for a result, with its addresses in the tables."""
        kept = self._held.get(slot)
        if kept is None or kept[0] != shape or result.place in self._fresh:
            array, self._table[:, slot] = made.memory(shape)
            self._held[slot] = shape, array
        else:
            array = kept[1]
        made.clear(array)
        return array


def parts_of(loop: Loop, registers: Sequence[Any], moving: Container[int]) -> RowParts:
    """Parts of the rows; one where their number or the positions of sums are not known yet."""
    rows = [len(registers[i]) for i, _, by_row in loop.operands if by_row and i not in moving]
    positions = [result.positions for result in loop.results if result.positions is not None]
    if not rows or any(place in moving for place in positions):
        return row_parts(0)
    return adding_parts(rows[0], [registers[place] for place in positions])


def made_by(result: Result, first: Sequence[int], spans: Iterator[Any]) -> Made:
    """How a result is made of what parts write."""
    if result.kind == "rows":
        return RowResult(first)
    if result.kind == "total":
        return TotalResult(len(first))
    return SumResult(next(spans, ()))


def moving_arguments(loop: Loop, known: Collection[int]) -> tuple[int, ...]:
    """Registers that a loop reads and that are not known yet."""
    return tuple(place for place in loop.arguments if place not in known)


def agreed(n: int | None, rows: int) -> int:
    """The number of rows, which must be that of all operands."""
    if n is not None and n != rows:
        raise ValueError(f"an operand has {rows} rows, others have {n}")
    return rows
