"""How normal the random effects of every group are, and what that does to the likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedlm_pt import diagnostics
from mixedlm_pt.diagnostics.laplace_check import LaplaceCheck
from mixedlm_pt.diagnostics.pareto_smoothing import MAX_KHAT
from mixedlm_pt.plotting.drawn import drawn
from mixedlm_pt.plotting.style import BLUE, GREY, VERMILLION, look, panels, reference_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Groups that are named.
N_NAMED = 5


def plot_laplace(check: LaplaceCheck, *, size: tuple[float, float] | None = None) -> Figure:
    """k-hat of every group and its part of the error, sorted.

    Parameters
    ----------
    check : LaplaceCheck
        From ``fit.check_laplace()``.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Left the shapes k-hat, those above 0.7 in red; right exact minus Laplace's log-likelihood
        with two Monte-Carlo standard errors to each side. The worst groups are named.
    """
    groups = check.groups
    with look():
        figure, (left, right) = panels(1, 2, size=size or (8.4, 3.6))
        draw_groups(left, check, "k_hat", np.zeros(len(groups)))
        reference_line(left, y=MAX_KHAT)
        left.set_ylabel("Pareto k-hat")
        left.set_title("How far from normal")
        draw_groups(right, check, "difference", 2.0 * groups["se"].to_numpy())
        reference_line(right, y=0.0)
        right.set_ylabel("Exact - Laplace, log-likelihood")
        right.set_title(f"Error, in all {groups['difference'].sum():.2f}")
        for ax in (left, right):
            ax.set_xlabel(f"{len(groups):,} groups, sorted")
            ax.set_xticks([])
            # Room for the names.
            ax.margins(y=0.12)
    return figure


def draw_groups(ax: Axes, check: LaplaceCheck, column: str, half: np.ndarray) -> None:
    """One panel: a point and an interval a group, sorted, the highest named."""
    groups, n = check.groups, len(check.groups)
    order = np.argsort(groups[column].to_numpy())
    value, half = groups[column].to_numpy()[order], half[order]
    colours = np.where(check.bad_groups.to_numpy()[order], VERMILLION, BLUE)
    place = np.arange(n)
    shown = np.isfinite(value)
    ax.vlines(
        place[shown], (value - half)[shown], (value + half)[shown], colors=GREY, linewidths=0.6
    )
    ax.scatter(place[shown], value[shown], s=16.0 if n <= 80 else 5.0, c=colours[shown], zorder=3)
    ax.set_xlim(-0.04 * n - 0.5, 1.04 * n - 0.5)
    last = (n - 1 - np.arange(min(N_NAMED, n)))[::-1]
    highest = groups.index[order[last[::-1]]]
    one_factor = highest.get_level_values(0).nunique() == 1
    # Of one factor, its name once: five names would run out of the panel.
    names = [f"{level}" if one_factor else f"{factor} {level}" for factor, level in highest]
    note = f"highest: {highest[0][0] + ' ' if one_factor else ''}{', '.join(names)}"
    ax.annotate(
        note, (0.02, 0.98), xycoords="axes fraction", va="top", fontsize=6.5, color=GREY, wrap=True
    )


class DrawnLaplaceCheck(LaplaceCheck):
    """A check of Laplace's approximation with its plot as a method."""

    plot = plot_laplace


check_laplace = drawn(diagnostics.check_laplace, DrawnLaplaceCheck)
