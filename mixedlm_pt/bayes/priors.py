"""One prior for every parameter of a model, and what priors depend on in a model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.covariance_priors import LKJ
from mixedlm_pt.bayes.distributions import Prior, standard_deviation
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.links import Identity
from mixedlm_pt.model import GLMM


@dataclass(frozen=True)
class Priors:
    """One prior for every parameter of a model, in the model's own order.

    Attributes
    ----------
    coefficients : tuple of Prior, length p
        Of beta, link scale; that of an intercept is for centred predictors.
    sds : tuple of tuples of Prior
        Of the standard deviations, one tuple a grouping factor with one entry an effect; a joint
        prior of k effects is there k times.
    correlations : tuple of LKJ or None
        Of the correlation matrix of a term with several effects, one a grouping factor; None where
        it has no such term.
    dispersion : Prior or None
        Of the parameter that `Dispersion` describes.
    """

    coefficients: tuple[Prior, ...]
    sds: tuple[tuple[Prior, ...], ...]
    correlations: tuple[LKJ | None, ...]
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
