"""The columns of one result in a comparison: estimate, uncertainty and interval of every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.credible import credible_limits
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.bayes.posterior_predictions import predict as predict_posterior
from mixedlm_pt.bayes.posterior_predictions import predict_draws
from mixedlm_pt.bayes.priors import effect_names
from mixedlm_pt.diagnostics import dispersion_name, natural_parameters, natural_standard_errors
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import Profile, confint
from mixedlm_pt.limits import normal_quantile
from mixedlm_pt.prediction import predict, ranef

type Result = Fit | PosteriorResult

NUMBERS = ["estimate", "se", "lower", "upper"]


@dataclass(frozen=True)
class Reporting:
    """What is reported of every result.

    Attributes
    ----------
    level : float
        Of all intervals.
    interval : {"Wald", "profile"}
        Of fits.
    credible : {"eti", "hdi"}
        Of posteriors: equal tails, or the shortest interval.
    center : {"mean", "median"}
        Of posteriors.
    """

    level: float = 0.95
    interval: str = "Wald"
    credible: str = "eti"
    center: str = "mean"


def fit_of(result: Result) -> Fit:
    """A fit itself, or that of a posterior."""
    return result if isinstance(result, Fit) else result.fit


def is_penalized(result: Result) -> bool:
    """Whether it is the mode of a posterior, a fit with priors."""
    return isinstance(result, Fit) and result.priors is not None


def parameter_names(fit: Fit) -> dict[str, str]:
    """The name that `confint` has for every parameter of a comparison, in the same order.

    They differ for a dispersion that the posterior has on another scale.
    """
    names = list(natural_parameters(fit).index)
    own, dispersion = dispersion_name(fit), Dispersion.of(fit.model)
    if dispersion is None:
        return dict(zip(names, names, strict=True))
    return {dispersion.name if name == own else name: name for name in names}


def dispersion_power(fit: Fit) -> float:
    """The dispersion of a comparison is that of `confint` raised to this power."""
    dispersion = Dispersion.of(fit.model)
    return 1.0 if dispersion is None else dispersion.power / (0.5 if fit.has_scale else 1.0)


def parameters(fit: Fit, level: float = 0.95, profile: Profile | None = None) -> pd.DataFrame:
    """Estimates of all parameters, standard errors and limits; rows as in ``confint``.

    Standard errors are on the parameter's own scale. The limits are Wald's, those of ``confint``,
    or where there is a profile its own.
    """
    names = parameter_names(fit)
    limits = confint(fit, level=level)
    if profile is not None:
        own = profile.confint(level=level)
        limits.loc[own.index] = own
    frame = pd.DataFrame(
        {
            "estimate": natural_parameters(fit),
            "se": natural_standard_errors(fit),
            "lower": limits.iloc[:, 0],
            "upper": limits.iloc[:, 1],
        }
    )
    frame.index = pd.Index(list(names), dtype="str")
    dispersion, power = Dispersion.of(fit.model), dispersion_power(fit)
    if dispersion is not None and power != 1.0:
        value, se, *ends = frame.loc[dispersion.name].to_numpy()
        moved = value**power
        frame.loc[dispersion.name] = [
            moved,
            abs(power) * moved / value * se,
            *sorted(np.array(ends) ** power),
        ]
    return frame


def posterior_parameters(posterior: PosteriorResult, reporting: Reporting) -> pd.DataFrame:
    """Centres, standard deviations and limits of all parameters, with R-hat and bulk ESS."""
    draws, convergence = posterior.draws, posterior.convergence
    frame = described(np.stack([np.ravel(x) for x in draws.values()]), reporting)
    frame.index = pd.Index(list(draws), dtype="str")
    return frame.assign(r_hat=convergence["r_hat"], ess=convergence["ess_bulk"])


def described(draws: FloatArray, reporting: Reporting) -> pd.DataFrame:
    """Centre, standard deviation and limits of draws along the last axis, shape (m, S)."""
    limits = credible_limits(draws, reporting.level, reporting.credible)
    centre: Callable[..., FloatArray] = np.mean if reporting.center == "mean" else np.median
    columns = [centre(draws, axis=-1), draws.std(axis=-1, ddof=1), *limits]
    return pd.DataFrame(dict(zip(NUMBERS, columns, strict=True)))


def effects(result: Result, groups: Sequence[str], reporting: Reporting) -> pd.DataFrame:
    """Random effects of some groups; rows (group, term, level), link scale.

    Of a fit: conditional modes, their standard deviations given all parameters, and normal limits.
    """
    if isinstance(result, Fit):
        frame = ranef(result).to_frame()
        frame = frame[frame["group"].isin(list(groups))].set_index(["group", "term", "level"])
        value, se = frame["condval"], frame["condsd"]
        z = normal_quantile(reporting.level)
        columns = [value, se, value - z * se, value + z * se]
        return pd.DataFrame(dict(zip(NUMBERS, columns, strict=True)))
    model, posterior, parts = result.model, result.data["posterior"].dataset, {}
    for factor, terms in zip(model.design.factors, effect_names(model), strict=True):
        if factor.name not in groups:
            continue
        b = posterior[f"b_{factor.name}"].to_numpy().reshape(-1, factor.n_levels, len(terms))
        for j, term in enumerate(terms):
            frame = described(b[:, :, j].T, reporting)
            frame.index = pd.Index(factor.levels, name="level").astype(object)
            parts[factor.name, term] = frame
    return pd.concat(parts, names=["group", "term"])


def predicted(result: Result, arguments: dict[str, Any], reporting: Reporting) -> pd.DataFrame:
    """Predictions with their uncertainty; one row a row of the data."""
    if reporting.center == "median" and isinstance(result, PosteriorResult):
        draws = predict_draws(result, **arguments)
        values = draws.stack(sample=("chain", "draw"), create_index=False)
        return described(values.to_numpy(), reporting).set_axis(draws["obs"].to_numpy())
    arguments = arguments | {"se_fit": True, "interval": "confidence", "level": reporting.level}
    if isinstance(result, Fit):
        frame = predict(result, **arguments)
    else:
        frame = predict_posterior(result, kind=reporting.credible, **arguments)
    assert isinstance(frame, pd.DataFrame), "asked for an interval"
    return frame.set_axis(NUMBERS, axis=1)
