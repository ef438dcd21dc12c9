"""A loop on arrays: the table of addresses that its code reads."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from mixedlm_pt.compile.loop_writer import Loop, Result


class RunningLoop:
    """A loop whose known arguments are entered once.

    Not to be run twice at the same time: it keeps results that no caller sees for the next call.

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
        self._numbers = np.zeros(max(len(loop.numbers), 1))
        self._table = np.zeros(1 + len(loop.operands) + len(loop.results), np.int64)
        self._address, self._table[0] = address(self._table), address(self._numbers)
        # What the table points to must not be freed.
        self._held: dict[int, Any] = {}
        self._fixed_n: int | None = None
        moving = {place: k for k, place in enumerate(moving_arguments(loop, known))}
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
                rows = self._enter(slot, registers[place], dtype)
                self._fixed_n = agreed(self._fixed_n, rows) if by_row else self._fixed_n
        self._results = []
        for slot, result in enumerate(loop.results, start=1 + len(loop.operands)):
            length = None if result.length is None or result.length in moving else result.length
            size = None if length is None else int(registers[length])
            self._results.append((slot, result, size, moving.get(result.length or -1)))

    def __call__(self, *arguments: Any) -> list[Any]:
        """Arrays of the results."""
        for k, which in self._moving_numbers:
            self._numbers[k] = arguments[which].item()
        n = self._fixed_n
        for slot, which, dtype, by_row in self._moving_arrays:
            n_rows = self._enter(slot, arguments[which], dtype)
            n = agreed(n, n_rows) if by_row else n
        assert n is not None, "a loop reads at least one register by row"
        results = []
        for slot, result, size, moving in self._results:
            length = size if moving is None else int(arguments[moving])
            results.append(self._result(slot, result, result.shape(n, length)))
        self._function(n, self._address)
        return results

    def _enter(self, slot: int, array: Any, dtype: str) -> int:
        """Put an array's address into the table; its number of rows."""
        if array.dtype != dtype or not array.flags.c_contiguous:
            array = np.ascontiguousarray(array, dtype)
        self._held[slot] = array
        self._table[slot] = address(array)
        return len(array)

    def _result(self, slot: int, result: Result, shape: tuple[int, ...]) -> Any:
        """Memory for a result, with its address in the table."""
        own = self._held.get(slot)
        if own is None or own.shape != shape or result.place in self._fresh:
            own = self._held[slot] = np.empty(shape)
            self._table[slot] = address(own)
        if result.kind == "sums":
            own.fill(0.0)
        return own


def moving_arguments(loop: Loop, known: Collection[int]) -> tuple[int, ...]:
    """Registers that a loop reads and that are not known yet."""
    return tuple(place for place in loop.arguments if place not in known)


def address(array: Any) -> int:
    """Where an array's first number is."""
    where: int = array.__array_interface__["data"][0]
    return where


def agreed(n: int | None, rows: int) -> int:
    """The number of rows, which must be that of all operands."""
    if n is not None and n != rows:
        raise ValueError(f"an operand has {rows} rows, others have {n}")
    return rows
