"""Programs at work: one call of C for a graph of small data, where Python would need a hundred."""

from collections.abc import Sequence
from ctypes import CFUNCTYPE, c_void_p
from functools import cached_property
from typing import Any

import numpy as np

from mixedlm_pt.compile.program_code import ProgramCode
from mixedlm_pt.compile.program_source import Frame, Source
from mixedlm_pt.compile.program_tree import write_structured
from mixedlm_pt.linalg.addresses import address
from mixedlm_pt.linalg.machine_code import machine_code


class Program:
    """A compiled graph.

    Parameters
    ----------
    source : Source
    is_quick : bool
        Whether its code is made quickly, and is slow for many rows.

    Raises
    ------
    NotCompilableError
        If the graph needs what there is no code for.
    """

    def __init__(self, source: Source, *, is_quick: bool) -> None:
        self.source, self.is_quick = source, is_quick
        self.code = ProgramCode(source, write_structured)

    @cached_property
    def function(self) -> Any:
        """The C function."""
        [address] = machine_code(self.code.text, "program", is_quick=self.is_quick)
        return CFUNCTYPE(None, *[c_void_p] * (len(self.source.given) + 3))(address)

    def bind(self, registers: list[Any]) -> "BoundProgram":
        """The function of the given registers when these are the others."""
        return BoundProgram(self, registers)


class BoundProgram:
    """A program of some data; its table is made anew for arguments of other shapes."""

    def __init__(self, program: Program, registers: list[Any]) -> None:
        self._program, self._registers = program, registers
        self._types = [program.code.dtype(place) for place in program.source.given]
        self._tables: dict[Any, Table] = {}

    def __call__(self, *arguments: Any) -> list[Any]:
        """Arrays of the outputs."""
        arrays = [
            np.asarray(argument, dtype, order="C")
            for argument, dtype in zip(arguments, self._types, strict=True)
        ]
        shapes = tuple(array.shape for array in arrays)
        if shapes not in self._tables:
            self._tables[shapes] = Table(self._program, self._registers, arrays)
        return self._tables[shapes].run(arrays)


class Table:
    """Addresses and sizes for arguments of known shapes."""

    def __init__(self, program: Program, registers: list[Any], arguments: Sequence[Any]) -> None:
        source, code = program.source, program.code
        frame = Frame(registers.copy())
        for place, argument in zip(source.given, arguments, strict=True):
            frame.values[place] = argument
        for rule in code.rules:
            rule(frame.values)
        ends = {True: 0, False: 0}
        for key, size in code.sizes.items():
            is_output = key in source.outputs
            frame.offsets[key] = ends[is_output]
            ends[is_output] += size(frame.values)
        self._n_outputs, self._n_scratch = ends[True], ends[False]
        self._function, self._held = program.function, frame.held
        self._table = np.array([recipe(frame) for recipe in code.entries], np.int64)
        self._outputs = []
        for place in source.outputs:
            first, shape = frame.offsets[place], frame.values[place].shape
            self._outputs.append((slice(first, first + frame.values[place].size), shape))
        self._address = address(self._table)
        self._idle: list[Any] = []

    def run(self, arguments: Sequence[Any]) -> list[Any]:
        """Arrays of the outputs."""
        outputs = np.empty(self._n_outputs)
        # One set for every call at the same time.
        try:
            scratch = self._idle.pop()
        except IndexError:
            scratch = np.empty(self._n_scratch)
        addresses = map(address, (*arguments, outputs, scratch))
        self._function(*addresses, self._address)
        self._idle.append(scratch)
        return [outputs[part].reshape(shape) for part, shape in self._outputs]
