"""Some rows of a design: deletion, cross-validation and the clusters of a sandwich."""

from dataclasses import replace

import numpy as np

from mixedlm_pt._typing import BoolArray, IntArray
from mixedlm_pt.design.levels import distinct
from mixedlm_pt.design.types import Design, GroupingFactor, RandomTerm, Response


def subset(design: Design, rows: BoolArray | IntArray) -> Design:
    """The design of some of its rows.

    Levels of grouping factors that lose all rows are left out; columns of X stay, even where the
    remaining rows no longer determine their coefficients.

    Parameters
    ----------
    design : Design
    rows : array of bool, shape (n,), or of int64
        Rows to keep; positions may repeat.

    Returns
    -------
    Design
        Without omitted rows: ``full_index`` is ``index``.
    """
    index = design.index[rows]
    response = design.response
    return replace(
        design,
        response=Response(response.name, response.y[rows], response.weights[rows]),
        X=np.ascontiguousarray(design.X[rows]),
        offset=design.offset[rows],
        factors=tuple(_used_levels(factor, rows) for factor in design.factors),
        terms=tuple(
            RandomTerm(t.label, t.factor, t.columns, np.ascontiguousarray(t.Z[rows]))
            for t in design.terms
        ),
        index=index,
        full_index=index,
        omitted=np.zeros(len(index), np.bool_),
    )


def _used_levels(factor: GroupingFactor, rows: BoolArray | IntArray) -> GroupingFactor:
    used, codes = distinct(factor.codes[rows])
    return GroupingFactor(factor.name, factor.levels[used], codes)
