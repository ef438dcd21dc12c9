"""New data."""

from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError
from tests.errors.case import Case

CASES = (
    Case(
        "predictor missing",
        'fit.predict({"herd": ["1"]})',
        ColumnNotFoundError,
        "the data have no column 'period'; they have herd.",
    ),
    Case(
        "grouping factor missing",
        'fit.predict({"period": ["1"]})',
        ColumnNotFoundError,
        "the new data have no column 'herd', which (1 | herd) needs. Add it, or leave "
        "the random effects out by re_form='~0' or average over them by re_form='marginal'.",
        instead='fit.predict({"period": ["1"]}, re_form="~0")',
    ),
    Case(
        "unknown level of a predictor",
        'fit.predict({"period": ["9"], "herd": ["1"]})',
        DataError,
        "factor 'period' has the level '9' in the new data, which the fit has not seen; "
        "known: 1, 2, 3, 4",
    ),
    Case(
        "unknown level of a grouping factor",
        'fit.predict({"period": ["1"], "herd": ["99"]})',
        DataError,
        "grouping factor 'herd' has a level in the new data that the fit has not seen: "
        "'99' at row 0 (1 of 1 rows). Allow it with allow_new_levels=True: a fit then "
        "predicts at random effects of zero, a posterior draws them.",
        instead='fit.predict({"period": ["1"], "herd": ["99"]}, allow_new_levels=True)',
    ),
    Case(
        "unknown level, of a posterior",
        'posterior.predict({"period": ["1"], "herd": ["99"]})',
        DataError,
        "grouping factor 'herd' has a level in the new data that the fit has not seen: "
        "'99' at row 0 (1 of 1 rows). Allow it with allow_new_levels=True: a fit then "
        "predicts at random effects of zero, a posterior draws them.",
        instead='posterior.predict({"period": ["1"], "herd": ["99"]}, allow_new_levels=True)',
    ),
    Case(
        "truth value by a word",
        'fit.predict({"period": ["1"], "herd": ["99"]}, allow_new_levels="no")',
        ArgumentError,
        "allow_new_levels is 'no'; it must be True or False.",
    ),
    Case(
        "text for a number",
        'reactions.predict({"Days": ["ten"], "Subject": ["308"]})',
        DataError,
        "column 'Days' was numeric in the fit and is categorical in the new data; "
        "convert it to numbers",
    ),
    Case(
        "truth value for a number",
        'reactions.predict({"Days": [True], "Subject": ["308"]})',
        DataError,
        "'Days' was numeric in the fit, in the new data it is not; convert it to numbers",
    ),
    Case(
        "infinite number",
        'reactions.predict({"Days": [np.inf], "Subject": ["308"]})',
        DataError,
        "column 'Days' is infinite in 1 of 1 rows, first at row 0. Drop these rows or "
        "correct them.",
    ),
    Case(
        "single values for columns",
        'fit.predict({"period": "1", "herd": "1"})',
        DataError,
        "the columns do not make a table: they are single values. Give lists, such as "
        "{'x': [1.5]}.",
        instead='fit.predict({"period": ["1"], "herd": ["1"]})',
    ),
    Case(
        "new data without rows",
        "fit.predict(cbpp[:0])",
        DataError,
        "the data have no rows; check the filter or the file they come from",
    ),
    Case(
        "new data that are no table",
        'fit.predict("1")',
        ArgumentError,
        "data is a str; give a pandas or polars DataFrame or a dict of columns",
    ),
    Case(
        "trials missing",
        'fit.predict(cbpp.drop(columns="size"), interval="prediction")',
        ColumnNotFoundError,
        "the data have no column 'size'; they have herd, incidence, period.",
    ),
    Case(
        "weights that are not there",
        'fit.predict(cbpp, weights="nope")',
        ColumnNotFoundError,
        "the data have no column 'nope'; they have herd, incidence, size, period.",
    ),
    Case(
        "negative weights",
        'fit.predict(cbpp, weights=np.full(56, -1.0), interval="prediction")',
        DataError,
        "weights has 56 values that are negative, first at row 0: -1; weights are finite "
        "and not negative. Drop these rows or correct the weights.",
    ),
    Case(
        "weights without new data",
        'fit.predict(weights="size")',
        ArgumentError,
        "weights and offset belong to newdata; without it they are the fit's.",
    ),
)
