"""Variances that the data push towards infinity, and dispersions that they push to zero."""

import numpy as np

from mixedlm_pt._typing import BoolArray
from mixedlm_pt.design import GroupingFactor
from mixedlm_pt.design.response import has_trials
from mixedlm_pt.diagnostics.term_covariance import term_covariances
from mixedlm_pt.estimation import VanishingDispersion
from mixedlm_pt.fit import Fit

# A standard deviation as large as this on the link scale puts nearly all means at 0 or 1.
LARGE_SD = 10.0
# Of the levels with nothing but zeros, or nothing but successes.
MOST = 0.5


def runaway_variances(fit: Fit) -> tuple[str, ...]:
    """Terms whose sd grows because most groups have constant responses, in words."""
    found = []
    for term, own in zip(term_covariances(fit), fit.design.terms, strict=True):
        factor = fit.design.factors[own.factor]
        largest = term.sd * own.size
        is_held = fit.penalty is not None and fit.penalty.holds_sds(own.factor)
        if is_held or largest.max(initial=0.0) <= LARGE_SD:
            continue
        constant = constant_levels(fit, factor)
        if constant.mean() <= MOST:
            continue
        name = term.columns[int(largest.argmax())]
        what = "only zeros or only successes" if has_trials(fit.family) else "only zeros"
        found.append(
            f"The standard deviation of {name} in ({term.label}) is "
            f"{term.sd[int(largest.argmax())]:.3g} on the {fit.family.link.name} scale because "
            f"{int(constant.sum()):,} of {len(constant):,} levels of {factor.name} have {what}: "
            "nothing in them says how far their effects lie from the others, and the Laplace "
            "approximation is poor there. Check the estimate with nAGQ=25, merge levels, or use "
            "priors, such as priors={'sd': HalfNormal(2.0)}."
        )
    return tuple(found)


def constant_levels(fit: Fit, factor: GroupingFactor) -> BoolArray:
    """Levels whose responses all lie at the same end of the support, shape (n_levels,)."""
    y, w = fit.design.response.y, fit.design.response.weights
    if not fit.family.support.is_discrete:
        return np.zeros(factor.n_levels, np.bool_)
    counted = np.bincount(factor.codes, w > 0.0, factor.n_levels)
    zeros = np.bincount(factor.codes, (y == 0.0) & (w > 0.0), factor.n_levels)
    constant: BoolArray = zeros == counted
    if has_trials(fit.family):
        ones = np.bincount(factor.codes, (y == 1.0) & (w > 0.0), factor.n_levels)
        constant |= ones == counted
    return constant


def has_exact_fit(fit: Fit) -> bool:
    """Whether the model reproduces the response, so that its dispersion runs to zero."""
    vanishing = VanishingDispersion.of(fit.model, fit.compiled)
    return vanishing is not None and fit.estimate.phi < vanishing.exact


EXACT_FIT = (
    "The model fits the response exactly: its dispersion is zero and the likelihood grows without "
    "end, so standard errors and tests mean nothing. Is the response computed from the predictors, "
    "or is there a random effect or a coefficient for every row?"
)
