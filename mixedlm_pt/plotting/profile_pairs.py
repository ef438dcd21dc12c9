"""Joint likelihood regions of every two parameters, interpolated from their profiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy
from scipy.special import chdtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.inference import Curve, Profile
from mixedlm_pt.plotting.style import BLUE, GREY, INK, VERMILLION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = (0.5, 0.8, 0.9, 0.95)
N_SEGMENTS = 200


def draw_pairs(
    profile: Profile, curves: Sequence[Curve], size: tuple[float, float] | None
) -> Figure:
    """A triangle of panels: regions below, names on the diagonal."""
    n, points = len(curves), profile.to_frame()
    figure, axes = panels(n, n, size=size or (1.9 * n, 1.9 * n))
    for i, curve in enumerate(curves):
        axes[i * n + i].text(
            0.5, 0.5, curve.name, ha="center", va="center", transform=axes[i * n + i].transAxes
        )
        axes[i * n + i].set_axis_off()
    for column, row in combinations(range(n), 2):
        axes[column * n + row].remove()
        ax = axes[row * n + column]
        draw_pair(ax, curves[column], curves[row], points)
        ax.tick_params(labelbottom=row == n - 1, labelleft=column == 0)
    return figure


def draw_pair(ax: Axes, first: Curve, second: Curve, points: pd.DataFrame) -> None:
    """Regions and both profile traces of two parameters."""
    for curve, colour in ((first, BLUE), (second, VERMILLION)):
        trace = points[points[".par"] == curve.name]
        ax.plot(trace[first.name], trace[second.name], color=colour, linewidth=0.9)
    for level in LEVELS:
        x, y = region(first, second, points, float(np.sqrt(chdtri(2.0, 1.0 - level))))
        ax.plot(x, y, color=INK if level == LEVELS[-1] else GREY, linewidth=0.8)
    ax.plot(first.estimate, second.estimate, "o", color=INK, markersize=2.5)


def region(
    first: Curve, second: Curve, points: pd.DataFrame, radius: float
) -> tuple[FloatArray, FloatArray]:
    """Outline of the joint region where twice the log-likelihood lost is ``radius`` squared.

    In the plane of the two zetas it is nearly an ellipse, ``radius (cos(a + d/2), cos(a - d/2))``
    with a phase d that hardly depends on a. Both traces give it at four angles, a periodic spline
    elsewhere.

    Returns
    -------
    x, y : arrays
        Natural scales; empty where a curve does not reach so far.

    References
    ----------
    .. [1] Bates and Watts (1988), Nonlinear Regression Analysis, appendix A6.
    """
    known = []
    for side in (1.0, -1.0):
        for along, other in ((first, second), (second, first)):
            cosine = zeta_along(along, other, points, side * radius) / radius
            # A trace that leaves the region: the interpolation has no meaning there.
            if not -1.0 < cosine < 1.0:
                return np.empty(0), np.empty(0)
            angles = 0.0 if side > 0.0 else np.pi, float(np.arccos(cosine))
            x, y = angles if along is first else angles[::-1]
            known.append((0.5 * (x + y) * (1.0 if x > y else -1.0), abs(x - y)))
    a, d = np.array(known).T
    order = np.argsort(np.mod(a, 2.0 * np.pi))
    a, d = np.mod(a, 2.0 * np.pi)[order], d[order]
    if (np.diff(a) <= 0.0).any():
        return np.empty(0), np.empty(0)
    phase = scipy.interpolate.CubicSpline([*a, a[0] + 2.0 * np.pi], [*d, d[0]], bc_type="periodic")
    angle = np.linspace(0.0, 2.0 * np.pi, N_SEGMENTS)
    half = 0.5 * phase(angle)
    zeta_x, zeta_y = radius * np.cos(angle + half), radius * np.cos(angle - half)
    return value_at(first, zeta_x), value_at(second, zeta_y)


def zeta_along(along: Curve, other: Curve, points: pd.DataFrame, zeta: float) -> float:
    """Zeta of the other parameter where that of the first is held at ``zeta``; NaN beyond."""
    trace = points[points[".par"] == along.name]
    smooth = other.smooth()
    others = np.interp(trace[other.name], smooth["value"], smooth["zeta"])
    if len(trace) < 3 or not trace[".zeta"].iloc[0] <= zeta <= trace[".zeta"].iloc[-1]:
        return np.nan
    return float(scipy.interpolate.CubicSpline(trace[".zeta"], others)(zeta))


def value_at(curve: Curve, zeta: FloatArray) -> FloatArray:
    """The parameter where its profile has these zetas; NaN beyond the curve."""
    smooth = curve.smooth()
    known, values = smooth["zeta"].to_numpy(), smooth["value"].to_numpy()
    value: FloatArray = np.interp(zeta, known, values, left=np.nan, right=np.nan)
    return value
