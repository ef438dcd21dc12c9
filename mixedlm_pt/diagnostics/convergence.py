"""What a fit says about its own convergence, in words."""

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from mixedlm_pt.diagnostics.extremes import EXACT_FIT, has_exact_fit, runaway_variances
from mixedlm_pt.diagnostics.identifiability import tied_message, tied_variances
from mixedlm_pt.diagnostics.parameter_names import parameter_names
from mixedlm_pt.diagnostics.separation import separated_coefficients
from mixedlm_pt.diagnostics.singularity import singularities
from mixedlm_pt.errors import ConvergenceWarning, SingularFitWarning, warn
from mixedlm_pt.fit import Fit


@dataclass(frozen=True, eq=False)
class Convergence:
    """How far a fit is from the maximum of the likelihood.

    Attributes
    ----------
    ok : bool
        Whether it is there: the Newton decrement is below ``control.check_conv``, the information
        is positive definite and no coefficient runs to infinity. A singular fit can be ok.
    problems : tuple of str
        Why it is not ok, in sentences with a next step.
    singular : tuple of str
        Which parameters are at the edge of their space.
    gradient : Series
        Of the log-likelihood by parameter, at the estimates.
    decrement : float
        Gain in log-likelihood that a Newton step still promises.
    """

    ok: bool
    problems: tuple[str, ...]
    singular: tuple[str, ...]
    gradient: pd.Series
    decrement: float

    @property
    def messages(self) -> tuple[str, ...]:
        """Problems and singularities; empty for an unremarkable fit."""
        return (*self.problems, *self.singular)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def verdict(self) -> str:
        """Whether it converged, and what is left to gain."""
        gain = "unknown" if np.isnan(self.decrement) else f"{self.decrement:.1e}"
        return (
            f"{'converged' if self.ok else 'NOT converged'}; log-likelihood still to gain: {gain}"
        )

    def __str__(self) -> str:
        return "\n".join([self.verdict, *self.messages])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{escape(message)}</p>" for message in self.messages)
        return f"<div><p><strong>{escape(self.verdict)}</strong></p>{paragraphs}</div>"


def checkConv(fit: Fit) -> Convergence:
    """Whether a fit converged, judged by what a further Newton step would gain.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Convergence
        True in a condition when the fit is sound; print it for the reasons. lme4 judges the
        gradient against fixed tolerances, which depend on the units of the predictors; the Newton
        decrement ``g' I^-1 g / 2`` does not.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> checkConv(fit).ok
    True
    """
    problems, singular = findings(fit)
    gradient = named_gradient(fit)
    return Convergence(not problems, problems, singular, gradient, fit.outcome.decrement)


def findings(fit: Fit) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why a fit is not at the maximum, and what is at the edge of its space, in sentences."""
    outcome = fit.outcome
    separated = separated_coefficients(fit)
    problems = []
    if separated:
        problems.append(separation_message(separated))
    elif has_exact_fit(fit):
        problems.append(EXACT_FIT)
    elif not outcome.has_information:
        problems.append(
            "The observed information is not positive definite, so that standard errors do not "
            "exist: the data do not determine all parameters. Simplify the random effects, or "
            "rescale predictors of very different size."
        )
    elif tied := tied_variances(fit):
        problems.append(tied_message(tied))
    if outcome.has_information and outcome.decrement > fit.control.check_conv:
        problems.append(gain_message(fit))
    singular = [
        f"The fit is singular: {finding}. The estimates are valid and at the edge of the parameter "
        "space. A simpler term may fit as well: compare it by anova()."
        for finding in singularities(fit)
    ]
    if not separated:
        singular += runaway_variances(fit)
    if fit.boundary_phi:
        singular.append(limit_message(fit))
    return tuple(problems), tuple(singular)


def named_gradient(fit: Fit) -> pd.Series:
    """Gradient of the log-likelihood at the estimates, by parameter."""
    gradient = fit.outcome.gradient
    names = parameter_names(fit)[fit.model.n_par - len(gradient) :]
    return pd.Series(gradient, index=pd.Index(names), name="gradient")


def limit_message(fit: Fit) -> str:
    """A shape that leaves its family for the limit of it."""
    return (
        f"The fit is singular: {fit.family.phi_name} of {fit.family.name} runs to "
        f"{'infinity' if fit.phi > 1.0 else 'zero'} and the likelihood never falls. For a negative "
        "binomial this says that the counts are not overdispersed: family='poisson' fits as well."
    )


def separation_message(names: tuple[str, ...]) -> str:
    """Complete separation, with the coefficients at fault."""
    are = "coefficient of" if len(names) == 1 else "coefficients of"
    return (
        f"The likelihood rises without end in the {are} {', '.join(names)}: the response is "
        "completely separated there (a category with only failures or zeros, say, or a value of x "
        "that divides failures from successes). The estimate is infinite and its standard error "
        "and test mean nothing. Merge categories, drop the term, or use priors, such as "
        "priors={'coefficients': Normal(0.0, 2.5)}."
    )


def gain_message(fit: Fit) -> str:
    """A fit that stopped early, with the parameter that has most to gain."""
    outcome, gradient = fit.outcome, named_gradient(fit)
    variance = np.diag(fit.estimate.covariance)[-len(gradient) :]
    share = np.abs(gradient.to_numpy()) * np.sqrt(np.where(np.isnan(variance), 0.0, variance))
    return (
        f"The optimiser ({outcome.optimizer}: {outcome.message}) stopped where the log-likelihood "
        f"could still gain {outcome.decrement:.2g} (limit {fit.control.check_conv:g}), most of it "
        f"in {gradient.index[int(share.argmax())]}. Go on from here with start=fit, raise "
        "GlmerControl(maxfun=), or rescale the predictors."
    )


def with_warnings[AnyFit: Fit](fit: AnyFit) -> AnyFit:
    """The fit with its messages, each of which is warned of once.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning
        At the user's line.
    """
    problems, singular = findings(fit)
    if not fit.control.check_singular:
        singular = ()
    if problems:
        warn(" ".join(problems), ConvergenceWarning)
    if singular:
        warn(" ".join(singular), SingularFitWarning)
    messages = (*problems, *singular)
    return fit.replace(messages=messages) if messages else fit
