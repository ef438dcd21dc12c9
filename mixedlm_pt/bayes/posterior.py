"""What `sample` returns: draws with the accessors of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import pandas as pd

from mixedlm_pt import extraction, inference
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes import loo as leave_one_out
from mixedlm_pt.bayes import (
    pit,
    pointwise,
    posterior_checks,
    posterior_effects,
    posterior_means,
    posterior_predictions,
    posterior_residuals,
    posterior_summary,
    posterior_tables,
    report,
)
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.draws import ParameterDraws
from mixedlm_pt.bayes.likelihood_verbs import no_posterior_version, of_the_fit
from mixedlm_pt.bayes.posterior_groups import with_groups, with_observed_data
from mixedlm_pt.bayes.prior_summary import PriorSummary, prior_summary
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.bayes.pymc_model import term_columns, to_pymc
from mixedlm_pt.diagnostics.scales import scaled_parameters
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


@dataclass(frozen=True, eq=False)
class PosteriorResult:
    """Draws from the posterior of a fitted model.

    Attributes
    ----------
    fit : Fit
        The maximum-likelihood fit that the sampler started from.
    priors : Priors
    data : xarray.DataTree
        ArviZ's data: group ``posterior`` with all variables of `to_pymc`, ``sample_stats``,
        ``observed_data`` and ``constant_data``.
    sampler : str
    target : {"full", "laplace", "agq"}
        Density that NUTS drew from.
    tune : int
        Steps of adaptation of each chain; they are not in ``data``.
    compile_seconds, sampling_seconds : float
    """

    fit: Fit = field(repr=False)
    priors: Priors
    data: xr.DataTree
    sampler: str
    target: str
    tune: int
    compile_seconds: float
    sampling_seconds: float

    def __post_init__(self) -> None:
        # ArviZ looks for the data of a model beside its draws.
        object.__setattr__(self, "data", with_observed_data(self.model, self.data))

    def __getstate__(self) -> dict[str, Any]:
        """Without what is computed at first use."""
        return {own.name: getattr(self, own.name) for own in fields(self)}

    @property
    def model(self) -> GLMM:
        """The model."""
        return self.fit.model

    @cached_property
    def pymc(self) -> pm.Model:
        """The model in PyMC, as `to_pymc` makes it."""
        return to_pymc(self.fit, self.priors)

    @cached_property
    def parameter_draws(self) -> ParameterDraws:
        """Draws of beta, theta, log phi and u as arrays, chain after chain."""
        return ParameterDraws.of(self.model, self.data["posterior"].dataset)

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return int(self.data["posterior"].sizes["chain"])

    @property
    def n_draws(self) -> int:
        """Number of draws of each chain."""
        return int(self.data["posterior"].sizes["draw"])

    @property
    def n_divergences(self) -> int:
        """Number of draws where the sampler lost the trajectory."""
        return int(self.data["sample_stats"]["diverging"].sum())

    @cached_property
    def draws(self) -> Mapping[str, FloatArray]:
        """Draws of all parameters, each (chains, draws), by the names that ``confint`` has.

        First standard deviations and correlations, then the dispersion, then beta.
        """
        posterior, model = self.data["posterior"].dataset, self.model
        random: list[FloatArray] = []
        for f, factor in enumerate(model.design.factors):
            sd = posterior[f"sd_{factor.name}"].to_numpy()
            for _, columns in term_columns(model, f):
                for a in range(columns.start, columns.stop):
                    random.append(sd[..., a])
                    if columns.stop > a + 1:
                        corr = posterior[f"corr_{factor.name}"].to_numpy()
                        random.extend(corr[..., b, a] for b in range(a + 1, columns.stop))
        draws = dict(zip(scaled_parameters(self.fit).names, random, strict=True))
        dispersion = Dispersion.of(model)
        if dispersion is not None:
            draws[dispersion.name] = posterior[dispersion.name].to_numpy()
        beta = posterior["beta"].to_numpy()
        return draws | {name: beta[..., j] for j, name in enumerate(model.design.coef_names)}

    @cached_property
    def n_random(self) -> int:
        """Number of standard deviations and correlations."""
        return len(self.draws) - self.model.p - int(self.model.family.estimates_phi)

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """ArviZ's mean, sd, R-hat, effective sample sizes and Monte-Carlo errors by parameter."""
        return posterior_summary.convergence(self)

    def at_draw(self, index: int) -> Fit:
        """The fit with the parameters and random effects of one draw, counted over all chains.

        Whatever is a function of a fit's estimates has its posterior by evaluating it at the draws;
        standard errors and the log-likelihood of the result remain those of ML.
        """
        draws = self.parameter_draws
        n = len(draws.beta)
        if not (isinstance(index, int | np.integer) and -n <= index < n):
            raise ArgumentError(f"index is {index!r}; there are {n:,} draws, the first is 0.")
        return self.fit.replace(
            estimate=replace(
                self.fit.estimate,
                beta=draws.beta[index],
                theta=draws.theta[index],
                phi=float(np.exp(draws.log_phi[index])),
                u=draws.u[index],
            )
        )

    def with_groups(self, **groups: xr.Dataset) -> Self:
        """The same result with further groups in its data."""
        return replace(self, data=with_groups(self.data, groups))

    fixef = posterior_tables.fixef
    ranef = posterior_tables.ranef
    coef = posterior_tables.coef
    VarCorr = posterior_tables.VarCorr
    vcov = posterior_tables.vcov
    confint = posterior_tables.confint
    summary = posterior_summary.summary
    tidy = posterior_summary.tidy
    glance = posterior_summary.glance
    augment = posterior_summary.augment

    predict = posterior_predictions.predict
    predict_draws = posterior_predictions.predict_draws
    fitted = posterior_predictions.fitted
    simulate = posterior_predictions.simulate
    with_posterior_predictive = posterior_predictions.with_posterior_predictive
    residuals = posterior_residuals.residuals

    emmeans = posterior_means.emmeans
    emtrends = posterior_means.emtrends
    predictions = posterior_effects.predictions
    avg_predictions = posterior_effects.avg_predictions
    comparisons = posterior_effects.comparisons
    avg_comparisons = posterior_effects.avg_comparisons
    slopes = posterior_effects.slopes
    avg_slopes = posterior_effects.avg_slopes

    log_likelihood = pointwise.log_likelihood
    with_log_likelihood = pointwise.with_log_likelihood
    loo = leave_one_out.loo
    loo_pit = pit.loo_pit
    check = posterior_checks.check
    simulate_residuals = posterior_checks.simulate_residuals
    diagnosis = report.diagnosis
    problems = report.problems

    nobs = of_the_fit(inference.nobs)
    ngrps = of_the_fit(inference.ngrps)
    npar = of_the_fit(inference.npar)
    formula = of_the_fit(extraction.formula)
    model_frame = of_the_fit(extraction.model_frame)
    model_matrix = of_the_fit(extraction.model_matrix)
    weights = of_the_fit(extraction.weights)

    def prior_summary(self) -> PriorSummary:
        """Table of the priors."""
        return prior_summary(self)

    def __str__(self) -> str:
        return str(self.summary())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __getattr__(self, name: str) -> NoReturn:
        raise no_posterior_version(name)
