"""Densities of one parameter, from an estimate and from draws, and how far they overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.comparison_columns import Result, fit_of
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.diagnostics import dispersion_name, scaled_parameters
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import Curve

# Cells of a density, and how far it reaches: in bandwidths of draws, in standard errors of an
# estimate.
N_CELLS = 1024
REACH = 4.0


@dataclass(frozen=True)
class Scale:
    """The scale on which an estimate is taken as normal, as `confint` does, and the range.

    Attributes
    ----------
    forward, back, slope : callables
        From the parameter to that scale, the inverse, and the derivative of ``forward``.
    lower, upper : float
        Range of the parameter.
    """

    forward: Callable[[FloatArray], FloatArray]
    back: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray], FloatArray]
    lower: float = -np.inf
    upper: float = np.inf


REAL = Scale(np.positive, np.positive, np.ones_like)
POSITIVE = Scale(np.log, np.exp, np.reciprocal, 0.0)
CORRELATION = Scale(np.arctanh, np.tanh, lambda r: 1.0 / (1.0 - r**2), -1.0, 1.0)


def parameter_scales(fit: Fit) -> dict[str, Scale]:
    """The scale of every parameter by name, in the order of ``confint``."""
    scaled, dispersion = scaled_parameters(fit), Dispersion.of(fit.model)
    pairs = zip(scaled.names, scaled.is_sd, strict=True)
    scales = {name: POSITIVE if is_sd else CORRELATION for name, is_sd in pairs}
    name = dispersion.name if dispersion is not None else dispersion_name(fit)
    if name is not None:
        scales[name] = POSITIVE
    return scales | dict.fromkeys(fit.design.coef_names, REAL)


@dataclass(frozen=True, eq=False)
class Density:
    """A density at ascending values, zero beyond them; both of shape (m,)."""

    x: FloatArray
    y: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        return np.interp(x, self.x, self.y, left=0.0, right=0.0)


def normal_density(estimate: float, se: float, scale: Scale) -> Density | None:
    """That of an estimate whose error is normal on ``scale``; None without a standard error.

    The density behind Wald's limits: log-normal for a standard deviation, for instance.
    """
    # It is NaN for what is on the boundary.
    if not se > 0.0:
        return None
    value = np.array([estimate])
    width = se * scale.slope(value)
    z = np.linspace(-REACH, REACH, N_CELLS)
    x = scale.back(scale.forward(value) + width * z)
    # On the parameter's own scale; towards the end of its range the transformed one has no room.
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) / width * scale.slope(x)
    inside = (x > scale.lower) & (x < scale.upper) & np.isfinite(y)
    return Density(x[inside], y[inside])


def kernel_density(draws: FloatArray, scale: Scale, ess: float = np.inf) -> Density:
    """That of draws, by a normal kernel reflected at the ends of the range.

    The bandwidth is Silverman's (1986, Density Estimation, equation 3.31) for as many draws as
    there are independent ones, the effective sample size.
    """
    draws = np.ravel(draws)
    n = min(len(draws), ess)
    quartiles = np.quantile(draws, [0.25, 0.75])
    spread = min(draws.std(ddof=1), (quartiles[1] - quartiles[0]) / 1.34)
    bandwidth = 0.9 * spread * n**-0.2
    low, high = draws.min() - REACH * bandwidth, draws.max() + REACH * bandwidth
    ends = [end for end in (scale.lower, scale.upper) if np.isfinite(end)]
    mirrored = [2.0 * end - draws for end in ends]
    edges = np.linspace(low, high, N_CELLS + 1)
    cell = edges[1] - edges[0]
    # Cells just beyond the range are filled by the mirror image before the kernel runs over them.
    counts = np.histogram(np.concatenate([draws, *mirrored]), edges)[0] / (len(draws) * cell)
    y = gaussian_filter1d(counts, bandwidth / cell, mode="constant", truncate=REACH)
    x = 0.5 * (edges[1:] + edges[:-1])
    inside = (x > scale.lower) & (x < scale.upper)
    return Density(x[inside], y[inside])


def overlapping_coefficient(first: Density | None, second: Density | None) -> float:
    """``integral of min(f, g)``: 1 for equal densities, 0 for separate ones.

    Twice the least error rate at telling a draw of one from a draw of the other. NaN where one
    does not exist.

    References
    ----------
    .. [1] Inman and Bradley (1989), Communications in Statistics 18, 3851-3874.
    """
    if first is None or second is None:
        return np.nan
    x = np.union1d(first.x, second.x)
    return float(np.trapezoid(np.minimum(first(x), second(x)), x))


def interval_overlap(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Length of the intersection of intervals as a share of that of their union.

    Jaccard's index: 1 for equal intervals, 0 for separate ones; NaN where a limit is missing.

    Parameters
    ----------
    first, second : pairs of arrays, shape (m,)
        Lower and upper limits.
    """
    inner = np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])
    outer = np.maximum(first[1], second[1]) - np.minimum(first[0], second[0])
    share: FloatArray = np.maximum(inner, 0.0) / outer
    return share


def parameter_densities(
    results: Mapping[str, Result], columns: Mapping[str, pd.DataFrame], rows: Sequence[str]
) -> dict[str, dict[str, Density | None]]:
    """Of every result the density of every parameter; normal ones of fits."""
    found: dict[str, dict[str, Density | None]] = {}
    for name, result in results.items():
        scales = parameter_scales(fit_of(result))
        if isinstance(result, PosteriorResult):
            ess = columns[name]["ess"]
            found[name] = {
                row: kernel_density(result.draws[row], scales[row], ess[row]) for row in rows
            }
        else:
            estimate, se = columns[name]["estimate"], columns[name]["se"]
            found[name] = {row: normal_density(estimate[row], se[row], scales[row]) for row in rows}
    return found


def profile_density(curve: Curve, power: float = 1.0) -> Density:
    """The profile likelihood ``exp(-zeta^2 / 2)`` of a parameter raised to a power, area one.

    No Jacobian enters: a likelihood is no density, its values do not depend on the scale.
    """
    smooth = curve.smooth(N_CELLS)
    x, y = smooth["value"].to_numpy() ** power, np.exp(-0.5 * smooth["zeta"].to_numpy() ** 2)
    order = np.argsort(x)
    x, y = x[order], y[order]
    return Density(x, y / np.trapezoid(y, x))
