"""Every way to write a response gives the same arrays, and every impossible one a clear error."""

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.datasets import load_cbpp
from mixedlm_pt.design import build_design, replace_response
from mixedlm_pt.errors import ArgumentError, DataError
from mixedlm_pt.families import Binomial, Gamma, Gaussian, Poisson


@pytest.fixture
def cbpp():
    data = load_cbpp()
    return data.assign(prop=data["incidence"] / data["size"], half=data["size"] / 2)


FORMS = [
    ("incidence / size", None),
    ("(incidence / size)", None),
    ("cbind(incidence, size - incidence)", None),
    ("prop", "size"),
    ("prop", "2 * half"),
    ("incidence / size", "size"),
    ("I(incidence / size)", "size"),
]


@pytest.mark.parametrize(("response", "weights"), FORMS)
def test_binomial_forms_are_equivalent(response, weights, cbpp):
    design = build_design(f"{response} ~ period + (1 | herd)", cbpp, Binomial(), weights=weights)
    np.testing.assert_array_equal(design.response.weights, cbpp["size"])
    np.testing.assert_array_equal(design.response.y, cbpp["incidence"] / cbpp["size"])
    assert design.response.name == response


def test_weights_may_be_an_array(cbpp):
    design = build_design("prop ~ 1", cbpp, Binomial(), weights=cbpp["size"].to_numpy())
    np.testing.assert_array_equal(design.response.weights, cbpp["size"])


@pytest.mark.parametrize(
    "success",
    [
        pd.Categorical(["no", "yes", "yes", "no"]),
        pd.Categorical(["z", "a", "a", "z"], categories=["z", "unused", "a"]),
        ["no", "yes", "yes", "no"],
        [False, True, True, False],
        pd.array([False, True, True, False], dtype="boolean"),
        [0, 1, 1, 0],
        [0.0, 1.0, 1.0, 0.0],
        np.array([False, True, True, False], dtype=object),
    ],
    ids=str,
)
def test_the_second_of_two_levels_is_success(success):
    design = build_design("s ~ 1", pd.DataFrame({"s": success}), Binomial())
    assert design.response.y.tolist() == [0, 1, 1, 0]
    assert design.response.weights.tolist() == [1, 1, 1, 1]


def test_a_comparison_is_a_binary_response(cbpp):
    design = build_design("(incidence > 2) ~ 1", cbpp, Binomial())
    np.testing.assert_array_equal(design.response.y, cbpp["incidence"] > 2)


def test_a_row_without_trials_has_weight_zero():
    data = {"s": [1, 0, 2], "n": [3, 0, 4]}
    response = build_design("s / n ~ 1", data, Binomial()).response
    assert response.y.tolist() == [1 / 3, 0, 0.5]
    assert response.weights.tolist() == [3, 0, 4]


def test_a_quotient_is_a_number_for_other_families(cbpp):
    response = build_design("size / half ~ 1 + half", cbpp.assign(half=cbpp.index + 1), Gaussian())
    np.testing.assert_array_equal(response.response.y, cbpp["size"] / (cbpp.index + 1))
    assert (response.response.weights == 1).all()


def test_the_response_may_be_transformed(cbpp):
    design = build_design("log(size) ~ 1", cbpp, Gaussian())
    np.testing.assert_array_equal(design.response.y, np.log(cbpp["size"]))


@pytest.mark.parametrize(
    ("columns", "formula", "family", "message"),
    [
        (
            {"y": [1, -1, 2, -3, -1]},
            "y ~ 1",
            Poisson(),
            r"response 'y' has 3 values outside the support of poisson \(non-negative integers\), "
            r"first at row 1: -1\.",
        ),
        ({"y": [1, 2.5]}, "y ~ 1", Poisson(), r"has 1 value outside .* first at row 1: 2.5\."),
        ({"y": [0.0, 1.0]}, "y ~ 1", Gamma(), r"outside the support of gamma \(positive numbers\)"),
        ({"y": [1, np.inf]}, "y ~ 1", Gaussian(), r"outside the support of gaussian .*: inf\."),
        ({"y": [1, -1]}, "log(y + 1) ~ 1", Gaussian(), r"first at row 1: -inf\."),
        ({"y": [0, 3, 1]}, "y ~ 1", Binomial(), r"row 1: 3\. For counts .* successes / trials"),
        (
            {"s": [1, 5], "n": [3, 4]},
            "s / n ~ 1",
            Binomial(),
            r"more successes than trials in 1 row, first at row 1: 5 of 4",
        ),
        ({"s": [1, -1], "n": [3, 4]}, "s/n ~ 1", Binomial(), r"a negative number of successes"),
        ({"s": [1, 1], "n": [3, -4]}, "s/n ~ 1", Binomial(), r"a negative number of trials"),
        ({"s": [1, 1.5], "n": [3, 4]}, "s/n ~ 1", Binomial(), r"successes is not a whole number"),
        ({"s": [1, 1], "n": [3, 4.5]}, "s/n ~ 1", Binomial(), r"trials that is not a whole number"),
        ({"s": [1, 1], "n": [3, 4]}, "cbind(s, n - 4) ~ 1", Binomial(), r"more successes than"),
        (
            {"p": [0.5, 0.31]},
            "p ~ 1",
            Binomial(),
            r"a proportion \(0.5 at row 0\), but nothing gives",
        ),
        ({"y": [2, 2, 2]}, "y ~ 1", Poisson(), r"response 'y' is constant \(2 in every row\)"),
        ({"y": ["a", "a"]}, "y ~ 1", Binomial(), r"response 'y' is constant \(a in every row\)"),
        ({"y": list("abc")}, "y ~ 1", Binomial(), r"has 3 levels \(a, b, c\); binomial takes two"),
        (
            {"y": list("ab")},
            "y ~ 1",
            Poisson(),
            r"categorical \(levels a, b\); poisson needs numbers",
        ),
        (
            {"y": [1, 2]},
            "cbind(y, y) ~ 1",
            Poisson(),
            r"has 2 columns; only families of proportions",
        ),
        (
            {"s": list("ab"), "n": [1, 2]},
            "s/n ~ 1",
            Binomial(),
            r"the successes 's' is not numeric",
        ),
    ],
)
def test_impossible_responses_are_explained(columns, formula, family, message):
    with pytest.raises(DataError, match=message):
        build_design(formula, columns, family)


def test_successes_from_weights_must_be_whole():
    data = {"p": [0.5, 0.3], "n": [4, 5]}
    message = r"first at row 1: 5 trials times 0.3 is 1.5"
    with pytest.raises(DataError, match=message):
        build_design("p ~ 1", data, Binomial(), weights="n")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -2, 1], r"weights has 1 value that is negative, first at row 1: -2"),
        ([1, np.nan, 1], r"weights has 1 value that is not finite, first at row 1: nan"),
        ([np.inf, np.inf, 1], r"weights has 2 values that are not finite, first at row 0: inf"),
        ("w", r"weights has 1 value that is not finite, first at row 2: nan"),
        ([0, 0, 0], r"every row has weight 0"),
    ],
)
def test_impossible_weights_name_the_row(weights, message):
    data = {"y": [1, 2, 3], "w": [1, 1, np.nan]}
    with pytest.raises(DataError, match=message):
        build_design("y ~ 1", data, Poisson(), weights=weights)


@pytest.mark.parametrize("name", ["weights", "offset"])
def test_arguments_of_wrong_length_are_refused(name):
    with pytest.raises(ArgumentError, match=rf"{name} has shape \(2,\), but the data have 3 rows"):
        build_design("y ~ 1", {"y": [1, 2, 3]}, Poisson(), **{name: [1, 2]})
    with pytest.raises(ArgumentError, match=rf"{name} is not numeric"):
        build_design("y ~ 1", {"y": [1, 2, 3]}, Poisson(), **{name: [["a"], "b", "c"]})


def test_offsets_add_up():
    data = {"y": [1, 2, 3], "e": [1.0, 2.0, 4.0]}
    design = build_design("y ~ offset(log(e)) + offset(e)", data, Poisson(), offset=[1, 1, 2])
    np.testing.assert_array_equal(design.offset, np.log(data["e"]) + data["e"] + [1, 1, 2])
    by_name = build_design("y ~ 1", data, Poisson(), offset="log(e)")
    np.testing.assert_array_equal(by_name.offset, np.log(data["e"]))


def test_a_replaced_response_is_checked(cbpp):
    design = build_design("incidence / size ~ 1", cbpp, Binomial())
    other = replace_response(design, np.zeros(56))
    assert not other.response.y.any()
    assert other.response.weights is design.response.weights
    with pytest.raises(DataError, match="has 56 values outside the support of binomial"):
        replace_response(design, cbpp["size"])
    with pytest.raises(ArgumentError, match="has 3 values; the model has 56 rows"):
        replace_response(design, [0, 1, 0])


def test_counts_cannot_replace_a_binary_response():
    design = build_design("s ~ 1", {"s": ["n", "y", "y"]}, Binomial())
    assert replace_response(design, ["y", "n", "n"]).response.y.tolist() == [1, 0, 0]
    assert replace_response(design, [True, False, True]).response.y.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="has 1 value outside the support of binomial"):
        replace_response(design, [0, 1, 4])
    with pytest.raises(DataError, match="is a proportion"):
        replace_response(design, [0, 1, 0.5])
    with pytest.raises(DataError, match="has the value 'q'; the fit knows n, y"):
        replace_response(design, ["y", "q", "n"])
