"""PyTensor Ops for ``H = I + sum_i D_i M_i M_i'`` and for the products with Z and Z'.

``M`` (n, K) is the scaled design: row i holds the columns of Z Lambda that are not structurally
zero, in the positions ``cols[i]`` of u. Each Op carries the static `Layout` of a structure and
takes its index arrays as inputs, so one compiled graph serves every data set of that layout.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op

from mixedlm_pt._typing import Matrix, Scalar, Vector
from mixedlm_pt.linalg.kernels import KERNELS
from mixedlm_pt.linalg.structure import Layout


class Rows(Op):
    """``u[cols]``: the random effects that each row of the data sees, shape of ``cols``."""

    __props__ = ()

    def make_node(self, u: Variable, cols: Variable, q: Variable) -> Apply:
        u, cols, q = (pt.as_tensor_variable(v) for v in (u, cols, q))
        return Apply(self, [u, cols, q], [pt.tensor(dtype="float64", shape=cols.type.shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        u, cols, _ = inputs
        outputs[0][0] = u[cols]

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        return [sum_rows(cotangents[0], *inputs[1:]), disconnected_type(), disconnected_type()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]


class SumRows(Op):
    """Sums of ``V`` by position, the transpose of `Rows`: shape (q,)."""

    __props__ = ()

    def make_node(self, V: Variable, cols: Variable, q: Variable) -> Apply:
        V, cols, q = (pt.as_tensor_variable(v) for v in (V, cols, q))
        return Apply(self, [V, cols, q], [pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        V, cols, q = inputs
        outputs[0][0] = np.bincount(cols.reshape(-1), V.reshape(-1), int(q))

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        return [rows(cotangents[0], *inputs[1:]), disconnected_type(), disconnected_type()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]


class StructuredOp(Op):
    """An Op on H whose kernels are chosen by the layout."""

    # Equal Ops on equal inputs merge only if __props__ says what makes them equal.
    __props__ = ("layout",)

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.kernels = KERNELS[layout.kind]


class Factor(StructuredOp):
    """``log|H|`` and the packed factorisation, from ``D`` (n,) and ``M`` (n, K).

    NaN where H is not positive definite. ``packed`` has no derivative: `Solve` and `RowInverse`
    use it as a cache of ``(D, M)``.
    """

    def make_node(self, D: Variable, M: Variable, *index: Variable) -> Apply:
        inputs = [pt.as_tensor_variable(v) for v in (D, M, *index)]
        return Apply(self, inputs, [pt.dscalar(), pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        D, M, *index = inputs
        logdet, packed = self.kernels.factor(D, M, tuple(index), self.layout.columns)
        outputs[0][0], outputs[1][0] = np.asarray(logdet), packed

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        D, M, *index = inputs
        R = RowInverse(self.layout)(M, outputs[1], *index)
        c = cotangents[0]
        unused = [disconnected_type() for _ in index]
        return [c * (R * M).sum(axis=1), 2.0 * c * D[:, None] * R, *unused]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True, False]] * 2 + [[False, False]] * self.layout.n_index


class RowInverse(StructuredOp):
    """``(H^-1)_i M_i`` (n, K), with the block of H^-1 at row i's own columns.

    Its product with M_i is the leverage ``a_i' H^-1 a_i``.
    """

    def make_node(self, M: Variable, packed: Variable, *index: Variable) -> Apply:
        inputs = [pt.as_tensor_variable(v) for v in (M, packed, *index)]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=inputs[0].type.shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        M, packed, *index = inputs
        outputs[0][0] = self.kernels.row_inverse(packed, M, tuple(index), self.layout.columns)


class Solve(StructuredOp):
    """``H^-1 rhs`` for rhs (q,), with the factorisation that `Factor` packed."""

    def make_node(
        self, rhs: Variable, D: Variable, M: Variable, packed: Variable, *index: Variable
    ) -> Apply:
        inputs = [pt.as_tensor_variable(v) for v in (rhs, D, M, packed, *index)]
        return Apply(self, inputs, [pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        rhs, _, _, packed, *index = inputs
        x = self.kernels.solve(packed, rhs[:, None], tuple(index), self.layout.columns)
        outputs[0][0] = x[:, 0]

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        _, D, M, packed, *index = inputs
        cols, x = index[0], outputs[0]
        a = self(cotangents[0], D, M, packed, *index)
        a_rows, x_rows = rows(a, cols, a.shape[0]), rows(x, cols, x.shape[0])
        Ma, Mx = (M * a_rows).sum(axis=1), (M * x_rows).sum(axis=1)
        M_bar = -D[:, None] * (Ma[:, None] * x_rows + Mx[:, None] * a_rows)
        unused = [disconnected_type() for _ in range(1 + len(index))]
        return [a, -Ma * Mx, M_bar, *unused]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True]] * 3 + [[False]] * (1 + self.layout.n_index)


def rows(u: Vector, cols: Matrix, q: Scalar) -> Matrix:
    """``u[cols]``."""
    return Rows()(u, cols, q)


def sum_rows(V: Matrix, cols: Matrix, q: Scalar) -> Vector:
    """Sums of V by position in u, shape (q,)."""
    return SumRows()(V, cols, q)
