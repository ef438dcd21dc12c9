"""What a piece of a formula evaluates to: numbers, truth values, a factor or a set of columns."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.design.levels import distinct, level_labels, ordered_levels
from mixedlm_pt.errors import DataError

# Some rows of a table: a mask, or a slice where that spares a copy.
type Rows = BoolArray | slice


@dataclass(frozen=True, eq=False)
class Factor:
    """A categorical variable.

    Attributes
    ----------
    codes : array of int64, shape (n,)
        Position in ``levels``, -1 where missing.
    levels : pandas.Index
        Original values, in level order.
    is_ordered : bool
    contrast : object
        What ``C(f, contrast)`` asked for, or None.
    """

    codes: IntArray
    levels: pd.Index
    is_ordered: bool = False
    contrast: object = None

    @cached_property
    def labels(self) -> list[str]:
        """The levels as R writes them in the names of coefficients."""
        return level_labels(self.levels)

    def rows(self, keep: Rows) -> "Factor":
        """The factor at some rows, levels that do not occur there dropped."""
        codes = self.codes[keep]
        # One slot more than there are levels, for code -1.
        used = np.zeros(len(self.levels) + 1, dtype=bool)
        used[codes] = True
        used = used[:-1]
        if used.all():
            return replace(self, codes=codes)
        renumbered = np.full(len(used) + 1, -1, dtype=np.int64)
        renumbered[:-1][used] = np.arange(used.sum())
        return replace(self, codes=renumbered[codes], levels=self.levels[used])


@dataclass(frozen=True, eq=False)
class Basis:
    """Several numeric columns from one call, ``poly(x, 2)``; values have shape (n, k)."""

    values: FloatArray
    names: tuple[str, ...]


type Constant = float | str | bool
type Value = FloatArray | BoolArray | Factor | Basis | Constant | list[Constant]


def first_place(mask: BoolArray) -> int:
    """Position of the first True."""
    return int(np.argmax(mask))


def factor_from(values: pd.Series | pd.Index | pd.Categorical | np.ndarray) -> Factor:
    """A factor with naturally ordered levels, or with a categorical's own levels and order."""
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        own: Any = getattr(values, "array", values)
        # A copy: new codes assigned to the user's column do not reach the model.
        return Factor(own.codes.astype(np.int64), own.categories, bool(own.ordered))
    if isinstance(dtype, np.dtype) and np.can_cast(dtype, np.int64) and dtype != np.bool_:
        found, codes = distinct(np.asarray(values, np.int64))
        return Factor(codes, pd.Index(found))
    codes, uniques = pd.factorize(values)
    levels, order = ordered_levels(pd.Index(uniques))
    # One slot more than there are levels, so that code -1 stays -1.
    place = np.full(len(order) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    return Factor(place[codes], levels)


def as_factor(value: Value) -> Factor:
    """A computed value as a factor.

    Raises
    ------
    DataError
        For a constant, and for a call with several columns.
    """
    if isinstance(value, Factor):
        return value
    if not isinstance(value, np.ndarray):
        raise DataError("only a column or a call that gives one value a row can be a factor")
    return factor_from(pd.Series(value))
