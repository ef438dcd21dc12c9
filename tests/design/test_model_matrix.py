"""The fixed-effects matrix against R's model.matrix; r_model_matrix.R made the numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.design import build_design, new_design
from mixedlm_pt.errors import ArgumentError, DataError, RankDeficiencyWarning
from mixedlm_pt.families import Gaussian

R = json.loads((Path(__file__).parent / "r_model_matrix.json").read_text())


@pytest.fixture(scope="module")
def data():
    frame = pd.DataFrame(R["data"])
    frame["a"] = pd.Categorical(frame["a"], ["lo", "mid", "hi"])
    frame["o"] = pd.Categorical(frame["o"], ["s", "m", "l", "xl", "xxl"], ordered=True)
    return frame


@pytest.fixture
def all_columns(monkeypatch):
    # R's model.matrix keeps dependent columns; lme4 drops them afterwards, as we do.
    monkeypatch.setattr(
        "mixedlm_pt.design.build.independent_columns", lambda X: np.arange(X.shape[1])
    )


def fingerprint(X):
    return (X / np.arange(1, len(X) + 1)[:, None]).sum(axis=0)


@pytest.mark.usefixtures("all_columns")
@pytest.mark.parametrize("r", R["models"], ids=lambda r: r["formula"])
def test_matrix_names_and_terms_are_those_of_r(r, data):
    design = build_design(r["formula"], data, Gaussian())
    assert list(design.coef_names) == r["names"]
    assert design.assign.tolist() == r["assign"]
    assert list(design.term_labels) == r["labels"]
    np.testing.assert_allclose(fingerprint(design.X), r["fingerprint"], atol=1e-9)
    assert design.X.flags.c_contiguous
    assert design.X.dtype == np.float64


@pytest.mark.usefixtures("all_columns")
@pytest.mark.parametrize("r", R["contrasts"], ids=lambda r: f"{r['formula']} {r['contrasts']}")
def test_contrasts_argument_is_that_of_r(r, data):
    design = build_design(r["formula"], data, Gaussian(), contrasts=r["contrasts"])
    assert list(design.coef_names) == r["names"]
    np.testing.assert_allclose(fingerprint(design.X), r["fingerprint"], atol=1e-9)


def test_a_name_of_a_contrast_needs_no_prefix(data):
    short = build_design("y ~ a", data, Gaussian(), contrasts={"a": "sum"})
    long = build_design("y ~ a", data, Gaussian(), contrasts={"a": "contr.sum"})
    assert short.coef_names == long.coef_names == ("(Intercept)", "a1", "a2")
    np.testing.assert_array_equal(short.X, long.X)


def test_a_contrast_frame_names_levels_and_coefficients(data):
    matrix = pd.DataFrame(
        {".up": [1.0, 0.0, -1.0], ".mid": [-1.0, 2.0, -1.0]}, index=["hi", "mid", "lo"]
    )
    design = build_design("y ~ a", data, Gaussian(), contrasts={"a": matrix})
    assert design.coef_names == ("(Intercept)", "a.up", "a.mid")
    np.testing.assert_array_equal(design.X[:3], [[1, -1, -1], [1, 0, 2], [1, 1, -1]])


@pytest.mark.parametrize(
    ("contrasts", "message"),
    [
        ({"q": "sum"}, r"unknown factor in contrasts 'q'; known: a"),
        ({"x": "sum"}, r"unknown factor in contrasts 'x'; known: a"),
        ({"a": "summ"}, r"unknown contrast 'summ'; known: .*Did you mean 'sum'\?"),
        ({"a": np.eye(3)}, r"of 'a' has shape \(3, 3\); with 3 levels it needs 3 rows and 1 to 2"),
        ({"a": np.ones((3, 1))}, r"contrast matrix of 'a' and the constant are dependent"),
    ],
)
def test_impossible_contrasts_are_refused(contrasts, message, data):
    with pytest.raises(ArgumentError, match=message):
        build_design("y ~ a + x", data, Gaussian(), contrasts=contrasts)


@pytest.mark.parametrize("r", R["kept"], ids=lambda r: r["formula"])
def test_dependent_columns_are_those_that_lme4_drops(r, data):
    data = data.assign(k1=data["x"] * 2, k2=data["x"] + data["z.z"])
    with pytest.warns(RankDeficiencyWarning, match="determined by others and dropped"):
        design = build_design(r["formula"], data, Gaussian())
    assert list(design.coef_names) == r["names"]
    assert not set(design.dropped) & set(design.coef_names)
    assert np.linalg.matrix_rank(design.X) == design.p == len(design.assign)


def test_the_warning_names_the_dropped_column(data):
    data = data.assign(k1=data["x"] * 2)
    with pytest.warns(RankDeficiencyWarning, match="column k1 is determined by others"):
        design = build_design("y ~ x + k1", data, Gaussian())
    assert design.dropped == ("k1",)


def test_nearly_dependent_columns_are_kept(data):
    noise = 1e-4 * np.cos(np.arange(len(data)))
    design = build_design("y ~ x + k", data.assign(k=data["x"] + noise), Gaussian())
    assert design.dropped == ()


@pytest.mark.usefixtures("all_columns")
def test_new_data_are_transformed_as_in_the_fit(data):
    design = build_design("y ~ scale(x) + poly(z.z, 2) + ns(x, df = 3) + a * L", data, Gaussian())
    new = new_design(design, pd.DataFrame(R["newdata"]))
    np.testing.assert_allclose(new.X, R["newX"], atol=1e-9)


def test_no_fixed_effects_give_a_matrix_without_columns(data):
    design = build_design("y ~ 0 + (1 | b)", data, Gaussian())
    assert design.X.shape == (24, 0)
    assert design.coef_names == ()


def test_names_with_blanks_keep_their_backticks(data):
    data = data.rename(columns={"x": "my x", "a": "my a"})
    design = build_design("y ~ `my x` * `my a`", data, Gaussian())
    assert design.coef_names[1:3] == ("`my x`", "`my a`mid")


def test_levels_are_in_natural_order():
    data = {"y": np.arange(6.0), "f": ["10", "9", "2", "b10", "b9", "10"]}
    assert build_design("y ~ f", data, Gaussian()).coef_names[1:] == ("f9", "f10", "fb9", "fb10")


def test_a_categorical_keeps_its_own_order_and_loses_unused_levels():
    f = pd.Categorical(["b", "a", "b", "a"], categories=["c", "b", "a"])
    design = build_design(
        "y ~ f + (1 | f)", pd.DataFrame({"y": [1.0, 2, 3, 5], "f": f}), Gaussian()
    )
    assert design.coef_names == ("(Intercept)", "fa")
    assert list(design.factors[0].levels) == ["b", "a"]


@pytest.mark.parametrize(
    ("spline", "fewest"), [("bs(x, df = 2)", 3), ("ns(x, df = 1, intercept = TRUE)", 2)]
)
def test_a_spline_of_too_few_degrees_of_freedom_is_refused(spline, fewest, data):
    with pytest.raises(DataError, match=f"needs a df of {fewest} or more"):
        build_design(f"y ~ {spline}", data, Gaussian())
