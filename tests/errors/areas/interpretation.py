"""Means, contrasts, plots and data sets."""

from mixedlm_pt.errors import ArgumentError
from tests.errors.case import Case

CASES = (
    Case(
        "grouping factor as emmeans' predictor",
        'fit.emmeans("herd")',
        ArgumentError,
        "unknown predictor 'herd'; known: period. Did you mean 'period'?",
    ),
    Case(
        "level that does not exist",
        'fit.emmeans("period", at={"period": "9"})',
        ArgumentError,
        "unknown level of 'period' '9'; known: 1, 2, 3, 4.",
    ),
    Case(
        "contrast of too few weights",
        'fit.emmeans("period").contrast({"a": [1, -1]})',
        ArgumentError,
        "contrast 'a' has weights of shape (2,); there are 4 means: period1, period2, "
        "period3, period4.",
        instead='fit.emmeans("period").contrast({"a": [1, -1, 0, 0]})',
    ),
    Case(
        "contrasts of a fit",
        "mlm.pairs(fit)",
        ArgumentError,
        "contrast() and pairs() take means, such as fit.emmeans('x'), not 'GlmerResult'.",
        instead='mlm.pairs(fit.emmeans("period"))',
    ),
    Case(
        "unknown adjustment",
        'fit.emmeans("period").pairs(adjust="scheffe")',
        ArgumentError,
        "unknown adjust 'scheffe'; known: none, tukey, sidak, bonferroni, holm, fdr, mvt.",
    ),
    Case(
        "slope of a factor",
        'fit.emtrends("period", "period")',
        ArgumentError,
        "'period' is not numeric, so it has no slope; compare its levels instead.",
        instead='reactions.emtrends([], "Days")',
    ),
    Case(
        "step of a number",
        'reactions.avg_comparisons({"Days": "week"})',
        ArgumentError,
        "variables asks 'week' of 'Days'; a numeric predictor takes a step, [low, high] "
        "or one of sd, 2sd, iqr, minmax.",
    ),
    Case(
        "unknown plot",
        'fit.plot("leverage")',
        ArgumentError,
        "unknown type 'leverage'; known: deviance, pearson, response, working, quantile.",
    ),
    Case(
        "axes that are none",
        'fit.plot("pearson", ax=3)',
        ArgumentError,
        "ax is 3; it must be axes of matplotlib, as plt.subplots().",
    ),
    Case(
        "size of a plot",
        "fit.plot(size=3)",
        ArgumentError,
        "size is 3; it must be width and height in inches: (6, 4).",
    ),
    Case(
        "effects of too many predictors",
        'fit.plot_effects(["period", "size", "herd"])',
        ArgumentError,
        "plot_effects draws one or two predictors, not 3.",
    ),
    Case(
        "unknown data set",
        'mlm.describe("cbp")',
        ArgumentError,
        "unknown data set 'cbp'; known: Arabidopsis, cbpp, Contraception, culcitalogreg, "
        "epil2, grouseticks, guImmun, InstEval, Mmmec, ohio, Owls, petrol, Salamanders, "
        "sleepstudy, VerbAgg, wine. Did you mean 'cbpp'?",
    ),
)
