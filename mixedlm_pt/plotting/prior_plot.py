"""Prior predictive distributions beside the data, and the densities of the priors."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytensor.tensor as pt
from scipy.special import betaln

from mixedlm_pt import bayes
from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.bayes import Prior, PriorPredictive
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.priors import effect_names, intercept_of
from mixedlm_pt.compile.backends import numpy_function
from mixedlm_pt.families.links import UnitInterval
from mixedlm_pt.plotting.drawn import drawn
from mixedlm_pt.plotting.style import BLUE, FAINT, INK, SKY, VERMILLION, look, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("response", "priors")
# Names of more groups than this cannot be read.
MAX_NAMED = 40
# A range of means over more than this factor is drawn on a logarithmic axis.
WIDE = 1000.0
# Quantiles between which a prior is drawn, and points of its curve.
RANGE, N_POINTS = (0.02, 0.98), 300
# Bars of a histogram, and letters of a line above a panel.
N_BINS, TITLE_WIDTH = 40, 42
INTERVALS = (0.95, 0.5)


@dataclass(frozen=True, eq=False)
class Marginal:
    """One parameter under its prior.

    Attributes
    ----------
    label : str
    text : str
        The prior as `prior_summary` prints it.
    draws : array, shape (draws,)
    support : (float, float)
    density : callable, optional
        Of an array of values; None where only draws are at hand.
    """

    label: str
    text: str
    draws: FloatArray
    support: tuple[float, float]
    density: Callable[[FloatArray], FloatArray] | None

    @classmethod
    def of(cls, label: str, prior: Prior, draws: FloatArray) -> Marginal:
        """Of a parameter whose own or joint prior this is."""
        is_own = prior.width == 1 and not prior.is_relative
        density = (lambda grid: density_of(prior, grid)) if is_own else None
        return cls(label, str(prior), draws, prior.support, density)


def density_of(prior: Prior, grid: FloatArray) -> FloatArray:
    """Density of one parameter at every value."""
    value = pt.dscalar("value")
    logp = numpy_function([value], [prior.logp(value)])
    return np.exp([float(logp(np.asarray(x))[0]) for x in grid])


def density_of_correlation(grid: FloatArray, eta: float, k: int) -> FloatArray:
    """Density of one correlation among k effects with an LKJ prior.

    Lewandowski, Kurowicka and Joe (2009), J. Multivar. Anal. 100, 1989-2001, section 2.4.
    """
    a = eta + 0.5 * k - 1.0
    log_density = (a - 1.0) * np.log1p(-(grid**2)) - (2.0 * a - 1.0) * np.log(2.0) - betaln(a, a)
    density: FloatArray = np.exp(log_density)
    return density


def plot_prior_predictive(
    predictive: PriorPredictive,
    kind: str = "response",
    *,
    group: str | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """What the priors say about the data, or the priors themselves.

    Parameters
    ----------
    predictive : PriorPredictive
    kind : {"response", "priors"}
        ``"response"``: the mean response of every level of a grouping factor, 50 % and 95 %
        intervals of draws from the prior beside the data. ``"priors"``: the density of every
        parameter.
    group : str, optional
        The grouping factor; by default the one with most levels.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        For an unknown kind or grouping factor.
    """
    one_of("kind", kind, KINDS)
    with look():
        if kind == "priors":
            return draw_priors(predictive, size)
        return draw_response(predictive, group, size)


def draw_response(
    predictive: PriorPredictive, group: str | None, size: tuple[float, float] | None
) -> Figure:
    """Means by level: intervals of the draws, points of the data."""
    names, codes = levels(predictive, group)
    w = predictive.model.design.response.weights
    total = np.bincount(codes, w, len(names))

    def by_level(y: FloatArray) -> FloatArray:
        return np.bincount(codes, w * y, len(names)) / total

    whole = predictive.y[np.isfinite(predictive.y).all(axis=1)]
    drawn_means = np.array([by_level(y) for y in whole])
    observed = by_level(predictive.model.design.response.y)
    order = np.argsort(observed, kind="stable")
    # Inches: readable with few groups, on one page with many.
    height = float(np.clip(1.3 + 0.17 * len(names), 2.4, 8.0))
    figure, (ax,) = panels(size=size or (5.2, height))
    place = np.arange(len(names))
    for prob, width, colour in zip(INTERVALS, (1.6, 4.0), (SKY, BLUE), strict=True):
        low, high = np.quantile(drawn_means, [0.5 - 0.5 * prob, 0.5 + 0.5 * prob], axis=0)[:, order]
        label = f"{100.0 * prob:.0f} % of prior draws"
        ax.hlines(place, low, high, colors=colour, linewidths=width, label=label)
    ax.scatter(observed[order], place, s=16.0, color=VERMILLION, zorder=3, label="data")
    positive = drawn_means[drawn_means > 0.0]
    if not isinstance(predictive.model.family.link, UnitInterval) and len(positive):
        low, high = np.quantile(positive, RANGE)
        if (drawn_means >= 0.0).all() and high > WIDE * low:
            ax.set_xscale("symlog", linthresh=max(observed[observed > 0.0].min(), 1e-3))
    if len(names) <= MAX_NAMED:
        ax.set_yticks(place, [names[i] for i in order])
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(names):,} levels of {names[0].split()[0]}")
    ax.set_ylim(-0.8, len(names) - 0.2)
    ax.set_xlabel(f"Mean {predictive.model.design.response.name} by level")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def levels(predictive: PriorPredictive, group: str | None) -> tuple[list[str], IntArray]:
    """Labels of the levels of a grouping factor and the level of every row; one without factors."""
    factors = {factor.name: factor for factor in predictive.model.design.factors}
    if group is not None:
        one_of("group", group, factors)
    if not factors:
        return ["all rows"], np.zeros(predictive.model.n, np.int64)
    factor = factors[group or max(factors, key=lambda name: factors[name].n_levels)]
    return [f"{factor.name} {level}" for level in factor.levels], factor.codes


def draw_priors(predictive: PriorPredictive, size: tuple[float, float] | None) -> Figure:
    """A panel a parameter."""
    shown = list(marginals(predictive))
    n_cols = min(3, len(shown))
    n_rows = -(-len(shown) // n_cols)
    figure, axes = panels(n_rows, n_cols, size=size or (2.7 * n_cols, 1.75 * n_rows))
    for marginal, ax in zip(shown, axes, strict=False):
        draw_density(marginal, ax)
    for ax in axes[len(shown) :]:
        ax.remove()
    return figure


def draw_density(marginal: Marginal, ax: Axes) -> None:
    """The density of one parameter: a curve, or a histogram of its draws."""
    ends = zip(marginal.support, np.quantile(marginal.draws, RANGE), strict=True)
    lower, upper = (end if np.isfinite(end) else seen for end, seen in ends)
    if marginal.density is None:
        inside = marginal.draws[(marginal.draws >= lower) & (marginal.draws <= upper)]
        density, edges = np.histogram(inside, N_BINS, (lower, upper), density=True)
        ax.stairs(density, edges, color=FAINT, fill=True)
        ax.stairs(density, edges, color=BLUE)
    else:
        margin = (upper - lower) / N_POINTS
        grid = np.linspace(lower + margin, upper - margin, N_POINTS)
        density = marginal.density(grid)
        ax.fill_between(grid, density, color=FAINT, linewidth=0.0)
        ax.plot(grid, density, color=BLUE)
    text = "\n".join([marginal.label, *textwrap.wrap(marginal.text, TITLE_WIDTH)])
    ax.set_title(text, fontsize=7.5, color=INK)
    ax.set_ylim(bottom=0.0, top=1.15 * float(np.quantile(density, 0.99)))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def marginals(predictive: PriorPredictive) -> Iterator[Marginal]:
    """Every parameter in the order of `prior_summary`."""
    model, priors, parameters = predictive.model, predictive.priors, predictive.parameters
    beta = parameters.get("beta_centred", parameters["beta"])
    intercept = intercept_of(model) if "beta_centred" in parameters else None
    for j, (name, prior) in enumerate(
        zip(model.design.coef_names, priors.coefficients, strict=True)
    ):
        label = f"{name}, predictors centred" if j == intercept else name
        yield Marginal.of(label, prior, beta[:, j])
    for f, (factor, effects) in enumerate(
        zip(model.design.factors, effect_names(model), strict=True)
    ):
        sd, correlation = parameters[f"sd_{factor.name}"], priors.correlations[f]
        for a, (effect, prior) in enumerate(zip(effects, priors.sds[f], strict=True)):
            yield Marginal.of(f"sd of {effect} | {factor.name}", prior, sd[:, a])
        for t in model.factor_terms[f]:
            k, label = model.term_widths[t], model.design.terms[t].label
            if k > 1 and correlation is not None:
                density = partial(density_of_correlation, eta=correlation.eta, k=k)
                draws = parameters[f"cholesky[{label}]"][:, 1, 0]
                label, text = f"every correlation, {label}", str(correlation)
                yield Marginal(label, text, draws, correlation.support, density)
    dispersion = Dispersion.of(model)
    if dispersion is not None and priors.dispersion is not None:
        yield Marginal.of(dispersion.name, priors.dispersion, parameters[dispersion.name])


class DrawnPriorPredictive(PriorPredictive):
    """A prior predictive distribution with its plot as a method."""

    plot = plot_prior_predictive


prior_predictive = drawn(bayes.prior_predictive, DrawnPriorPredictive)
