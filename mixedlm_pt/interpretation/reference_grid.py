"""The reference grid: every combination of the factors' levels, covariates at their means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import finite_number, names_of, one_of
from mixedlm_pt.design.levels import level_label
from mixedlm_pt.errors import ArgumentError, FormulaError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import parse_expression
from mixedlm_pt.formula.nodes import Binary, Name, Node, Number, Paren
from mixedlm_pt.interpretation.predictors import OFFSET, Predictor, predictors, source_rows

# A covariate with no more values is kept at them, as emmeans' "cov.keep".
KEPT_VALUES = 2
# More rows than this are a factor too many, such as one level an observation.
MAX_ROWS = 200_000
WEIGHTS = ("equal", "proportional", "outer", "cells")

type Specs = str | Sequence[str]
type At = Mapping[str, Any] | None


@dataclass(frozen=True, eq=False)
class Grid:
    """Combinations of predictor values.

    Attributes
    ----------
    rows : DataFrame, r rows
        Source columns, the first varying fastest.
    margins : tuple of str
        Columns with several values.
    counts : array, shape (r,)
        Rows of the data in every combination of factor levels and kept values.
    """

    rows: pd.DataFrame
    margins: tuple[str, ...]
    counts: FloatArray


def split_specs(specs: Specs, by: Specs | None) -> tuple[list[str], list[str]]:
    """Names of the factors wanted, and of those within whose levels they are compared.

    Raises
    ------
    FormulaError
        For a formula other than ``"~ a + b | c"``.
    """
    names = names_of("specs", specs)
    within = [] if by is None else names_of("by", by)
    if len(names) == 1 and ("~" in names[0] or "|" in names[0]):
        left, _, body = ("", "", names[0]) if "~" not in names[0] else names[0].partition("~")
        if left.strip():
            raise FormulaError(
                f"{names[0]!r} has a left side; write emmeans(..., '~{body}').contrast(...) instead"
            )
        tree = parse_expression(body)
        if isinstance(tree, Binary) and tree.operator == "|":
            within = [*within, *listed(tree.right, names[0])]
            tree = tree.left
        names = listed(tree, names[0])
    return [name for name in names if name not in within], within


def listed(node: Node, text: str) -> list[str]:
    """Names joined by ``+``, ``*`` or ``:``; none for ``1``."""
    match node:
        case Name(name=name):
            return [name]
        case Number(value=1.0):
            return []
        case Paren(inner=inner):
            return listed(inner, text)
        case Binary(operator="+" | "*" | ":", left=left, right=right):
            return [*listed(left, text), *listed(right, text)]
    raise FormulaError(f"{text!r} is no list of factors; write '~ a + b | c'")


def reference_grid(fit: Fit, wanted: Sequence[str], at: At) -> Grid:
    """All combinations of predictor values over which means are taken.

    Parameters
    ----------
    fit : Fit
    wanted : sequence of str
        Factors asked for.
    at : mapping, optional
        Values of some predictors in place of all levels or the mean.

    Raises
    ------
    ArgumentError
        For a name that is no predictor, a level that the fit does not have, and too many rows.
    """
    if at is not None and not isinstance(at, Mapping):
        raise ArgumentError(f"at is {at!r}; it must be a mapping such as {{'x': [0, 1]}}.")
    known, at = predictors(fit), dict(at or {})
    for name in [*wanted, *at]:
        one_of("predictor", name, known)
    values = {name: grid_values(fit, known[name], at.get(name)) for name in known}
    sizes = {name: len(column) for name, column in values.items()}
    if prod(sizes.values()) > MAX_ROWS:
        largest = max(sizes, key=lambda name: sizes[name])
        raise ArgumentError(
            f"the reference grid has {prod(sizes.values()):,} rows; {largest!r} alone has "
            f"{sizes[largest]:,} levels. Choose some with at=, or use avg_predictions()."
        )
    # The first factor varies fastest.
    combinations = [combination[::-1] for combination in product(*reversed(values.values()))]
    columns = zip(values, zip(*combinations, strict=True), strict=True)
    rows = pd.DataFrame({name: list(column) for name, column in columns})
    if not known:
        rows = pd.DataFrame(index=range(1))
    if fit.design.specification.offset.rows is not None:
        own = fit.design.specification.offset.rows[~fit.design.omitted]
        rows[OFFSET] = float(np.mean(own))
    margins = tuple(name for name in known if len(values[name]) > 1)
    return Grid(rows, margins, cell_counts(fit, rows, margins, known))


def grid_values(fit: Fit, predictor: Predictor, given: Any) -> list[Any]:
    """Values of one predictor in the grid."""
    if given is not None:
        values = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
        if not values:
            raise ArgumentError(f"at has no value for {predictor.name!r}.")
        if predictor.levels is None:
            return [finite_number(f"at[{predictor.name!r}]", value) for value in values]
        by_label = dict(zip(predictor.labels, predictor.levels, strict=True))
        for value in values:
            if level_label(value) not in by_label:
                raise unknown_name(f"level of {predictor.name!r}", value, by_label)
        return [by_label[level_label(value)] for value in values]
    if predictor.levels is not None:
        return list(predictor.levels)
    assert predictor.values is not None
    distinct = np.unique(predictor.values)
    few = len(distinct) <= KEPT_VALUES
    return [float(value) for value in distinct] if few else [float(predictor.values.mean())]


def cell_counts(
    fit: Fit, rows: pd.DataFrame, margins: Sequence[str], known: Mapping[str, Predictor]
) -> FloatArray:
    """Rows of the data with the same levels as each grid row; covariates given by ``at`` aside."""
    discrete = [
        name
        for name in margins
        if known[name].levels is not None or set(rows[name]) <= set(np.unique(known[name].values))  # type: ignore[arg-type]
    ]
    data = source_rows(fit, None, ())
    if not discrete:
        return np.ones(len(rows))
    found = pd.MultiIndex.from_frame(labelled(data[discrete])).value_counts()
    wanted = pd.MultiIndex.from_frame(labelled(rows[discrete]))
    counts = found.reindex(wanted, fill_value=0)
    return np.asarray(counts, np.float64)


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Levels as text, so that those of data and grid compare whatever their types are."""
    return pd.DataFrame({name: frame[name].map(level_label).astype(object) for name in frame})


def averaging(grid: Grid, wanted: Sequence[str], weights: str) -> tuple[pd.DataFrame, FloatArray]:
    """Which means are wanted, k rows, and the weights (k, r) that make them of the grid's rows.

    Raises
    ------
    ArgumentError
        For unknown weights.
    """
    one_of("weights", weights, WEIGHTS)
    others = [name for name in grid.margins if name not in wanted]
    counts = grid.counts
    if weights == "equal" or not others:
        share = np.ones(len(grid.rows))
    elif weights == "cells":
        share = counts
    elif weights == "proportional":
        keys = labelled(grid.rows[others])
        share = pd.Series(counts).groupby(list(keys.T.to_numpy())).transform("sum").to_numpy()
    else:
        share = np.ones(len(grid.rows))
        for name in others:
            key = labelled(grid.rows[[name]])[name].to_numpy()
            share = share * pd.Series(counts).groupby(key).transform("sum").to_numpy()
    names = list(wanted)
    if not names:
        return pd.DataFrame({"1": ["overall"]}), share[None, :] / share.sum()
    # By the order of the names wanted, the first fastest, whatever the order in the formula.
    cells = grid.rows[names].drop_duplicates()
    ranks = {name: {v: i for i, v in enumerate(dict.fromkeys(grid.rows[name]))} for name in names}
    order = pd.DataFrame({name: cells[name].map(ranks[name]) for name in names})
    cells = cells.loc[order.sort_values(names[::-1]).index].reset_index(drop=True)
    member = (cells.to_numpy(object)[:, None, :] == grid.rows[names].to_numpy(object)).all(axis=2)
    W = member * share
    with np.errstate(invalid="ignore"):
        return cells, W / W.sum(axis=1, keepdims=True)
