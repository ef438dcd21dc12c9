"""Predictions, fitted values, residuals and new responses from the posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import checked_seed, one_of, positive_integer, probability
from mixedlm_pt.bayes.credible import KINDS, credible_limits
from mixedlm_pt.bayes.draws import ParameterDraws
from mixedlm_pt.bayes.predictor_draws import PredictorDraws, by_dispersion, predictor_draws
from mixedlm_pt.design import Design, NewDesign
from mixedlm_pt.design.frame import RowArgument
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.prediction import simulate as simulate_fit
from mixedlm_pt.prediction.predict import TYPES, check_interval, rows_to_predict
from mixedlm_pt.tasks import spawn_seeds

if TYPE_CHECKING:
    import xarray as xr

    from mixedlm_pt.bayes.posterior import PosteriorResult


def predict(
    posterior: PosteriorResult,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    allow_new_levels: bool = False,
    se_fit: bool = False,
    interval: str | None = None,
    level: float = 0.95,
    *,
    weights: RowArgument = None,
    offset: RowArgument = None,
    nsim: int | None = None,
    seed: int | None = None,
    kind: str = "eti",
) -> FloatArray | pd.DataFrame:
    """Posterior predictions, with the arguments and the result of a fit's `predict`.

    Parameters
    ----------
    posterior : PosteriorResult
    newdata, type, re_form, weights, offset
        As in the `predict` of a fit. ``re_form="marginal"`` averages over the random effects of
        every draw, given its covariances.
    allow_new_levels : bool
        Whether ``newdata`` may have levels of a grouping factor that the fit has not seen; their
        random effects are drawn from their distribution, draw by draw.
    se_fit : bool
        Return posterior standard deviations, too.
    interval : {"confidence", "prediction"}, optional
        Credible limits of the mean, or limits of a new observation from the posterior predictive
        distribution, where the random effects that ``re_form`` leaves out are drawn anew.
    level : float
        Posterior probability of the interval.
    nsim : int, optional
        Use this many draws, evenly spaced, default all.
    seed : int, optional
        Of what is drawn: new levels and new observations.
    kind : {"eti", "hdi"}
        Equal-tailed or highest-density interval.

    Returns
    -------
    array, shape (m,), or DataFrame
        Posterior means in row order, NaN for new rows with missing values; with ``se_fit`` or
        ``interval`` a data frame of columns ``fit``, ``se_fit``, ``lower`` and ``upper``.

    Raises
    ------
    ArgumentError, FormulaError, ColumnNotFoundError, DataError, EstimationError
        As the `predict` of a fit.
    """
    one_of("type", type, TYPES)
    one_of("kind", kind, KINDS)
    probability("level", level)
    if interval is not None:
        check_interval(interval, type, level, 1)
    is_observed = interval == "prediction"
    asked = Rows.asked(posterior, newdata, re_form, allow_new_levels, is_observed, weights, offset)
    draws, _ = chosen_draws(posterior, nsim)
    rng = np.random.default_rng(checked_seed(seed))
    source, which = asked.expected(draws, rng).distinct()
    columns = np.full((4, source.n), np.nan)
    for rows in source.slices():
        values = on_scale(source, rows, type)
        columns[0, rows] = values.mean(axis=1)
        if se_fit or interval is not None:
            columns[1, rows] = values.std(axis=1, ddof=1)
        if interval == "confidence":
            columns[2:, rows] = credible_limits(values, level, kind)
    columns = columns[:, which]
    if is_observed:
        columns[2:] = observed_limits(asked, draws, level, kind, rng)
    if not se_fit and interval is None:
        return asked.design.pad(columns[0])
    names = ("fit", "se_fit") if interval is None else ("fit", "se_fit", "lower", "upper")
    padded = {name: asked.design.pad(column) for name, column in zip(names, columns, strict=False)}
    return pd.DataFrame(padded, index=asked.index)


def predict_draws(
    posterior: PosteriorResult,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    allow_new_levels: bool = False,
    *,
    observations: bool = False,
    weights: RowArgument = None,
    offset: RowArgument = None,
    nsim: int | None = None,
    seed: int | None = None,
) -> xr.DataArray:
    """The draws that `predict` summarises.

    Parameters
    ----------
    posterior, newdata, type, re_form, allow_new_levels, weights, offset, nsim, seed
        As in `predict`.
    observations : bool
        Draws of new observations (the posterior predictive distribution) instead of means.

    Returns
    -------
    DataArray, dimensions (chain, draw, obs)
        Coordinate ``obs``: the index of the data.

    Raises
    ------
    ArgumentError, FormulaError, ColumnNotFoundError, DataError, EstimationError
        As `predict`.
    """
    import xarray as xr

    one_of("type", type, TYPES)
    if observations and type == "link":
        raise ArgumentError("observations have no link scale; use type='response'.")
    asked = Rows.asked(posterior, newdata, re_form, allow_new_levels, observations, weights, offset)
    draws, places = chosen_draws(posterior, nsim)
    rng = np.random.default_rng(checked_seed(seed))
    source = asked.observed(draws, rng) if observations else asked.expected(draws, rng)
    found = np.empty((asked.design.n, len(draws)))
    for rows in source.slices(by_draw=observations):
        values = on_scale(source, rows, type)
        found[rows] = asked.responses(values, draws, rows, rng) if observations else values
    padded = asked.design.pad(found).T.reshape(posterior.n_chains, len(places), -1)
    labels = {"chain": np.arange(posterior.n_chains), "draw": places, "obs": asked.index.to_numpy()}
    return xr.DataArray(padded, labels, ("chain", "draw", "obs"), name=type)


def fitted(posterior: PosteriorResult) -> FloatArray:
    """Posterior means of the rows' means, response scale.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    array, shape (n,)
        As the `fitted` of a fit.
    """
    return np.asarray(predict(posterior))


def simulate(
    posterior: PosteriorResult,
    nsim: int = 1,
    seed: int | None = None,
    re_form: str | None = "NA",
    newdata: Any = None,
    allow_new_levels: bool = False,
) -> pd.DataFrame:
    """Responses from the posterior predictive distribution, each of another draw.

    Parameters
    ----------
    posterior : PosteriorResult
    nsim : int
        Number of simulations.
    seed : int, optional
    re_form, newdata, allow_new_levels
        As in the `simulate` of a fit: by default the random effects of all levels are drawn anew;
        ``re_form=None`` keeps those of the draw.

    Returns
    -------
    DataFrame, shape (n, nsim)
        Columns ``sim_1``, ..., as the `simulate` of a fit.

    Raises
    ------
    ArgumentError, ColumnNotFoundError, DataError, FormulaError
        As the `simulate` of a fit.
    """
    first, *seeds = spawn_seeds(seed, positive_integer("nsim", nsim) + 1)
    n = len(posterior.parameter_draws)
    # Without repetition as long as there are draws.
    rng = np.random.default_rng(first)
    order = np.concatenate([rng.permutation(n) for _ in range(-(-nsim // n))])[:nsim]
    arguments = {"re_form": re_form, "newdata": newdata, "allow_new_levels": allow_new_levels}
    parts = [
        simulate_fit(posterior.at_draw(int(s)), 1, own, **arguments)["sim_1"].rename(f"sim_{j}")
        for j, (s, own) in enumerate(zip(order, seeds, strict=True), start=1)
    ]
    return pd.concat(parts, axis=1)


def with_posterior_predictive(
    posterior: PosteriorResult, re_form: str | None = None, seed: int | None = None
) -> PosteriorResult:
    """The result with the group ``posterior_predictive`` in its data: one response a draw.

    Parameters
    ----------
    posterior : PosteriorResult
        Stays as it is.
    re_form : str, optional
        Random effects that are kept, as in `simulate`; default all.
    seed : int, optional

    Returns
    -------
    PosteriorResult
        ``data["posterior_predictive"]["y"]`` has dimensions (chain, draw, obs).
    """
    y = predict_draws(posterior, re_form=re_form, observations=True, seed=seed).rename("y")
    return posterior.with_groups(posterior_predictive=y.to_dataset())


def observed_limits(
    asked: Rows, draws: ParameterDraws, level: float, kind: str, rng: np.random.Generator
) -> FloatArray:
    """Limits of new observations, shape (2, m)."""
    source, limits = asked.observed(draws, rng), np.empty((2, asked.design.n))
    is_discrete = asked.fit.family.support.is_discrete
    for rows in source.slices(by_draw=True):
        y = asked.responses(source.mean(rows), draws, rows, rng)
        limits[:, rows] = credible_limits(y, level, kind, is_discrete=is_discrete)
    return limits


@dataclass(frozen=True, eq=False)
class Rows:
    """What is predicted: rows of a design, and what becomes of the random effects.

    Attributes
    ----------
    fit : Fit
    design : Design or NewDesign
    held, drawn : tuple of int
    is_marginal : bool
        See `rows_to_predict`.
    """

    fit: Fit
    design: Design | NewDesign
    held: tuple[int, ...]
    drawn: tuple[int, ...]
    is_marginal: bool

    @classmethod
    def asked(
        cls,
        posterior: PosteriorResult,
        newdata: Any,
        re_form: str | None,
        allow_new_levels: bool,
        is_observed: bool,
        weights: RowArgument,
        offset: RowArgument,
    ) -> Rows:
        """As the arguments of `predict` ask for."""
        found = rows_to_predict(
            posterior.fit,
            newdata,
            re_form,
            allow_new_levels,
            is_observed=is_observed,
            weights=weights,
            offset=offset,
        )
        return cls(posterior.fit, *found)

    @property
    def index(self) -> pd.Index:
        """Labels of the padded rows."""
        design = self.design
        return design.padded_index if isinstance(design, Design) else design.full_index

    def expected(self, draws: ParameterDraws, rng: np.random.Generator) -> PredictorDraws:
        """The rows whose means are wanted."""
        return predictor_draws(
            self.fit, draws, self.design, self.held, rng=rng, is_marginal=self.is_marginal
        )

    def observed(self, draws: ParameterDraws, rng: np.random.Generator) -> PredictorDraws:
        """The rows with the random effects of a new observation."""
        return predictor_draws(self.fit, draws, self.design, self.held, self.drawn, rng)

    def responses(
        self, mu: FloatArray, draws: ParameterDraws, rows: slice, rng: np.random.Generator
    ) -> FloatArray:
        """New observations of some rows with means ``mu`` (r, S), same shape."""
        design = self.design
        w = design.response.weights if isinstance(design, Design) else design.weights
        family = self.fit.family
        repeated = np.broadcast_to(w[rows, None], mu.shape)
        return by_dispersion(
            lambda phi, mu, w: family.draw(rng, mu, phi, w), draws.log_phi, mu, repeated
        )


def on_scale(source: PredictorDraws, rows: slice, type: str) -> FloatArray:
    """Means or linear predictors of some rows, shape (r, S); of averages their link."""
    if type == "response":
        return source.mean(rows)
    if not source.is_marginal:
        return source.predictor(rows)
    mean = source.mean(rows)
    # A probability that rounds to one has an infinite link.
    with np.errstate(divide="ignore"):
        eta: FloatArray = source.compiled.forward(mean.ravel())[0].reshape(mean.shape)
    return eta


def chosen_draws(posterior: PosteriorResult, nsim: int | None) -> tuple[ParameterDraws, IntArray]:
    """At most ``nsim`` draws, evenly spaced in every chain, and their places in a chain.

    Raises
    ------
    ArgumentError
        For fewer draws than chains.
    """
    draws, (n_chains, n_draws) = posterior.parameter_draws, (posterior.n_chains, posterior.n_draws)
    if nsim is None or nsim >= len(draws):
        return draws, np.arange(n_draws)
    per_chain = positive_integer("nsim", nsim, least=n_chains) // n_chains
    places = (np.arange(per_chain) * n_draws) // per_chain
    return draws.take((np.arange(n_chains)[:, None] * n_draws + places).ravel()), places
