"""Comparisons, `%in%`, `!` and calls inside formulas, against the same in pandas and NumPy."""

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.design import build_design, new_design
from mixedlm_pt.errors import DataError, FormulaError
from mixedlm_pt.families import Gaussian


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    before, after = rng.choice(list("abc"), 40), rng.choice(list("bcd"), 40)
    return pd.DataFrame(
        {
            "y": rng.normal(size=40),
            "x": rng.normal(size=40),
            "n": rng.integers(0, 5, 40),
            "before": pd.Categorical(before, list("abc")),
            "after": pd.Categorical(after, list("dcb")),
        }
    )


def column(term, data):
    """The one column of a term, and the design."""
    design = build_design(f"y ~ {term}", data, Gaussian())
    assert design.X.shape[1] == 2
    return design.X[:, 1], design


EXPRESSIONS = {
    "I(n == 3)": lambda d: d["n"] == 3,
    "I(3 != n)": lambda d: d["n"] != 3,
    'I(before == "b")': lambda d: d["before"] == "b",
    'I("b" != before)': lambda d: d["before"] != "b",
    # Levels are compared by their labels, whatever their order.
    "I(before == after)": lambda d: d["before"].astype(str) == d["after"].astype(str),
    "I(before != after)": lambda d: d["before"].astype(str) != d["after"].astype(str),
    'I(before %in% c("a", "c"))': lambda d: d["before"].isin(["a", "c"]),
    'I(before %in% "c")': lambda d: d["before"] == "c",
    "I(n %in% c(0, 4))": lambda d: d["n"].isin([0, 4]),
    "I(!(n %in% c(0, 4)))": lambda d: ~d["n"].isin([0, 4]),
    "I(x > 0 & n < 3)": lambda d: (d["x"] > 0) & (d["n"] < 3),
    "I(x > 0 | !(n < 3))": lambda d: (d["x"] > 0) | ~(d["n"] < 3),
    "round(x, 1)": lambda d: d["x"].round(1),
    "round(x)": lambda d: d["x"].round(),
    "I(x * pi)": lambda d: d["x"] * np.pi,
    "center(x)": lambda d: d["x"] - d["x"].mean(),
    "scale(x, center = 1, scale = 2)": lambda d: (d["x"] - 1.0) / 2.0,
}


@pytest.mark.parametrize("term", EXPRESSIONS)
def test_an_expression_is_what_pandas_says(term, data):
    found, _ = column(term, data)
    np.testing.assert_allclose(found, EXPRESSIONS[term](data).to_numpy(float), atol=1e-14)


@pytest.mark.parametrize("term", EXPRESSIONS)
def test_it_is_the_same_of_rows_that_come_later(term, data):
    found, design = column(term, data)
    later = data.iloc[7:12]
    np.testing.assert_allclose(new_design(design, later).X[:, 1], found[7:12], atol=1e-14)


@pytest.mark.parametrize(
    ("term", "error", "message"),
    [
        ("I(!before)", DataError, "'before' is not numeric"),
        ("I(x ~ n)", FormulaError, "~"),
        ("scale(I(n * 0))", DataError, "without variation"),
        ("factor(poly(x, 2))", DataError, "only a column or a call that gives one value a row"),
    ],
)
def test_what_cannot_be_computed_is_refused(term, error, message, data):
    with pytest.raises(error, match=message):
        build_design(f"y ~ {term}", data, Gaussian())
