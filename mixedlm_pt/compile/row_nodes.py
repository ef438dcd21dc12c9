"""Which nodes of a graph work row by row.

A *space* is a set of rows: the leading dimension that variables share, found by following the
graph. Within a space a variable is a few numbers a row, its *components*: one of a vector, one a
column of a matrix whose width is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Variable
from pytensor.tensor.basic import Join, Split
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.shape import SpecifyShape
from pytensor.tensor.subtensor import Subtensor

from mixedlm_pt.compile.scalar_code import constant, instructions, is_single
from mixedlm_pt.linalg import RowInverse, Rows, SumRows

# Wider rows make the code of a loop long, and longer to compile.
MAX_WIDTH = 8
CHEAP = ps.Add | ps.Mul | ps.Sub | ps.Neg | ps.Sqr | ps.Second
REAL = ("float64",)
POSITIONS = ("int64",)


@dataclass(frozen=True, eq=False)
class Node:
    """An Op's application on registers of the tape."""

    apply: Apply
    arguments: tuple[int, ...]
    targets: tuple[int, ...]

    @property
    def op(self) -> Any:
        """What is applied."""
        return self.apply.op

    @property
    def is_cheap(self) -> bool:
        """Whether doing it again costs less than to write the result and read it."""
        if isinstance(self.op, Elemwise):
            return isinstance(self.op.scalar_op, CHEAP)
        return isinstance(self.op, DimShuffle | SpecifyShape | Subtensor | Join | Split)

    @property
    def is_reduction(self) -> bool:
        """Whether it sums over rows."""
        if isinstance(self.op, Sum):
            return self.op.axis is None or 0 in self.op.axis
        return isinstance(self.op, SumRows)

    @property
    def read(self) -> tuple[int, ...]:
        """The arguments whose components it works on; others are part of the Op's meaning."""
        if isinstance(self.op, Elemwise | Dot | Join):
            return self.arguments
        return self.arguments[1:2] if isinstance(self.op, Rows) else self.arguments[:1]


@dataclass(eq=False)
class Spaces:
    """Spaces of the registers, found as nodes are followed.

    Attributes
    ----------
    variables : dict
        The variable behind a register.
    """

    variables: dict[int, Variable] = field(default_factory=dict)
    _own: set[int] = field(default_factory=set)
    _merged: dict[int, int] = field(default_factory=dict)

    def add(self, place: int, variable: Variable) -> None:
        """A register that may start a space of its own."""
        self.variables[place] = variable
        shape: Sequence[int | None] = getattr(variable.type, "shape", ())
        if len(shape) in (1, 2) and shape[0] != 1:
            self._own.add(place)

    def space(self, place: int) -> int | None:
        """The space of a register, None if it has no rows."""
        if place not in self._own:
            return None
        while place in self._merged:
            place = self._merged[place]
        return place

    def width(self, place: int) -> int | None:
        """Components of a row; None if unknown."""
        shape: Sequence[int | None] = self.variables[place].type.shape
        return 1 if len(shape) == 1 else shape[1]

    def follow(self, node: Node) -> None:
        """Learn what the node says about its targets."""
        for place in self._same_rows(node):
            for target in node.targets:
                self._merge(target, place)

    def _same_rows(self, node: Node) -> Sequence[int]:
        """Arguments that have the rows of the targets."""
        op = node.op
        if isinstance(op, Elemwise):
            return [i for i in node.arguments if i in self._own]
        if isinstance(op, DimShuffle):
            return node.read if op.new_order[:1] == (0,) else ()
        if isinstance(op, Sum):
            return node.read if op.axis == (1,) else ()
        if isinstance(op, Rows | SpecifyShape | RowInverse | Dot):
            return node.read[:1]
        if isinstance(op, Subtensor):
            return node.read if op.idx_list[0] == slice(None) else ()
        if isinstance(op, Join | Split):
            return node.read if op.axis == 1 else ()
        return ()

    def _merge(self, one: int, other: int) -> None:
        a, b = self.space(one), self.space(other)
        if a is not None and b is not None and a != b:
            self._merged[a] = b

    def is_row(self, place: int, space: int, dtypes: Sequence[str] = ("float64", "bool")) -> bool:
        """Whether a register holds a few numbers a row of the space."""
        width = self.width(place) if self.space(place) == space else None
        is_narrow = width is not None and width <= MAX_WIDTH
        return is_narrow and self.variables[place].type.dtype in dtypes

    def is_number(self, place: int) -> bool:
        """Whether a register holds one number."""
        variable = self.variables[place]
        return hasattr(variable.type, "broadcastable") and is_single(variable)

    def is_small(self, place: int) -> bool:
        """Whether a register holds a small known number of real numbers, the same for all rows."""
        kind = self.variables[place].type
        shape = getattr(kind, "shape", (None,))
        return None not in shape and kind.dtype == "float64" and max(shape, default=1) <= MAX_WIDTH

    def loop_space(self, node: Node) -> int | None:
        """The space over which a loop can run the node; None if no loop can."""
        rows = node.read[:1] if node.is_reduction else node.targets
        space = self.space(rows[0])
        if space is None or not all(self.is_row(i, space) for i in rows):
            return None
        return space if self._fits(node, space) else None

    def _fits(self, node: Node, space: int) -> bool:
        """Whether loop code exists for the Op on these arguments."""
        op, read = node.op, node.read
        if isinstance(op, Elemwise):
            return instructions(node.apply) is not None and all(
                self.is_row(i, space)
                or self.is_number(i)
                or (self.is_small(i) and self.variables[i].type.shape[0] == 1)
                for i in read
            )
        if isinstance(op, Rows | SumRows):
            return self.is_row(node.arguments[1], space, POSITIONS)
        if isinstance(op, Dot):
            matrix = self.variables[read[1]]
            is_matrix = matrix.type.ndim == 2 and self.is_small(read[1])
            return is_matrix and self.is_row(read[0], space, REAL)
        if isinstance(op, DimShuffle) and op.new_order not in ((0, "x"), (0,), (0, 1)):
            return False
        if isinstance(op, Subtensor) and self.column(node) is None:
            return False
        kinds = DimShuffle | SpecifyShape | Sum | Subtensor | Join | Split
        return isinstance(op, kinds) and all(self.is_row(i, space, REAL) for i in read)

    def column(self, node: Node) -> int | None:
        """The one column that a subtensor takes of all rows."""
        takes_all_rows = node.op.idx_list[0] == slice(None)
        if not takes_all_rows or len(node.arguments) != 2 or len(node.op.idx_list) != 2:
            return None
        column = constant(self.variables[node.arguments[1]])
        return None if column is None or column < 0 else int(column)
