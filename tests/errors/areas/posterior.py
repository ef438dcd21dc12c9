"""Posteriors."""

from mixedlm_pt.bayes.likelihood_verbs import NoPosteriorVersionError
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError
from tests.errors.case import Case

CASES = (
    Case(
        "no draws",
        "fit.sample(draws=0)",
        ArgumentError,
        "draws is 0; it must be a positive integer.",
    ),
    Case(
        "chains by a word",
        'fit.sample(chains="four")',
        ArgumentError,
        "chains is 'four'; it must be a positive integer.",
    ),
    Case(
        "no cores",
        "fit.sample(cores=-1)",
        ArgumentError,
        "cores is -1; it must be a positive integer.",
        instead="fit.sample(draws=20, tune=20, chains=1, cores=1, progressbar=False)",
    ),
    Case(
        "seed that is text",
        'fit.sample(random_seed="abc")',
        ArgumentError,
        "random_seed is 'abc'; it must be a non-negative integer, or None for a random one.",
    ),
    Case(
        "seed that is no integer",
        "fit.prior_predictive(random_seed=1.5)",
        ArgumentError,
        "random_seed is 1.5; it must be a non-negative integer, or None for a random one.",
    ),
    Case(
        "acceptance above one",
        "fit.sample(target_accept=80)",
        ArgumentError,
        "target_accept is 80; it must lie between 0 and 1.",
    ),
    Case(
        "unknown target",
        'fit.sample(target="marginal")',
        ArgumentError,
        "unknown target 'marginal'; known: full, laplace, agq.",
    ),
    Case(
        "unknown sampler",
        'fit.sample(sampler="stan")',
        ArgumentError,
        "unknown sampler 'stan'; known: nutpie, pymc, numpyro, blackjax.",
    ),
    Case(
        "sampler that is not installed",
        'fit.sample(sampler="numpyro")',
        ArgumentError,
        "sampler='numpyro' needs the package numpyro: pip install numpyro, or leave "
        "sampler out for nutpie.",
    ),
    Case(
        "unknown argument",
        "fit.sample(warmup=500, progressbar=False)",
        ArgumentError,
        "sample() hands warmup to nutpie.sample, which refuses: Unknown settings "
        "attribute: warmup.",
        instead="fit.sample(draws=20, tune=50, chains=1, cores=1, progressbar=False)",
    ),
    Case(
        "quadrature for two grouping factors",
        'crossed.sample(target="agq")',
        ArgumentError,
        'target="agq" is for one scalar random-effects term, (1 | g); this model has 2 '
        'with 2 effects a row. Use target="laplace".',
    ),
    Case(
        "centred effects of an unknown factor",
        'fit.to_pymc(centred={"period": True})',
        ArgumentError,
        "unknown grouping factor in centred 'period'; known: herd. Did you mean 'herd'?",
    ),
    Case(
        "not a model",
        "mlm.to_pymc(cbpp)",
        ArgumentError,
        "expected a fit or a model, not DataFrame; fit one with glmer().",
    ),
    Case(
        "level in percent",
        "posterior.summary(ci_prob=95)",
        ArgumentError,
        "ci_prob is 95; it must lie between 0 and 1.",
    ),
    Case(
        "unknown interval",
        'posterior.confint(kind="hpd")',
        ArgumentError,
        "unknown kind 'hpd'; known: eti, hdi. Did you mean 'hdi'?",
        instead='posterior.confint(kind="hdi")',
    ),
    Case(
        "verb of maximum likelihood",
        "posterior.profile()",
        NoPosteriorVersionError,
        "a posterior has no profile(): it tests by the likelihood. Compare posteriors by "
        "loo(), look at confint(), or use posterior.fit.profile().",
    ),
    Case(
        "groups that do not exist",
        'posterior.loo(by="farm")',
        ColumnNotFoundError,
        "the data have no column 'farm'; they have herd, incidence, size, period.",
        instead='posterior.loo(by="herd")',
    ),
    Case(
        "nodes for single rows",
        "posterior.loo(nAGQ=5)",
        ArgumentError,
        "nAGQ is for groups: the likelihood of a row has no integral.",
    ),
    Case(
        "unknown statistic",
        'posterior.check("median")',
        ArgumentError,
        "unknown statistic 'median'; known: mean, sd, min, max, zeros, dispersion. Did "
        "you mean 'mean'?",
        instead="posterior.check(np.median, nsim=20, seed=1)",
    ),
    Case(
        "statistic that is no function",
        "posterior.check(3)",
        ArgumentError,
        "statistic is 3; it must be a name (mean, sd, min, max, zeros, dispersion), a "
        "function of a response, or several of them.",
    ),
    Case(
        "draw that does not exist",
        "posterior.at_draw(10**9)",
        ArgumentError,
        "index is 1000000000; there are 400 draws, the first is 0.",
    ),
    Case(
        "comparison with nothing",
        "mlm.compare(fit)",
        ArgumentError,
        "compare() needs two results or more, such as compare(fit, fit.sample()); it got 1.",
    ),
    Case(
        "comparison with a table",
        "mlm.compare(fit, cbpp)",
        ArgumentError,
        "compare() takes fits and posteriors, compare(fit, fit.sample()); it got 'DataFrame'.",
    ),
    Case(
        "comparison of different data",
        "mlm.compare(reactions, posterior)",
        ArgumentError,
        "ML and Posterior have different numbers of rows; compare() puts estimates of "
        "one model from the same data beside each other. For different models see "
        "anova() and model_selection().",
    ),
    Case(
        "unknown subject of a comparison",
        'mlm.compare(fit, posterior, what="coefficients")',
        ArgumentError,
        "unknown what 'coefficients'; known: parameters, ranef, predictions.",
    ),
    Case(
        "leaving out of a fit",
        "mlm.loo_compare(fit, posterior)",
        ArgumentError,
        "loo_compare() takes posteriors, from fit.sample(), or what loo() returned; m1 "
        "is 'GlmerResult'.",
        instead="mlm.loo_compare(posterior, posterior)",
    ),
)
