"""The result of `glmer`: a table of contents that binds functions as methods."""

from mixedlm_pt import bayes, diagnostics, inference, prediction
from mixedlm_pt import summary as printed
from mixedlm_pt.fit import Fit


class GlmerResult(Fit):
    """A fitted GLMM; every method is the function of the same name.

    The object is frozen: no method changes it.
    """

    fixef = inference.fixef
    vcov = inference.vcov
    confint = inference.confint
    anova = inference.anova
    logLik = inference.logLik
    AIC = inference.AIC
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

    residuals = diagnostics.residuals
    isSingular = diagnostics.isSingular
    checkConv = diagnostics.checkConv

    VarCorr = printed.VarCorr
    summary = printed.summary
    __str__ = printed.print_fit
    __repr__ = printed.print_fit
    _repr_html_ = printed.fit_html

    to_pymc = bayes.to_pymc
    sample = bayes.sample
