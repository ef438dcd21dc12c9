"""Estimates with their uncertainty: covariance, intervals, likelihood, tests."""

from mixedlm_pt.inference.anova import anova
from mixedlm_pt.inference.confint import confint
from mixedlm_pt.inference.estimates import fixef, vcov
from mixedlm_pt.inference.hypotheses import LinearHypothesis, linear_hypothesis
from mixedlm_pt.inference.likelihood import (
    AIC,
    BIC,
    AICc,
    LogLik,
    deviance,
    df_residual,
    log_prior,
    logLik,
    ngrps,
    nobs,
    npar,
)
from mixedlm_pt.inference.parametric_lrt import BootstrapTest, pb_lrt
from mixedlm_pt.inference.profile_curve import Curve
from mixedlm_pt.inference.profile_likelihood import Profile, profile
from mixedlm_pt.inference.selection import model_selection
from mixedlm_pt.inference.single_term_deletions import drop1

__all__ = [
    "AIC",
    "BIC",
    "AICc",
    "BootstrapTest",
    "Curve",
    "LinearHypothesis",
    "LogLik",
    "Profile",
    "anova",
    "confint",
    "deviance",
    "df_residual",
    "drop1",
    "fixef",
    "linear_hypothesis",
    "logLik",
    "log_prior",
    "model_selection",
    "ngrps",
    "nobs",
    "npar",
    "pb_lrt",
    "profile",
    "vcov",
]
