"""Estimated means along a predictor with their intervals, over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of
from mixedlm_pt.design.levels import level_label
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.interpretation import emmeans
from mixedlm_pt.interpretation.means import LIMITS
from mixedlm_pt.interpretation.predictors import Predictor, chosen_predictor, source_rows
from mixedlm_pt.plotting.style import COLOURS, GREY, look, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID_POINTS = 101
# Width that the intervals of one level share, in units of the distance between levels.
DODGE = 0.5
JITTER = 0.07
# Points above this many times the highest limit would flatten the curve; they are counted instead.
HEADROOM = 1.6
QUANTITIES = {"prob": "probability", "rate": "mean", "response": "mean"}


def plot_effects(
    fit: Fit,
    variables: str | Sequence[str],
    *,
    at: Mapping[str, Any] | None = None,
    type: str = "response",
    bias_adjust: bool | str = False,
    level: float = 0.95,
    points: bool = True,
    ax: Axes | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Estimated marginal means along a predictor, with pointwise confidence intervals.

    Parameters
    ----------
    fit : Fit
    variables : str or sequence of str
        The predictor on the horizontal axis, and optionally a second one, by whose levels the means
        are drawn in colours (a numeric one at its mean and one sd to either side).
    at : mapping, optional
        Values of predictors as in `emmeans`; for a numeric one on the axis the points of its curve.
    type : {"response", "link"}
    bias_adjust : bool or "exact"
        Random effects at zero, or averaged over, as in `emmeans`.
    level : float
    points : bool
        Draw the data lightly, on the response scale: proportions by their trials, marks at the
        bottom and the top for 0/1 responses.
    ax : Axes, optional
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        For unknown predictors or more than two.
    """
    names = names_of("variables", variables)
    if not 1 <= len(names) <= 2:
        raise ArgumentError(f"plot_effects draws one or two predictors, not {len(names)}.")
    chosen = [chosen_predictor(fit, name) for name in names]
    values = drawn_values(chosen, dict(at or {}))
    means = emmeans(
        fit, names, at=values, type=type, bias_adjust=bias_adjust, level=level, weights="equal"
    )
    column = means.table.columns[len(names)]
    by = names[1] if len(names) == 2 else None
    levels = [level_label(value) for value in dict.fromkeys(means.table[names[0]])]
    groups = [None] if by is None else list(dict.fromkeys(means.table[by]))
    with look():
        figure, axes = panels(size=size or (4.8, 3.6), ax=ax)
        axis = axes[0]
        if points and type == "response":
            draw_data(axis, fit, chosen, levels, groups)
        for g, group in enumerate(groups):
            part = means.table if by is None else means.table[means.table[by] == group]
            label = None if group is None else group_label(group)
            if chosen[0].values is None:
                draw_levels(axis, part, column, offsets(len(groups))[g], COLOURS[g % 6], label)
            else:
                draw_curve(axis, part, names[0], column, COLOURS[g % 6], label)
        name_axes(axis, fit, chosen, levels, column, type)
        if points and type == "response" and column != "prob":
            show_means(axis, fit.design.response.y, float(means.table[LIMITS[1]].max()))
    return figure


def drawn_values(chosen: Sequence[Predictor], at: dict[str, Any]) -> dict[str, Any]:
    """Grid of a numeric predictor on the axis, and three values of one that makes groups."""
    values = dict(at)
    for place, predictor in enumerate(chosen):
        x = predictor.values
        if x is None or predictor.name in values:
            continue
        if place == 0:
            values[predictor.name] = np.linspace(x.min(), x.max(), GRID_POINTS)
        elif len(np.unique(x)) > 3:
            values[predictor.name] = x.mean() + x.std(ddof=1) * np.array([-1.0, 0.0, 1.0])
        else:
            values[predictor.name] = np.unique(x)
    return values


def offsets(n_groups: int) -> FloatArray:
    """Where the groups of one level stand, around zero."""
    return DODGE * (np.arange(n_groups) - 0.5 * (n_groups - 1)) / max(n_groups, 1)


def group_label(value: Any) -> str:
    """A level, or a number with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else level_label(value)


def draw_curve(
    ax: Axes, table: pd.DataFrame, x: str, y: str, colour: str, label: str | None
) -> None:
    """A line with a band."""
    where = table[x].to_numpy(np.float64)
    ax.fill_between(
        where, table[LIMITS[0]], table[LIMITS[1]], color=colour, alpha=0.18, linewidth=0.0
    )
    ax.plot(where, table[y], color=colour, label=label)


def draw_levels(
    ax: Axes, table: pd.DataFrame, y: str, shift: float, colour: str, label: str | None
) -> None:
    """Points with intervals, one a level."""
    where = np.arange(len(table)) + shift
    estimate = table[y].to_numpy(np.float64)
    bars = np.stack([estimate - table[LIMITS[0]], table[LIMITS[1]] - estimate])
    ax.errorbar(
        where,
        estimate,
        yerr=bars,
        fmt="o",
        markersize=5.0,
        color=colour,
        elinewidth=1.4,
        capsize=0.0,
        label=label,
        zorder=3,
    )


def draw_data(
    ax: Axes,
    fit: Fit,
    chosen: Sequence[Predictor],
    levels: Sequence[str],
    groups: Sequence[Any],
) -> None:
    """The responses, lightly, in the colours of their groups."""
    rows = source_rows(fit, None, (), [predictor.name for predictor in chosen])
    response = fit.design.response
    y, is_binary = response.y, set(np.unique(response.y)) <= {0.0, 1.0}
    rng = np.random.default_rng(0)
    group = np.zeros(len(y), np.int64)
    # Levels that are not drawn have no place; a numeric second predictor makes no groups of data.
    is_grouped = len(chosen) == 2 and chosen[1].levels is not None
    if is_grouped:
        places = {level_label(value): place for place, value in enumerate(groups)}
        values = rows[chosen[1].name]
        group = np.array([places.get(level_label(value), -1) for value in values])
    x = positions(chosen[0], rows[chosen[0].name], levels)
    if chosen[0].values is None:
        shifts = offsets(len(groups)) if is_grouped else np.zeros(1)
        x = x + shifts[group] + rng.uniform(-JITTER, JITTER, len(y))
    is_grey = len(chosen) == 2 and not is_grouped
    colours = np.array([GREY if is_grey else COLOURS[g % 6] for g in group], dtype=object)
    shown = (group >= 0) & np.isfinite(x)
    trials = response.weights / response.weights.max()
    sizes = 14.0 if trials.min() == 1.0 else 8.0 + 40.0 * trials[shown]
    ax.scatter(
        x[shown],
        y[shown],
        s=12.0 if is_binary else sizes,
        c=list(colours[shown]),
        marker="|" if is_binary else "o",
        # Lighter the more there are, never invisible: the size of a mark, no number is changed.
        alpha=float(np.clip(8.0 / np.sqrt(len(y)), 0.08, 0.35)),
        linewidths=0.8 if is_binary else 0.0,
        rasterized=len(y) > 5000,
        zorder=1,
    )


def positions(predictor: Predictor, column: pd.Series, levels: Sequence[str]) -> FloatArray:
    """Where values stand on the axis: numbers as they are, levels by their order, others NaN."""
    if predictor.values is not None:
        return column.to_numpy(np.float64)
    places = {label: float(place) for place, label in enumerate(levels)}
    return np.array([places.get(level_label(value), np.nan) for value in column])


def name_axes(
    ax: Axes,
    fit: Fit,
    chosen: Sequence[Predictor],
    levels: Sequence[str],
    column: str,
    type: str,
) -> None:
    """Names of the axes, levels and legend."""
    is_link = type == "link" and fit.family.link.name != "identity"
    quantity = "linear predictor" if is_link else QUANTITIES.get(column, "mean")
    ax.set(xlabel=chosen[0].name, ylabel=f"{fit.design.response.name} ({quantity})")
    if chosen[0].values is None:
        ax.set_xticks(range(len(levels)), levels)
        ax.set_xlim(-0.6, len(levels) - 0.4)
    if len(chosen) == 2:
        title = chosen[1].name
        ax.legend(title=title, alignment="left", loc="center left", bbox_to_anchor=(1.0, 0.5))


def show_means(ax: Axes, y: FloatArray, highest: float) -> None:
    """A range in which the means can be seen, with a count of the observations above it."""
    n_above = int((y > HEADROOM * highest).sum()) if highest > 0.0 else 0
    if n_above:
        ax.set_ylim(top=HEADROOM * highest)
        ax.annotate(
            f"{n_above} observation{'s' if n_above > 1 else ''} above",
            (1.0, 1.01),
            xycoords="axes fraction",
            ha="right",
            va="bottom",
            fontsize=7.0,
            color=GREY,
        )
