"""A smooth curve through points: local linear regression, Cleveland's lowess in one step."""

import numpy as np

from mixedlm_pt._typing import FloatArray

# Of the points are used at each place; R's default.
SPAN = 2.0 / 3.0
N_PLACES = 60
# As R's: a smaller standard deviation of x, as a share of its range, gives no slope.
MIN_SPREAD = 1e-3
ROUNDING = 1e-7


def local_linear(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A smooth curve, shape (m,) each; empty where x takes fewer than four values.

    Tricube weights over the nearest two thirds of the points (Cleveland 1979, J. Am. Stat. Assoc.
    74, 829-836), at up to 60 of the values of x. Where ties leave no slope to estimate, the mean.
    """
    if len(np.unique(x)) < 4:
        return np.empty(0), np.empty(0)
    places = np.unique(np.quantile(x, np.linspace(0.0, 1.0, N_PLACES), method="nearest"))
    n_near = int(SPAN * len(x) + ROUNDING)
    distance = np.abs(x[None, :] - places[:, None])
    reach = np.partition(distance, n_near - 1, axis=1)[:, n_near - 1, None]
    share = np.divide(distance, reach, out=(distance > 0.0).astype(np.float64), where=reach > 0.0)
    w = np.maximum(1.0 - share**3, 0.0) ** 3
    total = w.sum(axis=1)
    x_mean, y_mean = w @ x / total, w @ y / total
    gap = x[None, :] - x_mean[:, None]
    spread = (w * gap**2).sum(axis=1)
    has_slope = np.sqrt(spread / total) > MIN_SPREAD * (x.max() - x.min())
    slope = np.zeros(len(places))
    np.divide((w * gap * y).sum(axis=1), spread, out=slope, where=has_slope)
    return places, y_mean + slope * (places - x_mean)
