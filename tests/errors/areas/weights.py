"""Weights, offset, missing values, contrasts."""

from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError
from tests.errors.case import Case

CASES = (
    Case(
        "weights that are no column",
        'mlm.glmer(formula, cbpp, weights="trials")',
        ColumnNotFoundError,
        "the data have no column 'trials'; they have herd, incidence, size, period.",
    ),
    Case(
        "weights of another length",
        "mlm.glmer(formula, cbpp, weights=[1.0, 2.0])",
        ArgumentError,
        "weights has shape (2,), but the data have 56 rows; give one number a row, or "
        "the name of a column",
    ),
    Case(
        "one number for all rows",
        "mlm.glmer(formula, cbpp, weights=2.0)",
        ArgumentError,
        "weights has shape (), but the data have 56 rows; give one number a row, or the "
        "name of a column",
    ),
    Case(
        "weights that are text",
        'mlm.glmer(formula, cbpp, weights=cbpp["herd"])',
        ArgumentError,
        "weights is not numeric; give a column name or numbers",
    ),
    Case(
        "negative weights",
        'mlm.glmer(formula, cbpp, weights=-cbpp["size"])',
        DataError,
        "weights has 56 values that are negative, first at row 0: -14; weights are "
        "finite and not negative. Drop these rows or correct the weights.",
    ),
    Case(
        "missing weights",
        "mlm.glmer(formula, cbpp, weights=np.full(56, np.nan))",
        DataError,
        "weights has 56 values that are not finite, first at row 0: nan; weights are "
        "finite and not negative. Drop these rows or correct the weights.",
    ),
    Case(
        "weights of zero",
        "mlm.glmer(formula, cbpp, weights=np.zeros(56))",
        DataError,
        "every row has weight 0, so there is nothing to fit",
    ),
    Case(
        "proportion without trials",
        'mlm.glmer("p ~ (1 | herd)", cbpp.assign(p=cbpp["incidence"] / cbpp["size"]))',
        DataError,
        "response 'p' is a proportion (0.142857 at row 0), but nothing gives the numbers "
        "of trials. Write successes / trials, or add weights=.",
        instead=(
            'mlm.glmer("p ~ (1 | herd)", cbpp.assign(p=cbpp["incidence"] / cbpp["size"]), '
            'weights="size")'
        ),
    ),
    Case(
        "fractions of successes",
        'mlm.glmer("p ~ (1 | herd)", cbpp.assign(p=0.33), weights="size")',
        DataError,
        "response 'p' has 56 rows whose number of successes is not a whole number, first "
        "at row 0: 14 trials times 0.33 is 4.62",
    ),
    Case(
        "percentages",
        'percent = 100 * cbpp["incidence"] / cbpp["size"]\n'
        'mlm.glmer("percent ~ (1 | herd)", cbpp.assign(percent=percent), weights="size")',
        DataError,
        "response 'percent' has 34 values outside the support of binomial (proportions "
        "between 0 and 1), first at row 0: 14.2857.",
    ),
    Case(
        "offset that is no column",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "poisson", offset="log(sise)")',
        ColumnNotFoundError,
        "the data have no column 'sise'; they have herd, incidence, size, period. Did "
        "you mean 'size'?",
    ),
    Case(
        "offset that is a factor",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "poisson", offset="herd")',
        DataError,
        "offset 'herd' is not numeric; convert the column to numbers first.",
    ),
    Case(
        "infinite offset",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "poisson", offset="log(size - 14)")',
        DataError,
        "log(size - 14) is -inf at row 0 (size = 14); 23 of 56 rows are affected. Drop "
        "them, or change the formula.",
    ),
    Case(
        "missing offset",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "poisson", offset=np.full(56, np.nan))',
        DataError,
        "offset is nan at row 0; it must be finite. Drop these rows or correct the offset.",
    ),
    Case(
        "offset of another length",
        'mlm.glmer("incidence ~ (1 | herd)", cbpp, "poisson", offset=[0.0, 1.0])',
        ArgumentError,
        "offset has shape (2,), but the data have 56 rows; give one number a row, or the "
        "name of a column",
    ),
    Case(
        "unknown na_action",
        'mlm.glmer(formula, cbpp, na_action="drop")',
        ArgumentError,
        "unknown na_action 'drop'; known: omit, exclude, fail.",
    ),
    Case(
        "missing values where they are not allowed",
        'some = cbpp.assign(size=cbpp["size"].where(cbpp["size"] > 5))\n'
        'mlm.glmer(formula, some, na_action="fail")',
        DataError,
        "missing values in 'size' (7); na_action='omit' or 'exclude' drops these rows",
    ),
    Case(
        "contrast of an unknown factor",
        'mlm.glmer(formula, cbpp, contrasts={"perod": "sum"})',
        ArgumentError,
        "unknown factor in contrasts 'perod'; known: period. Did you mean 'period'?",
    ),
    Case(
        "contrasts without a factor",
        'mlm.glmer(formula, cbpp, contrasts="sum")',
        ArgumentError,
        "contrasts is 'sum'; it must be a mapping from factors to contrasts, such as {'f': 'sum'}.",
        instead='mlm.glmer(formula, cbpp, contrasts={"period": "sum"})',
    ),
    Case(
        "contrast matrix of the wrong shape",
        'mlm.glmer(formula, cbpp, contrasts={"period": np.eye(3)})',
        ArgumentError,
        "the contrast matrix of 'period' has shape (3, 3); with 4 levels it needs 4 rows "
        "and 1 to 3 columns",
    ),
    Case(
        "contrast matrix that is not finite",
        'mlm.glmer(formula, cbpp, contrasts={"period": np.full((4, 3), np.nan)})',
        ArgumentError,
        "the contrast matrix of 'period' has values that are not finite",
    ),
)
