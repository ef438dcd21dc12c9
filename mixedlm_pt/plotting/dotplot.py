"""The caterpillar plot: conditional modes of the random effects with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedlm_pt.bayes.posterior_tables import PosteriorEffects
from mixedlm_pt.fit import Fit
from mixedlm_pt.plotting.effects_panels import EffectPanel, effect_panels, orders, percent
from mixedlm_pt.plotting.style import BLUE, GREY, look, panels, reference_line
from mixedlm_pt.prediction import RandomEffects

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Names of more levels than this cannot be read; their number is given instead.
MAX_NAMED = 80
# Inches that a named level takes, as long as the figure does not grow beyond MAX_HEIGHT.
LEVEL_HEIGHT, MIN_HEIGHT, MAX_HEIGHT = 0.17, 2.4, 10.0
UNNAMED_HEIGHT = 6.0


def dotplot(
    fit: Fit | RandomEffects,
    group: str | Sequence[str] | None = None,
    level: float = 0.95,
    *,
    ax: Axes | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """The conditional modes of the random effects with their intervals, lme4's ``dotplot``.

    Parameters
    ----------
    fit : Fit or RandomEffects
        A fit, or what `ranef` returns, also that of a posterior.
    group : str or sequence of str, optional
        Grouping factors to show; default all.
    level : float
        Of the intervals: mode plus and minus a normal quantile times its conditional sd, given the
        estimates of all parameters; of posterior means equal-tailed credible limits.
    ax : Axes, optional
        For a single panel.
    size : (float, float), optional
        Width and height in inches; default by the number of levels.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a group and effect; levels sorted by the first effect of their group, those whose
        interval excludes zero in blue. Link scale.

    Raises
    ------
    ArgumentError
        For an unknown group or a model without random effects.
    """
    shown = effect_panels(fit, group, level)
    with look():
        figure, axes = panels(1, len(shown), size=size or default_size(shown), ax=ax)
        order = orders(shown)
        for i, (panel, axis) in enumerate(zip(shown, axes, strict=True)):
            is_first = i == 0 or shown[i - 1].group != panel.group
            draw_modes(axis, panel, order[panel.group].to_numpy(), is_first)
        what = "Posterior mean" if isinstance(fit, PosteriorEffects) else "Conditional mode"
        label = f"{what} and {percent(level)} interval"
        if ax is None and len(shown) > 1:
            figure.supxlabel(label, fontsize="medium")
        else:
            axes[0].set_xlabel(label)
    return figure


def default_size(shown: Sequence[EffectPanel]) -> tuple[float, float]:
    """Wide enough for every panel and high enough for the names of the levels."""
    heights = [
        LEVEL_HEIGHT * n if n <= MAX_NAMED else UNNAMED_HEIGHT
        for n in (len(panel.levels) for panel in shown)
    ]
    height = min(max(MIN_HEIGHT, 0.9 + max(heights)), MAX_HEIGHT)
    return max(4.2, 2.9 * len(shown) + 0.6), height


def draw_modes(ax: Axes, panel: EffectPanel, order: np.ndarray, is_first: bool) -> None:
    """One panel; the levels are named at the first panel of their group."""
    n = len(order)
    mode, lower, upper = panel.mode[order], panel.lower[order], panel.upper[order]
    place = np.arange(n)
    strong = panel.excludes_zero[order]
    width = 1.3 if n <= MAX_NAMED else 0.7
    reference_line(ax, x=0.0)
    for subset, colour in ((~strong, GREY), (strong, BLUE)):
        ax.hlines(
            place[subset],
            lower[subset],
            upper[subset],
            colors=colour,
            linewidths=width,
            alpha=1.0 if n <= MAX_NAMED else 0.6,
        )
        ax.scatter(
            mode[subset],
            place[subset],
            s=16.0 if n <= 40 else 9.0 if n <= MAX_NAMED else 3.0,
            color=colour,
            linewidths=0.0,
            zorder=3,
        )
    ax.set_title(panel.title)
    ax.set_ylim(-0.02 * n - 0.5, 1.02 * n - 0.5)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0.0)
    if not is_first:
        ax.set_yticks([])
    elif n <= MAX_NAMED:
        names = [panel.levels[i] for i in order]
        ax.set_yticks(place, names, fontsize=8.0 if n <= 55 else 6.0)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{n:,} levels, sorted")
