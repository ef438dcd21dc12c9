"""Likelihoods above a line and posterior densities below it, a panel a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedlm_pt.bayes import ComparisonTable, PosteriorResult
from mixedlm_pt.bayes.comparison import ALPHAMAX
from mixedlm_pt.bayes.comparison_columns import NUMBERS, dispersion_power, parameter_names
from mixedlm_pt.bayes.comparison_density import Density, parameter_densities, profile_density
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import Profile, profile
from mixedlm_pt.plotting.style import COLOURS, GREY, INK, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_COLUMNS = 3
# The densities are cut where all of them are below this share of their peaks.
NEGLIGIBLE = 0.01
# Of the height of the highest density: gap before the first interval, and between intervals.
GAP, STEP = 0.28, 0.24
DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)))


def draw_densities(
    comparison: ComparisonTable,
    rows: Sequence[str],
    *,
    has_profile: bool,
    size: tuple[float, float] | None,
) -> Figure:
    """The figure; `plot_comparison` describes it."""
    columns = {name: comparison.of(name) for name in comparison.results}
    densities = parameter_densities(comparison.results, columns, rows)
    kinds = dict.fromkeys(comparison.results, "normal approximation")
    for name, result in comparison.results.items():
        if isinstance(result, PosteriorResult):
            kinds[name] = "density" if name.startswith("Posterior") else "posterior density"
        elif has_profile and can_profile(result):
            kinds[name] = "profile likelihood"
            own = comparison.profiles.get(name)
            densities[name].update(profiled(result, rows, own))
    n_columns = 2 if len(rows) in (2, 4) else min(len(rows), MAX_COLUMNS)
    n_rows = -(-len(rows) // n_columns)
    depth = 0.12 * len(comparison.results)
    size = size or (2.6 * n_columns + 0.2, (1.75 + depth) * n_rows + 0.5)
    figure, axes = panels(n_rows, n_columns, size=size)
    for row, ax in zip(rows, axes, strict=False):
        draw_parameter(ax, comparison, row, {name: own[row] for name, own in densities.items()})
    for ax in axes[len(rows) :]:
        ax.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    named = [f"{label}: {kinds[label]}" for label in labels]
    figure.legend(handles, named, loc="outside upper left", ncols=n_columns)
    return figure


def can_profile(fit: Fit) -> bool:
    """Whether every parameter has a profile likelihood."""
    has_criterion = fit.approximation.nAGQ > 0 or not fit.model.q
    return fit.family.has_likelihood and has_criterion


def profiled(fit: Fit, rows: Sequence[str], known: Profile | None) -> dict[str, Density]:
    """Profile likelihoods as densities; without those of parameters that have none."""
    names, dispersion = parameter_names(fit), Dispersion.of(fit.model)
    curves = known or profile(fit, [names[row] for row in rows], ALPHAMAX)
    found = {}
    for row in rows:
        curve = curves[names[row]]
        is_dispersion = dispersion is not None and row == dispersion.name
        if len(curve.points) > 1:
            found[row] = profile_density(curve, dispersion_power(fit) if is_dispersion else 1.0)
    return found


def draw_parameter(
    ax: Axes, comparison: ComparisonTable, row: str, densities: Mapping[str, Density | None]
) -> None:
    """One panel."""
    peaks = [own.y.max() for own in densities.values() if own is not None]
    top = max(peaks, default=1.0)
    posteriors = {n for n, r in comparison.results.items() if isinstance(r, PosteriorResult)}
    # Without posteriors there is nothing below the line.
    bottom = 1.0 if posteriors else 0.0
    edges, drawn = [], {1.0: 0, -1.0: 0}
    for i, (name, own) in enumerate(densities.items()):
        colour, side = COLOURS[i % len(COLOURS)], -1.0 if name in posteriors else 1.0
        # Dashes let the curves below be seen where several are equal.
        dashes = DASHES[drawn[side] % len(DASHES)]
        drawn[side] += 1
        place = -bottom - GAP - STEP * i
        estimate, _, *limits = comparison.of(name).loc[[row], NUMBERS].to_numpy(np.float64)[0]
        ax.plot(limits, [place, place], color=colour, linewidth=1.8)
        ax.plot(estimate, place, "o", color=colour, markersize=4.5, label=name)
        edges += [estimate, *limits]
        if own is None:
            continue
        shown = own.y > NEGLIGIBLE * own.y.max()
        x, y = own.x[shown], side * own.y[shown] / top
        ax.fill_between(x, y, color=colour, alpha=0.2 / drawn[side], linewidth=0.0)
        ax.plot(x, y, color=colour, linewidth=1.3, linestyle=dashes)
        at = side * own(np.array([estimate]))[0] / top
        ax.vlines(estimate, 0.0, at, color=colour, linewidth=0.8)
        edges += [x[0], x[-1]]
    known = np.array([edge for edge in edges if np.isfinite(edge)])
    margin = 0.03 * (known.max() - known.min())
    ax.set_xlim(known.min() - margin, known.max() + margin)
    ax.set_ylim(-bottom - GAP - STEP * (len(densities) - 0.5), 1.06)
    ax.axhline(0.0, color=INK, linewidth=0.7)
    if known.min() < 0.0 < known.max():
        ax.axvline(0.0, color=GREY, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    ax.set_title(row)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
