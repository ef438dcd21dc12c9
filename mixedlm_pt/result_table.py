"""The table that most verbs return: numbers with a heading and notes, as text and as HTML."""

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from mixedlm_pt.tables import (
    LEGEND,
    WIDTH,
    html_table,
    number,
    numbers,
    p_values,
    stars,
    text_table,
)

type Format = Callable[[Iterable[float]], list[str]]

# Ratios above it are printed as powers of ten.
READABLE = 1e6


@dataclass(frozen=True, eq=False)
class ResultTable:
    """A table of results, one a row.

    Attributes
    ----------
    heading : tuple of str
        Title, and lines that say what the rows are.
    table : DataFrame
        Also ``to_frame()``. NaN where a row has no value. Columns ``Pr(...)`` hold p-values; the
        last one that a row has decides on its stars.
    notes : tuple of str
        What the reader has to know: what was not computed and why, which distributions were used.
    """

    heading: tuple[str, ...]
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    def cells(self) -> tuple[list[str], list[list[str]], list[int]]:
        """Header, formatted rows, and the positions of columns of text."""
        names = [str(name) for name in self.table]
        is_number = [pd.api.types.is_numeric_dtype(dtype) for dtype in self.table.dtypes]
        columns = [column_cells(name, self.table[name]) for name in names]
        text = [0, *(j for j, numeric in enumerate(is_number, start=1) if not numeric)]
        p_names = [name for name in names if is_p_value(name)]
        header = ["", *names]
        if p_names:
            p = self.table[p_names].ffill(axis=1).iloc[:, -1]
            columns.append(stars(p.to_numpy(np.float64)))
            text.append(len(header))
            header.append("")
        labels = [index_label(label) for label in self.table.index]
        return header, [list(row) for row in zip(labels, *columns, strict=True)], text

    def __str__(self) -> str:
        header, rows, text = self.cells()
        table = text_table(header, rows, left=text)
        legend = ["---", LEGEND] if not header[-1] and any(row[-1] for row in rows) else []
        notes = [textwrap.fill(note, WIDTH) for note in self.notes]
        return "\n".join([*self.heading, table, *legend, *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows, text = self.cells()
        title, *lines = self.heading
        paragraphs = "".join(f"<p>{escape(line.strip())}</p>" for line in self.notes)
        listed = "<br>".join(escape(line.strip()) for line in lines)
        return (
            f"<div><p><strong>{escape(title)}</strong><br>{listed}</p>"
            f"{html_table(header, rows, left=text)}{paragraphs}</div>"
        )


class Printed:
    """Base of a result that prints as the table which it makes of itself."""

    def printed(self) -> ResultTable:
        """The table, with what the reader has to know."""
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.printed())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.printed()._repr_html_()


class ResultMapping[Key, Value](Mapping[Key, Value]):
    """Base of a result that is a mapping, and equal to itself only.

    `Mapping` would compare the values one by one: fits, which it would have to make first, or data
    frames, which have no single truth value.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def index_label(label: object) -> str:
    """A row's name; the parts of a compound one are separated by spaces."""
    return "  ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def is_p_value(name: str) -> bool:
    """Whether a column holds p-values: ``Pr(>Chisq)``, ``Pr(>|z|)``, emmeans' ``p.value``."""
    return name.startswith("Pr(") or name in ("p.value", "p_value")


def column_cells(name: str, values: pd.Series) -> list[str]:
    """A column formatted by its name and type; nothing where a row has no value."""
    if not pd.api.types.is_numeric_dtype(values.dtype) or values.dtype == bool:
        cells = [str(value) for value in values]
    elif is_p_value(name):
        cells = p_values(values.to_numpy(np.float64))
    elif name in FORMATS:
        cells = FORMATS[name](values.to_numpy(np.float64))
    elif pd.api.types.is_integer_dtype(values.dtype):
        cells = [str(value) for value in values]
    else:
        cells = numbers(values.to_numpy(np.float64))
    return ["" if missing else cell for cell, missing in zip(cells, values.isna(), strict=True)]


def with_decimals(places: int) -> Format:
    """A column with so many decimals."""
    return lambda values: [number(value, places) for value in values]


def evidence_ratios(values: Iterable[float]) -> list[str]:
    """A decimal as far as it can be read, then powers of ten."""
    return [number(value, 1) if value < READABLE else f"{value:.2g}" for value in values]


# Columns whose decimals are a convention; others get four significant digits.
FORMATS: dict[str, Format] = {
    "npar": with_decimals(0),
    "Df": with_decimals(0),
    "df": with_decimals(0),
    "null": with_decimals(0),
    "AIC": with_decimals(2),
    "AICc": with_decimals(2),
    "delta": with_decimals(2),
    "weight": with_decimals(3),
    "evidence": evidence_ratios,
    "BIC": with_decimals(2),
    "logLik": with_decimals(3),
    "-2*log(L)": with_decimals(2),
}
