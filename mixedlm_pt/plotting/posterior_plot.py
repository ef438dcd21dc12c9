"""Plots of a posterior: densities beside the fit, traces and ranks, intervals, random effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedlm_pt import bayes
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of, one_of
from mixedlm_pt.bayes import PosteriorResult
from mixedlm_pt.bayes.comparison_columns import parameter_names, parameters
from mixedlm_pt.bayes.comparison_density import kernel_density, normal_density, parameter_scales
from mixedlm_pt.bayes.credible import credible_limits
from mixedlm_pt.diagnostics import chosen_parameters, scaled_parameters
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.limits import tails
from mixedlm_pt.plotting.dotplot import dotplot
from mixedlm_pt.plotting.drawn import drawn
from mixedlm_pt.plotting.effects_panels import percent
from mixedlm_pt.plotting.style import (
    BLUE,
    COLOURS,
    FAINT,
    GREY,
    INK,
    VERMILLION,
    look,
    panels,
    reference_line,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("density", "trace", "forest", "ranef")
# Parameters below each other before a second column begins.
MAX_ROWS = 6
INNER = 0.5
# Densities are drawn where they exceed this share of their peak.
NEGLIGIBLE = 0.003
# Points that a trace of this width can show.
MAX_POINTS = 800
N_RANK_BINS = 20
ROW_HEIGHT, MAX_HEIGHT = 0.3, 11.0


def plot_posterior(
    posterior: PosteriorResult,
    kind: str = "density",
    parm: str | Sequence[str] | None = None,
    level: float = 0.95,
    *,
    ax: Axes | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """The posterior in one figure.

    Parameters
    ----------
    posterior : PosteriorResult
    kind : {"density", "trace", "forest", "ranef"}
        ``"density"``: the marginal density of every parameter with its equal-tailed interval, the
        ML estimate and its normal approximation, and the traces of the chains beside it.
        ``"trace"``: traces beside the ranks of every chain's draws among all, which are uniform
        if the chains agree. ``"forest"``: means and intervals beside the ML estimates with Wald's.
        ``"ranef"``: the caterpillar plot, see `dotplot`.
    parm : str or sequence of str, optional
        Parameters to show, ``"beta_"`` for the fixed effects and ``"theta_"`` for the others; for
        ``"ranef"`` grouping factors.
    level : float
        Posterior probability of the intervals.
    ax : Axes, optional
        For a figure of one panel.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        For an unknown kind or parameter.

    References
    ----------
    .. [1] Vehtari et al. (2021), Bayesian Analysis 16, 667-718: rank plots.
    """
    one_of("kind", kind, KINDS)
    tails(level)
    if kind == "ranef":
        return dotplot(posterior.ranef(), parm, level, ax=ax, size=size)
    rows = chosen_rows(posterior, parm)
    with look():
        if kind == "forest":
            return draw_forest(posterior, rows, level, ax, size)
        if ax is not None:
            raise ArgumentError(f"ax= takes a plot of one panel; kind={kind!r} has several.")
        return draw_pairs(posterior, rows, kind, level, size)


def chosen_rows(posterior: PosteriorResult, parm: str | Sequence[str] | None) -> list[str]:
    """Parameters to draw, by the posterior's names; those of `confint` do as well.

    Raises
    ------
    ArgumentError
    """
    own = {name: row for row, name in parameter_names(posterior.fit).items()}
    names = None if parm is None else [own.get(name, name) for name in names_of("parm", parm)]
    return chosen_parameters(posterior.fit, names, posterior.draws)


def draw_pairs(
    posterior: PosteriorResult,
    rows: Sequence[str],
    kind: str,
    level: float,
    size: tuple[float, float] | None,
) -> Figure:
    """Two panels a parameter."""
    n_pairs = 1 if len(rows) <= MAX_ROWS else 2
    n_rows = -(-len(rows) // n_pairs)
    size = size or (6.2 * n_pairs, 1.45 * n_rows + 0.7)
    widths = [1.25, 1.0] if kind == "density" else [1.4, 1.0]
    figure, axes = panels(n_rows, 2 * n_pairs, size=size, widths=widths * n_pairs)
    table = parameters(posterior.fit, level)
    for j in range(n_rows * n_pairs):
        # The second column of parameters goes on where the first ends.
        place, pair = j % n_rows, j // n_rows
        left, right = axes[2 * (place * n_pairs + pair) :][:2]
        if j >= len(rows):
            left.remove()
            right.remove()
            continue
        draws = posterior.draws[rows[j]]
        if kind == "density":
            draw_density(left, posterior, rows[j], table, level)
            draw_trace(right, draws)
        else:
            draw_trace(left, draws)
            left.set_title(rows[j])
            draw_ranks(right, draws)
        traced = right if kind == "density" else left
        if place == n_rows - 1 or j == len(rows) - 1:
            traced.set_xlabel("Draw")
            if kind == "trace":
                right.set_xlabel("Rank among all draws")
            continue
        for shared in {traced, *([right] if kind == "trace" else [])}:
            shared.tick_params(axis="x", labelbottom=False)
    named = axes[0] if kind == "density" else axes[1]
    handles, labels = named.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def draw_density(
    ax: Axes, posterior: PosteriorResult, row: str, table: pd.DataFrame, level: float
) -> None:
    """The marginal density, its interval, and what ML says."""
    draws, scale = posterior.draws[row].ravel(), parameter_scales(posterior.fit)[row]
    density = kernel_density(draws, scale)
    estimate, se = (float(table[column][row]) for column in ("estimate", "se"))
    normal = normal_density(estimate, se, scale)
    top = density.y.max()
    edges = [*density.x[density.y > NEGLIGIBLE * top][[0, -1]], estimate]
    lower, upper = credible_limits(draws, level)
    inside = (density.x >= lower) & (density.x <= upper)
    x, y = density.x[inside], density.y[inside] / top
    name = f"Posterior, {percent(level)} interval"
    ax.fill_between(x, y, color=BLUE, alpha=0.22, linewidth=0.0, label=name)
    ax.plot(density.x, density.y / top, color=BLUE, linewidth=1.4)
    mean = float(draws.mean())
    at_mean = density(np.array([mean]))[0] / top
    ax.vlines(mean, 0.0, at_mean, color=BLUE, linewidth=1.1, label="its mean")
    if normal is not None:
        known = normal.y > NEGLIGIBLE * normal.y.max()
        # A density that is far higher than the posterior's leaves the panel.
        ax.plot(
            normal.x,
            normal.y / top,
            color=VERMILLION,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            label="ML, normal",
        )
        edges += [*normal.x[known][[0, -1]]]
    ax.plot(
        estimate, 0.0, "^", color=VERMILLION, markersize=6.0, clip_on=False, label="ML estimate"
    )
    margin = 0.02 * (max(edges) - min(edges))
    ax.set_xlim(min(edges) - margin, max(edges) + margin)
    highest = 1.0 if normal is None else max(1.0, min(float(normal.y.max()) / top, 1.6))
    ax.set_ylim(0.0, 1.06 * highest)
    if min(edges) < 0.0 < max(edges):
        reference_line(ax, x=0.0)
    ax.set_title(row)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def draw_trace(ax: Axes, draws: FloatArray) -> None:
    """The values of every chain, one after the other."""
    n = draws.shape[1]
    step = -(-n // MAX_POINTS)
    for i, chain in enumerate(draws):
        ax.plot(
            np.arange(0, n, step),
            chain[::step],
            color=COLOURS[i % len(COLOURS)],
            linewidth=0.45,
            alpha=0.75,
            rasterized=n > MAX_POINTS,
        )
    ax.set_xlim(0, n)


def draw_ranks(ax: Axes, draws: FloatArray) -> None:
    """Ranks of every chain's draws among all, and where 95 % of such counts lie by chance."""
    n_chains, n = draws.shape
    # Draws that repeat the last one, rejected, count in their order.
    ranks = np.argsort(np.argsort(draws, axis=None, kind="stable")).reshape(n_chains, n) + 1
    edges = np.linspace(0.5, draws.size + 0.5, min(N_RANK_BINS, n) + 1)
    share = 1.0 / (len(edges) - 1)
    # Counts are hypergeometric: n of all draws, of which a share falls into a bin.
    total = draws.size
    sd = np.sqrt(n * share * (1.0 - share) * (total - n) / max(total - 1, 1))
    ax.axhspan(n * share - 1.96 * sd, n * share + 1.96 * sd, color=FAINT, alpha=0.6, linewidth=0.0)
    for i, chain in enumerate(ranks):
        counts = np.histogram(chain, edges)[0]
        colour = COLOURS[i % len(COLOURS)]
        ax.stairs(counts, edges, baseline=None, color=colour, linewidth=1.1, label=f"Chain {i + 1}")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0.0, None)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def draw_forest(
    posterior: PosteriorResult,
    rows: Sequence[str],
    level: float,
    ax: Axes | None,
    size: tuple[float, float] | None,
) -> Figure:
    """Intervals of the fixed effects and of the others, which have another unit."""
    fixed, random = (
        set(posterior.model.design.coef_names),
        set(scaled_parameters(posterior.fit).names),
    )
    parts = {
        "Fixed effects": [row for row in rows if row in fixed],
        "Random effects": [row for row in rows if row in random],
        "Dispersion": [row for row in rows if row not in fixed | random],
    }
    shown = {title: part for title, part in parts.items() if part}
    height = 0.9 + ROW_HEIGHT * max(map(len, shown.values()))
    size = size or (max(5.0, 4.4 * len(shown)), min(max(2.2, height), MAX_HEIGHT))
    figure, axes = panels(1, len(shown), size=size, ax=ax)
    table = parameters(posterior.fit, level)
    for axis, (title, part) in zip(axes, shown.items(), strict=True):
        draw_intervals(axis, posterior, part, table, level)
        axis.set_title(title)
    handles, labels = axes[0].get_legend_handles_labels()
    if ax is None:
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def draw_intervals(
    ax: Axes, posterior: PosteriorResult, rows: Sequence[str], table: pd.DataFrame, level: float
) -> None:
    """One row a parameter, the posterior above the fit."""
    place = np.arange(len(rows), dtype=np.float64)
    draws = np.array([posterior.draws[row].ravel() for row in rows])
    reference_line(ax, x=0.0)
    for probability, width in ((level, 1.4), (INNER, 3.6)):
        lower, upper = credible_limits(draws, probability)
        ax.hlines(place - 0.12, lower, upper, colors=BLUE, linewidths=width)
    name = f"Posterior mean, {percent(INNER)} and {percent(level)} intervals"
    ax.plot(draws.mean(axis=1), place - 0.12, "o", color=BLUE, markersize=5.5, label=name)
    ml = table.loc[list(rows)]
    ax.hlines(place + 0.18, ml["lower"], ml["upper"], colors=GREY, linewidths=1.1)
    name = f"ML estimate, Wald's {percent(level)} interval"
    ax.plot(
        ml["estimate"],
        place + 0.18,
        "D",
        color="white",
        markeredgecolor=INK,
        markersize=4.2,
        label=name,
    )
    ax.set_yticks(place, rows)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0.0)


class DrawnPosterior(PosteriorResult):
    """A posterior with its plots as methods."""

    plot = plot_posterior


sample = drawn(bayes.sample, DrawnPosterior)
