"""Generalized linear mixed models: one definition, fitted by maximum likelihood or sampled."""

from importlib import import_module
from typing import TYPE_CHECKING

from mixedlm_pt import datasets, errors, families
from mixedlm_pt.api import glmer, glmer_nb
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
from mixedlm_pt.diagnostics import (
    checkConv,
    cooks_distance,
    hatvalues,
    icc,
    influence,
    isSingular,
    overdispersion,
    r2,
    rePCA,
    residuals,
)
from mixedlm_pt.estimation import GlmerControl
from mixedlm_pt.extraction import getME, model_frame, model_matrix, weights
from mixedlm_pt.glmer_model import GlmerModel, glmer_model
from mixedlm_pt.inference import (
    AIC,
    BIC,
    AICc,
    anova,
    confint,
    deviance,
    df_residual,
    drop1,
    fixef,
    linear_hypothesis,
    log_prior,
    logLik,
    model_selection,
    ngrps,
    nobs,
    npar,
    pb_lrt,
    vcov,
)
from mixedlm_pt.on_demand import EAGER_IMPORT
from mixedlm_pt.prediction import coef, fitted, marginal_coefs, predict, ranef, simulate
from mixedlm_pt.refitting import allFit, bootMer, cross_validate, power, refit, update
from mixedlm_pt.results import GlmerResult
from mixedlm_pt.summary import VarCorr, augment, glance, summary, tidy
from mixedlm_pt.verb_functions import as_function

if TYPE_CHECKING or EAGER_IMPORT:
    from mixedlm_pt.bayes import loo_compare, prior_summary, to_pymc
    from mixedlm_pt.interpretation import (
        avg_comparisons,
        avg_predictions,
        avg_slopes,
        comparisons,
        contrast,
        emmeans,
        emtrends,
        pairs,
        predictions,
        slopes,
    )
    from mixedlm_pt.plotting import (
        compare,
        dotplot,
        plot,
        plot_diagnostics,
        plot_effects,
        prior_predictive,
        profile,
        qqmath,
        sample,
        simulate_residuals,
    )
else:

    def __getattr__(name):
        """A name from the folders that a fit does without, imported at first use (PEP 562)."""
        folders = ("plotting", "bayes", "interpretation")
        if name in folders:
            return import_module(f"mixedlm_pt.{name}")
        if name in __all__:
            for folder in map(__getattr__, folders):
                if name in folder.__all__:
                    verb = as_function(getattr(folder, name))
                    return globals().setdefault(name, verb)
        raise AttributeError(f"module 'mixedlm_pt' has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

__all__ = [
    "AIC",
    "BIC",
    "AICc",
    "GlmerControl",
    "GlmerModel",
    "GlmerResult",
    "VarCorr",
    "__version__",
    "allFit",
    "anova",
    "augment",
    "avg_comparisons",
    "avg_predictions",
    "avg_slopes",
    "bootMer",
    "checkConv",
    "coef",
    "compare",
    "comparisons",
    "confint",
    "contrast",
    "cooks_distance",
    "cross_validate",
    "datasets",
    "describe",
    "deviance",
    "df_residual",
    "dotplot",
    "drop1",
    "emmeans",
    "emtrends",
    "errors",
    "families",
    "fitted",
    "fixef",
    "getME",
    "glance",
    "glmer",
    "glmer_model",
    "glmer_nb",
    "hatvalues",
    "icc",
    "influence",
    "isSingular",
    "linear_hypothesis",
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
    "log_prior",
    "loo_compare",
    "marginal_coefs",
    "model_frame",
    "model_matrix",
    "model_selection",
    "names",
    "ngrps",
    "nobs",
    "npar",
    "overdispersion",
    "pairs",
    "pb_lrt",
    "plot",
    "plot_diagnostics",
    "plot_effects",
    "power",
    "predict",
    "predictions",
    "prior_predictive",
    "prior_summary",
    "profile",
    "qqmath",
    "r2",
    "ranef",
    "rePCA",
    "refit",
    "residuals",
    "sample",
    "simulate",
    "simulate_residuals",
    "slopes",
    "summary",
    "tidy",
    "to_pymc",
    "update",
    "vcov",
    "weights",
]

globals().update({name: as_function(globals()[name]) for name in __all__ if name in globals()})
