"""Missing and infinite values, missing columns, and data with nothing in them."""

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError
from mixedlm_pt.families import Gaussian, Poisson


@pytest.fixture
def data():
    return pd.DataFrame(
        {
            "y": [1.0, 2, 3, 4, 5, 6],
            "x": [0.0, 1, np.nan, 3, 4, 8],
            "f": ["a", "b", "a", None, "b", "c"],
            "g": [1, 1, 2, 2, np.nan, 3],
            "w": [1.0, 2, 3, 4, 5, 6],
        },
        index=list("pqrstu"),
    )


@pytest.mark.parametrize(
    ("formula", "used"),
    [
        ("y ~ x", "pqstu"),
        ("y ~ f", "pqrtu"),
        ("y ~ 1 + (1 | g)", "pqrsu"),
        ("y ~ x + (0 + w | g)", "pqsu"),
        ("y ~ w + (x | f)", "pqtu"),
        ("y ~ 1 + offset(x)", "pqstu"),
        ("x ~ y", "pqstu"),
    ],
)
def test_rows_with_missing_values_are_omitted(formula, used, data):
    design = build_design(formula, data, Gaussian())
    assert list(design.index) == list(used)
    assert data.index[~design.omitted].tolist() == list(used)
    assert len(design.X) == len(design.response.y) == len(design.offset) == design.n == len(used)
    assert all(len(factor.codes) == design.n for factor in design.factors)
    assert all(len(term.Z) == design.n for term in design.terms)


def test_weights_and_offset_lose_the_same_rows(data):
    design = build_design("y ~ x", data, Gaussian(), weights=data["w"], offset=list(data["y"]))
    assert design.response.weights.tolist() == [1, 2, 4, 5, 6]
    assert design.offset.tolist() == [1, 2, 4, 5, 6]
    assert build_design("y ~ 1", data, Gaussian(), offset="x").n == 5


def test_levels_that_occur_in_omitted_rows_only_are_dropped(data):
    data.loc["u", "x"] = np.nan
    design = build_design("y ~ x + f", data, Gaussian())
    assert design.coef_names == ("(Intercept)", "x", "fb")


def test_exclude_pads_and_omit_does_not(data):
    values = np.arange(5.0)
    omit = build_design("y ~ x", data, Gaussian(), na_action="omit")
    assert omit.pad(values) is values
    assert list(omit.padded_index) == list("pqstu")
    exclude = build_design("y ~ x", data, Gaussian(), na_action="exclude")
    np.testing.assert_array_equal(exclude.pad(values), [0, 1, np.nan, 2, 3, 4])
    assert exclude.pad(np.ones((5, 2))).shape == (6, 2)
    assert list(exclude.padded_index) == list("pqrstu")
    np.testing.assert_array_equal(exclude.X, omit.X)


def test_scale_is_computed_before_rows_are_omitted(data):
    # R: scale(c(0, 1, NA, 3, 4, 8)) ignores NA but not the rows that f makes incomplete.
    design = build_design("y ~ scale(x) + f", data, Gaussian())
    x = np.array([0.0, 1, 3, 4, 8])
    np.testing.assert_allclose(design.X[:, 1], ((x - x.mean()) / x.std(ddof=1))[[0, 1, 3, 4]])


def test_fail_names_the_columns_and_counts(data):
    data.loc["p", "x"] = np.nan
    with pytest.raises(
        DataError, match=r"missing values in 'x' \(2\), 'f' \(1\); na_action='omit'"
    ):
        build_design("y ~ x + f", data, Gaussian(), na_action="fail")
    assert build_design("y ~ w", data, Gaussian(), na_action="fail").n == 6


def test_unknown_na_action_is_refused(data):
    with pytest.raises(
        ArgumentError, match=r"unknown na_action 'omitt'; known: omit, exclude, fail"
    ):
        build_design("y ~ x", data, Gaussian(), na_action="omitt")


def test_a_column_without_values_is_named(data):
    with pytest.raises(DataError, match="column 'q' has no values: all 6 are missing"):
        build_design("y ~ q", data.assign(q=np.nan), Gaussian())


def test_the_column_with_most_missing_values_is_named_when_no_row_is_left(data):
    data["x"] = [1.0, *[np.nan] * 5]
    data["w"] = [np.nan, 1, 2, 3, 4, 5]
    with pytest.raises(DataError, match=r"no rows are left .* 'x' has the most, 5 of 6"):
        build_design("y ~ x + w", data, Gaussian())
    with pytest.raises(DataError, match="the data have no rows"):
        build_design("y ~ x", data.iloc[:0], Gaussian())


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ i", r"column 'i' is infinite in 2 of 6 rows, first at row q"),
        ("y ~ w + I(i^2)", r"column 'i' is infinite in 2 of 6 rows, first at row q"),
        ("y ~ (i | f)", r"column 'i' is infinite in 2 of 6 rows, first at row q"),
        ("y ~ offset(i)", r"column 'i' is infinite in 2 of 6 rows, first at row q"),
        ("y ~ log(x)", r"log\(x\) is -inf at row p \(x = 0.0\); 1 of 5 rows"),
        ("y ~ log(x - 1)", r"log\(x - 1\) is not a number at row p \(x = 0.0\); 2 of 5"),
        ("y ~ x + offset(1 / x)", r"1/x is inf at row p \(x = 0.0\)"),
        ("y ~ poly(i, 2)", r"column 'i' is infinite"),
    ],
)
def test_values_that_are_not_finite_name_column_and_row(formula, message, data):
    data["i"] = [1, np.inf, 2, 3, -np.inf, 4]
    with pytest.raises(DataError, match=message):
        build_design(formula, data, Gaussian())


def test_an_offset_array_must_be_finite(data):
    with pytest.raises(DataError, match="offset is nan at row p"):
        build_design("y ~ 1", data, Gaussian(), offset=[np.nan, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("formula", "arguments", "message"),
    [
        ("y ~ treatment", {}, r"the data have no column 'treatment'; .*Did you mean 'treat'\?"),
        ("yy ~ treat", {}, r"no column 'yy'; they have y, treat\. Did you mean 'y'\?"),
        ("y ~ log(q)", {}, r"no column 'q'"),
        ("y ~ (q | treat)", {}, r"no column 'q'"),
        ("y ~ (1 | q)", {}, r"no column 'q'"),
        ("y ~ offset(q)", {}, r"no column 'q'"),
        ("y ~ 1", {"weights": "q"}, r"no column 'q'"),
        ("y ~ 1", {"offset": "log(q)"}, r"no column 'q'"),
    ],
)
def test_a_missing_column_is_named_with_the_nearest(formula, arguments, message):
    data = {"y": [1, 2, 3], "treat": [0, 1, 2]}
    with pytest.raises(ColumnNotFoundError, match=message):
        build_design(formula, data, Poisson(), **arguments)


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("y ~ one", DataError, r"factor 'one' has only the level 'k' in the rows used"),
        ("y ~ 1 + (one | g)", DataError, r"factor 'one' has only the level 'k'"),
        ("y ~ .", FormulaError, r"'.' stands for the old terms in an update"),
        (3, FormulaError, r"a formula is text such as 'y ~ x \+ \(1 \| g\)', not 3"),
        ("y ~ lgo(x)", FormulaError, r"a formula cannot call lgo\(\); known: .*mean log\(\)"),
        ("y ~ __import__('os')", FormulaError, r"a formula cannot call __import__\(\)"),
        ("y ~ eval('1')", FormulaError, r"a formula cannot call eval\(\)"),
        ("y ~ log(f)", DataError, r"'f' is not numeric, so no arithmetic can be done on it"),
        ("y ~ I(f + 1)", DataError, r"'f' is not numeric"),
        ("y ~ scale(f)", DataError, r"the argument of scale\(\) 'f' is not numeric"),
        ("y ~ log(x, q = 3)", FormulaError, r"log\(x, q = 3\) cannot be evaluated: .*'q'"),
        ("y ~ poly(x, 6)", DataError, r"poly\(\) of degree 6 needs more than 6 different values"),
        ("y ~ scale(k)", DataError, r"scale\(\) of a column without variation"),
        ("y ~ day", DataError, r"column 'day' has type datetime64.*; convert it to numbers"),
        ("y ~ factor(f, levels = c('a', 'b'))", DataError, r"leaves out the level 'c' of the data"),
        ("y ~ C(f, summ)", ArgumentError, r"unknown contrast 'summ'.*Did you mean 'sum'"),
        ("y ~ C(f, Treatment('z'))", ArgumentError, r"base 'z' of a treatment contrast is neither"),
    ],
)
def test_impossible_predictors_are_explained(formula, error, message):
    data = pd.DataFrame(
        {
            "y": [1.0, 3, 2, 4, 5],
            "x": [1.0, 2, 3, 4, 6],
            "f": list("aabcb"),
            "one": "k",
            "k": 1.0,
            "g": [1, 1, 2, 2, 2],
            "day": pd.date_range("2020-01-01", periods=5),
        }
    )
    with pytest.raises(error, match=message):
        build_design(formula, data, Gaussian())
