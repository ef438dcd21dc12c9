"""Plots of profile likelihoods: signed roots, confidence densities and pairs of parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt import inference
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.diagnostics import chosen_parameters
from mixedlm_pt.inference import Curve, Profile
from mixedlm_pt.limits import normal_quantile
from mixedlm_pt.plotting.drawn import drawn
from mixedlm_pt.plotting.profile_pairs import draw_pairs
from mixedlm_pt.plotting.style import BLUE, FAINT, GREY, INK, look, panels, reference_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("zeta", "absolute", "density", "pairs")
# lme4's lines, and the level whose interval is emphasised.
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
MAIN_LEVEL = 0.95
MAX_COLUMNS = 4
# Share of a curve at each end that has no say in the height of its density.
EDGE = 0.02


def plot_profile(
    profile: Profile,
    kind: str = "zeta",
    parm: str | Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """The curves of a profile, a panel a parameter.

    Parameters
    ----------
    profile : Profile
    kind : {"zeta", "absolute", "density", "pairs"}
        The signed root of twice the log-likelihood lost (lme4's ``xyplot``), with the limits of
        50, 80, 90, 95 and 99 % as vertical lines and the quadratic approximation at the estimate
        dashed: the straighter the curve, the better is Wald's interval. Its absolute value. The
        density of the confidence distribution (``densityplot``) with its 95 % interval. Joint
        regions of every two parameters (``splom``).
    parm : str or sequence of str, optional
        Parameters to show.
    ax : Axes, optional
        For a single parameter.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        For an unknown kind or parameter.
    """
    one_of("kind", kind, KINDS)
    curves = [profile[name] for name in chosen_parameters(profile.fit, parm, profile.names)]
    with look():
        if kind == "pairs":
            return draw_pairs(profile, curves, size)
        n_columns = min(len(curves), MAX_COLUMNS if len(curves) != 5 else 3)
        n_rows = -(-len(curves) // n_columns)
        size = size or (2.4 * n_columns + 0.5, 2.1 * n_rows + 0.3)
        figure, axes = panels(n_rows, n_columns, size=size, ax=ax)
        for j, (curve, panel) in enumerate(zip(curves, axes, strict=False)):
            is_last = j % n_columns == n_columns - 1 or j == len(curves) - 1
            draw_curve(panel, curve, kind, labels_left=j % n_columns == 0, labels_right=is_last)
        for panel in axes[len(curves) :]:
            panel.remove()
    return figure


def draw_curve(ax: Axes, curve: Curve, kind: str, *, labels_left: bool, labels_right: bool) -> None:
    """One panel."""
    ax.set_title(curve.name)
    ax.margins(x=0.03)
    smooth = curve.smooth()
    if not len(smooth):
        ax.text(0.5, 0.5, "not defined", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
    elif kind == "density":
        draw_density(ax, curve, smooth)
    else:
        draw_zeta(ax, curve, smooth, is_absolute=kind == "absolute")
        if labels_left:
            ax.set_ylabel("|ζ|" if kind == "absolute" else "ζ")
        if labels_right:
            label_levels(ax, curve, is_absolute=kind == "absolute")


def draw_zeta(ax: Axes, curve: Curve, smooth: pd.DataFrame, *, is_absolute: bool) -> None:
    """The signed root, its limits, and the quadratic approximation."""
    fold: Callable[[FloatArray], FloatArray] = np.abs if is_absolute else np.positive
    value, zeta = smooth["value"].to_numpy(), smooth["zeta"].to_numpy()
    reference_line(ax, y=0.0)
    at_peak = np.interp(0.0, zeta, np.arange(len(zeta)))
    if 0.0 < at_peak < len(zeta) - 1.0:
        slope = np.interp(at_peak, np.arange(len(zeta)), np.gradient(zeta, value))
        line = slope * (value - curve.estimate)
        shown = np.abs(line) <= 1.1 * np.abs(zeta).max()
        ax.plot(value[shown], fold(line[shown]), color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    for level in drawn_levels(curve):
        z, is_main = normal_quantile(level), level == MAIN_LEVEL
        colour, width = (BLUE, 1.4) if is_main else (GREY, 0.6)
        for side, limit in zip((-1.0, 1.0), curve.limits[level], strict=True):
            if np.isfinite(limit) and limit not in curve.bounds:
                height = z if is_absolute else side * z
                ax.vlines(limit, min(height, 0.0), max(height, 0.0), color=colour, linewidth=width)
    ax.plot(value, fold(zeta), color=INK)
    ax.plot(curve.estimate, 0.0, "o", color=INK, markersize=4.0)


def draw_density(ax: Axes, curve: Curve, smooth: pd.DataFrame) -> None:
    """The density of the confidence distribution and its main interval."""
    is_drawn = np.isfinite(smooth["density"].to_numpy())
    value = smooth["value"].to_numpy()[is_drawn]
    density = smooth["density"].to_numpy()[is_drawn]
    lower, upper = curve.limits[MAIN_LEVEL]
    inside = (value >= lower) & (value <= upper)
    ax.fill_between(value, density, where=inside.tolist(), color=BLUE, alpha=0.25, linewidth=0.0)
    ax.plot(value, density, color=INK)
    if curve.estimate not in curve.bounds:
        ax.vlines(curve.estimate, 0.0, np.interp(curve.estimate, value, density), color=INK, lw=0.9)
    # At a correlation of +-1 the density may be infinite.
    margin = EDGE * (value[-1] - value[0])
    is_inner = (value > value[0] + margin) & (value < value[-1] - margin)
    ax.set_ylim(0.0, 1.05 * density[is_inner].max())
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def drawn_levels(curve: Curve) -> list[float]:
    """Levels whose limits the curve has."""
    return [level for level in LEVELS if level in curve.limits]


def label_levels(ax: Axes, curve: Curve, *, is_absolute: bool) -> None:
    """Confidence levels on the right, at their values of zeta."""
    levels = drawn_levels(curve)
    z = np.array([normal_quantile(level) for level in levels])
    names = [f"{100.0 * level:g} %" for level in levels]
    places, labels = (z, names) if is_absolute else ([*-z[::-1], *z], [*names[::-1], *names])
    right = ax.secondary_yaxis("right")
    right.set_yticks(places, labels)
    right.tick_params(length=2.0, labelsize=6.5, colors=GREY)
    right.spines["right"].set_color(FAINT)


class DrawnProfile(Profile):
    """A profile with its plot as a method."""

    plot = plot_profile


profile = drawn(inference.profile, DrawnProfile)
