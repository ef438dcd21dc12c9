"""Plots of a comparison: densities on both sides of a line, and intervals by result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt import bayes
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of, one_of
from mixedlm_pt.bayes import ComparisonTable
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.plotting.comparison_densities import draw_densities
from mixedlm_pt.plotting.drawn import drawn
from mixedlm_pt.plotting.effects_panels import percent
from mixedlm_pt.plotting.style import COLOURS, FAINT, GREY, look, panels, reference_line
from mixedlm_pt.result_table import index_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "parameters": ("density", "interval"),
    "ranef": ("interval", "scatter"),
    "predictions": ("interval", "scatter"),
}
# Names of more rows than this cannot be read.
MAX_NAMED = 80
# Inches of a row with one result, of each further one, and the highest figure.
ROW_HEIGHT, RESULT_HEIGHT, MAX_HEIGHT = 0.18, 0.07, 11.0
# Share of the distance of two rows over which their results are spread.
SPREAD = 0.64


def plot_comparison(
    comparison: ComparisonTable,
    kind: str | None = None,
    parm: str | Sequence[str] | None = None,
    *,
    profile: bool = True,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Estimates, intervals and densities of all results, a colour a result.

    Parameters
    ----------
    comparison : ComparisonTable
    kind : {"density", "interval", "scatter"}, optional
        ``"density"``, the default for parameters: a panel a parameter, with the likelihoods of fits
        above a line and the densities of posteriors below it, and the intervals at the bottom.
        ``"interval"``, the default for others: estimates and intervals, a row a parameter, random
        effect or prediction. ``"scatter"``: estimates of random effects or predictions against
        those of the reference.
    parm : str or sequence of str, optional
        Parameters, or groups of random effects, to show.
    profile : bool
        For ``"density"``: draw profile likelihoods, ``exp(-zeta^2 / 2)`` with area one, which takes
        some refits unless the comparison has done them; False draws the normal densities behind
        Wald's intervals, as always for fits that have no profile (nAGQ = 0, quasi-likelihood).
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        For an unknown kind, or one that these rows do not have, and an unknown parameter.
    """
    kinds = KINDS[comparison.what]
    kind = kinds[0] if kind is None else kind
    one_of(f"kind for {comparison.what}", kind, kinds)
    with look():
        if kind == "density":
            rows = chosen_rows(comparison, parm)
            return draw_densities(comparison, rows, has_profile=profile, size=size)
        parts = panel_tables(comparison, parm)
        draw = draw_intervals if kind == "interval" else draw_scatter
        return draw(comparison, parts, size)


def chosen_rows(comparison: ComparisonTable, parm: str | Sequence[str] | None) -> list[str]:
    """Parameters to draw.

    Raises
    ------
    ArgumentError
    """
    known = [str(name) for name in comparison.table.index]
    rows = known if parm is None else names_of("parm", parm)
    for row in rows:
        one_of("parm", row, known)
    return rows


def panel_tables(
    comparison: ComparisonTable, parm: str | Sequence[str] | None
) -> dict[str, pd.DataFrame]:
    """The rows of every panel, by title.

    Coefficients and the parameters of the random effects have axes of their own, and so has every
    effect of a group.

    Raises
    ------
    ArgumentError
    """
    table = comparison.table
    if comparison.what == "predictions":
        if parm is not None:
            raise ArgumentError("parm is for parameters and random effects.")
        return {"": table}
    if comparison.what == "ranef":
        known = list(table.index.unique("group"))
        groups = known if parm is None else names_of("parm", parm)
        for group in groups:
            one_of("group", group, known)
        pairs = dict.fromkeys((group, term) for group, term, _ in table.index)
        return {
            f"{term} | {group}": table.loc[group, term] for group, term in pairs if group in groups
        }
    table = table.loc[chosen_rows(comparison, parm)]
    fixed = table.index.isin(comparison.results[comparison.reference].model.design.coef_names)
    parts = {"Fixed effects": table[fixed], "Random effects and dispersion": table[~fixed]}
    return {title: part for title, part in parts.items() if len(part)}


def colours(comparison: ComparisonTable) -> Mapping[str, str]:
    """A colour for every result, in their order."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(comparison.results)}


def draw_intervals(
    comparison: ComparisonTable,
    parts: Mapping[str, pd.DataFrame],
    size: tuple[float, float] | None,
) -> Figure:
    """A forest plot a panel; random effects sorted by the reference."""
    n_results, n_rows = len(comparison.results), max(map(len, parts.values()))
    row_height = ROW_HEIGHT + RESULT_HEIGHT * (n_results - 1)
    height = min(1.2 + row_height * n_rows, MAX_HEIGHT)
    size = size or (max(4.6, 3.7 * len(parts)), max(2.2, height))
    figure, axes = panels(1, len(parts), size=size)
    shift = SPREAD * (0.5 - (np.arange(n_results) + 0.5) / n_results)
    for (title, part), ax in zip(parts.items(), axes, strict=True):
        order = np.arange(len(part))[::-1]
        if comparison.what == "ranef":
            order = np.argsort(part[comparison.reference, "estimate"].to_numpy(), kind="stable")
        names = [index_label(part.index[i]) for i in order]
        for (name, colour), step in zip(colours(comparison).items(), shift, strict=True):
            own = pd.DataFrame(part[name]).iloc[order]
            interval_marks(ax, own, np.arange(len(own)) + step, colour, name)
        dress(ax, names, title, has_zero=comparison.what != "predictions")
        if comparison.what == "parameters":
            # Rows are equally high in both panels.
            ax.set_ylim(len(part) - n_rows - 0.6, len(part) - 0.4)
    label = f"Estimate and {percent(comparison.reporting.level)} interval"
    figure.supxlabel(label, fontsize="medium")
    below_axes(figure, axes[0])
    return figure


def interval_marks(
    ax: Axes, own: pd.DataFrame, place: FloatArray, colour: str, label: str | None
) -> None:
    """Points and intervals of one result."""
    many = len(own) > MAX_NAMED
    ax.hlines(
        place,
        own["lower"].to_numpy(np.float64),
        own["upper"].to_numpy(np.float64),
        colors=colour,
        linewidths=0.6 if many else 1.4,
        alpha=0.5 if many else 1.0,
    )
    ax.scatter(
        own["estimate"].to_numpy(np.float64),
        place,
        s=3.0 if many else 14.0,
        color=colour,
        linewidths=0.0,
        zorder=3,
        label=label,
    )


def dress(ax: Axes, names: Sequence[str], title: str, *, has_zero: bool) -> None:
    """Names of the rows, a line at zero, faint bands between rows."""
    n = len(names)
    ax.set_title(title)
    ax.set_ylim(-0.6, n - 0.4)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0.0)
    if has_zero:
        reference_line(ax, x=0.0)
    if n > MAX_NAMED:
        ax.set_yticks([])
        ax.set_ylabel(f"{n:,} rows")
        return
    ax.set_yticks(np.arange(n), names, fontsize=8.0 if n <= 45 else 6.0)
    for i in range(0, n, 2):
        ax.axhspan(i - 0.5, i + 0.5, color=FAINT, alpha=0.3, linewidth=0.0, zorder=-1)


def draw_scatter(
    comparison: ComparisonTable,
    parts: Mapping[str, pd.DataFrame],
    size: tuple[float, float] | None,
) -> Figure:
    """Estimates of every other result against the reference, with one standard error each way."""
    reference, colour = comparison.reference, colours(comparison)
    others = [name for name in comparison.results if name != reference]
    size = size or (3.1 * len(others) + 0.3, 3.1 * len(parts) + 0.2)
    figure, axes = panels(len(parts), len(others), size=size)
    cells = [(title, part, name) for title, part in parts.items() for name in others]
    for (title, part, name), ax in zip(cells, axes, strict=True):
        x, y = (part[result, "estimate"].to_numpy(np.float64) for result in (reference, name))
        x_se, y_se = (part[result, "se"].to_numpy(np.float64) for result in (reference, name))
        error: dict[str, Any] = {"color": colour[name], "linewidth": 0.6, "alpha": 0.35}
        ax.hlines(y, x - x_se, x + x_se, **error)
        ax.vlines(x, y - y_se, y + y_se, **error)
        ax.scatter(x, y, s=12.0 if len(x) <= MAX_NAMED else 4.0, color=colour[name], linewidths=0.0)
        ax.axline((float(x.mean()), float(x.mean())), slope=1.0, color=GREY, linewidth=0.8)
        ax.set_title(title)
        ax.set_xlabel(reference)
        ax.set_ylabel(name)
        ax.set_aspect("equal", adjustable="datalim")
    return figure


def below_axes(figure: Figure, ax: Axes) -> None:
    """The legend of one panel above all of them."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(len(labels), 5))


class DrawnComparison(ComparisonTable):
    """A comparison with its plot as a method."""

    plot = plot_comparison


compare = drawn(bayes.compare, DrawnComparison)
