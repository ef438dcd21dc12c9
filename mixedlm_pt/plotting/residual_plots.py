"""Simulated residuals: their quantiles, and their trend over the predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedlm_pt import diagnostics
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.diagnostics import SimulatedResiduals
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.plotting.drawn import drawn
from mixedlm_pt.plotting.style import (
    GREY,
    INK,
    VERMILLION,
    look,
    panels,
    points,
    reference_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTILES = (0.25, 0.5, 0.75)
# How far local quantiles look, in ranks of the predictions.
REACH = 0.35
N_PLACES = 60
# Fewer rows have no local quantiles.
FEWEST = 20
SIGNIFICANT = 0.05


def plot_simulated_residuals(
    found: SimulatedResiduals | Fit, size: tuple[float, float] | None = None, **arguments: Any
) -> Figure:
    """Uniform quantile plot with tests, and residuals against predictions, as DHARMa's ``plot``.

    Parameters
    ----------
    found : SimulatedResiduals or Fit
        What `simulate_residuals` returned, or a fit to call it with.
    size : (float, float), optional
        Width and height of the figure in inches.
    **arguments
        For `simulate_residuals`, if a fit is given.

    Returns
    -------
    matplotlib.figure.Figure
        Left: the residuals against uniform quantiles with a pointwise 95 % band. Right: the
        residuals against ranked predictions with local quartiles, which are flat at 0.25, 0.5
        and 0.75 if the model is right. Rows outside all simulations are marked.
    """
    if isinstance(found, Fit):
        found = diagnostics.simulate_residuals(found, **arguments)
    elif arguments:
        raise ArgumentError(
            f"{', '.join(arguments)} can only be given with a fit; these residuals are simulated."
        )
    with look():
        figure, (left, right) = panels(1, 2, size=size or (8.4, 3.9))
        draw_quantiles(left, found)
        draw_trend(right, found)
    return figure


class DrawnResiduals(SimulatedResiduals):
    """Simulated residuals with their plot as a method."""

    plot = plot_simulated_residuals


simulate_residuals = drawn(diagnostics.simulate_residuals, DrawnResiduals)


def draw_quantiles(ax: Axes, found: SimulatedResiduals) -> None:
    """Sorted residuals against uniform quantiles, with the tests in the corner."""
    n = len(found.residuals)
    expected = (np.arange(n) + 0.5) / n
    # The pointwise band of uniform order statistics, which are Beta(i, n + 1 - i).
    lower, upper = found.uniform_band()
    ax.fill_between(expected, lower, upper, color=GREY, alpha=0.25, linewidth=0.0)
    ax.plot([0.0, 1.0], [0.0, 1.0], color=INK, linewidth=0.8)
    points(ax, expected, np.sort(found.residuals))
    lines = []
    for test in found.results:
        mark = " *" if test.p_value < SIGNIFICANT else ""
        lines.append(f"{test.name}: p = {test.p_value:.2g}{mark}")
    ax.text(0.03, 0.97, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=8)
    ax.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel="Expected (uniform)",
        ylabel="Scaled residual",
        title="Uniformity",
    )


def draw_trend(ax: Axes, found: SimulatedResiduals) -> None:
    """Residuals against ranked predictions."""
    n = len(found.residuals)
    rank = (np.argsort(np.argsort(found.fitted, kind="stable"), kind="stable") + 0.5) / n
    outside = found.is_outlier
    points(ax, rank[~outside], found.residuals[~outside])
    for height in QUANTILES:
        reference_line(ax, y=height)
    if n >= FEWEST:
        places, quartiles = local_quantiles(rank, found.residuals)
        for line in quartiles:
            ax.plot(places, line, color=INK, linewidth=1.4)
    if outside.any():
        ax.scatter(
            rank[outside],
            found.residuals[outside],
            marker="x",
            color=VERMILLION,
            s=24,
            linewidths=1.2,
            clip_on=False,
            zorder=3,
            label="outside all simulations",
        )
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    ax.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel="Predicted mean (rank)",
        ylabel="Scaled residual",
        title="Trend",
    )


def local_quantiles(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Quartiles of y near each of some places: places (m,) and quantiles (3, m).

    Weighted by the tricube function of the distance in x, which is a rank in (0, 1).
    """
    places = np.linspace(x.min(), x.max(), N_PLACES)
    order = np.argsort(y, kind="stable")
    near = np.maximum(1.0 - (np.abs(x[order] - places[:, None]) / REACH) ** 3, 0.0) ** 3
    share = (np.cumsum(near, axis=1) - 0.5 * near) / near.sum(axis=1, keepdims=True)
    quantiles = [np.interp(QUANTILES, row, y[order]) for row in share]
    return places, np.transpose(quantiles)
