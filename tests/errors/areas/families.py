"""Families and links."""

from mixedlm_pt.errors import ArgumentError, DataError, EstimationError
from tests.errors.case import Case

CASES = (
    Case(
        "unknown family",
        'mlm.glmer(formula, cbpp, "binomal")',
        ArgumentError,
        "unknown family 'binomal'; known: gaussian, binomial, poisson, "
        "negative_binomial, gamma, inverse_gaussian, quasibinomial, quasipoisson. Did "
        "you mean 'binomial'?",
    ),
    Case(
        "family that does not exist here",
        'mlm.glmer(formula, cbpp, "beta")',
        ArgumentError,
        "unknown family 'beta'; known: gaussian, binomial, poisson, negative_binomial, "
        "gamma, inverse_gaussian, quasibinomial, quasipoisson.",
    ),
    Case(
        "family that is none",
        "mlm.glmer(formula, cbpp, 3)",
        ArgumentError,
        "family is 3; it must be a name (gaussian, binomial, poisson, negative_binomial, "
        "gamma, inverse_gaussian, quasibinomial, quasipoisson), a Family class or an "
        "instance such as families.Binomial().",
    ),
    Case(
        "link in the name of the family",
        'mlm.glmer(formula, cbpp, "binomial(probit)")',
        ArgumentError,
        "unknown family 'binomial(probit)'; known: gaussian, binomial, poisson, "
        "negative_binomial, gamma, inverse_gaussian, quasibinomial, quasipoisson. Did "
        "you mean 'binomial'?",
        instead='mlm.glmer(formula, cbpp, families.Binomial(link="probit"))',
    ),
    Case(
        "unknown link",
        'families.Binomial(link="logti")',
        ArgumentError,
        "unknown link 'logti'; known: logit, probit, cloglog, cauchit, log, identity, "
        "inverse, sqrt, 1/mu^2. Did you mean 'logit'?",
    ),
    Case(
        "link of another family",
        'families.Poisson(link="logit")',
        ArgumentError,
        "link 'logit' is not available for poisson; allowed: log, sqrt, identity. For "
        "another one pass an instance of your own Link class.",
    ),
    Case(
        "counts for the binomial",
        'mlm.glmer("incidence ~ period + (1 | herd)", cbpp)',
        DataError,
        "response 'incidence' has 21 values outside the support of binomial (proportions "
        "between 0 and 1), first at row 0: 2. For counts of successes write successes / "
        "trials.",
        instead='mlm.glmer("incidence / size ~ period + (1 | herd)", cbpp)',
    ),
    Case(
        "more successes than trials",
        'mlm.glmer("size / incidence ~ period + (1 | herd)", cbpp)',
        DataError,
        "response 'size / incidence' has more successes than trials in 56 rows, first at "
        "row 0: 14 of 2",
    ),
    Case(
        "fractions as successes",
        "mlm.glmer(formula, cbpp.assign(incidence=0.5))",
        DataError,
        "response 'incidence / size' has 56 rows whose number of successes is not a "
        "whole number, first at row 0: 14 trials times 0.0357143 is 0.5",
    ),
    Case(
        "three columns for two",
        'mlm.glmer("cbind(incidence, size, size) ~ (1 | herd)", cbpp)',
        DataError,
        "response 'cbind(incidence, size, size)' has 3 columns; binomial takes two, "
        "cbind(successes, failures)",
        instead='mlm.glmer("cbind(incidence, size - incidence) ~ (1 | herd)", cbpp)',
    ),
    Case(
        "response of four levels",
        'mlm.glmer("period ~ size + (1 | herd)", cbpp)',
        DataError,
        "response 'period' has 4 levels (1, 2, 3, 4); binomial takes two, the second of "
        'which is the success. Compare with one of them, for example (period == "4") ~ ...',
        instead="mlm.glmer(\"(period == '4') ~ size + (1 | herd)\", cbpp, control=quiet)",
    ),
    Case(
        "proportions for the Poisson",
        'mlm.glmer(formula, cbpp, "poisson")',
        DataError,
        "response 'incidence / size' has 34 values outside the support of poisson "
        "(non-negative integers), first at row 0: 0.142857.",
        instead='mlm.glmer("incidence ~ period + offset(log(size)) + (1 | herd)", cbpp, "poisson")',
    ),
    Case(
        "negative counts",
        'mlm.glmer("incidence - 1 ~ (1 | herd)", cbpp, "poisson")',
        DataError,
        "response 'incidence - 1' has 22 values outside the support of poisson "
        "(non-negative integers), first at row 3: -1.",
    ),
    Case(
        "negative counts, negative binomial",
        'mlm.glmer_nb("incidence - 1 ~ (1 | herd)", cbpp)',
        DataError,
        "response 'incidence - 1' has 22 values outside the support of negative_binomial "
        "(non-negative integers), first at row 3: -1.",
    ),
    Case(
        "zeros for the Gamma",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "gamma")',
        DataError,
        "response 'incidence' has 22 values outside the support of gamma (positive "
        "numbers), first at row 3: 0.",
    ),
    Case(
        "zeros for the inverse Gaussian",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "inverse_gaussian")',
        DataError,
        "response 'incidence' has 22 values outside the support of inverse_gaussian "
        "(positive numbers), first at row 3: 0.",
    ),
    Case(
        "infinite response",
        'mlm.glmer("log(incidence) ~ (1 | herd)", cbpp, "gaussian")',
        DataError,
        "response 'log(incidence)' has 22 values outside the support of gaussian (finite "
        "real numbers), first at row 3: -inf.",
    ),
    Case(
        "factor for the Gaussian",
        'mlm.glmer("period ~ size + (1 | herd)", cbpp, "gaussian")',
        DataError,
        "response 'period' is categorical (levels 1, 2, 3, 4); gaussian needs numbers",
    ),
    Case(
        "negative shape",
        'mlm.glmer_nb("incidence ~ (1 | herd)", cbpp, theta=-1)',
        ArgumentError,
        "theta is -1; it must be a positive, finite number.",
    ),
    Case(
        "family for glmer_nb",
        'mlm.glmer_nb("incidence ~ (1 | herd)", cbpp, family="poisson")',
        ArgumentError,
        "glmer_nb() has its family, the negative binomial; for another one use glmer().",
        instead='mlm.glmer("incidence ~ (1 | herd)", cbpp, family="poisson")',
    ),
    Case(
        "variance function with an unknown name",
        'families.QuasiFamily(variance_func="mu * x", link="log")',
        ArgumentError,
        "variance_func 'mu * x' contains 'x'; allowed are mu, numbers, + - * / ^, "
        "parentheses and exp, log, sqrt.",
    ),
    Case(
        "own family: no function",
        'families.CustomFamily("mine", None, "log")',
        ArgumentError,
        "logp of family 'mine' is None; it must be a function of (y, mean, phi).",
    ),
    Case(
        "own family: wrong arguments",
        'families.CustomFamily("mine", lambda y, mu: -mu, "log")',
        ArgumentError,
        "logp of family 'mine' is ...; it must be a function of (y, mean, phi).",
    ),
    Case(
        "own family: sum over rows",
        "family = families.CustomFamily(\n"
        '    "mine", lambda y, mean, phi: (y * mean.log_mu - mean.mu).sum(), "log"\n'
        ")\n"
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, family)',
        ArgumentError,
        "logp of family 'mine' gives one number for all rows; it must give one value a "
        "row, without sums over rows.",
    ),
    Case(
        "own family: response and mean apart",
        'family = families.CustomFamily("mine", lambda y, mean, phi: -y - mean.mu, "log")\n'
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, family)',
        ArgumentError,
        "logp of family 'mine' has no term in which y meets the mean, so the response "
        "would say nothing about it. Check the expression.",
    ),
    Case(
        "own family: not a number",
        "family = families.CustomFamily(\n"
        '    "mine", lambda y, mean, phi: np.nan * (y * mean.log_mu - mean.mu), "log"\n'
        ")\n"
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, family)',
        EstimationError,
        "the log density cannot be evaluated at the starting values; give start= or another link.",
    ),
    Case(
        "own family: class without facts",
        "class Mine(families.Family):\n"
        '    name = "mine"\n'
        "\n"
        "\n"
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, Mine)',
        ArgumentError,
        "the family class Mine does not state links, support, default_link, logp(); a "
        "Family needs name, default_link, links, support and logp(y, mean, phi).",
    ),
    Case(
        "own family: class that needs arguments",
        "mlm.glmer(formula, cbpp, families.CustomFamily)",
        ArgumentError,
        "family CustomFamily needs arguments (CustomFamily.__init__() missing 3 required "
        "positional arguments: 'name', 'logp', and 'link'); give an instance.",
    ),
    Case(
        "quasi-family asked for a likelihood",
        'mlm.glmer(formula, cbpp, "quasibinomial").AIC()',
        ArgumentError,
        "AIC() does not exist for the family 'quasibinomial': it has a mean and a "
        "variance but no likelihood. Compare such models by Wald tests, anova(fit), or "
        "fit a family with a likelihood such as negative_binomial.",
    ),
    Case(
        "quasi-family asked for a posterior",
        'mlm.glmer(formula, cbpp, "quasibinomial").sample()',
        ArgumentError,
        "quasibinomial has no likelihood and so no posterior; use a family with one, "
        "such as binomial, poisson or negative_binomial.",
    ),
    Case(
        "quasi-family asked for simulations",
        'mlm.glmer(formula, cbpp, "quasibinomial").simulate()',
        ArgumentError,
        "quasibinomial has a mean and a variance but no distribution: it cannot be simulated.",
    ),
)
