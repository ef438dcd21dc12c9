"""Confidence limits and p-values: quantiles, tails, and the columns that hold them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtr, ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import probability


def tails(level: float) -> tuple[float, float]:
    """Probabilities below the two limits of a level.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    level = probability("level", level)
    return 0.5 * (1.0 - level), 0.5 * (1.0 + level)


def tail_names(level: float) -> tuple[str, str]:
    """The tails in percent, ``"2.5 %"`` and ``"97.5 %"``, with the digits that the lower needs.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    lower, upper = tails(level)
    first = f"{100.0 * lower:.3g}"
    places = len(first.partition(".")[2]) if "e" not in first else 10
    return f"{first} %", f"{100.0 * upper:.{places}f} %"


def limits_frame(
    names: Sequence[str], lower: FloatArray, upper: FloatArray, level: float
) -> pd.DataFrame:
    """Limits by parameter, the columns named by their tails.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    index = pd.Index(list(names), dtype="str")
    return pd.DataFrame(dict(zip(tail_names(level), (lower, upper), strict=True)), index=index)


def normal_quantile(level: float) -> float:
    """Half the width of a normal interval, in standard errors.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    return float(ndtri(tails(level)[1]))


def two_sided_p(z: FloatArray) -> FloatArray:
    """P-values of standard normal statistics, exact in the far tail."""
    p: FloatArray = 2.0 * ndtr(-np.abs(z))
    return p


def wald_columns(estimate: FloatArray, se: FloatArray) -> dict[str, FloatArray]:
    """Estimates with R's columns of a Wald test, against a normal distribution."""
    z = estimate / se
    return {"Estimate": estimate, "Std. Error": se, "z value": z, "Pr(>|z|)": two_sided_p(z)}


def binomial_interval(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval of a probability of which k cases in n were seen."""
    lower, upper = tails(level)
    first = float(betaincinv(k, n - k + 1, lower)) if k else 0.0
    last = float(betaincinv(k + 1, n - k, upper)) if k < n else 1.0
    return first, last
