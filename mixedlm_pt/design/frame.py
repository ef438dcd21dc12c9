"""A formula on a table: the values of its pieces on the rows that have no missing values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design.evaluate import Evaluator
from mixedlm_pt.design.rows import check_finite, finite_rows
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.values import Factor, Rows, Value, first_place
from mixedlm_pt.errors import ArgumentError, DataError, FormulaError
from mixedlm_pt.formula import Bar, Formula, Node, parse_expression, variables

type RowArgument = str | Sequence[float] | FloatArray | None


@dataclass(frozen=True, eq=False)
class PerRow:
    """An argument with one number a row: an expression of columns, or the numbers themselves."""

    name: str
    node: Node | None = None
    rows: FloatArray | None = None

    @property
    def is_given(self) -> bool:
        return self.node is not None or self.rows is not None


def per_row(argument: RowArgument, name: str, table: Table) -> PerRow:
    """An argument such as ``weights``, given as text or as numbers.

    Raises
    ------
    FormulaError
        For text that is no expression.
    ArgumentError
        For numbers that are not one a row.
    """
    if argument is None:
        return PerRow(name)
    if isinstance(argument, str):
        return PerRow(name, parse_expression(argument))
    try:
        given = np.asarray(argument)
        # Text that looks like numbers is likely another column than was meant.
        if any(isinstance(item, str) for item in given.flat if given.dtype.kind in "OUS"):
            raise TypeError
        rows = given.astype(np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} is not numeric; give a column name or numbers") from None
    if rows.shape != (table.n,):
        raise ArgumentError(
            f"{name} has shape {rows.shape}, but the data have {table.n:,} rows; give one number a "
            "row, or the name of a column"
        )
    return PerRow(name, rows=rows)


def column_names(nodes: Iterable[Node], table: Table) -> list[str]:
    """The columns that some nodes use, each once.

    Raises
    ------
    ColumnNotFoundError
        For a name that is neither a column nor a constant such as ``pi``.
    FormulaError
        For a dot, which has a meaning in updates only.
    """
    names = dict.fromkeys(name.name for node in nodes for name in variables(node))
    if "." in names and "." not in table:
        raise FormulaError("'.' stands for the old terms in an update; here name every predictor")
    for name in names:
        if name != "pi":
            table.series(name)
    return [name for name in names if name in table]


@dataclass(frozen=True, eq=False)
class Frame:
    """The complete rows of a table, as a formula sees them.

    Attributes
    ----------
    formula : Formula
    evaluator : Evaluator
    keep : array of bool, shape (n_rows,), or slice
        Complete rows; n of them.
    """

    formula: Formula
    evaluator: Evaluator
    keep: Rows

    @property
    def n(self) -> int:
        """Number of complete rows."""
        return len(self.index)

    @cached_property
    def index(self) -> pd.Index:
        """Labels of the complete rows."""
        return self.evaluator.table.index[self.keep]

    def predictors(self, bars: Sequence[Bar]) -> dict[str, Value]:
        """Values of the variables of the fixed part and of some bars' left sides, by R name.

        Raises
        ------
        DataError
            For values that are not finite.
        """
        atoms = dict(self.formula.fixed.atoms)
        for bar in bars:
            atoms.update(bar.terms.atoms)
        return {name: finite_rows(node, self.evaluator, self.keep) for name, node in atoms.items()}

    def groups(self, bars: Sequence[Bar]) -> dict[str, list[Factor]]:
        """The factors that make up every grouping factor, by the name of the latter."""
        parts = dict.fromkeys(part for bar in bars for part in bar.group.parts)
        factors = {part: self.evaluator.factor(part).rows(self.keep) for part in parts}
        return {bar.group.name: [factors[part] for part in bar.group.parts] for bar in bars}

    def numbers(self, argument: PerRow, default: float) -> FloatArray:
        """An argument on the complete rows, shape (n,); ``default`` where it was not given."""
        if argument.rows is not None:
            return self.own(argument.rows)
        if argument.node is not None:
            return self.own(self.evaluator.numbers(argument.node, argument.name))
        return np.full(self.n, default)

    def own(self, values: FloatArray) -> FloatArray:
        """Values of all rows on the complete ones, in memory that the user's data do not share."""
        return values[self.keep].copy() if isinstance(self.keep, slice) else values[self.keep]

    def offset(self, argument: PerRow) -> FloatArray:
        """Sum of the ``offset()`` terms and of the argument ``offset``, shape (n,), link scale.

        Raises
        ------
        DataError
            For values that are not finite.
        """
        total = np.zeros(self.n)
        nodes = self.formula.offsets + (() if argument.node is None else (argument.node,))
        for node in nodes:
            values = self.evaluator.numbers(node, "offset")[self.keep]
            check_finite(values, node, self.evaluator, self.keep)
            total += values
        if argument.rows is not None:
            rows = argument.rows[self.keep]
            if not np.isfinite(rows).all():
                first = first_place(~np.isfinite(rows))
                raise DataError(
                    f"offset is {rows[first]} at row {self.index[first]}; it must be finite. Drop "
                    "these rows or correct the offset."
                )
            total += rows
        return total


def used_nodes(
    formula: Formula, bars: Sequence[Bar], grouped: Sequence[Bar] | None = None
) -> list[Node]:
    """The nodes of the right-hand side with the given bars; the groups of ``grouped`` only."""
    nodes = [atom for term in formula.fixed.terms for atom in term]
    nodes += formula.offsets
    for bar in bars:
        nodes += bar.terms.atoms.values()
    for bar in bars if grouped is None else grouped:
        nodes += bar.group.parts
    return nodes
