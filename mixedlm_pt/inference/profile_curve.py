"""The profile likelihood of one parameter, followed on both sides of its estimate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import scipy

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.diagnostics import dispersion_name, natural_parameters, term_covariances
from mixedlm_pt.estimation import (
    Focus,
    HigherMaximum,
    Point,
    ProfileSearch,
    Scale,
    focus_on_coefficient,
    focus_on_correlation,
    focus_on_dispersion,
    focus_on_sd,
)
from mixedlm_pt.fit import Fit
from mixedlm_pt.limits import normal_quantile
from mixedlm_pt.linalg.threads import on_one_thread

# A curve that ends so far from the zeta of a limit ends before it.
SHORT = 0.01


@dataclass(frozen=True, eq=False)
class Curve:
    """The profile likelihood of one parameter.

    Attributes
    ----------
    name : str
    estimate : float
        NaN for the correlation with an effect that does not vary; there are no points then.
    bounds : tuple of float
        Range of the parameter.
    limits : mapping
        Level to lower and upper limit.
    value, zeta : arrays, shape (m,)
        The points, in ascending order: the parameter, natural scale, and the signed root of twice
        the log-likelihood lost.
    coordinate, slope : arrays, shape (m,)
        The coordinate in which zeta was traced, and the derivative of zeta there.
    par : array, shape (m, n_par)
        All parameters (beta, theta, log phi) at the points.
    natural : Scale
        The parameter as a function of its coordinate.
    points : tuple of Point
        From which the search for other limits goes on.
    """

    name: str
    estimate: float
    bounds: tuple[float, float]
    limits: Mapping[float, tuple[float, float]]
    value: FloatArray
    zeta: FloatArray
    coordinate: FloatArray
    slope: FloatArray
    par: FloatArray
    natural: Scale
    points: tuple[Point, ...]

    def smooth(self, n: int = 201) -> pd.DataFrame:
        """The curve between its points: columns ``value``, ``zeta`` and ``density``, n rows.

        Cubic Hermite interpolation with the exact slopes, held down where they would make it
        overshoot [1]_. The density is that of the confidence distribution, the derivative of
        Phi(zeta) in the parameter (lme4's ``densityplot``).

        References
        ----------
        .. [1] Fritsch and Carlson (1980), SIAM J. Numer. Anal. 17, 238-246.
        """
        if len(self.coordinate) < 2:
            return pd.DataFrame(columns=["value", "zeta", "density"], dtype=np.float64)
        chord = np.diff(self.zeta) / np.diff(self.coordinate)
        steepest = 3.0 * np.minimum(np.append(chord, np.inf), np.insert(chord, 0, np.inf))
        slope = np.maximum(np.minimum(self.slope, steepest), 0.0)
        spline = scipy.interpolate.CubicHermiteSpline(self.coordinate, self.zeta, slope)
        x = np.linspace(self.coordinate[0], self.coordinate[-1], n)
        zeta, value = spline(x), self.natural(x)
        normal = np.exp(-0.5 * zeta**2) / np.sqrt(2.0 * np.pi)
        # At a correlation of +-1 the angle says nothing about the derivative: no density there.
        density = normal * spline(x, 1) / np.gradient(value, x)
        return pd.DataFrame({"value": value, "zeta": zeta, "density": density})

    def remarks(self, level: float) -> tuple[str, ...]:
        """What there is to say about the limits of a level, one sentence a limit."""
        if not self.points:
            return (
                f"{self.name}: one of the effects does not vary, so every value has the same "
                "likelihood.",
            )
        found = []
        ends = np.array([self.zeta[0], self.zeta[-1]]) * (-1.0, 1.0)
        is_cut = ends < normal_quantile(level) - SHORT
        for j, side in enumerate(("lower", "upper")):
            limit, end = self.limits[level][j], self.bounds[j]
            if np.isnan(limit):
                found.append(
                    f"{self.name}: no {side} limit was found; the likelihood cannot be evaluated "
                    "or is not smooth on the way there."
                )
            elif limit == end and np.isfinite(end) and self.name.startswith(("sd_", "cor_")):
                found.append(
                    f"{self.name}: the {side} limit is the end of the range; {end:g} is "
                    "compatible with the data."
                )
            elif limit == end:
                found.append(
                    f"{self.name}: there is no {side} limit, because the likelihood levels off "
                    f"towards {end:g}."
                )
            elif is_cut[j]:
                found.append(
                    f"{self.name}: not far beyond the {side} limit the profile ends: there the "
                    "likelihood cannot be evaluated (means would leave their range) or is not "
                    "smooth."
                )
        return tuple(found)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
@on_one_thread
def trace_parameter(
    name: str,
    *,
    fit: Fit,
    levels: Sequence[float],
    known: Mapping[str, tuple[Point, ...]],
) -> Curve | FloatArray:
    """The curve of one parameter, or (beta, theta, log phi) where the likelihood is higher."""
    focus, estimate = focuses(fit)[name](), float(natural_parameters(fit)[name])
    if np.isnan(estimate):
        return undefined(name, focus, levels)
    try:
        search = ProfileSearch(focus, fit.estimate, fit.approximation, fit.backend, fit.penalty)
        points = list(known.get(name, (search.peak,)))
        limits = {level: [np.nan, np.nan] for level in levels}
        for side in (-1, 1):
            for level in levels:
                reached = search.reach(side * normal_quantile(level), points)
                limits[level][side > 0] = reached.limit
                if np.isnan(reached.limit):
                    break
                if all(reached.point is not point for point in points):
                    points.append(reached.point)
    except HigherMaximum as higher:
        return higher.par
    points.sort(key=lambda point: point.coordinate)
    x = search.coordinate(np.array([point.coordinate for point in points]))
    return Curve(
        name=name,
        estimate=estimate,
        bounds=focus.range,
        limits={level: (lower, upper) for level, (lower, upper) in limits.items()},
        value=focus.natural(x),
        zeta=np.array([point.zeta for point in points]),
        coordinate=x,
        slope=slopes(search, points, x),
        par=np.stack([focus.back(point.par) for point in points]),
        natural=focus.natural,
        points=tuple(points),
    )


def slopes(search: ProfileSearch, points: Sequence[Point], x: FloatArray) -> FloatArray:
    """Derivatives of zeta in the coordinate, exact but at the peak.

    There it is the one that makes the second derivative continuous; at the end of the range, where
    zeta is odd, that is zero.
    """
    unit = float(search.unit[search.index])
    slope: FloatArray = np.array([point.zeta_slope / unit for point in points])
    peak = next(i for i, point in enumerate(points) if point.zeta == 0.0)
    h = np.diff(x)
    chord = np.diff([point.zeta for point in points]) / h
    if 0 < peak < len(h):
        before, after = h[peak - 1], h[peak]
        total = 3.0 * (after * chord[peak - 1] + before * chord[peak])
        total -= after * slope[peak - 1] + before * slope[peak + 1]
        slope[peak] = total / (2.0 * (before + after))
    elif len(h):
        beside = 1 if peak == 0 else peak - 1
        slope[peak] = 1.5 * chord[min(peak, beside)] - 0.5 * slope[beside]
    return slope


def undefined(name: str, focus: Focus, levels: Sequence[float]) -> Curve:
    """The correlation with an effect that does not vary: any value is as good."""
    empty = np.empty(0)
    return Curve(
        name,
        np.nan,
        focus.range,
        dict.fromkeys(levels, focus.range),
        value=empty,
        zeta=empty,
        coordinate=empty,
        slope=empty,
        par=np.empty((0, 0)),
        natural=focus.natural,
        points=(),
    )


def focuses(fit: Fit) -> dict[str, "partial[Focus]"]:
    """How every parameter is held fixed, by its name, in the order of `confint`."""
    model, found = fit.model, {}
    for t, term in enumerate(term_covariances(fit)):
        for name, a, b in term.parameters:
            focus = partial(focus_on_sd, model, t, a)
            found[name] = focus if a == b else partial(focus_on_correlation, model, t, a, b)
    dispersion = dispersion_name(fit)
    if dispersion is not None:
        found[dispersion] = partial(focus_on_dispersion, model)
    for j, name in enumerate(fit.design.coef_names):
        found[name] = partial(focus_on_coefficient, model, j)
    return found
