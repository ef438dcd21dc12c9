"""What is known about a data set besides its rows."""

import html
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

WIDTH = 88


@dataclass(frozen=True)
class Column(ABC):
    """A column's type and meaning.

    Attributes
    ----------
    meaning : str
        What was recorded, with its unit.
    kind : str
        The type as `describe` prints it.
    """

    meaning: str

    @property
    @abstractmethod
    def kind(self) -> str: ...

    @abstractmethod
    def typed(self, text: pd.Series) -> pd.Series:
        """The column from the strings of its file."""


@dataclass(frozen=True)
class Integer(Column):
    """Whole numbers."""

    @property
    def kind(self) -> str:
        return "integer"

    def typed(self, text: pd.Series) -> pd.Series:
        return text.astype("int64")


@dataclass(frozen=True)
class Real(Column):
    """Real numbers."""

    @property
    def kind(self) -> str:
        return "real"

    def typed(self, text: pd.Series) -> pd.Series:
        # From strings, because the CSV reader of pandas 2 is wrong in the last digit.
        return text.astype("float64")


@dataclass(frozen=True)
class Factor(Column):
    """Categories with R's order of levels.

    Attributes
    ----------
    levels : tuple of str
        The levels in order; empty where they are whole numbers in numerical order.
    is_ordered : bool
        True for R's ``ordered``.
    """

    levels: tuple[str, ...] = ()
    is_ordered: bool = False

    @property
    def kind(self) -> str:
        return "ordered" if self.is_ordered else "factor"

    def typed(self, text: pd.Series) -> pd.Series:
        levels = self.levels or sorted(text.unique(), key=int)
        return text.astype(pd.CategoricalDtype([*levels], self.is_ordered))


@dataclass(frozen=True, repr=False)
class Dataset:
    """Description of a data set; its ``str()`` is meant for reading.

    Attributes
    ----------
    name : str
        R's name, ``"VerbAgg"``.
    title : str
    source : str
        Where the table comes from and the study that collected it.
    n_rows : int
    columns : mapping of str to Column
        In the order of the table.
    is_compressed : bool
        The file is gzipped CSV.
    """

    name: str
    title: str
    source: str
    n_rows: int
    columns: Mapping[str, Column]
    is_compressed: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv.gz" if self.is_compressed else f"{self.name}.csv"

    @property
    def loader_name(self) -> str:
        return f"load_{self.name.lower()}"

    def to_frame(self) -> pd.DataFrame:
        """Columns of the data set: one row each, with type, levels where listed, and meaning."""
        return pd.DataFrame(
            {
                "type": [column.kind for column in self.columns.values()],
                "levels": [
                    ", ".join(column.levels) if isinstance(column, Factor) else ""
                    for column in self.columns.values()
                ],
                "meaning": [column.meaning for column in self.columns.values()],
            },
            index=pd.Index(list(self.columns), name="column"),
        )

    def __str__(self) -> str:
        names = max(map(len, self.columns))
        margin = " " * (names + 12)
        lines = [
            f"{self.name}: {self.title}",
            f"{self.n_rows} rows, {len(self.columns)} columns; {self.loader_name}()",
            "",
        ]
        for name, column in self.columns.items():
            text = column.meaning
            if isinstance(column, Factor) and column.levels:
                text += f" ({(' < ' if column.is_ordered else ', ').join(column.levels)})"
            head = f"  {name:<{names}}  {column.kind:<8}"
            lines += textwrap.wrap(
                text, WIDTH, initial_indent=head, subsequent_indent=margin, break_on_hyphens=False
            )
        lines += ["", *textwrap.wrap(f"Source: {self.source}", WIDTH, subsequent_indent="  ")]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.title)}; {self.n_rows} rows</p>"
            f"{self.to_frame().to_html()}<p>Source: {html.escape(self.source)}</p>"
        )
