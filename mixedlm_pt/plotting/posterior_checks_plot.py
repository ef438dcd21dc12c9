"""Posterior predictive checks: the distribution, PIT values with their band, the statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.pit import ecdf_band
from mixedlm_pt.bayes.posterior_checks import PosteriorCheck
from mixedlm_pt.diagnostics import SimulatedResiduals
from mixedlm_pt.plotting.style import BLUE, FAINT, GREY, INK, SKY, VERMILLION, look, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMITS = (2.5, 97.5)
# More distinct counts than this are drawn as a distribution function.
MOST_COUNTS = 60
COLUMNS = 3
N_BINS = 10
N_PLACES = 200


def plot_posterior_check(check: PosteriorCheck, size: tuple[float, float] | None = None) -> Figure:
    """The data beside data simulated from the posterior, in panels.

    Parameters
    ----------
    check : PosteriorCheck
        From ``posterior.check()``.
    size : (float, float), optional
        Width and height of the figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        The distribution of the responses: a rootogram for counts, shares against predictions for
        binary responses, otherwise the distribution function. The PIT values, where every response
        lies among its simulations: the difference of their distribution function from the uniform
        one, inside the band (95 % for the whole curve) if the model is right. Then every statistic:
        simulated values as bars, the observed one as a line; of groups all in one panel.
    """
    grouped = check.groups is not None
    n = 3 if grouped else 2 + len(check.table)
    n_rows = -(-n // COLUMNS)
    with look():
        figure, axes = panels(
            n_rows, min(n, COLUMNS), size=size or (3.5 * min(n, COLUMNS), 3.1 * n_rows)
        )
        draw_distribution(axes[0], check.residuals)
        draw_pit(axes[1], check.residuals.residuals)
        if grouped:
            draw_groups(axes[2], check)
        else:
            for ax, name in zip(axes[2:], check.table.index, strict=False):
                draw_statistic(ax, name, check.table.loc[name], check.values[name])
        for ax in axes[n:]:
            ax.remove()
    return figure


def plot_loo_pit(values: pd.Series, *, ax: Axes | None = None) -> Figure:
    """PIT values against the uniform distribution, with a simultaneous 95 % band.

    Parameters
    ----------
    values : Series
        From ``posterior.loo_pit()``.
    ax : Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
        An arch or a bowl around the middle is a bias; a slanted S says that the predictions are
        too narrow (down first, from the left) or too wide.
    """
    with look():
        figure, (one,) = panels(ax=ax, size=(4.4, 3.4))
        draw_pit(one, values.dropna().to_numpy())
        one.set(title="LOO-PIT with 95 % band", xlabel="LOO-PIT value")
    return figure


def draw_distribution(ax: Axes, found: SimulatedResiduals) -> None:
    """The panel that suits the responses."""
    top = found.observed.max()
    if found.is_discrete and top <= 1.0:
        draw_shares(ax, found)
    elif found.is_discrete and max(top, found.simulations.max()) <= MOST_COUNTS:
        draw_rootogram(ax, found)
    else:
        draw_ecdf(ax, found)


def draw_rootogram(ax: Axes, found: SimulatedResiduals) -> None:
    """Frequencies of the counts on the square-root scale."""
    counts = np.arange(int(found.simulations.max()) + 1)
    simulated = np.stack(
        [np.bincount(y.astype(np.int64), minlength=len(counts)) for y in found.simulations.T]
    )
    lower, middle, upper = np.percentile(simulated, [LIMITS[0], 50.0, LIMITS[1]], axis=0)
    observed = np.bincount(found.observed.astype(np.int64), minlength=len(counts))
    # Counts that hardly any simulation reaches would only stretch the axis.
    last = max(int(np.flatnonzero(upper > 0.0).max()), int(found.observed.max())) + 1
    lower, middle, upper, observed = (np.sqrt(v[:last]) for v in (lower, middle, upper, observed))
    counts = counts[:last]
    ax.vlines(
        counts, lower, upper, color=SKY, linewidth=max(1.5, min(7.0, 160.0 / last)), alpha=0.7
    )
    ax.plot(counts, middle, color=BLUE, linewidth=1.0, label="simulated, 95 %")
    ax.scatter(counts, observed, color=INK, s=11, zorder=3, label="observed")
    ax.set(title="Rootogram", xlabel="Count", ylabel="√ rows", ylim=(0.0, None))
    ax.legend(loc="upper right")


def draw_ecdf(ax: Axes, found: SimulatedResiduals) -> None:
    """Distribution function of the responses, with the pointwise band of the simulations."""
    n, ordered = len(found.observed), np.sort(found.simulations, axis=0)
    low, high = np.percentile(found.simulations, [0.2, 99.8])
    places = np.linspace(min(low, found.observed.min()), max(high, found.observed.max()), N_PLACES)
    below = np.stack([np.searchsorted(y, places, side="right") for y in ordered.T]) / n
    lower, upper = np.percentile(below, LIMITS, axis=0)
    ax.fill_between(
        places, lower, upper, color=SKY, alpha=0.6, linewidth=0.0, label="simulated, 95 %"
    )
    own = np.searchsorted(np.sort(found.observed), places, side="right") / n
    ax.plot(places, own, color=INK, linewidth=1.2, label="observed")
    ax.set(title="Distribution", xlabel="Response", ylabel="Share of rows below", ylim=(0.0, 1.02))
    ax.legend(loc="lower right")


def draw_shares(ax: Axes, found: SimulatedResiduals) -> None:
    """Shares of ones in tenths of the rows, ordered by prediction."""
    order = np.argsort(found.fitted, kind="stable")
    parts = [part for part in np.array_split(order, min(N_BINS, len(order))) if len(part)]
    x = np.array([found.fitted[part].mean() for part in parts])
    observed = np.array([found.observed[part].mean() for part in parts])
    simulated = np.stack([found.simulations[part].mean(axis=0) for part in parts])
    lower, upper = np.percentile(simulated, LIMITS, axis=1)
    ax.plot([0.0, 1.0], [0.0, 1.0], color=GREY, linewidth=0.8, zorder=0)
    ax.vlines(x, lower, upper, color=SKY, linewidth=5.0, alpha=0.7, label="simulated, 95 %")
    ax.scatter(x, observed, color=INK, s=14, zorder=3, label="observed")
    ax.set(title="Calibration", xlabel="Predicted probability", ylabel="Share of ones")
    ax.legend(loc="upper left")


def draw_pit(ax: Axes, values: FloatArray) -> None:
    """Distribution function of PIT values minus the uniform one, with its band."""
    points, lower, upper = ecdf_band(len(values))
    points, lower, upper = (np.concatenate([[0.0], part]) for part in (points, lower, upper))
    own = np.searchsorted(np.sort(values), points, side="right") / len(values)
    band = (lower - points, upper - points)
    ax.fill_between(points, *band, color=FAINT, alpha=0.8, linewidth=0.0)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    is_outside = ((own < lower) | (own > upper)).any()
    ax.plot(points, own - points, color=VERMILLION if is_outside else BLUE, linewidth=1.3)
    ax.set(title="PIT with 95 % band", xlabel="PIT value", ylabel="ECDF - uniform", xlim=(0.0, 1.0))


def draw_statistic(ax: Axes, name: object, row: pd.Series, simulated: FloatArray) -> None:
    """Simulated values of a statistic as bars, the observed one as a line."""
    known = simulated[np.isfinite(simulated)]
    distinct = np.unique(known)
    if len(distinct) <= 25:
        step = np.diff(distinct).min(initial=np.inf)
        width = 0.8 * (step if np.isfinite(step) else 1.0)
        ax.bar(distinct, [(known == v).mean() for v in distinct], width=width, color=SKY, alpha=0.8)
    else:
        ax.hist(known, bins=30, color=SKY, alpha=0.8, weights=np.full(len(known), 1.0 / len(known)))
    inside = row.iloc[2] <= row["observed"] <= row.iloc[3]
    ax.axvline(row["observed"], color=INK if inside else VERMILLION, linewidth=1.6)
    ax.set(title=str(name), ylabel="Share of simulations")
    ax.set_xlabel(f"P(sim >= obs) = {row['P(sim >= obs)']:.3g}")


def draw_groups(ax: Axes, check: PosteriorCheck) -> None:
    """The statistic of every group: simulated limits and observed value, sorted by prediction."""
    table = check.table.sort_values("predicted")
    x = np.arange(len(table))
    lower, upper = table.iloc[:, 2], table.iloc[:, 3]
    inside = (table["observed"] >= lower) & (table["observed"] <= upper)
    width = max(0.6, min(5.0, 150.0 / len(table)))
    ax.vlines(x, lower, upper, color=SKY, alpha=0.8, linewidth=width, label="95 %")
    size = max(3.0, min(14.0, 500.0 / len(table)))
    for chosen, colour, label in ((inside, INK, "observed"), (~inside, VERMILLION, "outside")):
        if chosen.any():
            ax.scatter(
                x[chosen], table["observed"][chosen], s=size, color=colour, zorder=3, label=label
            )
    few = len(table) <= 20
    ax.set_xticks(x if few else [])
    if few:
        ax.set_xticklabels(table.index, rotation=90 if max(map(len, table.index)) > 2 else 0)
    ax.set(title="Groups", xlabel=str(check.groups), ylabel="Statistic")
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=3,
        columnspacing=0.8,
        handlelength=1.0,
        borderaxespad=0.1,
    )
