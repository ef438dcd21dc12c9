"""The result of `glmer`: a table of contents that binds functions as methods."""

from dataclasses import dataclass

from mixedlm_pt import diagnostics, extraction, inference, prediction, refitting
from mixedlm_pt import summary as printed
from mixedlm_pt.fit import Fit
from mixedlm_pt.on_demand import EAGER_IMPORT, on_demand

if EAGER_IMPORT:
    from mixedlm_pt import bayes, interpretation, plotting
else:
    # Not every script needs them, but every script would wait for them.
    bayes = on_demand("mixedlm_pt.bayes")
    interpretation = on_demand("mixedlm_pt.interpretation")
    plotting = on_demand("mixedlm_pt.plotting")


# Frozen itself: the base class guards only its own fields in instances of a subclass.
@dataclass(frozen=True, eq=False, repr=False)
class GlmerResult(Fit):
    """A fitted GLMM; every method is the function of the same name.

    The object is frozen: no method changes it.
    """

    fixef = inference.fixef
    vcov = inference.vcov
    confint = inference.confint
    profile = plotting.profile
    anova = inference.anova
    linear_hypothesis = inference.linear_hypothesis
    drop1 = inference.drop1
    pb_lrt = inference.pb_lrt
    logLik = inference.logLik
    log_prior = inference.log_prior
    AIC = inference.AIC
    AICc = inference.AICc
    BIC = inference.BIC
    deviance = inference.deviance
    df_residual = inference.df_residual
    nobs = inference.nobs
    ngrps = inference.ngrps
    npar = inference.npar

    ranef = prediction.ranef
    coef = prediction.coef
    predict = prediction.predict
    fitted = prediction.fitted
    simulate = prediction.simulate
    marginal_coefs = prediction.marginal_coefs

    refit = refitting.refit
    update = refitting.update
    allFit = refitting.allFit
    cross_validate = refitting.cross_validate
    power = refitting.power
    bootMer = refitting.bootMer

    residuals = diagnostics.residuals
    simulate_residuals = plotting.simulate_residuals
    hatvalues = diagnostics.hatvalues
    cooks_distance = diagnostics.cooks_distance
    influence = diagnostics.influence
    check_laplace = plotting.check_laplace
    overdispersion = diagnostics.overdispersion
    r2 = diagnostics.r2
    icc = diagnostics.icc
    rePCA = diagnostics.rePCA
    isSingular = diagnostics.isSingular
    checkConv = diagnostics.checkConv

    formula = extraction.formula
    getME = extraction.getME
    model_frame = extraction.model_frame
    model_matrix = extraction.model_matrix
    weights = extraction.weights

    emmeans = interpretation.emmeans
    emtrends = interpretation.emtrends
    predictions = interpretation.predictions
    avg_predictions = interpretation.avg_predictions
    comparisons = interpretation.comparisons
    avg_comparisons = interpretation.avg_comparisons
    slopes = interpretation.slopes
    avg_slopes = interpretation.avg_slopes
    as_marginaleffects = interpretation.as_marginaleffects

    VarCorr = printed.VarCorr
    summary = printed.summary
    tidy = printed.tidy
    glance = printed.glance
    augment = printed.augment
    plot = plotting.plot
    dotplot = plotting.dotplot
    qqmath = plotting.qqmath
    plot_diagnostics = plotting.plot_diagnostics
    plot_effects = plotting.plot_effects

    __str__ = printed.print_fit
    __repr__ = printed.print_fit
    _repr_html_ = printed.fit_html

    to_pymc = bayes.to_pymc
    prior_summary = bayes.prior_summary
    prior_predictive = plotting.prior_predictive
    sample = plotting.sample
