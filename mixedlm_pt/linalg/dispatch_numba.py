"""Numba versions of the structured Ops. Importing this module registers them with PyTensor.

Import it before a graph is compiled in NUMBA mode. Without it PyTensor still runs the Ops, but in
object mode, with a warning.
"""

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from zlib import crc32

import numba as nb
import numpy as np
from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import (
    numba_crossed,
    numba_dense,
    numba_iterative,
    numba_sparse,
    numba_tree,
    sparse,
)
from mixedlm_pt.linalg.ops import Factor, RowInverse, Rows, Solve, SumRows

NUMBA_KERNELS: dict[str, ModuleType] = {
    "tree": numba_tree,
    "crossed": numba_crossed,
    "sparse": numba_sparse,
    "dense": numba_dense,
    "iterative": numba_iterative,
}

# PyTensor keeps compiled Ops on disk and finds them by this number: a changed kernel changes it.
CACHE_VERSION = crc32(
    "".join(
        inspect.getsource(module)
        for module in (*NUMBA_KERNELS.values(), sparse, sys.modules[__name__])
    ).encode()
)

type Compiled = tuple[Callable[..., Any], int]


def numba_rows(op: Rows, node: Apply[Any], **kwargs: Any) -> Compiled:
    """``u[cols]``."""

    @nb.njit
    def rows(u: FloatArray, cols: IntArray, q: IntArray) -> FloatArray:
        flat = cols.ravel()
        values = np.empty(len(flat))
        for i in range(len(flat)):
            values[i] = u[flat[i]]
        return values.reshape(cols.shape)

    return rows, CACHE_VERSION


def numba_sum_rows(op: SumRows, node: Apply[Any], **kwargs: Any) -> Compiled:
    """Sums of V by position in u."""

    @nb.njit
    def sum_rows(V: FloatArray, cols: IntArray, q: IntArray) -> FloatArray:
        flat, values = cols.ravel(), V.ravel()
        sums = np.zeros(q.item())
        for i in range(len(flat)):
            sums[flat[i]] += values[i]
        return sums

    return sum_rows, CACHE_VERSION


def numba_factor(op: Factor, node: Apply[Any], **kwargs: Any) -> Compiled:
    """``log|H|`` and the packed factorisation."""
    kernel, columns = NUMBA_KERNELS[op.layout.kind].factor, np.array(op.layout.columns)

    @nb.njit
    def factor(D: FloatArray, M: FloatArray, *index: IntArray) -> tuple[FloatArray, FloatArray]:
        logdet, packed = kernel(D, M, index, columns)
        return np.asarray(logdet), packed

    return factor, CACHE_VERSION


def numba_solve(op: Solve, node: Apply[Any], **kwargs: Any) -> Compiled:
    """``H^-1 rhs``."""
    kernel, columns = NUMBA_KERNELS[op.layout.kind].solve, np.array(op.layout.columns)

    @nb.njit
    def solve(
        rhs: FloatArray, D: FloatArray, M: FloatArray, packed: FloatArray, *index: IntArray
    ) -> Any:
        return kernel(packed, rhs, index, columns)

    return solve, CACHE_VERSION


def numba_row_inverse(op: RowInverse, node: Apply[Any], **kwargs: Any) -> Compiled:
    """``(H^-1)_i M_i`` for every row."""
    kernel, columns = NUMBA_KERNELS[op.layout.kind].row_inverse, np.array(op.layout.columns)

    @nb.njit
    def row_inverse(M: FloatArray, packed: FloatArray, *index: IntArray) -> Any:
        return kernel(packed, M, index, columns)

    return row_inverse, CACHE_VERSION


DISPATCH: dict[type, Callable[..., Compiled]] = {
    Rows: numba_rows,
    SumRows: numba_sum_rows,
    Factor: numba_factor,
    Solve: numba_solve,
    RowInverse: numba_row_inverse,
}

for _op_type, _compiled in DISPATCH.items():
    register_funcify_default_op_cache_key(_op_type)(_compiled)
