"""Residuals against fitted values, and the four panels that judge a fit at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.diagnostics import residuals
from mixedlm_pt.fit import Fit
from mixedlm_pt.plotting.effects_panels import effect_panels
from mixedlm_pt.plotting.qqmath import normal_quantiles
from mixedlm_pt.plotting.smoothing import local_linear
from mixedlm_pt.plotting.style import (
    COLOURS,
    GREY,
    VERMILLION,
    look,
    panels,
    points,
    reference_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCALES = {"response": "Fitted value", "link": "Linear predictor"}


def plot(
    fit: Fit,
    type: str = "pearson",
    scale: str = "response",
    *,
    smooth: bool = True,
    ax: Axes | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Residuals against fitted values, lme4's ``plot`` of a fit.

    Parameters
    ----------
    fit : Fit
    type : str
        A type of `residuals`.
    scale : {"response", "link"}
        Of the fitted values.
    smooth : bool
        Draw a smooth curve through the points, which is flat if nothing is amiss. Residuals of
        0/1 responses lie on two curves; then only the smooth says something.
    ax : Axes, optional
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        For an unknown type or scale.
    """
    one_of("scale", scale, SCALES)
    x = fit.design.pad(fit.mu if scale == "response" else fit.eta)
    y = residuals(fit, type)
    with look():
        figure, axes = panels(size=size or (4.8, 3.6), ax=ax)
        draw_residuals(axes[0], x, y, smooth)
        axes[0].set_xlabel(SCALES[scale])
        axes[0].set_ylabel(f"{type.capitalize()} residual")
    return figure


def plot_diagnostics(
    fit: Fit, seed: int | None = 1, *, size: tuple[float, float] | None = None
) -> Figure:
    """Four panels: residuals, their quantiles, their scale, and the random effects' quantiles.

    Parameters
    ----------
    fit : Fit
    seed : int, optional
        Of the randomised quantile residuals; the same picture each time by default.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Quantile residuals are standard normal if the model is right, whatever the family, so their
        panels are read as those of a linear model: a flat smooth, points on the line, no trend in
        the scale. Quasi-families have no distribution; they get Pearson residuals in units of
        sigma. The fourth panel has the standardised conditional modes of every effect. All are
        conditional on the modes: a random effect of every row makes residuals small whatever the
        data; then judge the fit by `simulate_residuals`, which draws new random effects.
    """
    kind = "quantile" if fit.family.has_likelihood else "pearson"
    y = residuals(fit, kind, seed=seed) / (1.0 if kind == "quantile" else fit.sigma)
    x = fit.design.pad(fit.eta)
    name = f"{kind.capitalize()} residual"
    with look():
        figure, axes = panels(2, 2, size=size or (8.4, 6.8))
        draw_residuals(axes[0], x, y, True)
        axes[0].set(title="Residuals", xlabel=SCALES["link"], ylabel=name)
        draw_normal_quantiles(axes[1], y)
        axes[1].set(
            title="Normal quantiles", xlabel="Standard normal quantile", ylabel=f"{name}, sorted"
        )
        draw_residuals(axes[2], x, np.sqrt(np.abs(y)), True, zero=False)
        axes[2].set(title="Scale and location", xlabel=SCALES["link"])
        axes[2].set_ylabel(f"√|{name}|")
        draw_random_effects(axes[3], fit)
    return figure


def draw_residuals(ax: Axes, x: FloatArray, y: FloatArray, smooth: bool, zero: bool = True) -> None:
    """Points, a line at zero and the smooth."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if zero:
        reference_line(ax, y=0.0)
    points(ax, x, y)
    if smooth:
        ax.plot(*local_linear(x, y), color=VERMILLION)


def draw_normal_quantiles(ax: Axes, y: FloatArray) -> None:
    """Sorted residuals against normal quantiles, with the line of a standard normal sample."""
    y = np.sort(y[np.isfinite(y)])
    x = normal_quantiles(len(y))
    ax.plot([x.min(), x.max()], [x.min(), x.max()], color=VERMILLION, linewidth=1.2)
    points(ax, x, y, zorder=3, alpha=0.7)


def draw_random_effects(ax: Axes, fit: Fit) -> None:
    """Conditional modes of every effect, in units of their sd, against normal quantiles."""
    ax.set(title="Random effects", xlabel="Standard normal quantile")
    if not fit.design.terms:
        ax.text(0.5, 0.5, "no random effects", transform=ax.transAxes, ha="center")
        ax.set(xticks=[], yticks=[])
        return
    ax.set_ylabel("Conditional mode / its sd")
    # An effect whose variance is zero has no quantiles.
    shown = [panel for panel in effect_panels(fit, None, 0.95) if panel.mode.any()]
    if not shown:
        return
    ends = normal_quantiles(max(len(panel.mode) for panel in shown))[[0, -1]]
    ax.plot(ends, ends, color=GREY, linewidth=1.0)
    for i, panel in enumerate(shown):
        y = np.sort(panel.mode / panel.mode.std())
        style = {"color": COLOURS[i % len(COLOURS)], "s": 9.0, "alpha": 0.8}
        points(ax, normal_quantiles(len(y)), y, label=panel.title, zorder=3 + i, **style)
    if len(shown) > 1:
        ax.legend(loc="upper left", handletextpad=0.1)
    elif shown:
        ax.set_title(f"Random effects: {shown[0].title}")
