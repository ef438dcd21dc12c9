"""Generalized linear mixed models: one definition, fitted by maximum likelihood or sampled."""

from mixedlm_pt import datasets, errors, families
from mixedlm_pt.api import glmer, glmer_nb
from mixedlm_pt.bayes import compare, sample, to_pymc
from mixedlm_pt.datasets import (
    describe,
    load_arabidopsis,
    load_cbpp,
    load_contraception,
    load_culcitalogreg,
    load_epil2,
    load_grouseticks,
    load_guimmun,
    load_insteval,
    load_mmmec,
    load_ohio,
    load_owls,
    load_petrol,
    load_salamanders,
    load_sleepstudy,
    load_verbagg,
    load_wine,
    names,
)
from mixedlm_pt.diagnostics import checkConv, isSingular, residuals
from mixedlm_pt.estimation import GlmerControl
from mixedlm_pt.inference import (
    AIC,
    BIC,
    anova,
    confint,
    deviance,
    df_residual,
    fixef,
    logLik,
    ngrps,
    nobs,
    npar,
    vcov,
)
from mixedlm_pt.prediction import coef, fitted, predict, ranef
from mixedlm_pt.results import GlmerResult
from mixedlm_pt.summary import VarCorr, summary

__version__ = "0.1.0"

__all__ = [
    "AIC",
    "BIC",
    "GlmerControl",
    "GlmerResult",
    "VarCorr",
    "__version__",
    "anova",
    "checkConv",
    "coef",
    "compare",
    "confint",
    "datasets",
    "describe",
    "deviance",
    "df_residual",
    "errors",
    "families",
    "fitted",
    "fixef",
    "glmer",
    "glmer_nb",
    "isSingular",
    "load_arabidopsis",
    "load_cbpp",
    "load_contraception",
    "load_culcitalogreg",
    "load_epil2",
    "load_grouseticks",
    "load_guimmun",
    "load_insteval",
    "load_mmmec",
    "load_ohio",
    "load_owls",
    "load_petrol",
    "load_salamanders",
    "load_sleepstudy",
    "load_verbagg",
    "load_wine",
    "logLik",
    "names",
    "ngrps",
    "nobs",
    "npar",
    "predict",
    "ranef",
    "residuals",
    "sample",
    "summary",
    "to_pymc",
    "vcov",
]
