"""Figures: how time and memory grow with n, a panel for every series."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.problems import PROBLEMS
from benchmarks.results import Results

# Okabe and Ito's colours, which those who confuse red and green tell apart.
COLOURS = {
    "mixedlm_pt": "#D55E00",
    "lme4": "#000000",
    "glmmTMB": "#CC79A7",
    "glmm": "#0072B2",
    "mixedlm": "#999999",
    "gpboost": "#009E73",
}
COLUMNS = 5

type Measure = Callable[[str, str], float | None]


def draw_series(results: Results, folder: Path) -> dict[str, Path]:
    """Write the figures; their paths by title."""
    figures: dict[str, tuple[Path, Measure, str]] = {
        "Seconds of a second fit by n": (folder / "seconds.png", results.seconds, "seconds"),
        "Peak memory by n": (folder / "memory.png", results.peak_memory, "MB"),
    }
    for path, measure, unit in figures.values():
        draw(results, measure, unit, path)
    return {title: path for title, (path, _, _) in figures.items()}


def draw(results: Results, measure: Measure, unit: str, path: Path) -> None:
    """One figure, both axes logarithmic; a cross where the optimum was missed."""
    from matplotlib.figure import Figure

    series = list(dict.fromkeys(PROBLEMS[name].series for name in results.problems))
    names = [name for name in series if name is not None]
    if not names:
        return
    n_rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(2.3 * COLUMNS, 2.3 * n_rows + 0.5), layout="constrained")
    panels = figure.subplots(n_rows, COLUMNS, squeeze=False, sharex=True, sharey=True).flat
    for name, panel in zip(names, panels, strict=False):
        draw_panel(panel, results, name, measure)
    for panel in figure.axes[len(names) :]:
        panel.set_axis_off()
    for panel in figure.axes[-COLUMNS:]:
        panel.set_xlabel("n")
    for panel in figure.axes[::COLUMNS]:
        panel.set_ylabel(unit)
    lines = {line.get_label(): line for panel in figure.axes for line in panel.get_lines()}
    shown = {engine: lines[engine] for engine in results.engines if engine in lines}
    figure.legend(
        shown.values(), shown, loc="outside upper center", ncols=len(shown), frameon=False
    )
    figure.savefig(path, dpi=150)


def draw_panel(panel: Any, results: Results, series: str, measure: Measure) -> None:
    """All engines on the problems of one series."""
    problems = [p for p in results.problems if PROBLEMS[p].series == series]
    for engine in reversed(results.engines):
        found = [(p, value) for p in problems if (value := measure(p, engine)) is not None]
        n, values = [PROBLEMS[p].n for p, _ in found], [value for _, value in found]
        width, colour = 2.4 if engine == "mixedlm_pt" else 1.2, COLOURS[engine]
        panel.plot(n, values, "o-", label=engine, color=colour, linewidth=width, markersize=3)
        wrong = [i for i, (p, _) in enumerate(found) if results.is_wrong(p, engine)]
        panel.plot(
            [n[i] for i in wrong], [values[i] for i in wrong], "x", color=colour, markersize=9
        )
    panel.set(xscale="log", yscale="log", title=series)
    panel.title.set_fontsize(9)
    panel.grid(alpha=0.25, linewidth=0.5)
    panel.spines[["top", "right"]].set_visible(False)
