"""Structured linear algebra of the random effects."""

from mixedlm_pt.linalg.ops import KERNELS, Factor, RowInverse, Rows, Solve, SumRows, rows, sum_rows
from mixedlm_pt.linalg.structure import Layout, Structure, choose_structure

__all__ = [
    "KERNELS",
    "Factor",
    "Layout",
    "RowInverse",
    "Rows",
    "Solve",
    "Structure",
    "SumRows",
    "choose_structure",
    "rows",
    "sum_rows",
]
