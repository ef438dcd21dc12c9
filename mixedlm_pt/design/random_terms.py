"""Grouping factors and random-effects terms from the bars of a formula."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from mixedlm_pt._typing import IntArray
from mixedlm_pt.design.coding import Columns, model_columns
from mixedlm_pt.design.contrasts import Contrast
from mixedlm_pt.design.levels import distinct, level_labels
from mixedlm_pt.design.types import GroupingFactor, RandomTerm
from mixedlm_pt.design.values import Factor, Value
from mixedlm_pt.errors import DataError, FormulaError
from mixedlm_pt.formula import Bar, Group, Terms


def grouping_factor(group: Group, parts: Sequence[Factor]) -> GroupingFactor:
    """The grouping factor of one or several crossed factors.

    Parameters
    ----------
    group : Group
    parts : sequence of Factor
        Without missing values; the first runs slowest in the order of the levels.

    Raises
    ------
    DataError
        With fewer than two levels.
    """
    if len(parts) == 1:
        factor = GroupingFactor(group.name, parts[0].levels, parts[0].codes)
    else:
        used, codes = distinct(_cells(parts))
        labels = _cell_labels(used, parts)
        factor = GroupingFactor(group.name, pd.Index(labels, dtype=object), codes)
    if factor.n_levels < 2:
        raise DataError(
            f"grouping factor {group.name!r} has {factor.n_levels} level; a random effect needs "
            f"at least 2. Drop (1 | {group.name}) or check the column."
        )
    return factor


def matched_factor(fitted: GroupingFactor, parts: Sequence[Factor]) -> GroupingFactor:
    """New rows of a fitted grouping factor; levels that it does not have come after its own."""
    known = {label: place for place, label in enumerate(level_labels(fitted.levels))}
    if len(parts) == 1:
        labels, cells = parts[0].labels, parts[0].codes
    else:
        used, cells = distinct(_cells(parts))
        labels = _cell_labels(used, parts)
    present = set(distinct(cells)[0].tolist())
    new = [label for cell, label in enumerate(labels) if cell in present and label not in known]
    known |= {label: place for place, label in enumerate(new, start=len(known))}
    places = np.array([known.get(label, -1) for label in labels], dtype=np.int64)
    levels = fitted.levels.append(pd.Index(new, dtype=object)) if new else fitted.levels
    return GroupingFactor(fitted.name, levels, places[cells])


def random_terms(
    bars: Sequence[Bar],
    factors: Mapping[str, GroupingFactor],
    values: Mapping[str, Value],
    contrasts: Mapping[str, Contrast],
    n: int,
    known: Mapping[Terms, Columns] = MappingProxyType({}),
) -> tuple[tuple[GroupingFactor, ...], tuple[RandomTerm, ...]]:
    """Factors and terms, both by decreasing number of levels.

    Parameters
    ----------
    bars : sequence of Bar
    factors : mapping
        Grouping factors by name.
    values, contrasts : mapping
        As for :func:`model_columns`.
    n : int
        Number of rows.
    known : mapping, optional
        Model matrices made before; terms with equal left sides share theirs, too.

    Raises
    ------
    FormulaError
        When two terms give one factor the same column.
    """
    # sorted() is stable: terms of equally many levels keep the order of the formula.
    ordered = sorted(bars, key=lambda bar: -factors[bar.group.name].n_levels)
    names = list(dict.fromkeys(bar.group.name for bar in ordered))
    made, terms = dict(known), []
    for bar in ordered:
        if bar.terms not in made:
            made[bar.terms] = model_columns(bar.terms, values, contrasts, n)
        columns = made[bar.terms]
        terms.append(
            RandomTerm(bar.label, names.index(bar.group.name), columns.names, columns.matrix)
        )
    _refuse_duplicates(ordered, terms)
    return tuple(factors[name] for name in names), tuple(terms)


def _refuse_duplicates(bars: Sequence[Bar], terms: Sequence[RandomTerm]) -> None:
    seen: dict[tuple[frozenset[object], str], str] = {}
    for bar, term in zip(bars, terms, strict=True):
        for column in term.columns:
            # a:b and b:a have the same levels in another order.
            key = frozenset(bar.group.parts), column
            if key in seen:
                raise FormulaError(
                    f"the random-effects terms ({seen[key]}) and ({term.label}) both give grouping "
                    f"factor {bar.group.name!r} the column {column!r}, so their variances cannot "
                    "be told apart. Drop one of them."
                )
        seen |= {(frozenset(bar.group.parts), column): term.label for column in term.columns}


def _cells(parts: Sequence[Factor]) -> IntArray:
    """One number for every combination of levels, -1 where a part is missing."""
    first, *others = parts
    cells = first.codes
    for part in others:
        cells = cells * len(part.levels) + part.codes
    for part in parts:
        if part.codes.min(initial=0) < 0:
            cells[part.codes < 0] = -1
    return cells


def _cell_labels(cells: IntArray, parts: Sequence[Factor]) -> list[str]:
    last, *others = reversed(parts)
    cells, place = np.divmod(cells, len(last.levels))
    # Arrays of objects add their strings without a loop in Python.
    text = np.array(last.labels, dtype=object)[place]
    for part in others:
        cells, place = np.divmod(cells, len(part.levels))
        text = np.array(part.labels, dtype=object)[place] + ":" + text
    labels: list[str] = text.tolist()
    return labels
