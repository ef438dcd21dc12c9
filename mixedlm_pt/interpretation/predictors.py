"""The columns from which a model's predictors are computed, and what values they take."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design.frame import column_names, used_nodes
from mixedlm_pt.design.functions import FACTORS
from mixedlm_pt.design.levels import level_label
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.values import Factor
from mixedlm_pt.errors import DataError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import Node, variables
from mixedlm_pt.formula.nodes import Call, children

# The column that carries an offset given as an array; no formula can name it.
OFFSET = "(offset)"


@dataclass(frozen=True, eq=False)
class Predictor:
    """A column of the data that the fixed effects are computed from.

    Attributes
    ----------
    name : str
    levels : tuple or None
        Values of a factor, a string or a truth value in level order; None for a numeric column.
    values : array or None
        Numbers in the rows of the fit, shape (n,); None for a factor.
    """

    name: str
    levels: tuple[Any, ...] | None
    values: FloatArray | None

    @property
    def labels(self) -> list[str]:
        """The levels as text; empty for a numeric column."""
        return [level_label(level) for level in self.levels or ()]


def predictors(fit: Fit) -> dict[str, Predictor]:
    """The columns behind the fixed effects and offsets of a fit, in the order of the formula."""
    formula = fit.design.specification.formula
    nodes = used_nodes(formula, ())
    as_levels = set(factor_columns(nodes))
    offset = fit.design.specification.offset.node
    table = fitted_table(fit)
    names = column_names([*nodes, *([] if offset is None else [offset])], table)
    return {name: predictor(fit, table, name, name in as_levels) for name in names}


def effect_names(fit: Fit) -> list[str]:
    """Columns that the fixed effects depend on, without those of offsets alone."""
    atoms = fit.design.specification.formula.fixed.atoms.values()
    names = column_names(atoms, fitted_table(fit))
    return [name for name in predictors(fit) if name in names]


def chosen_predictor(fit: Fit, name: str) -> Predictor:
    """One predictor by name.

    Raises
    ------
    ArgumentError
        If the fixed effects do not use such a column.
    """
    known = predictors(fit)
    if not isinstance(name, str) or name not in known:
        raise unknown_name("predictor", name, known)
    return known[name]


def predictor(fit: Fit, table: Table, name: str, is_factor: bool) -> Predictor:
    """One column on the rows of the fit."""
    keep = ~fit.design.omitted
    value = table.factor(name) if is_factor else table.value(name)
    if isinstance(value, Factor):
        return Predictor(name, tuple(value.rows(keep).levels), None)
    numbers = np.asarray(value)[keep]
    if numbers.dtype == bool:
        return Predictor(name, tuple(bool(level) for level in np.unique(numbers)), None)
    return Predictor(name, None, numbers.astype(np.float64))


def factor_columns(nodes: Iterable[Node]) -> Iterator[str]:
    """Columns that a formula turns into factors, ``factor(x)`` or ``C(x)``."""
    for node in nodes:
        if isinstance(node, Call) and node.function in FACTORS:
            yield from (name.name for name in variables(node))
        yield from factor_columns(children(node))


def fitted_table(fit: Fit) -> Table:
    """The data of a fit.

    Raises
    ------
    DataError
        If the user's data frame has other rows than when the model was fitted.
    """
    table = Table(fit.call.data)
    if table.n != len(fit.design.omitted):
        raise DataError(
            f"the data have {table.n:,} rows now, {len(fit.design.omitted):,} when the model was "
            "fitted; they were changed in between. Fit again, or give newdata=."
        )
    return table


def source_rows(
    fit: Fit,
    newdata: object,
    terms: Sequence[int],
    others: Iterable[str] = (),
    *,
    is_average: bool = False,
) -> pd.DataFrame:
    """The columns behind the predictors, complete rows only.

    Parameters
    ----------
    fit : Fit
    newdata : data frame, mapping or None
        None: the rows of the fit.
    terms : sequence of int
        Random-effects terms whose columns are needed, too.
    others : iterable of str
        Further columns to keep.
    is_average : bool
        Whether the levels of grouping factors do not matter, so that new data need not have them.

    Raises
    ------
    ColumnNotFoundError
        If a column is absent.
    """
    specification = fit.design.specification
    table = fitted_table(fit) if newdata is None else Table(newdata)
    labels = {fit.design.terms[t].label for t in terms}
    bars = [bar for bar in specification.formula.bars if bar.label in labels]
    nodes = used_nodes(specification.formula, bars)
    nodes += [] if specification.offset.node is None else [specification.offset.node]
    filled: dict[str, Any] = {}
    if is_average and newdata is not None:
        own = fitted_table(fit)
        parts = [part for bar in bars for part in bar.group.parts]
        names = [name.name for part in parts for name in variables(part)]
        row = int(np.argmin(fit.design.omitted))
        filled = {name: own.series(name).iloc[row] for name in names if name not in table}
        nodes = [node for node in nodes if not any(v.name in filled for v in variables(node))]
    kept = dict.fromkeys([*column_names(nodes, table), *others])
    frame = pd.DataFrame({name: table.series(name).array for name in kept}, index=table.index)
    frame = frame.assign(**filled)
    rows = specification.offset.rows
    if rows is not None and newdata is None:
        frame[OFFSET] = rows
    elif OFFSET in table:
        frame[OFFSET] = table.series(OFFSET).array
    if newdata is None:
        return frame[~fit.design.omitted]
    return frame[~frame.isna().any(axis=1)]
