"""Model frames, matrices, formulas and weights."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def slopes():
    formula = "use ~ age + I(age^2) + urban + livch + (urban | district)"
    return mlm.glmer(formula, mlm.load_contraception())


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


def test_the_model_frame_has_the_variables_of_the_formula(slopes, cbpp):
    # names(model.frame(m)) in R.
    assert list(slopes.model_frame()) == ["use", "age", "I(age^2)", "urban", "livch", "district"]
    frame = slopes.model_frame()
    np.testing.assert_array_equal(frame["I(age^2)"], frame["age"] ** 2)
    assert frame["livch"].cat.categories.tolist() == ["0", "1", "2", "3+"]
    weighted = cbpp.model_frame()
    np.testing.assert_array_equal(weighted["(weights)"], mlm.load_cbpp()["size"])
    np.testing.assert_array_equal(
        weighted["incidence / size"] * weighted["(weights)"], mlm.load_cbpp()["incidence"]
    )


def test_the_model_frame_has_only_the_rows_that_were_used():
    data = mlm.load_epil2()
    data["t"] = np.linspace(0.5, 2.0, len(data))
    data.loc[[3, 7], "Age"] = np.nan
    data.index = [f"r{i}" for i in range(len(data))]
    fit = mlm.glmer("y ~ poly(Age, 2) + offset(log(t)) + (1 | subject:trt)", data, "poisson")
    frame = fit.model_frame()
    assert len(frame) == len(data) - 2
    assert "r3" not in frame.index
    assert {"poly(Age, 2)1", "poly(Age, 2)2", "subject", "trt", "(offset)"} <= set(frame)
    np.testing.assert_allclose(frame["(offset)"], np.log(data.loc[frame.index, "t"]))
    assert "(weights)" not in frame
    assert fit.formula(fixed_only=True) == "y ~ poly(Age, 2) + offset(log(t))"
    assert fit.formula(random_only=True) == "y ~ (1 | subject:trt)"


def test_model_matrices_are_labelled(slopes):
    X = slopes.model_matrix()
    assert list(X) == list(slopes.fixef().index)
    Z = slopes.model_matrix("random")
    np.testing.assert_allclose(X @ slopes.fixef() + Z @ slopes.getME("b"), slopes.eta)
    assert Z.columns[:2].tolist() == [("district", "1", "(Intercept)"), ("district", "1", "urbanY")]
    raw = slopes.model_matrix("randomListRaw")
    assert list(raw) == ["urban | district"]
    assert list(raw["urban | district"]) == ["(Intercept)", "urbanY"]


def test_formulas_write_nesting_out():
    data = mlm.load_cbpp()
    fit = mlm.glmer("incidence / size ~ 0 + period + (1 | herd / period)", data, nAGQ=0)
    assert fit.formula() == "incidence / size ~ 0 + period + (1 | herd / period)"
    assert fit.formula(fixed_only=True) == "incidence / size ~ 0 + period"
    assert fit.formula(random_only=True) == "incidence / size ~ (1 | period:herd) + (1 | herd)"
    with pytest.raises(ArgumentError, match="exclude each other"):
        fit.formula(fixed_only=True, random_only=True)


def test_working_weights_are_lme4s(cbpp):
    np.testing.assert_array_equal(cbpp.weights(), mlm.load_cbpp()["size"])
    # For the logit: head(weights(m, type = "working"), 3) is n mu (1 - mu).
    expected = cbpp.weights() * cbpp.mu * (1.0 - cbpp.mu)
    np.testing.assert_allclose(cbpp.weights("working"), expected, rtol=1e-12)
    with pytest.raises(ArgumentError, match="unknown type 'robust'"):
        cbpp.weights("robust")


def test_excluded_rows_have_no_weight():
    data = mlm.load_cbpp()
    data["period"] = data["period"].astype(object)
    data.loc[2, "period"] = None
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", data, na_action="exclude")
    assert np.isnan(fit.weights()[2])
    assert fit.weights("working").shape == (56,)


def test_polars_data_make_the_same_frame(cbpp):
    import polars as pl

    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", pl.from_pandas(mlm.load_cbpp()))
    pd.testing.assert_frame_equal(
        fit.model_frame().astype({"period": str, "herd": str}),
        cbpp.model_frame().astype({"period": str, "herd": str}),
    )
