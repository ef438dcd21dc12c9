"""Priors."""

from mixedlm_pt.errors import ArgumentError
from tests.errors.case import Case

CASES = (
    Case(
        "unknown parameter",
        'mlm.glmer(formula, cbpp, priors={"perod2": Normal(0, 1)})',
        ArgumentError,
        "unknown parameter in priors 'perod2'; known: (Intercept), period2, period3, "
        "period4, coefficients, sd, sd_herd, sd_herd[(Intercept)], preset. Did you mean "
        "'period2'?",
        instead='mlm.glmer(formula, cbpp, priors={"period2": Normal(0, 1)})',
    ),
    Case(
        "correlations in a model without",
        'fit.sample(priors={"corr": LKJ(2)})',
        ArgumentError,
        "unknown parameter in priors 'corr'; known: (Intercept), period2, period3, "
        "period4, coefficients, sd, sd_herd, sd_herd[(Intercept)], preset.",
    ),
    Case(
        "unknown preset",
        'fit.sample(priors="stan")',
        ArgumentError,
        "unknown preset of priors 'stan'; known: default, flat, rstanarm, brms, bambi. "
        "Did you mean 'rstanarm'?",
    ),
    Case(
        "prior without a parameter",
        "fit.sample(priors=Normal(0, 1))",
        ArgumentError,
        "priors is Normal(location=0, scale=1); it must be a preset (default, flat, "
        "rstanarm, brms, bambi), a mapping from parameters to priors such as {'sd': "
        "Exponential(2.0)}, or None for the default.",
        instead='fit.prior_summary(priors={"coefficients": Normal(0, 1)})',
    ),
    Case(
        "number for a prior",
        'fit.sample(priors={"coefficients": 2.5})',
        ArgumentError,
        "the prior of 'coefficients' is 2.5; it must be a distribution on the real line "
        "or an interval.",
    ),
    Case(
        "negative standard deviations",
        'fit.sample(priors={"sd": Normal(0, 1)})',
        ArgumentError,
        "the prior of 'sd' is Normal(location=0, scale=1); it must be a distribution on "
        "positive numbers.",
        instead='fit.prior_summary(priors={"sd": HalfNormal(1)})',
    ),
    Case(
        "range with negative standard deviations",
        'fit.sample(priors={"sd": Uniform(-1, 1)})',
        ArgumentError,
        "the prior of 'sd' is Uniform(lower=-1, upper=1); it must be a distribution on "
        "positive numbers.",
    ),
    Case(
        "half a line for a coefficient",
        'fit.sample(priors={"coefficients": HalfNormal(1)})',
        ArgumentError,
        "the prior of 'coefficients' is HalfNormal(scale=1); it must be a distribution "
        "on the real line or an interval.",
    ),
    Case(
        "scale of zero",
        "Normal(0, 0)",
        ArgumentError,
        "scale of Normal is 0; it must be a positive finite number.",
    ),
    Case(
        "limits the wrong way round",
        "Uniform(1, 0)",
        ArgumentError,
        "upper of Uniform is 0; it must be above lower, 1.",
    ),
    Case(
        "shape of LKJ",
        "LKJ(0)",
        ArgumentError,
        "eta of LKJ is 0; it must be a positive finite number.",
    ),
    Case(
        "draws from improper priors",
        'fit.prior_predictive(priors="flat")',
        ArgumentError,
        "the priors of (Intercept), period2, period3, period4, sd_herd[(Intercept)] are "
        "improper (flat): nothing can be drawn from them. Give proper ones, such as "
        "priors='default' or {'coefficients': Normal(0.0, 2.5)}.",
        instead='fit.prior_predictive(priors="rstanarm", draws=10)',
    ),
    Case(
        "AIC of a penalised fit",
        'mlm.glmer(formula, cbpp, priors={"coefficients": Normal(0, 1)}).AIC()',
        ArgumentError,
        "AIC() needs a maximum of the likelihood, but this fit is penalised by priors: "
        "it maximises logLik() + log_prior(), and its parameters are not all free. Fit "
        "it without them, fit.update(priors=None), or compare predictions: "
        "cross_validate(), or LOO of fit.sample().",
    ),
)
