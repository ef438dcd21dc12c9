"""The code of a group of row nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pytensor.tensor.basic import Join, Split
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.subtensor import Subtensor

from mixedlm_pt.compile.row_loop import RowFunction, RowLoop, compiled
from mixedlm_pt.compile.row_nodes import POSITIONS, Node, Spaces
from mixedlm_pt.compile.scalar_code import instructions
from mixedlm_pt.linalg import Rows, SumRows


@dataclass(frozen=True, eq=False)
class Result:
    """A register that a loop fills.

    Attributes
    ----------
    place : int
    kind : {"rows", "sums", "total"}
        A value for each row, sums by position, or totals.
    width : int, optional
        Columns, or number of totals; None for a vector of rows and for one total.
    length : int, optional
        Register with the length of sums by position.
    positions : int, optional
        Register with the positions that rows add to.
    """

    place: int
    kind: str
    width: int | None = None
    length: int | None = None
    positions: int | None = None

    def shape(self, n: int, length: Any) -> tuple[int, ...]:
        """Shape of the array."""
        if self.kind == "sums":
            return (int(length),)
        width = () if self.width is None else (self.width,)
        return width if self.kind == "total" else (n, *width)


@dataclass(frozen=True, eq=False)
class Loop:
    """One pass over the rows of a space.

    Attributes
    ----------
    text : str
        Its code.
    numbers : tuple of int
        Registers with numbers that are the same for all rows.
    operands : tuple of (int, str, bool)
        Registers with arrays, their type, and whether they have an entry for each row.
    results : tuple of Result
    """

    text: str
    numbers: tuple[int, ...]
    operands: tuple[tuple[int, str, bool], ...]
    results: tuple[Result, ...]

    @property
    def function(self) -> RowFunction:
        """The compiled code."""
        return compiled(self.text)

    @property
    def arguments(self) -> tuple[int, ...]:
        """Registers that it reads."""
        lengths = (r.length for r in self.results if r.length is not None)
        arrays = (place for place, _, _ in self.operands)
        return tuple(dict.fromkeys((*self.numbers, *arrays, *lengths)))


class LoopWriter:
    """Loop code of a list of nodes, with the registers that it reads and fills."""

    def __init__(self, spaces: Spaces, space: int) -> None:
        self.spaces, self.space, self.code = spaces, space, RowLoop()
        self.numbers: list[int] = []
        self.operands: list[tuple[int, str, bool]] = []
        self.results: list[Result] = []
        self._addresses: dict[int, str] = {}
        self._components: dict[int, list[Any]] = {}

    def loop(self, nodes: Sequence[Node], written: Sequence[int]) -> Loop:
        """Compile the nodes; ``written`` are the registers to fill besides those of sums."""
        for node in nodes:
            self._add(node)
        for place in written:
            is_matrix = self.spaces.variables[place].type.ndim == 2
            width = self.spaces.width(place) if is_matrix else None
            self.code.store(self._result(place, "rows", width), self._components[place])
        registers = tuple(self.numbers), tuple(self.operands), tuple(self.results)
        return Loop(self.code.text(), *registers)

    def _add(self, node: Node) -> None:
        """Write the code of a node."""
        op, target = node.op, node.targets[0]
        if isinstance(op, Rows):
            table = node.arguments[1]
            u, positions = self._array(node.arguments[0], by_row=False), self._array(table)
            self._components[target] = self.code.gather(u, positions, self._width(table))
        elif isinstance(op, SumRows):
            _, table, length = node.arguments
            positions = self._array(table)
            sums = self._result(target, "sums", length=length, positions=table)
            self.code.scatter(sums, positions, self._values(node.arguments[0]))
        elif node.is_reduction:
            values, is_vector = self._values(node.read[0]), node.apply.outputs[0].type.ndim == 1
            values = values if is_vector else [total(values)]
            array = self._result(target, "total", len(values) if is_vector else None)
            for k, value in enumerate(values):
                self.code.total(array, k, value)
        else:
            made = self._made(node, [self._values(i) for i in node.read])
            self._components |= dict(zip(node.targets, made, strict=True))

    def _made(self, node: Node, values: list[list[Any]]) -> list[list[Any]]:
        """Components of every target."""
        op = node.op
        if isinstance(op, Elemwise):
            apply, width = instructions(node.apply), max(map(len, values))
            assert apply is not None
            entries = [[v[k] if len(v) > 1 else v[0] for v in values] for k in range(width)]
            return [[apply(*entry) for entry in entries]]
        if isinstance(op, Sum):
            return [[total(values[0])]]
        if isinstance(op, Dot):
            return [product(*values, n_columns=node.apply.inputs[1].type.shape[1])]
        if isinstance(op, Subtensor):
            column = self.spaces.column(node)
            assert column is not None
            return [[values[0][column]]]
        if isinstance(op, Join):
            return [[value for part in values for value in part]]
        if isinstance(op, Split):
            ends = np.cumsum([self._width(place) for place in node.targets])
            return [list(part) for part in np.split(np.array(values[0], object), ends[:-1])]
        return [values[0]]

    def _values(self, place: int) -> list[Any]:
        """The row's numbers of a register, loaded where the loop does not compute them."""
        if place not in self._components:
            self._components[place] = self._loaded(place)
        return self._components[place]

    def _loaded(self, place: int) -> list[Any]:
        spaces = self.spaces
        if spaces.is_row(place, self.space):
            values = self.code.doubles(self._array(place), self._width(place))
            is_truth = spaces.variables[place].type.dtype == "bool"
            return [v.compare("une", 0.0) for v in values] if is_truth else values
        if spaces.is_number(place):
            self.numbers.append(place)
            return [self.code.number()]
        size = int(np.prod(spaces.variables[place].type.shape))
        array = self._array(place, by_row=False)
        return [self.code.entry(array, k) for k in range(size)]

    def _width(self, place: int) -> int:
        width = self.spaces.width(place)
        assert width is not None
        return width

    def _array(self, place: int, *, by_row: bool = True) -> str:
        """The address of a register's array."""
        if place not in self._addresses:
            self._addresses[place] = self.code.new_operand()
            dtype = self.spaces.variables[place].type.dtype
            self.operands.append((place, dtype if dtype in POSITIONS else "float64", by_row))
        return self._addresses[place]

    def _result(
        self,
        place: int,
        kind: str,
        width: int | None = None,
        length: int | None = None,
        positions: int | None = None,
    ) -> str:
        self.results.append(Result(place, kind, width, length, positions))
        return self.code.new_result()


def total(values: Sequence[Any]) -> Any:
    """Sum of components."""
    result, *rest = values
    for value in rest:
        result = result + value
    return result


def product(row: Sequence[Any], matrix: Sequence[Any], *, n_columns: int) -> list[Any]:
    """A row times a small matrix, which is given row after row."""
    columns = (matrix[c::n_columns] for c in range(n_columns))
    return [total([x * m for x, m in zip(row, column, strict=True)]) for column in columns]
