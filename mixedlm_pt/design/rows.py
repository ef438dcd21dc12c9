"""Which rows a model can use, and the checks that name the row at fault."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.design.evaluate import Evaluator
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.values import Basis, Factor, Rows, Value, first_place
from mixedlm_pt.errors import DataError, FormulaError, unknown_name
from mixedlm_pt.formula import Node, deparse, variables

NA_ACTIONS = ("omit", "exclude", "fail")
# Sums of squares of larger numbers are infinite.
LARGEST = 1e150


def omitted_rows(table: Table, names: Iterable[str], na_action: str) -> BoolArray:
    """The rows with a missing value in one of the columns, shape (n_rows,).

    Parameters
    ----------
    table : Table
    names : iterable of str
        Columns that the model uses.
    na_action : {"omit", "exclude", "fail"}

    Raises
    ------
    ArgumentError
        For an unknown ``na_action``.
    DataError
        When a column or all rows have nothing left, and, with ``"fail"``, for any missing value.
    """
    if na_action not in NA_ACTIONS:
        raise unknown_name("na_action", na_action, NA_ACTIONS)
    if table.n == 0:
        raise DataError("the data have no rows; check the filter or the file they come from")
    masks = {name: mask for name in names if (mask := table.missing(name)) is not None}
    omitted = np.zeros(table.n, dtype=bool)
    if not masks:
        return omitted
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    for name, count in counts.items():
        if count == table.n:
            raise DataError(
                f"column {name!r} has no values: all {count:,} are missing. Leave it out of the "
                "formula, or check where it comes from."
            )
    if na_action == "fail":
        listed = ", ".join(f"{name!r} ({count:,})" for name, count in counts.items())
        raise DataError(
            f"missing values in {listed}; na_action='omit' or 'exclude' drops these rows"
        )
    for mask in masks.values():
        omitted |= mask
    if omitted.all():
        worst = max(counts, key=counts.__getitem__)
        raise DataError(
            f"no rows are left after dropping those with missing values; column {worst!r} has the "
            f"most, {counts[worst]:,} of {table.n:,}"
        )
    return omitted


def complete_rows(omitted: BoolArray) -> Rows:
    """The rows that are not omitted; a slice, so without copies, where that is all of them."""
    return ~omitted if omitted.any() else slice(None)


def finite_rows(node: Node, evaluator: Evaluator, keep: Rows) -> Value:
    """The value of a predictor on the rows kept, checked to be finite.

    Raises
    ------
    DataError
        For infinite columns, and for calls such as ``log(x)`` that are infinite or undefined.
    """
    value = evaluator.value(node)
    if isinstance(value, Factor):
        return value.rows(keep)
    if isinstance(value, Basis):
        columns = Basis(value.values[keep], value.names)
        check_finite(columns.values, node, evaluator, keep)
        return columns
    if isinstance(value, str | list):
        raise FormulaError(
            f"{deparse(node)} is no predictor: it does not give one value a row. Write the name of "
            "a column without quotes."
        )
    rows = np.broadcast_to(np.asarray(value), (evaluator.table.n,))[keep]
    if rows.dtype == bool:
        return Factor(rows.astype(np.int64), pd.Index([False, True])).rows(slice(None))
    check_finite(rows, node, evaluator, keep)
    largest = float(max(rows.max(initial=0.0), -rows.min(initial=0.0)))
    if largest > LARGEST:
        raise DataError(
            f"{deparse(node)!r} has values up to {largest:.2g}, whose squares overflow. Rescale it."
        )
    return np.asarray(rows, dtype=np.float64)


def check_finite(values: FloatArray, node: Node, evaluator: Evaluator, keep: Rows) -> None:
    """Refuse values that are infinite or undefined, with their first row and what it holds.

    Raises
    ------
    DataError
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    finite = finite.reshape(len(values), -1).all(axis=1)
    kept = np.zeros(evaluator.table.n, np.bool_)
    kept[keep] = True
    table = evaluator.table
    for name in dict.fromkeys(name.name for name in variables(node)):
        column = table.value(name) if name in table else 0.0
        if isinstance(column, np.ndarray) and np.isinf(column[keep]).any():
            infinite = np.isinf(column) & kept
            raise DataError(
                f"column {name!r} is infinite in {infinite.sum():,} of {table.n:,} rows, first at "
                f"row {table.index[first_place(infinite)]}. Drop these rows or correct them."
            )
    first = first_place(~finite)
    row = int(np.flatnonzero(kept)[first])
    text, value = deparse(node), np.ravel(values[first])[0]
    held = ", ".join(
        f"{name} = {table.series(name).iloc[row]}"
        for name in dict.fromkeys(name.name for name in variables(node))
        if name in table
    )
    raise DataError(
        f"{text} is {'not a number' if np.isnan(value) else value} at row {table.index[row]} "
        f"({held}); {np.sum(~finite):,} of {len(finite):,} rows are affected. Drop them, or "
        "change the formula."
    )
