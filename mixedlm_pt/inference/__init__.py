"""Estimates with their uncertainty: covariance, intervals, likelihood, tests."""

from mixedlm_pt.inference.anova import anova
from mixedlm_pt.inference.confint import confint
from mixedlm_pt.inference.estimates import fixef, vcov
from mixedlm_pt.inference.likelihood import (
    AIC,
    BIC,
    LogLik,
    deviance,
    df_residual,
    logLik,
    ngrps,
    nobs,
    npar,
)

__all__ = [
    "AIC",
    "BIC",
    "LogLik",
    "anova",
    "confint",
    "deviance",
    "df_residual",
    "fixef",
    "logLik",
    "ngrps",
    "nobs",
    "npar",
    "vcov",
]
