"""One look for all plots: fonts, colours that colour-blind people tell apart, spines, points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import ArgumentError, MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color), the strongest colours first.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
INK, GREY, FAINT = "#222222", "#8A8A8A", "#D9D9D9"

LOOK: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.prop_cycle": f"cycler(color={list(COLOURS)})",
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 300,
    # Fonts that journals accept: TrueType, not Type 3.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
}

# What IPython asks of a value before it draws its image.
DISPLAY_HOOK = "_repr_mimebundle_"


@contextmanager
def look() -> Iterator[None]:
    """Everything drawn inside has the look of this package; the user's settings stay."""
    try:
        import matplotlib as mpl
    except ImportError as missing:
        raise MissingPackageError(
            "plots need matplotlib: pip install 'mixedlm_pt[plots]'"
        ) from missing
    # Not rc_context: a backend that starts inside turns interactive mode on, and would lose it.
    settings: Any = mpl.rcParams
    before = {name: settings[name] for name in LOOK}
    settings.update(LOOK)
    try:
        yield
    finally:
        settings.update(before)


def panels(
    n_rows: int = 1,
    n_cols: int = 1,
    *,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
    widths: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes row by row, or the axes given.

    Parameters
    ----------
    n_rows, n_cols : int
    size : (float, float), optional
        Width and height of the figure in inches.
    ax : Axes, optional
        Where to draw instead, for a plot of one panel.
    widths : sequence of float, optional
        Relative widths of the columns.

    Raises
    ------
    ArgumentError
        If axes are given for several panels.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if ax is not None:
        if n_rows * n_cols != 1:
            raise ArgumentError(
                f"ax= takes a plot of one panel; this one has {n_rows * n_cols}. Choose one of "
                "them, or leave ax out."
            )
        if not isinstance(ax, Axes):
            raise ArgumentError(f"ax is {ax!r}; it must be axes of matplotlib, as plt.subplots().")
        figure = ax.get_figure(root=True)
        if not isinstance(figure, Figure):
            raise ArgumentError("ax= belongs to no figure.")
        return shown_once(figure), [ax]
    if size is not None and not is_size(size):
        raise ArgumentError(f"size is {size!r}; it must be width and height in inches: (6, 4).")
    figure, axes = plt.subplots(
        n_rows,
        n_cols,
        figsize=size or (4.2 * n_cols, 3.4 * n_rows),
        layout="constrained",
        squeeze=False,
        width_ratios=widths,
    )
    return shown_once(figure), list(axes.ravel())


def is_size(size: Any) -> bool:
    """Whether something is two positive numbers."""
    is_pair = isinstance(size, Sequence | np.ndarray) and len(size) == 2
    return is_pair and all(isinstance(side, int | float) and side > 0 for side in size)


def shown_once(figure: Figure) -> Figure:
    """The figure, which a notebook no longer shows twice where it is the value of a cell.

    Pyplot shows its open figures at the end of a cell. This one leaves pyplot when it is displayed
    as a value, so ``fit.plot()``, ``fit.plot();`` and ``figure = fit.plot()`` all show it once.
    """
    setattr(figure, DISPLAY_HOOK, partial(leave_pyplot, figure))
    return figure


def leave_pyplot(figure: Figure, **_formats: Any) -> None:
    """Close a figure where pyplot would show it again; returning nothing keeps its usual image."""
    import matplotlib.pyplot as plt

    if "inline" in plt.get_backend():
        plt.close(figure)


def points(ax: Axes, x: FloatArray, y: FloatArray, **options: Any) -> None:
    """Points that stay readable from ten to a million of them."""
    n = max(len(x), 1)
    # Smaller and lighter the more there are, between the least and the most that can be read.
    defaults: dict[str, Any] = {
        "s": float(np.clip(1200.0 / n, 3.0, 22.0)),
        "alpha": float(np.clip(40.0 / np.sqrt(n), 0.15, 0.85)),
        "color": BLUE,
        "linewidths": 0.0,
        # Beyond this a vector file takes seconds to open.
        "rasterized": n > 5000,
    }
    ax.scatter(x, y, **(defaults | options))


def reference_line(ax: Axes, *, y: float | None = None, x: float | None = None) -> None:
    """A thin line at a value, behind the data."""
    options: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 3))}
    if y is not None:
        ax.axhline(y, zorder=0, **options)
    if x is not None:
        ax.axvline(x, zorder=0, **options)
