"""Tables whose rows are named by several columns: levels, terms, contrasts."""

from dataclasses import dataclass

import pandas as pd

from mixedlm_pt.design.levels import level_label
from mixedlm_pt.result_table import ResultTable

# Longer tables are printed by their ends.
MAX_ROWS = 60
END_ROWS = 10


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
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
