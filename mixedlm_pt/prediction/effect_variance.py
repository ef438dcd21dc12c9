"""Conditional variances for rows that need not be rows of the fit, from blocks of H^-1."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.estimation import ModeFinder
from mixedlm_pt.prediction.random_part import RandomPart

# Numbers that a solve for several columns of the inverse may hold at a time.
CHUNK = 4_000_000


def effect_variances(finder: ModeFinder, packed: FloatArray, part: RandomPart) -> FloatArray:
    """Variance of every row's ``m'u`` given the parameters, ``m' H^-1 m``, shape (m,).

    Parameters
    ----------
    finder : ModeFinder
    packed : array
        Factorisation of H.
    part : RandomPart
        New levels count as zero here.

    Notes
    -----
    Rows whose levels occur together in a row of the fit need one block of H^-1, which the
    structure's kernel has. For a combination that the fit has not seen the blocks between two
    factors come from solved unit vectors, one for each level of the factor with fewer of them.
    """
    total = np.zeros(len(part.M))
    if not part.M.shape[1]:
        return total
    uses = part.levels >= 0
    M = np.where(np.repeat(uses, finder.columns, axis=1), part.M, 0.0)
    patterns, kind = np.unique(uses, axis=0, return_inverse=True)
    together = np.zeros(len(M), np.int64)
    for p, pattern in enumerate(patterns):
        rows = np.flatnonzero(kind.reshape(-1) == p)
        together[rows] = fitted_rows(finder, part.levels[rows], np.flatnonzero(pattern))
    seen = together >= 0
    total[seen] = at_fitted_rows(finder, packed, M[seen], together[seen])
    if not seen.all():
        unseen = replace(part, M=M[~seen], cols=part.cols[~seen], levels=part.levels[~seen])
        total[~seen] = piecewise(finder, packed, unseen)
    return total


def at_fitted_rows(
    finder: ModeFinder, packed: FloatArray, M: FloatArray, rows: IntArray
) -> FloatArray:
    """The form for rows that are grouped as some rows of the fit."""
    return (finder.row_inverse(packed, M, rows) * M).sum(axis=1)


def fitted_rows(
    finder: ModeFinder, levels: IntArray, factors: Sequence[int] | IntArray
) -> IntArray:
    """A row of the fit with the same levels of some factors, shape (m,); -1 where there is none."""
    n = finder.model.n
    key = np.zeros(n + len(levels), np.int64)
    for f in factors:
        grouping = finder.model.design.factors[f]
        codes = np.concatenate([grouping.codes, levels[:, f]])
        _, key = np.unique(key * grouping.n_levels + codes, return_inverse=True)
    row = np.full(key.max(initial=0) + 1, -1, np.int64)
    row[key[:n]] = np.arange(n)
    return row[key[n:]]


def piecewise(finder: ModeFinder, packed: FloatArray, part: RandomPart) -> FloatArray:
    """The form as a sum over factors and pairs of factors."""
    first = np.cumsum([0, *finder.columns])
    blocks = [slice(a, b) for a, b in pairwise(first)]
    parts, owners, together = [], [], []
    for f, block in enumerate(blocks):
        rows = np.flatnonzero(part.levels[:, f] >= 0)
        own = np.zeros((len(rows), part.M.shape[1]))
        own[:, block] = part.M[rows, block]
        parts.append(own)
        owners.append(rows)
        together.append(fitted_rows(finder, part.levels[rows], [f]))
    # One call: its cost hardly depends on the number of rows.
    alone = at_fitted_rows(finder, packed, np.concatenate(parts), np.concatenate(together))
    total = np.bincount(np.concatenate(owners), alone, len(part.M))
    for f, g in combinations(range(len(blocks)), 2):
        both = (part.levels[:, f] >= 0) & (part.levels[:, g] >= 0)
        # The factors are sorted by decreasing number of levels.
        total[both] += 2.0 * between(finder, packed, part, both, blocks[f], blocks[g])
    return total


def between(
    finder: ModeFinder,
    packed: FloatArray,
    part: RandomPart,
    rows: BoolArray,
    left: slice,
    right: slice,
) -> FloatArray:
    """``m_f' (H^-1)_fg m_g`` of some rows for the columns of two factors."""
    M, cols = part.M[rows], part.cols[rows]
    total = np.zeros(len(M))
    units, place = np.unique(cols[:, right], return_inverse=True)
    place = place.reshape(len(M), -1)
    q = finder.model.q
    # A solve works on as many numbers a column as the fit has rows.
    step = max(1, CHUNK // max(q, finder.model.n))
    for start in range(0, len(units), step):
        chunk = units[start : start + step]
        rhs = np.zeros((q, len(chunk)))
        rhs[chunk, np.arange(len(chunk))] = 1.0
        inverse = finder.solve(packed, rhs)
        for a, column in enumerate(range(right.start, right.stop)):
            here = np.flatnonzero((place[:, a] >= start) & (place[:, a] < start + step))
            solved = inverse[cols[here, left], place[here, a, None] - start]
            total[here] += M[here, column] * (M[here, left] * solved).sum(axis=1)
    return total
