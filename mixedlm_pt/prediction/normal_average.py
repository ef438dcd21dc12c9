"""Means averaged over a normally distributed linear predictor."""

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile import CompiledModel
from mixedlm_pt.errors import EstimationError

# The trapezoidal rule converges geometrically for analytic integrands: two step lengths that agree
# to this say that the finer one is exact to rounding.
AGREEMENT = 1e-9
# Slopes this much smaller than the mean do not matter: the mean is constant there.
SATURATED = 1e-8
# Beyond this many standard deviations the normal density is below 1e-17 of its peak; a mean that
# grows as exp(s z) moves the peak of the product by at most s.
REACH = 9.0
# The density underflows here.
FARTHEST = 38.0
FIRST_STEP = 0.5
# Halvings of the step: an integrand this narrow has a pole next to the real axis.
MAX_HALVINGS = 9
# Nodes times rows that are held at a time.
CHUNK = 1_000_000


def normal_average(
    compiled: CompiledModel, eta: FloatArray, s: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Expectation of the mean over linear predictors ``N(eta, s^2)``, with its slopes.

    In closed form for the links that have one (identity, log, probit, sqrt), otherwise by the
    trapezoidal rule with halved steps until it is exact to 1e-9 or better.

    Parameters
    ----------
    compiled : CompiledModel
    eta, s : arrays, shape (m,)
        Link scale; s not negative.

    Returns
    -------
    mean, slope_eta, slope_s : arrays, shape (m,)
        The expectation, response scale, and its derivatives in ``eta`` and in ``s``.

    Raises
    ------
    EstimationError
        If the normal distribution reaches predictors without a mean, as for the inverse link.

    References
    ----------
    .. [1] Trefethen and Weideman (2014), SIAM Review 56, 385-458, section 5.
    """
    if compiled.averaged_mean is not None:
        mean, slope_eta, slope_s = compiled.averaged_mean(eta, s)
        return mean, slope_eta, slope_s
    total = np.stack([compiled.mean(eta)[0], compiled.mean_slope(eta)[0], np.zeros(len(eta))])
    spread = np.flatnonzero(s > 0.0)
    reach = min(REACH + float(s.max(initial=0.0)), FARTHEST)
    rows = max(1, int(CHUNK * FIRST_STEP / (2.0 * reach)))
    for start in range(0, len(spread), rows):
        here = spread[start : start + rows]
        total[:, here] = trapezoidal(compiled, eta[here], s[here], reach)
    return total[0], total[1], total[2]


def trapezoidal(
    compiled: CompiledModel, eta: FloatArray, s: FloatArray, reach: float
) -> FloatArray:
    """Mean and slopes (3, m), the step halved for the rows where that still changes them."""
    count = int(np.ceil(reach / FIRST_STEP))
    z: FloatArray = FIRST_STEP * np.arange(-count, count + 1, dtype=np.float64)
    total = weighted_sums(compiled, eta, s, z) * FIRST_STEP
    open_rows, step = np.arange(len(eta)), FIRST_STEP
    for _ in range(MAX_HALVINGS):
        middle: FloatArray = step * (np.arange(-count, count, dtype=np.float64) + 0.5)
        between = in_pieces(compiled, eta[open_rows], s[open_rows], middle) * step
        finer = 0.5 * (total[:, open_rows] + between)
        mean, slope, _ = np.abs(finer)
        scale = np.stack([mean + slope, slope + SATURATED * mean, slope + SATURATED * mean])
        agrees = (np.abs(finer - total[:, open_rows]) <= AGREEMENT * scale).all(axis=0)
        total[:, open_rows] = finer
        open_rows = open_rows[~agrees]
        if not len(open_rows):
            return total
        step, count = 0.5 * step, 2 * count
    row = open_rows[0]
    raise EstimationError(
        f"link {compiled.graph.family.link.name!r} has no mean for some linear predictors that the "
        f"random effects reach (eta = {eta[row]:.4g}, sd = {s[row]:.4g}), so the mean averaged "
        "over them does not exist. Use re_form='~0' or a link such as log."
    )


def in_pieces(compiled: CompiledModel, eta: FloatArray, s: FloatArray, z: FloatArray) -> FloatArray:
    """`weighted_sums` with a bounded number of values at a time."""
    rows = max(1, CHUNK // len(z))
    pieces = [
        weighted_sums(compiled, eta[start : start + rows], s[start : start + rows], z)
        for start in range(0, len(eta), rows)
    ]
    return np.concatenate(pieces, axis=1)


# A link without a mean somewhere gives NaN there, which never agrees with itself.
@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def weighted_sums(
    compiled: CompiledModel, eta: FloatArray, s: FloatArray, z: FloatArray
) -> FloatArray:
    """Sums over the nodes z of density times mean, slope, and z times slope; shape (3, m)."""
    nodes = (eta[:, None] + s[:, None] * z).ravel()
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    mean = compiled.mean(nodes)[0].reshape(len(eta), len(z))
    slope = compiled.mean_slope(nodes)[0].reshape(len(eta), len(z))
    return np.stack([mean @ density, slope @ density, slope @ (z * density)])
