"""R's natural cubic splines, ``ns``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from scipy import linalg

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import DataError

DEGREE = 3


def spline_knots(
    x: FloatArray,
    df: float | None,
    knots: float | Sequence[float] | None,
    bounds: Mapping[str, Any],
    intercept: bool,
) -> FloatArray:
    """Interior knots at quantiles (or as given) with the boundary knots repeated, increasing.

    Raises
    ------
    DataError
        For fewer degrees of freedom than a spline without interior knots has.
    """
    lower, upper = bounds.get("Boundary.knots", (np.min(x), np.max(x)))
    if knots is None:
        fewest = 1 + intercept
        n_inner = 0 if df is None else int(df) - fewest
        if n_inner < 0:
            raise DataError(f"this spline needs a df of {fewest} or more, not {df:g}")
        inside = x[(x >= lower) & (x <= upper)]
        knots = np.quantile(inside, np.linspace(0, 1, n_inner + 2)[1:-1]).tolist()
    order = DEGREE + 1
    inner = np.sort(np.atleast_1d(knots))
    return np.concatenate([np.repeat(lower, order), inner, np.repeat(upper, order)])


def natural_spline(x: FloatArray, knots: FloatArray, intercept: bool) -> FloatArray:
    """Basis of cubic splines that are linear beyond the boundary knots, shape (n, k).

    As in R's ``splines::ns``: the cubic B-splines times the null space of their second
    derivatives at the two boundaries, which a QR decomposition gives.
    """
    lower, upper = knots[0], knots[-1]
    first = 0 if intercept else 1
    units = np.eye(len(knots) - DEGREE - 1)[:, first:]
    splines = scipy.interpolate.BSpline(knots, units, DEGREE)
    nearest = np.minimum(np.maximum(x, lower), upper)
    basis = splines(nearest) + (x - nearest)[:, None] * splines(nearest, 1)
    curvature = splines(np.array([lower, upper]), 2)
    Q, _ = linalg.qr(curvature.T)
    return np.asarray(basis @ Q[:, 2:])
