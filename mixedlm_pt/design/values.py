"""What a piece of a formula evaluates to: numbers, truth values, a factor or a set of columns."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.errors import DataError

_DIGITS = re.compile(r"(\d+)")


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
        return [level_label(level) for level in self.levels]

    def rows(self, keep: BoolArray) -> "Factor":
        """The factor at some rows, levels that do not occur there dropped."""
        codes = self.codes[keep]
        used = np.zeros(len(self.levels), dtype=bool)
        used[codes[codes >= 0]] = True
        if used.all():
            return Factor(codes, self.levels, self.is_ordered, self.contrast)
        # One slot more than there are levels, so that code -1 stays -1.
        renumbered = np.full(len(used) + 1, -1, dtype=np.int64)
        renumbered[:-1][used] = np.arange(used.sum())
        return Factor(renumbered[codes], self.levels[used], self.is_ordered, self.contrast)


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


def level_label(level: object) -> str:
    """One level as R prints it: ``2`` for 2.0, ``TRUE`` for True."""
    if isinstance(level, bool | np.bool_):
        return "TRUE" if level else "FALSE"
    if isinstance(level, float) and level.is_integer():
        return str(int(level))
    return str(level)


def natural_key(level: object) -> tuple[object, ...]:
    """A sort key that puts "2" before "10" and "b" before "C"."""
    pieces = _DIGITS.split(str(level))
    folded = [int(piece) if k % 2 else piece.casefold() for k, piece in enumerate(pieces)]
    return (*folded, str(level))


def sorted_levels(levels: Iterable[object]) -> list[object]:
    """Levels in natural order: numbers by value, also when they are written as text."""
    values = list(levels)
    try:
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return sorted(values, key=natural_key)
    return [
        value for _, value in sorted(zip(numbers, values, strict=True), key=lambda pair: pair[0])
    ]


def factor_from(values: pd.Series | pd.Index | np.ndarray) -> Factor:
    """A factor with naturally ordered levels, or with a categorical's own levels and order."""
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, pd.CategoricalDtype):
        categorical = pd.Categorical(values)
        return Factor(
            np.asarray(categorical.codes, dtype=np.int64),
            pd.Index(categorical.categories),
            bool(categorical.ordered),
        )
    codes, uniques = pd.factorize(values)
    levels = list(uniques)
    ordered = sorted_levels(levels)
    position = {level: place for place, level in enumerate(ordered)}
    renumbered = np.array([*(position[level] for level in levels), -1], dtype=np.int64)
    return Factor(renumbered[codes], pd.Index(ordered))


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
