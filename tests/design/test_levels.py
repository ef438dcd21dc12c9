"""Levels of factors: which there are, in what order, and that they are the model's own."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixedlm_pt.design import build_design
from mixedlm_pt.design.levels import distinct, natural_order
from mixedlm_pt.families import Binomial, Gaussian

WORDS = st.text(alphabet="aAbBéZ 019_-", max_size=8)


def pieces(text):
    """Text and numbers in turn, as a person reads them."""
    split = re.split("([0-9]+)", text)
    return [int(piece) if k % 2 else piece.casefold() for k, piece in enumerate(split)]


@given(st.lists(WORDS, min_size=1, unique=True))
def test_the_natural_order_is_that_of_text_and_numbers_in_turn(words):
    expected = sorted(words, key=lambda word: (pieces(word), word))
    assert [words[k] for k in natural_order(words)] == expected


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-5, 5), min_size=1))
def test_distinct_is_numpys_unique(numbers):
    values = np.array(numbers, np.int64)
    found, places = distinct(values)
    expected, inverse = np.unique(values, return_inverse=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(places, inverse)
    assert not np.shares_memory(places, values)


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        (["control2", "control", "control10"], ["control", "control2", "control10"]),
        (["x007", "x7", "x08"], ["x007", "x7", "x08"]),
        (["b", "C", "a"], ["a", "b", "C"]),
        (["10", "9", "1e1x"], ["1e1x", "9", "10"]),
        (["10", "9.5", "1e2"], ["9.5", "10", "1e2"]),
        ([2.5, -1.0, 10.0], [-1.0, 2.5, 10.0]),
        (np.array([300, 2, 40], np.uint16), [2, 40, 300]),
        (np.array([2**63, 1, 2**63 + 1], np.uint64), [1, 2**63, 2**63 + 1]),
        ([True, False, True], [False, True]),
        (pd.array([30, 4, None], "Int64"), [4, 30]),
    ],
    ids=str,
)
def test_levels_of_every_kind_of_column_are_in_order(column, levels):
    data = {"y": [1.0, 2.0, 4.0] * 2, "g": pd.concat([pd.Series(column)] * 2, ignore_index=True)}
    design = build_design("y ~ 1 + (1 | g)", data, Gaussian())
    assert design.factors[0].levels.tolist() == levels
    back = [design.factors[0].levels[code] for code in design.factors[0].codes]
    assert back == [value for value in data["g"] if not pd.isna(value)]


def test_categories_without_rows_are_no_levels():
    g = pd.Categorical(["c", "a", "c", "a"], categories=["d", "c", "b", "a"])
    data = pd.DataFrame({"y": [1.0, 2, 3, 5], "g": g})
    design = build_design("y ~ g + (1 | g)", data, Gaussian())
    assert design.factors[0].levels.tolist() == ["c", "a"]
    assert design.factors[0].codes.tolist() == [0, 1, 0, 1]
    assert design.coef_names == ("(Intercept)", "ga")
    assert data["g"].cat.categories.tolist() == ["d", "c", "b", "a"]


def test_cells_of_nested_factors_are_named_by_all_parts():
    data = {"y": [1.0, 2, 3, 5], "a": ["u", "v", "u", "v"], "b": [1, 1, 2, 10]}
    (fine, coarse) = build_design("y ~ 1 + (1 | a/b)", data, Gaussian()).factors
    assert (fine.name, coarse.name) == ("b:a", "a")
    assert fine.levels.tolist() == ["1:u", "1:v", "2:u", "10:v"]
    assert fine.codes.tolist() == [0, 1, 2, 3]


def arrays(n=60):
    rng = np.random.default_rng(1)
    return {
        "y": rng.integers(0, 2, n).astype(float),
        "x": rng.normal(size=n),
        "g": np.arange(n) % 6,
        "w": np.ones(n),
        "o": rng.normal(size=n),
    }


def build(data):
    return build_design(
        "y ~ x + (1 + x | g)", data, Binomial(), weights=data["w"], offset=data["o"]
    )


def parts(design):
    response, terms = design.response, [term.Z for term in design.terms]
    codes = [factor.codes for factor in design.factors]
    return [response.y, response.weights, design.X, design.offset, *terms, *codes]


@pytest.mark.parametrize("kind", [dict, pd.DataFrame])
def test_changing_the_data_later_does_not_change_the_design(kind):
    columns = arrays()
    data = kind(columns)
    design = build(data)
    before = [part.copy() for part in parts(design)]
    for column in columns.values():
        column[:] = 3
    if kind is pd.DataFrame:
        data.loc[:, ["y", "x", "w", "o"]] = 3.0
        data.loc[:, "g"] = 3
    for part, expected in zip(parts(design), before, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_arrays_that_cannot_be_written_to_are_read():
    columns = arrays()
    expected = parts(build(columns))
    for column in columns.values():
        column.flags.writeable = False
    for part, other in zip(parts(build(columns)), expected, strict=True):
        np.testing.assert_array_equal(part, other)


def test_terms_with_equal_left_sides_share_their_matrix():
    data = arrays() | {"h": np.arange(60) % 4}
    design = build_design("y ~ x + (1 + x | g) + (1 + x | h)", data, Binomial())
    first, second = design.terms
    assert first.Z is second.Z
    np.testing.assert_array_equal(first.Z, design.X)
