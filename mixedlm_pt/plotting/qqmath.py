"""Normal quantile plots of the random effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.fit import Fit
from mixedlm_pt.plotting.effects_panels import EffectPanel, effect_panels, percent
from mixedlm_pt.plotting.style import BLUE, VERMILLION, look, panels
from mixedlm_pt.prediction import RandomEffects

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_COLUMNS = 3


def qqmath(
    fit: Fit | RandomEffects,
    group: str | Sequence[str] | None = None,
    level: float = 0.95,
    *,
    ax: Axes | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """The conditional modes against normal quantiles, lme4's ``qqmath``.

    Parameters
    ----------
    fit : Fit or RandomEffects
        A fit, or what `ranef` returns.
    group : str or sequence of str, optional
        Grouping factors to show; default all.
    level : float
        Of the intervals, as in `dotplot`.
    ax : Axes, optional
        For a single panel.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a group and effect, with a line through the quartiles. Link scale. Modes are
        shrunk towards zero, each by its own amount, so that a straight line says less about the
        normality of the effects than for residuals.

    Raises
    ------
    ArgumentError
        For an unknown group or a model without random effects.
    """
    shown = effect_panels(fit, group, level)
    n_cols = min(len(shown), MAX_COLUMNS)
    n_rows = -(-len(shown) // n_cols)
    with look():
        figure, axes = panels(n_rows, n_cols, size=size or (3.4 * n_cols, 3.2 * n_rows), ax=ax)
        for unused in axes[len(shown) :]:
            unused.set_visible(False)
        for i, (panel, axis) in enumerate(zip(shown, axes, strict=False)):
            draw_quantiles(axis, panel)
            if i + n_cols >= len(shown):
                axis.set_xlabel("Standard normal quantile")
            if i % n_cols == 0:
                axis.set_ylabel(f"Conditional mode, {percent(level)} interval")
    return figure


def draw_quantiles(ax: Axes, panel: EffectPanel) -> None:
    """One panel."""
    order = np.argsort(panel.mode, kind="stable")
    mode, lower, upper = panel.mode[order], panel.lower[order], panel.upper[order]
    n = len(mode)
    x = normal_quantiles(n)
    ax.vlines(x, lower, upper, colors=BLUE, linewidths=0.9, alpha=0.6 if n <= 80 else 0.25)
    ax.scatter(x, mode, s=14.0 if n <= 80 else 6.0, color=BLUE, linewidths=0.0, zorder=3)
    quartile_line(ax, x, mode)
    ax.set_title(panel.title)


def normal_quantiles(n: int) -> FloatArray:
    """Where n sorted values of a standard normal sample are expected, R's ``ppoints``."""
    shift = 0.375 if n <= 10 else 0.5
    quantiles: FloatArray = ndtri((np.arange(1, n + 1) - shift) / (n + 1 - 2 * shift))
    return quantiles


def quartile_line(ax: Axes, x: FloatArray, y: FloatArray) -> None:
    """R's ``qqline``: through the first and third quartiles."""
    low, high = np.quantile(y, [0.25, 0.75])
    reach = float(ndtri(0.75))
    slope = (high - low) / (2.0 * reach)
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, 0.5 * (low + high) + slope * ends, color=VERMILLION, linewidth=1.2, zorder=2)
