"""Structured linear algebra of the random effects."""

from mixedlm_pt.linalg.batched import (
    BATCHED,
    BATCHED_KERNELS,
    LastSums,
    batched_index,
    batched_positions,
    first_replicates,
    last_sums,
)
from mixedlm_pt.linalg.kernels import KERNELS
from mixedlm_pt.linalg.ops import Factor, RowInverse, Rows, Solve, SumRows, rows, sum_rows
from mixedlm_pt.linalg.structure import N_PROBES, Layout, Structure, choose_structure

__all__ = [
    "BATCHED",
    "BATCHED_KERNELS",
    "KERNELS",
    "N_PROBES",
    "Factor",
    "LastSums",
    "Layout",
    "RowInverse",
    "Rows",
    "Solve",
    "Structure",
    "SumRows",
    "batched_index",
    "batched_positions",
    "choose_structure",
    "first_replicates",
    "last_sums",
    "rows",
    "sum_rows",
]
