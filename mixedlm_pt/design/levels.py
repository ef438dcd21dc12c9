"""The different values of a column: found, put in order and written as R writes them."""

import numpy as np
import pandas as pd

from mixedlm_pt._typing import IntArray

# Integers that span at most this many times their number are counted in a table, not hashed.
TABLE_SHARE = 4


def distinct(values: IntArray) -> tuple[IntArray, IntArray]:
    """The different integers in increasing order and the place of every value among them.

    ``np.unique`` with its inverse, in linear time.
    """
    if not values.size:
        return values, values
    low, high = int(values.min()), int(values.max())
    if high - low >= TABLE_SHARE * values.size:
        places, found = pd.factorize(values, sort=True)
        return np.asarray(found), places
    shifted = values - low
    is_found = np.zeros(high - low + 1, np.bool_)
    is_found[shifted] = True
    if is_found.all():
        return np.arange(low, high + 1), shifted
    return np.flatnonzero(is_found) + low, (np.cumsum(is_found) - 1)[shifted]


def ordered_levels(levels: pd.Index) -> tuple[pd.Index, IntArray]:
    """Different values in natural order, and that order as positions in ``levels``.

    Numbers by value, also when they are written as text; "2" before "10", "b" before "C".
    """
    if levels.dtype == np.float64:
        order = np.argsort(levels.to_numpy())
        return levels[order], order
    values = levels.to_numpy(dtype=object)
    try:
        order = np.argsort(values.astype(np.float64), kind="stable")
    except (TypeError, ValueError):
        order = natural_order([str(value) for value in values.tolist()])
    return pd.Index(values[order].tolist()), order


def natural_order(texts: list[str]) -> IntArray:
    """Positions of texts in an order that reads runs of digits as numbers and ignores case.

    Every character gets a rank such that ranks compare as the pieces of text and the numbers
    would: of two runs of digits the longer is the larger number, and the end of a text comes
    before a digit and that before anything else.
    """
    characters = np.array([text.casefold() for text in texts], dtype=np.str_)
    width = characters.dtype.itemsize // 4
    ranks = characters.view(np.uint32).reshape(len(texts), width)
    digit = (ranks >= ord("0")) & (ranks <= ord("9"))
    # How many digits are left of the run that a position belongs to.
    left = np.zeros((len(texts), width + 1), np.uint32)
    for j in reversed(range(width)):
        left[:, j] = np.where(digit[:, j], left[:, j + 1] + 1, 0)
    left = left[:, :-1]
    # A zero leads if only zeros stand before it in its run and some digit after it.
    leads = (ranks == ord("0")) & (left > 1)
    for j in range(1, width):
        leads[:, j] &= leads[:, j - 1] | ~digit[:, j - 1]
    number = 10 * left + (ranks - ord("0")) + 1
    ranks = np.where(digit, number, np.where(ranks > 0, ranks + np.uint32(10 * width + 11), 0))
    if leads.any():
        ranks[leads] = 0
        ranks = np.take_along_axis(ranks, np.argsort(leads, axis=1, kind="stable"), axis=1)
    keys = np.ascontiguousarray(ranks, np.uint32).view(characters.dtype).reshape(-1)
    return np.lexsort((np.array(texts, dtype=np.str_), keys))


def level_label(level: object) -> str:
    """One level as R prints it: ``2`` for 2.0, ``TRUE`` for True."""
    if isinstance(level, bool | np.bool_):
        return "TRUE" if level else "FALSE"
    if isinstance(level, float) and level.is_integer():
        return str(int(level))
    return str(level)


def level_labels(levels: pd.Index) -> list[str]:
    """All levels as R prints them."""
    return [level_label(level) for level in levels.tolist()]
