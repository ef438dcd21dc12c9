"""Groups of rows that a user names: deletion, sums of residuals, clusters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import IntArray
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.values import factor_from, first_place
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit

type Groups = str | Sequence[Any] | np.ndarray | pd.Series


def row_groups(fit: Fit, groups: Groups, argument: str = "groups") -> tuple[IntArray, pd.Index]:
    """The group of every row used.

    Parameters
    ----------
    fit : Fit
    groups : str, or one label a row
        A grouping factor of the model (``"herd"``, ``"a:b"``), a column of the data, or labels:
        one for each row used or for each row of the data.
    argument : str
        What messages call it.

    Returns
    -------
    codes : array of int64, shape (n,)
    levels : pandas.Index
        In natural order.

    Raises
    ------
    ColumnNotFoundError
        For a name that is neither.
    ArgumentError
        For another number of labels, and for rows without one.
    """
    design = fit.design
    if isinstance(groups, str):
        for factor in design.factors:
            if factor.name == groups:
                return factor.codes, factor.levels
        labels = Table(fit.call.data).series(groups).reset_index(drop=True)
    else:
        labels = pd.Series(np.asarray(groups)).reset_index(drop=True)
    if len(labels) == len(design.omitted):
        labels = labels[~design.omitted]
    if len(labels) != design.n:
        raise ArgumentError(
            f"{argument} has {len(labels):,} labels; the model has {design.n:,} rows."
        )
    found = factor_from(labels).rows(np.ones(design.n, np.bool_))
    missing = found.codes < 0
    if missing.any():
        raise ArgumentError(
            f"{argument} has no label in {int(missing.sum()):,} of {design.n:,} rows, first at row "
            f"{design.index[first_place(missing)]}."
        )
    return found.codes, found.levels
