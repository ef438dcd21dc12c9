"""Formulas."""

from mixedlm_pt.errors import (
    ArgumentError,
    ColumnNotFoundError,
    DataError,
    FormulaError,
    RankDeficiencyWarning,
    SingularFitWarning,
)
from tests.errors.case import Case

CASES = (
    Case(
        "parenthesis left open",
        'mlm.glmer("incidence / size ~ period + (1 | herd", cbpp)',
        FormulaError,
        "'(' is never closed\n"
        "    incidence / size ~ period + (1 | herd\n"
        "                                ^",
    ),
    Case(
        "one parenthesis too many",
        'mlm.glmer("incidence / size ~ period + (1 | herd))", cbpp)',
        FormulaError,
        "')' without a matching '('\n"
        "    incidence / size ~ period + (1 | herd))\n"
        "                                          ^",
    ),
    Case(
        "bar without parentheses",
        'mlm.glmer("incidence / size ~ period + 1 | herd", cbpp)',
        FormulaError,
        "'|' outside parentheses; write a random-effects term as (x | g)\n"
        "    incidence / size ~ period + 1 | herd\n"
        "                                  ^",
        instead='mlm.glmer("incidence / size ~ period + (1 | herd)", cbpp)',
    ),
    Case(
        "bar forgotten",
        'mlm.glmer("incidence / size ~ period + (1 herd)", cbpp)',
        FormulaError,
        "expected an operator between '1' and 'herd'\n"
        "    incidence / size ~ period + (1 herd)\n"
        "                                   ^",
    ),
    Case(
        "two bars in one term",
        'mlm.glmer("incidence / size ~ (1 | herd | period)", cbpp)',
        FormulaError,
        "a random-effects term has one '|'; add terms up, (1 | g) + (1 | h)\n"
        "    incidence / size ~ (1 | herd | period)\n"
        "                        ^",
        instead='mlm.glmer("incidence / size ~ (1 | herd) + (1 | period)", cbpp, control=quiet)',
    ),
    Case(
        "random-effects term inside another",
        'mlm.glmer("incidence / size ~ ((1 | herd) | period)", cbpp)',
        FormulaError,
        "a random-effects term has one '|'; add terms up, (1 | g) + (1 | h)\n"
        "    incidence / size ~ ((1 | herd) | period)\n"
        "                        ^",
    ),
    Case(
        "no grouping factor",
        'mlm.glmer("incidence / size ~ period + (1 | )", cbpp)',
        FormulaError,
        "expected a grouping factor after '|'\n"
        "    incidence / size ~ period + (1 | )\n"
        "                                     ^",
    ),
    Case(
        "number as grouping factor",
        'mlm.glmer("incidence / size ~ period + (1 | 1)", cbpp)',
        FormulaError,
        "1 is not a grouping factor; name a column\n"
        "    incidence / size ~ period + (1 | 1)\n"
        "                                     ^",
        instead='mlm.glmer("incidence / size ~ period", cbpp)',
    ),
    Case(
        "sum of grouping factors",
        'mlm.glmer("incidence / size ~ (1 | herd + period)", cbpp)',
        FormulaError,
        "herd + period is not a grouping factor; write one term for each factor\n"
        "    incidence / size ~ (1 | herd + period)\n"
        "                            ^",
        instead='mlm.glmer("incidence / size ~ (1 | herd) + (1 | period)", cbpp, control=quiet)',
    ),
    Case(
        "random-effects term without effects",
        'mlm.glmer("incidence / size ~ period + (0 | herd)", cbpp)',
        FormulaError,
        "the random-effects term has no effects; write (1 | g) or (0 + x | g)\n"
        "    incidence / size ~ period + (0 | herd)\n"
        "                                 ^",
    ),
    Case(
        "same random effect twice",
        'mlm.glmer("incidence / size ~ (size | herd) + (1 | herd)", cbpp)',
        FormulaError,
        "the random-effects terms (size | herd) and (1 | herd) both give grouping factor "
        "'herd' the column '(Intercept)', so their variances cannot be told apart. Drop "
        "one of them.",
        instead='mlm.glmer("incidence / size ~ (size || herd)", cbpp, control=quiet)',
    ),
    Case(
        "random effect in a product",
        'mlm.glmer("incidence / size ~ period * (1 | herd)", cbpp)',
        FormulaError,
        "a random-effects term can only be added or subtracted\n"
        "    incidence / size ~ period * (1 | herd)\n"
        "                                ^",
    ),
    Case(
        "covariance structure of glmmTMB",
        'mlm.glmer("incidence / size ~ period + cs(1 + size | herd)", cbpp)',
        FormulaError,
        "cs() is not a known covariance structure; write (1 + size | herd)\n"
        "    incidence / size ~ period + cs(1 + size | herd)\n"
        "                                ^",
        instead='mlm.glmer("incidence / size ~ period + (1 + size | herd)", cbpp, control=quiet)',
    ),
    Case(
        "unknown predictor",
        'mlm.glmer("incidence / size ~ perid + (1 | herd)", cbpp)',
        ColumnNotFoundError,
        "the data have no column 'perid'; they have herd, incidence, size, period. Did "
        "you mean 'period'?",
    ),
    Case(
        "unknown grouping factor",
        'mlm.glmer("incidence / size ~ period + (1 | hred)", cbpp)',
        ColumnNotFoundError,
        "the data have no column 'hred'; they have herd, incidence, size, period. Did "
        "you mean 'herd'?",
    ),
    Case(
        "unknown response",
        'mlm.glmer("incidents / size ~ period + (1 | herd)", cbpp)',
        ColumnNotFoundError,
        "the data have no column 'incidents'; they have herd, incidence, size, period. "
        "Did you mean 'incidence'?",
    ),
    Case(
        "no response",
        'mlm.glmer("~ period + (1 | herd)", cbpp)',
        FormulaError,
        "a formula cannot start with '~'; write the response before it\n"
        "    ~ period + (1 | herd)\n"
        "    ^",
    ),
    Case(
        "no tilde",
        'mlm.glmer("period + (1 | herd)", cbpp)',
        FormulaError,
        "a formula needs a response and a '~': write 'y ~ x + (1 | g)'\n"
        "    period + (1 | herd)\n"
        "                       ^",
    ),
    Case(
        "nothing after the tilde",
        'mlm.glmer("incidence / size ~ ", cbpp)',
        FormulaError,
        "expected the predictors after '~'; write '~ 1' for an intercept alone\n"
        "    incidence / size ~ \n"
        "                      ^",
        instead='mlm.glmer("incidence / size ~ 1", cbpp)',
    ),
    Case(
        "two tildes",
        'mlm.glmer("incidence / size ~ period ~ herd", cbpp)',
        FormulaError,
        "a formula has one '~'\n    incidence / size ~ period ~ herd\n                     ^",
    ),
    Case(
        "equals sign for a tilde",
        'mlm.glmer("incidence / size = period + (1 | herd)", cbpp)',
        FormulaError,
        "expected an operator between 'size' and '='; between response and predictors "
        "stands '~'\n"
        "    incidence / size = period + (1 | herd)\n"
        "                     ^",
    ),
    Case(
        "operator without a term",
        'mlm.glmer("incidence / size ~ period + * size", cbpp)',
        FormulaError,
        "expected a term after '+'\n"
        "    incidence / size ~ period + * size\n"
        "                                ^",
    ),
    Case(
        "empty formula",
        'mlm.glmer("", cbpp)',
        FormulaError,
        "the formula is empty\n    \n    ^",
    ),
    Case(
        "formula that is no text",
        'mlm.glmer(["incidence", "period"], cbpp)',
        FormulaError,
        "a formula is text such as 'y ~ x + (1 | g)', not ['incidence', 'period']",
    ),
    Case(
        "unknown function",
        'mlm.glmer("incidence / size ~ sqroot(size) + (1 | herd)", cbpp)',
        FormulaError,
        "a formula cannot call sqroot(); known: abs, sqrt, exp, expm1, log, log2, log10, "
        "log1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, floor, ceiling, ceil, "
        "round, trunc, sign, pmin, pmax, minimum, maximum, ifelse, where, as.numeric, "
        "as.integer, scale, center, poly, bs, ns, factor, as.factor, ordered, C, I, "
        "cbind, c. Compute other columns first. Did you mean sqrt()?",
        instead='mlm.glmer("incidence / size ~ sqrt(size) + (1 | herd)", cbpp)',
    ),
    Case(
        "smooth of mgcv",
        'mlm.glmer("incidence / size ~ spline(size) + (1 | herd)", cbpp)',
        FormulaError,
        "a formula cannot call spline(); known: abs, sqrt, exp, expm1, log, log2, log10, "
        "log1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, floor, ceiling, ceil, "
        "round, trunc, sign, pmin, pmax, minimum, maximum, ifelse, where, as.numeric, "
        "as.integer, scale, center, poly, bs, ns, factor, as.factor, ordered, C, I, "
        "cbind, c. Compute other columns first. Did you mean sin()?",
        instead='mlm.glmer("incidence / size ~ ns(size, df=3) + (1 | herd)", cbpp)',
    ),
    Case(
        "function without argument",
        'mlm.glmer("incidence / size ~ log() + (1 | herd)", cbpp)',
        FormulaError,
        "log() needs an argument\n"
        "    incidence / size ~ log() + (1 | herd)\n"
        "                       ^",
    ),
    Case(
        "logarithm of a factor",
        'mlm.glmer("incidence / size ~ log(period) + (1 | herd)", cbpp)',
        DataError,
        "'period' is not numeric, so no arithmetic can be done on it. Convert it to "
        "numbers first, or use it as it is.",
    ),
    Case(
        "index in brackets",
        'mlm.glmer("incidence / size ~ size[0] + (1 | herd)", cbpp)',
        FormulaError,
        "'[' cannot be used in a formula; compute the column first and name it, or quote "
        "an unusual name with backticks\n"
        "    incidence / size ~ size[0] + (1 | herd)\n"
        "                           ^",
    ),
    Case(
        "name of a column in quotes",
        "mlm.glmer(\"incidence / size ~ 'period' + (1 | herd)\", cbpp)",
        FormulaError,
        '"period" is no predictor: it does not give one value a row. Write the name of a '
        "column without quotes.",
        instead='mlm.glmer("incidence / size ~ period + (1 | herd)", cbpp)',
    ),
    Case(
        "vector as a predictor",
        'mlm.glmer("incidence / size ~ c(1, 2) + (1 | herd)", cbpp)',
        FormulaError,
        "c(1, 2) is no predictor: it does not give one value a row. Write the name of a "
        "column without quotes.",
    ),
    Case(
        "number as a term",
        'mlm.glmer("incidence / size ~ 2 * size + (1 | herd)", cbpp)',
        FormulaError,
        "2 is not a term; 0 and 1 stand alone, for the intercept\n"
        "    incidence / size ~ 2 * size + (1 | herd)\n"
        "                       ^",
        instead='mlm.glmer("incidence / size ~ I(2 * size) + (1 | herd)", cbpp)',
    ),
    Case(
        "power that is no number",
        'mlm.glmer("incidence / size ~ period^size + (1 | herd)", cbpp)',
        FormulaError,
        "a term's exponent is a positive integer\n"
        "    incidence / size ~ period^size + (1 | herd)\n"
        "                              ^",
    ),
    Case(
        "dot outside an update",
        'mlm.glmer("incidence / size ~ . + (1 | herd)", cbpp)',
        FormulaError,
        "'.' stands for the old terms in an update; here name every predictor",
    ),
    Case(
        "offset in an interaction",
        'mlm.glmer("incidence ~ period:offset(size) + (1 | herd)", cbpp, "poisson")',
        FormulaError,
        "offset(size) cannot be used here; an offset is a term of its own, added to the "
        "predictors: y ~ x + offset(z) + (1 | g)",
        instead='mlm.glmer("incidence ~ period + offset(log(size)) + (1 | herd)", cbpp, "poisson")',
    ),
    Case(
        "response of brms",
        'mlm.glmer("incidence | trials(size) ~ period + (1 | herd)", cbpp)',
        FormulaError,
        "'|' in the response; write successes / trials or cbind(successes, failures)\n"
        "    incidence | trials(size) ~ period + (1 | herd)\n"
        "              ^",
        instead='mlm.glmer("incidence / size ~ period + (1 | herd)", cbpp)',
    ),
    Case(
        "polynomial of too high a degree",
        'mlm.glmer("incidence / size ~ poly(size, 50) + (1 | herd)", cbpp)',
        DataError,
        "poly() of degree 50 needs more than 50 different values, there are 23",
    ),
    Case(
        "degree that is no number",
        "mlm.glmer(\"incidence / size ~ bs(size, degree='a') + (1 | herd)\", cbpp)",
        FormulaError,
        "bs(size, degree = \"a\") cannot be evaluated: invalid literal for int() with base 10: 'a'",
    ),
    Case(
        "unknown contrast",
        'mlm.glmer("incidence / size ~ C(period, sums) + (1 | herd)", cbpp)',
        ArgumentError,
        "unknown contrast 'sums'; known: treatment, sum, helmert, poly, SAS. Did you mean 'sum'?",
        instead='mlm.glmer("incidence / size ~ C(period, sum) + (1 | herd)", cbpp)',
    ),
    Case(
        "parentheses without end",
        'mlm.glmer("incidence / size ~ " + "(" * 101, cbpp)',
        FormulaError,
        "nested more than 100 deep\n"
        "    incidence / size ~ "
        "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((\n"
        "                                                                                "
        "                                          ^",
    ),
    Case(
        "column that others determine",
        'mlm.glmer("incidence / size ~ size + I(2 * size) + (1 | herd)", cbpp)',
        RankDeficiencyWarning,
        "the fixed-effects model matrix is rank deficient; column I(2 * size) is "
        "determined by others and dropped",
    ),
    Case(
        "grouping factor as a predictor, too",
        'mlm.glmer("incidence / size ~ herd + (1 | herd)", cbpp)',
        SingularFitWarning,
        "The fit is singular: the standard deviation of (Intercept) in (1 | herd) is "
        "zero. The estimates are valid and at the edge of the parameter space. A simpler "
        "term may fit as well: compare it by anova().",
    ),
)
