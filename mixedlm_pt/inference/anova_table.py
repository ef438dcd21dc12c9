"""The table that ``anova`` returns."""

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from mixedlm_pt.inference.tables import (
    LEGEND,
    WIDTH,
    html_table,
    number,
    numbers,
    p_values,
    stars,
    text_table,
)

P_NAIVE, P_MIXTURE = "Pr(>Chisq)", "Pr(>Chibarsq)"


@dataclass(frozen=True, eq=False)
class AnovaTable:
    """Tests of models or of terms, one a row.

    Attributes
    ----------
    heading : tuple of str
        What is tested, and the models by name.
    table : DataFrame
        Also ``to_frame()``. NaN where a row has no test.
    notes : tuple of str
        What was not tested and why, and which distributions the p-values have.
    """

    heading: tuple[str, ...]
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, formatted."""
        columns = [column_cells(str(name), self.table[name]) for name in self.table]
        p = self.table[P_NAIVE]
        if P_MIXTURE in self.table:
            p = self.table[P_MIXTURE].fillna(p)
        columns.append(stars(p.to_numpy(np.float64)))
        rows = zip(self.table.index, *columns, strict=True)
        return ["", *self.table.columns, ""], [list(map(str, row)) for row in rows]

    def __str__(self) -> str:
        header, rows = self.cells()
        table = text_table(header, rows, left=(0, len(header) - 1))
        legend = ["---", LEGEND] if any(row[-1] for row in rows) else []
        notes = [textwrap.fill(note, WIDTH) for note in self.notes]
        return "\n".join([*self.heading, table, *legend, *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self.cells()
        title, *models = self.heading
        paragraphs = "".join(f"<p>{escape(line.strip())}</p>" for line in self.notes)
        listed = "<br>".join(escape(line.strip()) for line in models)
        return (
            f"<div><p><strong>{escape(title)}</strong><br>{listed}</p>"
            f"{html_table(header, rows, left=(0, len(header) - 1))}{paragraphs}</div>"
        )


def column_cells(name: str, values: pd.Series) -> list[str]:
    """A column formatted by its name; nothing where a row has no test."""
    cells = FORMATS[name](values.to_numpy(np.float64))
    return ["" if missing else cell for cell, missing in zip(cells, values.isna(), strict=True)]


def with_decimals(places: int) -> Callable[[Iterable[float]], list[str]]:
    """A column with so many decimals."""
    return lambda values: [number(value, places) for value in values]


FORMATS: dict[str, Callable[[Iterable[float]], list[str]]] = {
    "npar": with_decimals(0),
    "AIC": with_decimals(2),
    "BIC": with_decimals(2),
    "logLik": with_decimals(3),
    "-2*log(L)": with_decimals(2),
    "Chisq": numbers,
    "Df": with_decimals(0),
    P_NAIVE: p_values,
    P_MIXTURE: p_values,
}
