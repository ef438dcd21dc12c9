"""A graph as one C function: rows by loops, small arrays written out, levels by the tree's loops.

Its text depends on the graph alone: addresses and sizes are read from a table that is filled for
the data at hand, see `program`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir
from pytensor.graph.basic import Constant
from pytensor.tensor.basic import Join
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import Reshape, Shape, Shape_i, SpecifyShape

from mixedlm_pt.compile.arithmetic import Code, Double, name_of
from mixedlm_pt.compile.loop_writer import Loop, Result
from mixedlm_pt.compile.program_source import Recipe, Rule, Source
from mixedlm_pt.compile.row_loop import FUNCTION
from mixedlm_pt.compile.row_nodes import Node
from mixedlm_pt.compile.table_code import POINTER_TYPE, SMALL, TableCode, merged
from mixedlm_pt.compile.written_out import COMMON, NotCompilableError, as_objects, outputs_of
from mixedlm_pt.linalg import Factor, RowInverse, Solve
from mixedlm_pt.linalg.array_loops import product
from mixedlm_pt.linalg.translation import FLOAT, INT

# Arrays with more numbers are not written out number by number.
WRITTEN_OUT = 40


class ProgramCode(TableCode[Recipe]):
    """The C function ``program(*addresses of arguments, outputs, scratch, table)``.

    Parameters
    ----------
    source : Source
    write_structured : callable
        Writes the Ops on H.

    Attributes
    ----------
    rules : list
        What to do, in order, so that every register has its shape.
    sizes : dict
        Of registers and work arrays with memory of their own: a function of the registers.
    """

    def __init__(
        self, source: Source, write_structured: Callable[[ProgramCode, Node], None]
    ) -> None:
        super().__init__("program")
        self.source, self.known = source, set(source.known)
        self._write_structured = write_structured
        self.rules: list[Rule] = []
        self.sizes: dict[Any, Callable[[list[Any]], int]] = {}
        self.texts: list[str] = []
        self._aliases: dict[int, int] = {}
        self._pointers: dict[Any, ir.Value] = {}
        self._integers: dict[int, Any] = {}
        self._write()

    @property
    def text(self) -> str:
        """The module."""
        return merged([str(self.module), *self.texts])

    def _write(self) -> None:
        n_given = len(self.source.given)
        addresses = self.start("program", [POINTER_TYPE] * (n_given + 2), ir.VoidType())
        self._given = dict(zip(self.source.given, addresses, strict=False))
        self._out, self._scratch = addresses[n_given:]
        small: list[Node] = []
        for item in self.source.order:
            if isinstance(item, Node) and self._is_small(item):
                small.append(item)
                continue
            if isinstance(item, Node) and self._is_integer(item):
                self._note_integers(item)
                continue
            self._write_small(small)
            small = []
            if isinstance(item, Loop):
                self._write_loop(item)
            else:
                self._write_node(item)
        self._write_small(small)
        for place in dict.fromkeys(self.source.outputs):
            if place not in self.sizes:
                self._copy_output(place)
        self.builder.ret_void()

    # Registers and memory

    def keep(self, key: Any, size: Callable[[list[Any]], int]) -> None:
        """Memory for a register or a work array."""
        self.sizes[key] = size

    def made(self, place: int, shape: Callable[[list[Any]], Sequence[int]]) -> None:
        """Memory for a register of doubles of this shape."""

        def rule(values: list[Any]) -> None:
            values[place] = np.empty(tuple(shape(values)))

        self.rules.append(rule)
        self.keep(place, lambda values: int(values[place].size))

    def memory(self, key: Any) -> ir.Value:
        """Where the memory of a register or a work array begins."""
        base = self._out if key in self.source.outputs else self._scratch
        return self.at(base, self.load(lambda frame: frame.offsets[key]))

    def place_of(self, place: int, dtype: str = "float64") -> ir.Value:
        """Address of a register."""
        place = self._aliases.get(place, place)
        if (place, dtype) not in self._pointers:
            self._pointers[place, dtype] = self._address(place, dtype)
        return self._pointers[place, dtype]

    def _address(self, place: int, dtype: str) -> ir.Value:
        if place in self._given:
            if self.dtype(place) != dtype:
                raise NotCompilableError(f"an argument of type {self.dtype(place)}")
            return self._given[place]
        if place in self.known:
            return self.load(
                lambda f: f.address((place, dtype), f.values[place], dtype), POINTER_TYPE
            )
        return self.memory(place)

    def dtype(self, place: int) -> str:
        """Type of a register's numbers."""
        return str(self.source.spaces.variables[place].type.dtype)

    def shape(self, place: int) -> Sequence[int | None]:
        """What is known of a register's shape."""
        return getattr(self.source.spaces.variables[place].type, "shape", (None,))

    def array(self, place: int, dtype: str = "float64") -> str:
        """Name of the operand that a register is."""
        name = f"{dtype}.{place}"
        if name not in self.operands:
            sizes = [
                self.length(place, axis) if size is None else size
                for axis, size in enumerate(self.shape(place))
            ]
            self.enter(name, self.place_of(place, dtype), sizes, dtype)
        return name

    def length(self, place: int, axis: int = 0) -> ir.Value:
        """Size of a register along an axis."""
        return self.load(lambda frame: int(frame.values[place].shape[axis]))

    def enter(
        self, name: str, pointer: ir.Value, sizes: Sequence[ir.Value | int], dtype: str = "float64"
    ) -> None:
        """Name an array; small sizes that are known are part of the code."""
        short = [INT(size) if isinstance(size, int) and size > SMALL else size for size in sizes]
        self.define(name, pointer, short, dtype == "float64")

    def size_of(self, key: Any) -> ir.Value:
        """Numbers in a register or a work array."""
        return self.load(lambda frame: self.sizes[key](frame.values))

    # Nodes

    def _is_integer(self, node: Node) -> bool:
        """Whether a node computes sizes or positions, which do not change from call to call."""
        if not all(self.dtype(place).startswith("int") for place in node.targets):
            return False
        return isinstance(node.op, Shape | Shape_i) or self.known.issuperset(node.arguments)

    def _note_integers(self, node: Node) -> None:
        """Sizes or positions are known before the code runs, and some when it is written."""
        rule = self.source.calls[node]
        self.rules.append(rule)
        self.known |= set(node.targets)
        values: dict[int, Any] = {}
        for place in node.arguments:
            data, shape = self._constant(place), self.shape(place)
            if data is not None:
                values[place] = data
            elif isinstance(node.op, Shape | Shape_i) and None not in shape:
                values[place] = np.broadcast_to(0.0, tuple(shape))  # type: ignore[arg-type]
            else:
                return
        rule(values)
        self._integers |= {place: np.asarray(values[place]) for place in node.targets}

    def _is_small(self, node: Node) -> bool:
        """Whether a node can be written out."""
        if isinstance(node.op, Factor | RowInverse | Solve):
            return False
        return all(self._is_short(place) for place in (*node.arguments, *node.targets)) and any(
            self.dtype(place) == "float64" for place in node.targets
        )

    def _is_short(self, place: int) -> bool:
        variable = self.source.spaces.variables[place]
        if isinstance(variable, Constant) and not hasattr(variable.type, "shape"):
            return True
        shape = self.shape(place)
        return None not in shape and prod(shape) <= WRITTEN_OUT  # type: ignore[arg-type]

    def _write_node(self, node: Node) -> None:
        op = node.op
        if isinstance(op, Factor | RowInverse | Solve):
            self._write_structured(self, node)
        elif isinstance(op, DimShuffle | SpecifyShape | Reshape):
            self._write_alias(node)
        elif isinstance(op, Dot) and self.source.spaces.variables[node.targets[0]].type.ndim == 2:
            A, B = node.arguments
            [C] = node.targets
            self.made(C, lambda values: (values[A].shape[0], values[B].shape[1]))
            self.call(product, *(self.array(place) for place in (A, B, C)))
        elif isinstance(op, Join) and op.axis == 0 and len(self.shape(node.targets[0])) == 1:
            self._write_join(node)
        else:
            raise NotCompilableError(str(op))

    def _write_alias(self, node: Node) -> None:
        """The same numbers in another shape."""
        [target], source = node.targets, node.arguments[0]
        shuffle = getattr(node.op, "shuffle", ())
        if list(shuffle) != sorted(shuffle) or source in self.known:
            raise NotCompilableError(str(node.op))
        self.rules.append(self.source.calls[node])
        self._aliases[target] = self._aliases.get(source, source)

    def _write_join(self, node: Node) -> None:
        [target], parts = node.targets, node.arguments
        self.made(target, lambda values: (sum(len(values[part]) for part in parts),))
        there = self.place_of(target)
        for part in parts:
            size = self.length(part)
            self.copy(self.place_of(part), there, size)
            there = self.at(there, size)

    def _copy_output(self, place: int) -> None:
        """An output that no code fills."""
        pointer = self.place_of(place)
        self.keep(place, lambda values: int(values[place].size))
        self.copy(pointer, self.memory(place), self.size_of(place))

    def _write_loop(self, loop: Loop) -> None:
        """Call the loop on a table of its own."""
        name = f"rows{len(self.texts)}"
        text = loop.text.replace(f"define void {FUNCTION}(", f"define internal void @{name}(")
        self.texts.append(text.replace("@body(", f"@body.{name}("))
        [by_row, *_] = [place for place, _, is_row in loop.operands if is_row]
        for result in loop.results:
            self.made(result.place, partial(result_shape, by_row, result))
            if result.kind == "sums":
                self.clear(self.place_of(result.place), self.size_of(result.place))
        numbers = self.builder.alloca(FLOAT, max(len(loop.numbers), 1))
        for k, place in enumerate(loop.numbers):
            number = self.builder.load(self.place_of(place), typ=FLOAT)
            self.builder.store(number, self.at(numbers, INT(k)))
        operands = [self.place_of(place, dtype) for place, dtype, _ in loop.operands]
        results = [self.place_of(result.place) for result in loop.results]
        self.call_text(name, self.length(by_row), self.addresses([numbers, *operands, *results]))

    def _write_small(self, nodes: Sequence[Node]) -> None:
        """Nodes of small arrays as one function, number by number."""
        if not nodes:
            return
        inside = {place for node in nodes for place in node.targets}
        after = {*self.source.outputs}
        for item in self.source.order:
            after |= set(item.arguments) if item not in nodes else set()
        written = [place for place in dict.fromkeys(inside) if place in after]
        read = dict.fromkeys(i for node in nodes for i in node.arguments if i not in inside)
        code, name = Code("%s"), f"small{len(self.texts)}"
        values: dict[int, Any] = {}
        pointers: list[tuple[str, ir.Value]] = []
        for place in read:
            data = self._constant(place)
            if data is None:
                if self.dtype(place) != "float64":
                    raise NotCompilableError(f"a number of type {self.dtype(place)}")
                values[place] = self._loaded(code, f"in{len(pointers)}", place)
                pointers.append((f"in{len(pointers)}", self.place_of(place)))
            else:
                values[place] = data
        for node in nodes:
            results = outputs_of(node.apply, [values[place] for place in node.arguments])
            values |= dict(zip(node.targets, results, strict=True))
        for place in written:
            self.made(place, partial(static_shape, self.source.spaces.variables[place]))
            pointers.append((f"out{place}", self.place_of(place)))
            for i, entry in enumerate(as_objects(values[place]).ravel()):
                if not isinstance(entry, Double | float | int) or isinstance(entry, bool):
                    raise NotCompilableError(str(entry))
                register = entry if isinstance(entry, Double) else 0.0 + float(entry)
                at = code.emit(f"getelementptr double, ptr %out{place}, i64 {i}")
                code.lines.append(f"store double {name_of(register)}, ptr {at}")
        arguments = ", ".join(f"ptr noalias %{pointer}" for pointer, _ in pointers)
        body = "\n".join(code.lines)
        self.texts.append(f"define internal void @{name}({arguments}) {{\n{body}\nret void\n}}\n")
        self.call_text(name, *(pointer for _, pointer in pointers))

    def _constant(self, place: int) -> Any:
        """Data that are part of the code; None for what is read when it runs."""
        if place in self._integers:
            return self._integers[place]
        variable = self.source.spaces.variables[place]
        if not isinstance(variable, Constant):
            return None
        data = variable.data
        if not isinstance(data, np.ndarray) or data.dtype.kind != "f":
            return data
        return data if np.isin(data, COMMON).all() else None

    def _loaded(self, code: Code, array: str, place: int) -> Any:
        """The numbers of a register as registers of the code."""
        shape = tuple(int(size) for size in self.shape(place) if size is not None)
        entries = np.empty(prod(shape), object)
        for i in range(len(entries)):
            at = code.emit(f"getelementptr double, ptr %{array}, i64 {i}")
            entries[i] = Double(code, code.emit(f"load double, ptr {at}"))
        return entries.reshape(shape)


def static_shape(variable: Any, _: list[Any]) -> tuple[int, ...]:
    """The shape that a variable has whatever the data are."""
    shape: tuple[int, ...] = variable.type.shape
    return shape


def result_shape(by_row: int, result: Result, values: list[Any]) -> tuple[int, ...]:
    """Shape of a loop's result; one of its operands has a row for each."""
    length = None if result.length is None else values[result.length]
    return result.shape(len(values[by_row]), length)
