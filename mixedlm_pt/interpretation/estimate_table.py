"""Tables whose rows are named by several columns: levels, terms, contrasts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design.values import level_label
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.result_table import ResultTable

# Longer tables are printed by their ends.
MAX_ROWS = 60
END_ROWS = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class EstimateTable(ResultTable):
    """Estimates with their uncertainty, one a row.

    Attributes
    ----------
    keys : tuple of str
        Columns that name the rows, printed as text; row numbers are not printed.
    """

    keys: tuple[str, ...] = ()

    def cells(self) -> tuple[list[str], list[list[str]], list[int]]:
        """Header, formatted rows, and the positions of columns of text."""
        labels = {key: self.table[key].map(level_label).astype(object) for key in self.keys}
        n = len(self.table)
        shown = self.table.assign(**labels)
        if n > MAX_ROWS:
            shown = pd.concat([shown.iloc[:END_ROWS], shown.iloc[-END_ROWS:]])
        header, rows, text = ResultTable(self.heading, shown).cells()
        rows = [row[1:] for row in rows]
        if n > MAX_ROWS:
            rows.insert(END_ROWS, ["..."] + [""] * (len(header) - 2))
        return header[1:], rows, [j - 1 for j in text if j]


def normal_quantile(level: float) -> float:
    """Two-sided standard normal quantile.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"level is {level!r}; it must lie between 0 and 1.")
    return float(ndtri(0.5 * (1.0 + level)))


def two_sided_p(z: FloatArray) -> FloatArray:
    """P-values of standard normal statistics, exact in the far tail."""
    p: FloatArray = 2.0 * ndtr(-np.abs(z))
    return p
