"""R's natural cubic splines, ``ns``."""

from collections.abc import Sequence

import numpy as np
import scipy
from scipy import linalg

from mixedlm_pt._typing import FloatArray

DEGREE = 3


def spline_knots(
    x: FloatArray,
    df: int | None,
    knots: Sequence[float] | None,
    bounds: Sequence[float] | None,
    intercept: bool,
) -> FloatArray:
    """Interior knots at quantiles (or as given) with the boundary knots repeated, increasing."""
    lower, upper = (np.min(x), np.max(x)) if bounds is None else bounds
    if knots is None:
        n_inner = 0 if df is None else max(df - 1 - int(intercept), 0)
        inside = x[(x >= lower) & (x <= upper)]
        knots = np.quantile(inside, np.linspace(0, 1, n_inner + 2)[1:-1]).tolist()
    order = DEGREE + 1
    return np.concatenate([np.repeat(lower, order), np.sort(knots), np.repeat(upper, order)])


def natural_spline(x: FloatArray, knots: FloatArray, intercept: bool) -> FloatArray:
    """Basis of cubic splines that are linear beyond the boundary knots, shape (n, k).

    As in R's ``splines::ns``: the cubic B-splines times the null space of their second
    derivatives at the two boundaries, which a QR decomposition gives.
    """
    lower, upper = knots[0], knots[-1]
    first = 0 if intercept else 1
    splines = scipy.interpolate.BSpline(knots, np.eye(len(knots) - DEGREE - 1)[:, first:], DEGREE)
    nearest = np.minimum(np.maximum(x, lower), upper)
    basis = splines(nearest) + (x - nearest)[:, None] * splines(nearest, 1)
    curvature = splines(np.array([lower, upper]), 2)
    Q, _ = linalg.qr(curvature.T)
    return np.asarray(basis @ Q[:, 2:])
