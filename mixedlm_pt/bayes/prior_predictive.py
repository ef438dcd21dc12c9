"""What the priors say about the data: draws of all parameters and responses before any data."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import checked_random_seed, positive_integer
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.prior_choice import PriorsArgument, chosen_priors
from mixedlm_pt.bayes.priors import (
    Priors,
    effect_names,
    has_correlations,
    intercept_of,
    model_of,
    predictor_means,
)
from mixedlm_pt.bayes.pymc_model import coordinates, term_columns
from mixedlm_pt.bayes.random_variables import draw_vector
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.links import UnitInterval
from mixedlm_pt.model import GLMM
from mixedlm_pt.tables import WIDTH, html_table, text_table

if TYPE_CHECKING:
    import xarray as xr

STATISTICS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "sd": np.std,
    "minimum": np.min,
    "maximum": np.max,
}
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
# A probability nearer to 0 or 1 than this is nearly certain.
CERTAIN = 0.01
# More of the means nearly certain than this are worth a remark.
HALF = 0.5
# A mean beyond the largest response by this factor is far outside the data.
FAR = 10.0


@dataclass(frozen=True, eq=False)
class PriorPredictive:
    """Draws from the priors and, given each, of the response.

    Attributes
    ----------
    model : GLMM
    priors : Priors
    parameters : mapping of str to array, shape (draws, ...)
        By the names of the variables of `to_pymc`, on the parameters' own scales.
    mean : array, shape (draws, n)
        Of every response given the parameters and random effects, response scale.
    y : array, shape (draws, n)
        Responses, proportions for the binomial; NaN in draws whose means no response can have.
    """

    model: GLMM
    priors: Priors
    parameters: Mapping[str, FloatArray]
    mean: FloatArray
    y: FloatArray

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.y)

    @cached_property
    def data(self) -> xr.DataTree:
        """ArviZ's data: groups ``prior``, ``prior_predictive`` and ``observed_data``, one chain."""
        import xarray as xr

        draws = {"chain": [0], "draw": np.arange(self.n_draws)}
        labels, dims = coordinates(self.model), dimensions(self.model)
        prior = {
            name: (("chain", "draw", *dims.get(name, unnamed(name, values))), values[None])
            for name, values in self.parameters.items()
        }
        used = {dim for names, _ in prior.values() for dim in names}
        obs = {"obs": labels["obs"]}
        groups = {
            "prior": xr.Dataset(prior, draws | {k: v for k, v in labels.items() if k in used}),
            "prior_predictive": xr.Dataset(
                {"y": (("chain", "draw", "obs"), self.y[None])}, draws | obs
            ),
            "observed_data": xr.Dataset({"y": (("obs",), self.model.design.response.y)}, obs),
        }
        return xr.DataTree.from_dict(groups)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Statistics of the response: in the data, and their quantiles over draws."""
        y = self.y[np.isfinite(self.y).all(axis=1)]
        observed = self.model.design.response.y
        rows = {
            name: [statistic(observed), *np.quantile(statistic(y, axis=1), QUANTILES)]
            for name, statistic in STATISTICS.items()
            if len(y)
        }
        columns = ["data", *(f"{100.0 * q:g} %" for q in QUANTILES)]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """The table of statistics, unrounded."""
        return self.table.copy()

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What the draws say about the priors, in sentences."""
        found, observed = [], self.model.design.response.y
        n_lost = int((~np.isfinite(self.y)).any(axis=1).sum())
        if isinstance(self.model.family.link, UnitInterval):
            low, high = (self.mean < CERTAIN).mean(), (self.mean > 1.0 - CERTAIN).mean()
            surprise = ": before any data most responses are all but certain"
            found.append(
                f"{share(low)} of the fitted probabilities are below {share(CERTAIN)} and "
                f"{share(high)} above {share(1.0 - CERTAIN)}"
                f"{surprise if low + high > HALF else ''}."
            )
        else:
            below, above = observed.min(), observed.max()
            found.append(
                f"{share((self.mean < below).mean())} of the means are below the smallest response "
                f"({below:g}) and {share((self.mean > above).mean())} above the largest ({above:g})"
                + (
                    f", {share((self.mean > FAR * above).mean())} more than {FAR:g} times above it."
                    if above > 0.0
                    else "."
                )
            )
        if n_lost:
            found.append(
                f"In {n_lost:,} of {self.n_draws:,} draws a mean is one that no response can have "
                "or too large to draw from; they are left out of the table."
            )
        return tuple(found)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the printed table."""
        # Each on its own: draws from wide priors differ by orders of magnitude.
        rows = [[str(name), *(f"{x:.3g}" for x in row)] for name, row in self.table.iterrows()]
        return ["", *self.table.columns], rows

    def __str__(self) -> str:
        design, family = self.model.design, self.model.family
        return "\n".join(
            [
                f"Prior predictive distribution of {design.formula}, "
                f"{family.name} ( {family.link.name} )",
                f"{self.n_draws:,} draws of all parameters, and of the response given each.",
                "",
                text_table(*self.cells(), left=(0,)),
                "",
                *(textwrap.fill(remark, WIDTH) for remark in self.remarks),
                "Priors: see prior_summary().",
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        title = f"Prior predictive distribution of <code>{escape(self.model.design.formula)}</code>"
        remarks = "<br>".join(escape(remark) for remark in self.remarks)
        table = html_table(*self.cells(), left=(0,))
        return f"<p><strong>{title}</strong><br>{self.n_draws:,} draws</p>{table}<p>{remarks}</p>"


def prior_predictive(
    fit_or_model: Any,
    priors: PriorsArgument = None,
    draws: int = 500,
    random_seed: int | None = None,
) -> PriorPredictive:
    """Responses that the model makes of draws from its priors: what they say before any data.

    Nothing is compiled or sampled by chains: parameters, random effects and responses are drawn
    one from the other.

    Parameters
    ----------
    fit_or_model : Fit, GlmerModel, PosteriorResult or GLMM
    priors : Priors, str or mapping, optional
        As in `to_pymc`; all of them proper.
    draws : int
    random_seed : int, optional

    Returns
    -------
    PriorPredictive
        Prints statistics of the responses beside those of the data; ``.data`` is the ArviZ
        DataTree.

    Raises
    ------
    ArgumentError
        For a prior from which nothing can be drawn because it is improper, such as those of
        ``"flat"`` and ``"brms"``, and for a family without a likelihood.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> wide, narrow = (prior_predictive(fit, p, random_seed=1) for p in ("default", "bambi"))
    >>> [round(float((0.01 > draws.mean).mean()), 2) for draws in (wide, narrow)]
    [0.18, 0.05]
    """
    model, own = model_of(fit_or_model), chosen_priors(fit_or_model, priors)
    draws = positive_integer("draws", draws)
    if not model.family.has_likelihood:
        raise ArgumentError(
            f"{model.family.name} has no likelihood, so it says nothing about single responses; "
            "use a family with one, such as binomial, poisson or negative_binomial."
        )
    refuse_improper(model, own)
    rng = np.random.default_rng(checked_random_seed(random_seed))
    parameters = draw_parameters(model, own, draws, rng)
    mean = means(model, parameters)
    phi = np.full(draws, model.family.fixed_phi or 1.0)
    dispersion = Dispersion.of(model)
    if dispersion is not None:
        phi = parameters[dispersion.name] ** (1.0 / dispersion.power)
    w, y = model.design.response.weights, np.full(mean.shape, np.nan)
    for s in range(draws):
        try:
            y[s] = model.family.random(rng, mean[s], float(phi[s]), w)
        except ValueError:
            # NumPy's word for a mean that the family does not have or that overflows.
            continue
    return PriorPredictive(model, own, parameters, mean, y)


def draw_parameters(
    model: GLMM, priors: Priors, draws: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Draws of all variables of the PyMC model but the response, each (draws, ...)."""
    found: dict[str, FloatArray] = {}
    beta, shift, intercept = (
        draw_vector(priors.coefficients, rng, draws),
        predictor_means(model),
        intercept_of(model),
    )
    if intercept is not None and shift.any():
        found["beta_centred"] = beta.copy()
        beta[:, intercept] -= beta @ shift
    found["beta"] = beta
    dispersion, scale = Dispersion.of(model), None
    if dispersion is not None and priors.dispersion is not None:
        found[dispersion.name] = scale = priors.dispersion.draw(rng, draws).reshape(draws)
    for f, factor in enumerate(model.design.factors):
        sd = draw_vector(priors.sds[f], rng, draws, scale)
        k = sd.shape[1]
        L, correlation = np.zeros((draws, k, k)), priors.correlations[f]
        for t, columns in term_columns(model, f):
            width = model.term_widths[t]
            L[:, columns, columns] = 1.0
            if width > 1:
                assert correlation is not None, "correlated effects have a prior of correlations"
                own = correlation.draw_cholesky(rng, draws, width)
                L[:, columns, columns] = own
                found[f"cholesky[{model.design.terms[t].label}]"] = own
        found[f"sd_{factor.name}"] = sd
        if has_correlations(model)[f]:
            found[f"corr_{factor.name}"] = L @ L.transpose(0, 2, 1)
        u = rng.standard_normal((draws, factor.n_levels, k))
        found[f"u_{factor.name}"] = u
        found[f"b_{factor.name}"] = u @ (sd[:, :, None] * L).transpose(0, 2, 1)
    return found


def means(model: GLMM, parameters: Mapping[str, FloatArray]) -> FloatArray:
    """Mean of every response given the draws, shape (draws, n)."""
    design = model.design
    eta = parameters["beta"] @ design.X.T + design.offset
    for f, factor in enumerate(design.factors):
        b = parameters[f"b_{factor.name}"]
        for t, columns in term_columns(model, f):
            eta += np.einsum("nk,snk->sn", design.terms[t].Z, b[:, factor.codes, columns])
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        mu: FloatArray = compile_model(model, Approximation()).mean(eta.ravel())[0]
    return mu.reshape(eta.shape)


def refuse_improper(model: GLMM, priors: Priors) -> None:
    """Raise if a prior cannot be drawn from; the message names its parameters."""
    named = list(zip(model.design.coef_names, priors.coefficients, strict=True))
    for factor, effects, sds in zip(
        model.design.factors, effect_names(model), priors.sds, strict=True
    ):
        named += [(f"sd_{factor.name}[{e}]", prior) for e, prior in zip(effects, sds, strict=True)]
    dispersion = Dispersion.of(model)
    if dispersion is not None and priors.dispersion is not None:
        named.append((dispersion.name, priors.dispersion))
    improper = [name for name, prior in named if not prior.is_proper]
    if improper:
        raise ArgumentError(
            f"the priors of {', '.join(improper)} are improper (flat): nothing can be drawn from "
            "them. Give proper ones, such as priors='default' or "
            "{'coefficients': Normal(0.0, 2.5)}."
        )


def dimensions(model: GLMM) -> dict[str, tuple[str, ...]]:
    """Names of the dimensions of the variables."""
    dims: dict[str, tuple[str, ...]] = {"beta": ("coefficient",), "beta_centred": ("coefficient",)}
    for factor in model.design.factors:
        level, term = f"level_{factor.name}", f"term_{factor.name}"
        dims[f"sd_{factor.name}"] = (term,)
        dims[f"corr_{factor.name}"] = (term, f"{term}_")
        dims |= {f"{effect}_{factor.name}": (level, term) for effect in "ub"}
    return dims


def unnamed(name: str, values: FloatArray) -> tuple[str, ...]:
    """Dimensions that have no labels."""
    return tuple(f"{name}_dim_{i}" for i in range(values.ndim - 1))


def share(value: float) -> str:
    """A share in per cent."""
    return f"{100.0 * value:.0f} %"
