"""The structured Ops for R replicates of one data set, each with its own D, M, u.

Arrays have a leading dimension R. The index arrays are those of `batched_index`: the replicates
are one model with R times the levels, so that codes and positions count on from one replicate to
the next, and the first r of R replicates have the first r rows of each array.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.tensor.math import Dot

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import batched_crossed, batched_tree
from mixedlm_pt.linalg.batched_tree import counted_on
from mixedlm_pt.linalg.ops import Factor, RowInverse, Rows, Solve, StructuredOp, SumRows
from mixedlm_pt.linalg.structure import ROW_ARRAYS, Layout, Structure

type Index = tuple[IntArray, ...]

# Over few columns whole-array additions are faster than NumPy's sums of a few numbers each.
FEW_COLUMNS = 8


BATCHED_KERNELS: dict[str, ModuleType] = {"tree": batched_tree, "crossed": batched_crossed}


def batched_index(structure: Structure, R: int) -> Index:
    """The index arrays of R replicates, ``cols`` (R, n, K) first."""
    cols, *rest = structure.index
    batched = BATCHED_KERNELS[structure.layout.kind].batched_index((cols, *rest), R)
    return (counted_on(cols, structure.q, R), *batched[1:])


def batched_positions(layout: Layout) -> frozenset[int]:
    """Which of the index arrays have a leading dimension."""
    if layout.kind == "tree":
        return frozenset(range(layout.n_index)) - {2}
    return frozenset(ROW_ARRAYS[layout.kind])


def first_replicates(index: Index, layout: Layout, R: int) -> Index:
    """The index of the first R replicates."""
    batched = batched_positions(layout)
    return tuple(array[:R] if i in batched else array for i, array in enumerate(index))


class BatchedRows(Op):
    """``u[r][cols]`` for every replicate r, shape (R, n, K); ``cols`` may be shared, (n, K)."""

    __props__ = ()

    def make_node(self, u: Variable, cols: Variable, q: Variable) -> Apply:
        u, cols, q = (pt.as_tensor_variable(v) for v in (u, cols, q))
        shape = (None, *cols.type.shape[-2:])
        return Apply(self, [u, cols, q], [pt.tensor(dtype="float64", shape=shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        u, cols, _ = inputs
        outputs[0][0] = u[:, cols] if cols.ndim == 2 else u.reshape(-1)[cols]


class BatchedSumRows(Op):
    """Sums of ``V`` by position for every replicate, shape (R, q); either may be shared."""

    __props__ = ()

    def make_node(self, V: Variable, cols: Variable, q: Variable) -> Apply:
        V, cols, q = (pt.as_tensor_variable(v) for v in (V, cols, q))
        return Apply(self, [V, cols, q], [pt.dmatrix()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        V, cols, q = inputs
        if cols.ndim == 2:
            cols = counted_on(cols, int(q), len(V))
        V, R = np.broadcast_to(V, cols.shape), len(cols)
        sums = np.bincount(cols.reshape(-1), V.reshape(-1), R * int(q))
        outputs[0][0] = sums.reshape(R, int(q))


class BatchedOp(StructuredOp):
    """A structured Op on R replicates of H."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.kernels: Any = BATCHED_KERNELS[layout.kind]


class BatchedFactor(BatchedOp):
    """``log|H|`` (R,) and the packed factorisation, from D (R, n) and M (R, n, K).

    NaN in the replicates where H is not positive definite.
    """

    def make_node(self, D: Variable, M: Variable, *index: Variable) -> Apply:
        inputs = [pt.as_tensor_variable(v) for v in (D, M, *index)]
        return Apply(self, inputs, [pt.dvector(), pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        D, M, *index = inputs
        D = np.broadcast_to(D, M.shape[:2])
        logdet, packed = self.kernels.factor(D, M, tuple(index), self.layout.columns)
        outputs[0][0], outputs[1][0] = logdet, packed


class BatchedRowInverse(BatchedOp):
    """``(H^-1)_i M_i`` (R, n, K), with the block of H^-1 at row i's own columns."""

    def make_node(self, M: Variable, packed: Variable, *index: Variable) -> Apply:
        inputs = [pt.as_tensor_variable(v) for v in (M, packed, *index)]
        return Apply(self, inputs, [pt.tensor3(dtype="float64")])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        M, packed, *index = inputs
        outputs[0][0] = self.kernels.row_inverse(packed, M, tuple(index), self.layout.columns)


class BatchedSolve(BatchedOp):
    """``H^-1 rhs`` for rhs (R, q), with the factorisation that `BatchedFactor` packed."""

    def make_node(
        self, rhs: Variable, D: Variable, M: Variable, packed: Variable, *index: Variable
    ) -> Apply:
        inputs = [pt.as_tensor_variable(v) for v in (rhs, D, M, packed, *index)]
        return Apply(self, inputs, [pt.dmatrix()])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        rhs, _, M, packed, *index = inputs
        rhs = np.broadcast_to(rhs, (len(M), rhs.shape[-1]))
        x = self.kernels.solve(packed, rhs[:, :, None], tuple(index), self.layout.columns)
        outputs[0][0] = x[:, :, 0]


class BatchedDot(Op):
    """Matrix products, one a replicate; either factor may be shared.

    Not one product of stacked matrices: its last bits would depend on how many there are.
    """

    __props__ = ()

    def make_node(self, A: Variable, B: Variable) -> Apply:
        A, B = (pt.as_tensor_variable(v) for v in (A, B))
        shape = (None, A.type.shape[-2], B.type.shape[-1])
        return Apply(self, [A, B], [pt.tensor(dtype="float64", shape=shape)])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        outputs[0][0] = np.matmul(*inputs)


class LastSums(Op):
    """Sums over the last axis, which is short."""

    __props__ = ()

    def make_node(self, x: Variable) -> Apply:
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [pt.tensor(dtype="float64", shape=x.type.shape[:-1])])

    def perform(self, node: Apply, inputs: Sequence[Any], outputs: list[list[Any]]) -> None:
        outputs[0][0] = last_sums(inputs[0])


def last_sums(x: FloatArray) -> FloatArray:
    """Sums over the last axis."""
    if not 1 <= x.shape[-1] <= FEW_COLUMNS:
        summed: FloatArray = np.add.reduce(x, axis=-1)
        return summed
    total: FloatArray = x[..., 0].copy() if x.shape[-1] == 1 else x[..., 0] + x[..., 1]
    for c in range(2, x.shape[-1]):
        total += x[..., c]
    return total


# The batched Op of an Op for one data set.
BATCHED: dict[type[Op], Callable[[Any], Op]] = {
    Rows: lambda op: BatchedRows(),
    SumRows: lambda op: BatchedSumRows(),
    Factor: lambda op: BatchedFactor(op.layout),
    RowInverse: lambda op: BatchedRowInverse(op.layout),
    Solve: lambda op: BatchedSolve(op.layout),
    Dot: lambda op: BatchedDot(),
}
