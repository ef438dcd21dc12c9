"""Data."""

from mixedlm_pt.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ConvergenceWarning,
    DataError,
    EstimationError,
    RankDeficiencyWarning,
)
from tests.errors.case import Case

CASES = (
    Case(
        "name of a file",
        'mlm.glmer(formula, "cbpp.csv")',
        ArgumentError,
        "data is a str; give a pandas or polars DataFrame or a dict of columns",
        instead="mlm.glmer(formula, cbpp)",
    ),
    Case(
        "array without names",
        "mlm.glmer(formula, cbpp.to_numpy())",
        ArgumentError,
        "data is a ndarray; give a pandas or polars DataFrame or a dict of columns",
    ),
    Case(
        "no data",
        "mlm.glmer(formula, None)",
        ArgumentError,
        "data is a NoneType; give a pandas or polars DataFrame or a dict of columns",
    ),
    Case(
        "lazy frame of polars",
        "mlm.glmer(formula, pl.from_pandas(cbpp).lazy())",
        ArgumentError,
        "data is a LazyFrame; give a pandas or polars DataFrame or a dict of columns",
        instead="mlm.glmer(formula, pl.from_pandas(cbpp).lazy().collect())",
    ),
    Case(
        "frame without rows",
        'mlm.glmer(formula, cbpp[cbpp["size"] > 100])',
        DataError,
        "the data have no rows; check the filter or the file they come from",
    ),
    Case(
        "empty frame",
        "mlm.glmer(formula, pd.DataFrame())",
        ColumnNotFoundError,
        "the data have no column 'incidence': they have none whose name is a text",
    ),
    Case(
        "columns without names",
        "mlm.glmer(formula, cbpp.set_axis([0, 1, 2, 3], axis=1))",
        ColumnNotFoundError,
        "the data have no column 'incidence': they have none whose name is a text",
    ),
    Case(
        "two columns of one name",
        'mlm.glmer(formula, pd.concat([cbpp, cbpp["herd"]], axis=1))',
        DataError,
        "the data have 2 columns named 'herd'; rename all but one",
    ),
    Case(
        "columns of different lengths",
        'mlm.glmer("y ~ x", {"y": [0, 1, 1], "x": [1.0, 2.0]})',
        DataError,
        "the columns do not make a table: their numbers of rows differ: 'y' has 3, 'x' has 2.",
    ),
    Case(
        "single values",
        'mlm.glmer("y ~ x", {"y": 1, "x": 2.0})',
        DataError,
        "the columns do not make a table: they are single values. Give lists, such as "
        "{'x': [1.5]}.",
    ),
    Case(
        "column with lists in it",
        'mlm.glmer("incidence / size ~ x", cbpp.assign(x=[[1, 2]] * 56))',
        DataError,
        "column 'x' holds a list at row 0; a column has one number, text or truth value a row",
    ),
    Case(
        "nested lists as a response",
        'mlm.glmer("y ~ (1 | g)", {"y": [[0], [1]], "g": ["a", "b"]})',
        DataError,
        "column 'y' holds a list at row 0; a column has one number, text or truth value a row",
    ),
    Case(
        "nothing but missing values",
        "mlm.glmer(formula, cbpp.assign(period=None))",
        DataError,
        "column 'period' has no values: all 56 are missing. Leave it out of the formula, "
        "or check where it comes from.",
    ),
    Case(
        "no complete row",
        'early = cbpp["size"].where(cbpp.index < 30)\n'
        'late = cbpp["size"].where(cbpp.index >= 30)\n'
        'mlm.glmer("incidence / size ~ early + late", cbpp.assign(early=early, late=late))',
        DataError,
        "no rows are left after dropping those with missing values; column 'late' has "
        "the most, 30 of 56",
    ),
    Case(
        "infinite predictor",
        'mlm.glmer("incidence / size ~ x", cbpp.assign(x=np.inf))',
        DataError,
        "column 'x' is infinite in 56 of 56 rows, first at row 0. Drop these rows or correct them.",
    ),
    Case(
        "numbers whose squares overflow",
        'mlm.glmer("incidence / size ~ x", cbpp.assign(x=1e200 * cbpp["size"]))',
        DataError,
        "'x' has values up to 3.4e+201, whose squares overflow. Rescale it.",
    ),
    Case(
        "logarithm of zero",
        'mlm.glmer("incidence / size ~ log(incidence)", cbpp)',
        DataError,
        "log(incidence) is -inf at row 3 (incidence = 0); 22 of 56 rows are affected. "
        "Drop them, or change the formula.",
        instead='mlm.glmer("incidence / size ~ log1p(incidence)", cbpp)',
    ),
    Case(
        "dates as a predictor",
        'mlm.glmer("incidence / size ~ day", cbpp.assign(day=pd.Timestamp("2020-01-01")))',
        DataError,
        "column 'day' has type datetime64[...]; convert it to numbers or to a categorical first",
    ),
    Case(
        "complex numbers",
        'mlm.glmer("incidence / size ~ x", cbpp.assign(x=1j))',
        DataError,
        "column 'x' has type complex128; convert it to numbers or to a categorical first",
    ),
    Case(
        "integer beyond all floats",
        'mlm.glmer("incidence / size ~ x", cbpp.assign(x=10**400))',
        DataError,
        "column 'x' holds an integer above 1.8e+308; rescale it",
    ),
    Case(
        "grouping factor with one level",
        'mlm.glmer("incidence / size ~ (1 | farm)", cbpp.assign(farm="A"))',
        DataError,
        "grouping factor 'farm' has 1 level; a random effect needs at least 2. Drop (1 | "
        "farm) or check the column.",
    ),
    Case(
        "factor with one level",
        'mlm.glmer(formula, cbpp[cbpp["period"] == "1"])',
        DataError,
        "factor 'period' has only the level '1' in the rows used, so it has no effect to "
        "estimate. Drop it from the formula or check the column.",
    ),
    Case(
        "as many levels as rows",
        'mlm.glmer("Reaction ~ Days + (1 | row)", sleep.assign(row=range(180)), "gaussian")',
        ConvergenceWarning,
        "The data do not tell the variances of (1 | row) and sigma^2 apart: only a "
        "combination is determined, and other values fit as well as those reported. "
        "Every level of one goes with a level of the other, or is a single row. Drop one "
        "of them; coefficients and predictions stay.",
        instead='mlm.glmer("incidence / size ~ (1 | row)", cbpp.assign(row=range(56)))',
    ),
    Case(
        "constant predictor",
        'mlm.glmer("incidence / size ~ x", cbpp.assign(x=3.0))',
        RankDeficiencyWarning,
        "the fixed-effects model matrix is rank deficient; column x is determined by "
        "others and dropped",
    ),
    Case(
        "numbers as text, in the response",
        'mlm.glmer(formula, cbpp.assign(incidence=cbpp["incidence"].astype(str)))',
        DataError,
        "the successes 'incidence' is not numeric; convert the column to numbers first.",
        instead=(
            "mlm.glmer(formula, "
            'cbpp.assign(incidence=pd.to_numeric(cbpp["incidence"].astype(str))))'
        ),
    ),
    Case(
        "numbers as text, in a predictor",
        'words = cbpp["size"].astype(str)\n'
        'mlm.glmer("incidence / size ~ words + (1 | herd)", cbpp.assign(words=words))',
        ConvergenceWarning,
        "The likelihood rises without end in the coefficients of (Intercept), words4, "
        "words8, words9, words10, words12, words14, words15, words16, words17, words18, "
        "words19, words20, words21, words22, words24, words27, words34: the response is "
        "completely separated there (a category with only failures or zeros, say, or a "
        "value of x that divides failures from successes). The estimate is infinite and "
        "its standard error and test mean nothing. Merge categories, drop the term, or "
        "use priors, such as priors={'coefficients': Normal(0.0, 2.5)}.",
    ),
    Case(
        "constant response",
        'mlm.glmer("ill ~ period + (1 | herd)", cbpp.assign(ill=False))',
        DataError,
        "response 'ill' is constant (0 in every row), so there is nothing to explain",
    ),
    Case(
        "response computed from the predictors",
        'mlm.glmer("Reaction ~ Reaction + Days", sleep, "gaussian")',
        EstimationError,
        "the predictors reproduce the response exactly, so its dispersion is zero and "
        "the likelihood has no maximum. Is the response computed from the predictors?",
    ),
)
