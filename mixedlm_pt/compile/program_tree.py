"""Code of the Ops on H for nested factors: calls of `linalg.compiled_tree`, factor by factor."""

from collections.abc import Iterator
from math import prod

import numpy as np
from llvmlite import ir

from mixedlm_pt.compile.program_code import ProgramCode
from mixedlm_pt.compile.program_source import Frame
from mixedlm_pt.compile.row_nodes import Node
from mixedlm_pt.compile.table_code import POINTER_TYPE
from mixedlm_pt.compile.written_out import NotCompilableError
from mixedlm_pt.linalg import Factor, RowInverse
from mixedlm_pt.linalg import compiled_tree as tree
from mixedlm_pt.linalg.translation import FLOAT, INT
from mixedlm_pt.linalg.tree import ancestors, remaining


def write_structured(code: ProgramCode, node: Node) -> None:
    """Code of a `Factor`, `RowInverse` or `Solve`.

    Raises
    ------
    NotCompilableError
        If the factors are not nested.
    """
    if node.op.layout.kind != "tree":
        raise NotCompilableError(f"{node.op} of {node.op.layout.kind} factors")
    writer = TreeCode(code, node)
    if isinstance(node.op, Factor):
        writer.factor()
    elif isinstance(node.op, RowInverse):
        writer.row_inverse()
    else:
        writer.solve()


class TreeCode:
    """Calls for one Op."""

    def __init__(self, code: ProgramCode, node: Node) -> None:
        self.code, self.node, self.columns = code, node, node.op.layout.columns
        self.widths, self.K = remaining(self.columns), sum(self.columns)
        *self.arguments, _, self.leaf, self.n_levels = node.arguments[: -self.n_parents or None]
        self.parents = node.arguments[len(node.arguments) - self.n_parents :]

    @property
    def n_parents(self) -> int:
        """One array for every factor but the coarsest."""
        return len(self.columns) - 1

    def levels(self, f: int) -> ir.Value:
        """Number of levels of a factor."""
        return self.code.load(lambda frame: int(frame.values[self.n_levels][f]))

    def split(self, pointer: ir.Value, f: int, shapes: dict[str, tuple[int, ...]]) -> ir.Value:
        """Name arrays that follow each other from an address; where they end.

        Each has an array of its shape for every level of the factor.
        """
        code, n = self.code, self.levels(f)
        for name, shape in shapes.items():
            code.enter(name, pointer, [n, *shape])
            pointer = code.at(pointer, code.builder.mul(n, INT(prod(shape))))
        return pointer

    def work(self, name: str, f: int, *shape: int) -> str:
        """A work array with an array of this shape for every level of a factor, all zero."""
        code, size = self.code, prod(shape)
        key = name = f"{name}.{self.node.targets[0]}"
        code.keep(key, lambda values: int(values[self.n_levels][f]) * size)
        pointer = code.memory(key)
        code.clear(pointer, code.size_of(key))
        self.split(pointer, f, {name: shape})
        return name

    def blocks(self, packed: int) -> list[tuple[str, str]]:
        """Names of L and T of every factor, the finest first."""
        names = [(f"L{f}.{packed}", f"T{f}.{packed}") for f in range(len(self.columns))]
        if names[0][0] not in self.code.operands:
            pointer = self.code.place_of(packed)
            for f, (k, r) in enumerate(zip(self.columns, self.widths, strict=True)):
                L, T = names[f]
                pointer = self.split(pointer, f, {L: (k, k), T: (k, r)})
        return names

    def factor(self) -> None:
        code, (D, M), (logdet, packed) = self.code, self.arguments, self.node.targets
        sizes = [k * (k + r) for k, r in zip(self.columns, self.widths, strict=True)]
        code.made(logdet, lambda _: ())
        code.made(packed, lambda values: (int(values[self.n_levels] @ np.array(sizes)),))
        G, total = self.work("G", 0, self.K, self.K), FLOAT(0.0)
        code.call(tree.add_rows, code.array(self.leaf, "int64"), code.array(D), code.array(M), G)
        for f, (L, T) in enumerate(self.blocks(packed)):
            total = code.builder.fadd(total, code.call(tree.factor_blocks, G, L))
            if self.widths[f]:
                S = self.work(f"S{f}", f + 1, self.widths[f], self.widths[f])
                code.call(tree.eliminate, G, L, T, S, code.array(self.parents[f], "int64"))
                G = S
        code.builder.store(total, code.place_of(logdet))

    def solve(self) -> None:
        code, (rhs, _, _, packed), [x] = self.code, self.arguments, self.node.targets
        code.made(x, lambda values: values[rhs].shape)
        code.copy(code.place_of(rhs), code.place_of(x), code.size_of(x))
        parts, pointer = [f"x{f}.{x}" for f in range(len(self.columns))], code.place_of(x)
        for f, k in enumerate(self.columns):
            pointer = self.split(pointer, f, {parts[f]: (k, 1)})
        blocks = self.blocks(packed)
        for f, (_, T) in enumerate(blocks):
            for g, used, above in self.ancestors(f):
                code.operands["used"] = int, [INT(used)]
                code.call(tree.move_up, T, parts[f], parts[g], above, "used")
        for f in reversed(range(len(self.columns))):
            L, T = blocks[f]
            code.call(tree.solve_blocks, L, parts[f])
            for g, used, above in self.ancestors(f):
                code.operands["used"] = int, [INT(used)]
                code.call(tree.move_down, T, parts[f], parts[g], above, "used")

    def ancestors(self, f: int) -> Iterator[tuple[int, int, str]]:
        """Every coarser factor, its first column in T, and the levels of it above each of f."""
        code, used = self.code, 0
        for g in range(f + 1, len(self.columns)):
            name = f"above.{f}.{g}.{self.leaf}"
            if name not in code.operands:

                def address(frame: Frame, g: int = g) -> int:
                    parents = [frame.values[place] for place in self.parents]
                    found = {h: above for h, _, above in ancestors(f, parents, self.columns)}
                    return frame.address((f, g, self.leaf), found[g], "int64")

                pointer = code.load(address, POINTER_TYPE)
                code.enter(name, pointer, [self.levels(f)], "int64")
            yield g, used, name
            used += self.columns[g]

    def row_inverse(self) -> None:
        code, (M, packed), [R] = self.code, self.arguments, self.node.targets
        code.made(R, lambda values: values[M].shape)
        leaf, P = code.array(self.leaf, "int64"), ""
        blocks = self.blocks(packed)
        for f in reversed(range(len(self.columns))):
            k, r = self.columns[f], self.widths[f]
            above, P = P, self.work(f"P{f}", f, k + r, k + r)
            if not above:
                # The coarsest factor has nothing above it.
                above = f"nothing.{R}"
                code.enter(above, code.pointer(P), [1, 0, 0])
            p = code.array(self.parents[f], "int64") if f < self.n_parents else leaf
            code.call(tree.inverse_blocks, *blocks[f], above, p, P)
        code.call(tree.apply_blocks, leaf, P, code.array(M), code.array(R))
