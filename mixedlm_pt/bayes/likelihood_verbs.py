"""Verbs of a fit that a posterior shares with it, and those that it answers otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Concatenate

from mixedlm_pt.errors import MixedlmError
from mixedlm_pt.fit import Fit

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult


class NoPosteriorVersionError(MixedlmError, AttributeError):
    """A verb of a fit that a posterior has no version of."""


def of_the_fit[**P, Found](
    verb: Callable[Concatenate[Fit, P], Found],
) -> Callable[Concatenate[PosteriorResult, P], Found]:
    """The verb for the fit of a posterior: it depends on the data and the formula alone."""

    def on_fit(posterior: PosteriorResult, /, *args: P.args, **kwargs: P.kwargs) -> Found:
        return verb(posterior.fit, *args, **kwargs)

    update_wrapper(on_fit, verb)
    return on_fit


def no_posterior_version(name: str) -> AttributeError:
    """The error for an attribute that a posterior does not have: what to use instead."""
    if name not in INSTEAD:
        return AttributeError(f"a PosteriorResult has no attribute {name!r}")
    return NoPosteriorVersionError(f"a posterior has no {name}(): {INSTEAD[name]}")


CRITERIA = "it is a function of the maximised likelihood. Use loo(), or posterior.fit.{}()."
TESTS = (
    "it tests by the likelihood. Compare posteriors by loo(), look at confint(), or use "
    "posterior.fit.{}()."
)
REFITS = (
    "it fits again by maximum likelihood. Use posterior.fit.{}(), and sample() what it returns."
)
DIAGNOSTICS = "it describes the maximum-likelihood fit. Use posterior.fit.{}()."
GROUPS = {
    CRITERIA: "AIC AICc BIC logLik deviance df_residual",
    TESTS: "anova drop1 linear_hypothesis pb_lrt profile",
    REFITS: "refit update allFit bootMer cross_validate power",
    DIAGNOSTICS: "hatvalues cooks_distance influence overdispersion isSingular rePCA getME r2 icc "
    "marginal_coefs as_marginaleffects plot_diagnostics qqmath plot_effects check_laplace "
    "log_prior",
}
INSTEAD = {
    name: advice.format(name) for advice, names in GROUPS.items() for name in names.split()
} | {
    "checkConv": "chains converge in another sense than optimisers. See diagnosis().",
    "prior_predictive": "that is for priors alone. Use "
    "posterior.fit.prior_predictive(priors=posterior.priors).",
    "to_pymc": "it has the model already, posterior.pymc.",
    "sample": "it has been sampled. Use posterior.fit.sample() for more draws.",
    "dotplot": "use plot(kind='ranef').",
}
