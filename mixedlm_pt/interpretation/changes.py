"""What is changed in the rows to compare predictions: levels, steps, infinitesimal steps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design.levels import level_label
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.interpretation.estimates import Comparing
from mixedlm_pt.interpretation.predictors import Predictor
from mixedlm_pt.interpretation.stencil import DERIVATIVE, step_of

# Of `Estimates`, or of whatever else can be compared, averaged and summed as these.
type Combine = Callable[[Sequence[Any]], Any]

FACTOR_WAYS = ("reference", "pairwise", "sequential")
NUMERIC_WAYS = ("sd", "2sd", "iqr", "minmax")


@dataclass(frozen=True)
class Comparison:
    """A function of two predictions.

    Attributes
    ----------
    label : str
        With places for ``hi`` and ``lo``.
    function : callable
        ``(hi, lo) -> (value, slope in hi, slope in lo)``, all of one shape.
    null : float
        Its value where the predictions are equal.
    """

    label: str
    function: Comparing
    null: float = 0.0

    def __call__(self, points: Sequence[Any]) -> Any:
        """The comparison of two sets of predictions, higher level first."""
        hi, lo = points
        return hi.compared(lo, self.function)


def log_odds(hi: FloatArray, lo: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logarithm of the odds ratio of two probabilities."""
    if not ((hi > 0) & (hi < 1) & (lo > 0) & (lo < 1)).all():
        raise ArgumentError("comparison='lnor' compares probabilities; these predictions are none.")
    value = np.log(hi) - np.log1p(-hi) - np.log(lo) + np.log1p(-lo)
    return value, 1.0 / (hi * (1.0 - hi)), -1.0 / (lo * (1.0 - lo))


COMPARISONS = {
    "difference": Comparison(
        "{hi} - {lo}", lambda hi, lo: (hi - lo, np.ones_like(hi), -np.ones_like(lo))
    ),
    "ratio": Comparison("{hi} / {lo}", lambda hi, lo: (hi / lo, 1.0 / lo, -hi / lo**2), 1.0),
    "lnratio": Comparison("ln({hi} / {lo})", lambda hi, lo: (np.log(hi / lo), 1.0 / hi, -1.0 / lo)),
    "lnor": Comparison("ln(odds({hi}) / odds({lo}))", log_odds),
}


@dataclass(frozen=True, eq=False)
class Change:
    """One column set to several sets of values, and what is made of the predictions there.

    Attributes
    ----------
    term, label : str
    columns : tuple of Series
        The values, one a row each.
    combine : callable
        From the predictions for each of them to the estimate.
    null : float
        Value that says that the change has no effect.
    """

    term: str
    label: str
    columns: tuple[pd.Series, ...]
    combine: Combine
    null: float = 0.0


def level_changes(
    predictor: Predictor, wanted: Any, rows: pd.DataFrame, comparison: Comparison
) -> Iterator[Change]:
    """Comparisons of two levels or of two numbers.

    Parameters
    ----------
    predictor : Predictor
    wanted : object
        What the user asked for, None for the default.
    rows : DataFrame
    comparison : Comparison
    """
    name = predictor.name
    is_binary = predictor.values is not None and set(np.unique(predictor.values)) <= {0.0, 1.0}
    if predictor.levels is not None:
        pairs = level_pairs(predictor, wanted)
    elif is_binary and wanted is None:
        pairs = [("1", "0", 1.0, 0.0)]
    else:
        yield numeric_change(predictor, wanted, rows, comparison)
        return
    for hi_label, lo_label, hi, lo in pairs:
        label = comparison.label.format(hi=hi_label, lo=lo_label)
        columns = (constant(hi, rows), constant(lo, rows))
        yield Change(name, label, columns, comparison, comparison.null)


def level_pairs(predictor: Predictor, wanted: Any) -> list[tuple[str, str, Any, Any]]:
    """Labels and values of the levels compared, higher one first."""
    assert predictor.levels is not None
    labels, levels = predictor.labels, predictor.levels
    places = range(len(levels))
    if isinstance(wanted, list | tuple):
        strays = [value for value in wanted if level_label(value) not in labels]
        if strays:
            raise unknown_name(f"level of {predictor.name!r}", strays[0], labels)
        if len(wanted) != 2:
            raise ArgumentError(f"give two levels of {predictor.name!r}, [low, high].")
        chosen = [(labels.index(level_label(wanted[1])), labels.index(level_label(wanted[0])))]
    elif wanted is None or wanted == "reference":
        chosen = [(place, 0) for place in places[1:]]
    elif wanted == "pairwise":
        chosen = [(b, a) for a, b in combinations(places, 2)]
    elif wanted == "sequential":
        chosen = [(b, a) for a, b in pairwise(places)]
    else:
        raise unknown_name(f"comparison of levels of {predictor.name!r}", wanted, FACTOR_WAYS)
    return [(labels[hi], labels[lo], levels[hi], levels[lo]) for hi, lo in chosen]


def numeric_change(
    predictor: Predictor, wanted: Any, rows: pd.DataFrame, comparison: Comparison
) -> Change:
    """A step in a numeric predictor: from x to x + 1, ``[low, high]``, or one by its spread.

    The step of one is forward as in the R package; the Python one centres it.
    """
    name, values = predictor.name, predictor.values
    assert values is not None
    x = rows[name].astype(np.float64)
    label, hi, lo = comparison.label, x, x
    if wanted is None or (np.ndim(wanted) == 0 and not isinstance(wanted, str)):
        step = 1.0 if wanted is None else float(wanted)
        label, hi = f"{step:+g}", x + step
    elif isinstance(wanted, list | tuple) and len(wanted) == 2:
        lo, hi = (constant(float(value), rows) for value in wanted)
        label = label.format(hi=f"{wanted[1]:g}", lo=f"{wanted[0]:g}")
    elif wanted in ("sd", "2sd"):
        half = (0.5 if wanted == "sd" else 1.0) * float(np.std(values, ddof=1))
        hi, lo = x + half, x - half
        part = "sd/2" if wanted == "sd" else "sd"
        label = label.format(hi=f"(x + {part})", lo=f"(x - {part})")
    elif wanted in ("iqr", "minmax"):
        ends = np.quantile(values, [0.25, 0.75] if wanted == "iqr" else [0.0, 1.0])
        lo, hi = (constant(float(end), rows) for end in ends)
        names = {"iqr": ("Q1", "Q3"), "minmax": ("Min", "Max")}[str(wanted)]
        label = label.format(hi=names[1], lo=names[0])
    else:
        raise ArgumentError(
            f"variables asks {wanted!r} of {name!r}; a numeric predictor takes a step, "
            f"[low, high] or one of {', '.join(NUMERIC_WAYS)}."
        )
    return Change(name, label, (hi, lo), comparison, comparison.null)


def slope_change(predictor: Predictor, rows: pd.DataFrame) -> Change:
    """An infinitesimal step in a numeric predictor."""
    step, x = step_of(predictor), rows[predictor.name].astype(np.float64)
    weights = [weight / step for _, weight in DERIVATIVE]

    def combine(points: Sequence[Any]) -> Any:
        return points[0].weighted_sum(points, weights)

    return Change(predictor.name, "dY/dX", tuple(x + s * step for s, _ in DERIVATIVE), combine)


def constant(value: Any, rows: pd.DataFrame) -> pd.Series:
    """A column that holds one value."""
    return pd.Series([value] * len(rows), index=rows.index)
