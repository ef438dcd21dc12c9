"""Priors of a model: the defaults, the presets and a user's changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import (
    LKJ,
    Exponential,
    Flat,
    HalfFlat,
    Normal,
    Prior,
    standard_deviation,
)
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.families.links import Identity
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM

# Location 0 and this scale, as rstanarm and bambi have it.
DEFAULT_SCALE = 2.5


@dataclass(frozen=True)
class Priors:
    """One prior for every parameter of a model, in the model's own order.

    Attributes
    ----------
    coefficients : tuple of Prior, length p
        Of beta, link scale; that of an intercept is for centred predictors.
    sds : tuple of tuples of Prior
        Of the standard deviations, one tuple a grouping factor.
    correlations : tuple of LKJ
        Of the correlation matrix of a term with several effects, one a grouping factor.
    dispersion : Prior or None
        Of the parameter that `Dispersion` describes.
    """

    coefficients: tuple[Prior, ...]
    sds: tuple[tuple[Prior, ...], ...]
    correlations: tuple[LKJ, ...]
    dispersion: Prior | None


def intercept_of(model: GLMM) -> int | None:
    """Position of the intercept in beta, None without one."""
    positions = np.flatnonzero(model.design.assign == 0)
    return int(positions[0]) if len(positions) else None


def predictor_means(model: GLMM) -> FloatArray:
    """What centring subtracts from the columns of X, shape (p,): nothing without an intercept."""
    intercept = intercept_of(model)
    means = np.zeros(model.p)
    if intercept is not None:
        means = model.design.X.mean(axis=0)
        means[intercept] = 0.0
    return means


def effect_names(model: GLMM) -> list[tuple[str, ...]]:
    """Names of the effects of every grouping factor, in the order of their columns in u."""
    terms = model.design.terms
    return [tuple(c for t in ts for c in terms[t].columns) for ts in model.factor_terms]


def has_correlations(model: GLMM) -> list[bool]:
    """Whether a term of the grouping factor has several, correlated effects."""
    return [any(model.term_widths[t] > 1 for t in ts) for ts in model.factor_terms]


def link_unit(model: GLMM) -> float:
    """Size of a typical effect: sd(y) if the link is the identity, else 1."""
    is_identity = isinstance(model.family.link, Identity)
    return standard_deviation(model.design.response.y) if is_identity else 1.0


def default_priors(model: GLMM | Fit) -> Priors:
    """The default priors, which are rstanarm's.

    Intercept normal(0, 2.5) after the predictors are centred, coefficients normal(0, 2.5 / sd(x)),
    standard deviations exponential(1), correlations lkj(1), and reciprocal dispersions (the
    ``theta`` of a negative binomial, the ``shape`` of a Gamma) exponential(1).

    With the identity link the linear predictor has the unit of the response: scales are then times
    sd(y) and the intercept's location is mean(y - offset). With every other link nothing is taken
    from y. A ``sigma`` always has the unit of the response: exponential(1 / sd(y)).

    Parameters
    ----------
    model : GLMM or Fit

    Returns
    -------
    Priors
    """
    model = model_of(model)
    design = model.design
    y, unit, center = design.response.y, link_unit(model), 0.0
    if isinstance(model.family.link, Identity):
        center = float(np.mean(y - design.offset))
    intercept, dispersion = intercept_of(model), Dispersion.of(model)
    coefficients: list[Prior] = [
        Normal(center, DEFAULT_SCALE * unit)
        if j == intercept
        else Normal(0.0, DEFAULT_SCALE * unit / standard_deviation(design.X[:, j]))
        for j in range(model.p)
    ]
    names = effect_names(model)
    rate = 1.0
    if dispersion is not None and dispersion.name == "sigma":
        rate = 1.0 / standard_deviation(y)
    return Priors(
        coefficients=tuple(coefficients),
        sds=tuple((Exponential(1.0 / unit),) * len(columns) for columns in names),
        correlations=(LKJ(1.0),) * len(names),
        dispersion=None if dispersion is None else Exponential(rate),
    )


def flat_priors(model: GLMM | Fit) -> Priors:
    """Flat on beta, on the standard deviations, on correlation matrices and on the dispersion.

    Improper: the posterior may be improper, too. The joint density is then the likelihood's, and
    the mode of the marginal posterior is the maximum-likelihood estimate.
    """
    model = model_of(model)
    names = effect_names(model)
    return Priors(
        coefficients=(Flat(),) * model.p,
        sds=tuple((HalfFlat(),) * len(columns) for columns in names),
        correlations=(LKJ(1.0),) * len(names),
        dispersion=HalfFlat() if model.family.estimates_phi else None,
    )


PRESETS: dict[str, Callable[[GLMM], Priors]] = {"default": default_priors, "flat": flat_priors}

type PriorsArgument = Priors | str | Mapping[str, Prior] | None


def make_priors(model: GLMM, priors: PriorsArgument = None) -> Priors:
    """The priors that an argument ``priors=`` stands for.

    Parameters
    ----------
    model : GLMM
    priors : Priors, str or mapping, optional
        A preset by name, or changes to the default: a coefficient's name, ``"coefficients"`` (all
        but the intercept), ``"sd"``, ``"sd_herd"``, ``"corr"``, ``"corr_herd"``, or the name of the
        dispersion. What stands later in the mapping wins.

    Raises
    ------
    ArgumentError
        For an unknown preset or parameter, or a prior that does not fit its parameter.
    """
    if isinstance(priors, Priors):
        return priors
    if priors is None:
        return default_priors(model)
    if isinstance(priors, str):
        if priors not in PRESETS:
            raise unknown_name("preset of priors", priors, PRESETS)
        return PRESETS[priors](model)
    if not isinstance(priors, Mapping):
        raise ArgumentError(
            f"priors is {priors!r}; it must be a preset ({', '.join(PRESETS)}), a mapping from "
            "parameters to priors such as {'sd': Exponential(2.0)}, or None for the default."
        )
    return changed(model, default_priors(model), priors)


def changed(model: GLMM, base: Priors, changes: Mapping[str, Prior]) -> Priors:
    """``base`` with the priors of some parameters replaced."""
    coefficients = dict(zip(model.design.coef_names, base.coefficients, strict=True))
    groups = [factor.name for factor in model.design.factors]
    sds, correlations = list(base.sds), list(base.correlations)
    dispersion, of_dispersion = Dispersion.of(model), base.dispersion
    intercept = intercept_of(model)
    slopes = [name for j, name in enumerate(coefficients) if j != intercept]
    correlated = [g for g, has in zip(groups, has_correlations(model), strict=True) if has]
    names = [
        *coefficients,
        "coefficients",
        *(["sd", *(f"sd_{g}" for g in groups)] if groups else []),
        *(["corr", *(f"corr_{g}" for g in correlated)] if correlated else []),
        *([] if dispersion is None else [dispersion.name]),
    ]
    for name, prior in changes.items():
        if name in coefficients or name == "coefficients":
            check(name, prior, isinstance(prior, Prior) and is_real(prior), "the real line")
            coefficients |= dict.fromkeys(slopes if name == "coefficients" else [name], prior)
        elif name not in names:
            raise unknown_name("parameter in priors", name, names)
        elif name == "corr" or name.startswith("corr_"):
            check(name, prior, isinstance(prior, LKJ), "correlation matrices: LKJ")
            assert isinstance(prior, LKJ)
            chosen = [name in ("corr", f"corr_{g}") for g in groups]
            correlations = [
                prior if hit else old for hit, old in zip(chosen, correlations, strict=True)
            ]
        else:
            check(name, prior, isinstance(prior, Prior) and prior.is_positive, "positive numbers")
            if dispersion is not None and name == dispersion.name:
                of_dispersion = prior
            chosen = [name in ("sd", f"sd_{g}") for g in groups]
            sds = [
                (prior,) * len(old) if hit else old for hit, old in zip(chosen, sds, strict=True)
            ]
    return replace(
        base,
        coefficients=tuple(coefficients.values()),
        sds=tuple(sds),
        correlations=tuple(correlations),
        dispersion=of_dispersion,
    )


def is_real(prior: Prior) -> bool:
    """Whether the support is the whole real line."""
    return not prior.is_positive and not isinstance(prior, LKJ)


def check(name: str, prior: Any, is_allowed: bool, support: str) -> None:
    """Raise unless the prior fits the parameter."""
    if not is_allowed:
        raise ArgumentError(
            f"the prior of {name!r} is {prior!r}; it must be a distribution on {support}."
        )


def model_of(fit_or_model: Any) -> GLMM:
    """The model of a fit or of a posterior, or the model itself.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    model = getattr(fit_or_model, "model", fit_or_model)
    if not isinstance(model, GLMM):
        raise ArgumentError(
            f"expected a fit or a model, not {type(fit_or_model).__name__}; fit one with glmer()."
        )
    return model
