"""Grouping factors and random-effects terms, against lme4's mkReTrms."""

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.design import build_design
from mixedlm_pt.errors import DataError, FormulaError
from mixedlm_pt.families import Gaussian


@pytest.fixture
def data():
    return pd.DataFrame(
        {
            "y": [1.0, 3, 2, 5, 4, 6, 8, 7],
            "x": [0.5, 1, 2, 3.5, 4, 5, 6.5, 7],
            "a": pd.Categorical(
                ["lo", "lo", "mid", "mid", "hi", "hi", "lo", "hi"], ["lo", "mid", "hi"]
            ),
            "c": list("nynynyyn"),
            "g": [1, 1, 2, 2, 3, 3, 4, 4],
            "h": [1, 2, 1, 2, 1, 2, 1, 2],
        }
    )


def design_of(formula, data):
    return build_design(formula, data, Gaussian())


def test_columns_of_slopes_are_named_as_in_lme4(data):
    design = design_of("y ~ 1 + (a * x | g) + (0 + c | h)", data)
    assert [term.columns for term in design.terms] == [
        ("(Intercept)", "amid", "ahi", "x", "amid:x", "ahi:x"),
        ("cn", "cy"),
    ]
    assert [term.label for term in design.terms] == ["a * x | g", "0 + c | h"]
    np.testing.assert_array_equal(design.terms[0].Z[3], [1, 1, 0, 3.5, 3.5, 0])
    np.testing.assert_array_equal(design.terms[1].Z[:2], [[1, 0], [0, 1]])


def test_double_bar_gives_a_factor_all_its_indicators(data):
    design = design_of("y ~ 1 + (c || g)", data)
    assert [term.columns for term in design.terms] == [("(Intercept)",), ("cn", "cy")]
    assert [factor.name for factor in design.factors] == ["g"]
    assert [term.factor for term in design.terms] == [0, 0]


def test_terms_are_ordered_by_decreasing_number_of_levels(data):
    design = design_of("y ~ 1 + (1 | h) + (x | g) + (0 + a | h) + (1 | h:g)", data)
    assert [f.name for f in design.factors] == ["h:g", "g", "h"]
    assert [f.n_levels for f in design.factors] == [8, 4, 2]
    assert [t.label for t in design.terms] == ["1 | h:g", "x | g", "1 | h", "0 + a | h"]
    assert [t.factor for t in design.terms] == [0, 1, 2, 2]


def test_levels_of_an_interaction_run_slowest_in_the_first_part(data):
    (factor,) = design_of("y ~ 1 + (1 | h:a)", data).factors
    # levels(droplevels(h:a)) in R
    assert list(factor.levels) == ["1:lo", "1:mid", "1:hi", "2:lo", "2:mid", "2:hi"]
    assert factor.levels[factor.codes].tolist() == [
        f"{h}:{a}" for h, a in zip(data["h"], data["a"], strict=True)
    ]


def test_nesting_names_the_inner_factor_first(data):
    design = design_of("y ~ 1 + (1 | h/a)", data)
    assert [f.name for f in design.factors] == ["a:h", "h"]
    assert list(design.factors[0].levels[:2]) == ["lo:1", "lo:2"]


def test_levels_of_a_factor_keep_their_type(data):
    design = design_of("y ~ 1 + (1 | g)", data)
    assert design.factors[0].levels.tolist() == [1, 2, 3, 4]
    assert design.factors[0].codes.dtype == np.int64
    assert design.factors[0].codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_column_of_text_numbers_is_ordered_by_value(data):
    data["g"] = ["10", "10", "9", "9", "-1", "-1", "2.5", "2.5"]
    assert list(design_of("y ~ (1 | g)", data).factors[0].levels) == ["-1", "2.5", "9", "10"]


def test_as_many_levels_as_rows_are_allowed(data):
    assert design_of("y ~ x + (1 | y)", data).factors[0].n_levels == 8


def test_no_random_term_is_a_plain_glm(data):
    design = design_of("y ~ x", data)
    assert design.factors == design.terms == ()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ (1 | g) + (1 | g)", r"\(1 \| g\) and \(1 \| g\) both give grouping factor 'g' the "),
        ("y ~ (1 | g) + (x | g)", r"both give grouping factor 'g' the column '\(Intercept\)'"),
        ("y ~ (x | g) + (0 + x | g)", r"both give grouping factor 'g' the column 'x'"),
        ("y ~ (1 | g/h) + (1 | h:g)", r"\(1 \| h:g\) and \(1 \| h:g\) both give"),
        ("y ~ (1 | g:h) + (1 | h:g)", r"\(1 \| g:h\) and \(1 \| h:g\) both give"),
    ],
)
def test_two_terms_for_the_same_effect_are_refused(formula, message, data):
    with pytest.raises(FormulaError, match=message):
        design_of(formula, data)


def test_a_grouping_factor_of_one_level_is_refused(data):
    message = r"grouping factor 'k' has 1 level; a random effect needs at least 2. Drop \(1 \| k\)"
    with pytest.raises(DataError, match=message):
        design_of("y ~ x + (1 | k)", data.assign(k="one"))
