"""`refit`: one other response, or a table of them."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, DataError, SingularFitWarning
from mixedlm_pt.refitting import Refits

FORMULA = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp())


@pytest.fixture(scope="module")
def simulated(cbpp):
    table = cbpp.simulate(5, seed=1)
    return table.assign(flat=0.0, broken=0.123)


@pytest.fixture(scope="module")
def refits(cbpp, simulated):
    return cbpp.refit(simulated)


def test_one_response_gives_lme4s_refit(cbpp):
    # R 4.2, lme4 1.1-31: y <- with(cbpp, (incidence + seq_along(size)) %% (size %/% 2 + 1));
    # f2 <- refit(fm, cbind(y, cbpp$size - y)); fixef(f2); getME(f2, "theta"); logLik(f2)
    data = mlm.load_cbpp()
    n = data["size"].to_numpy()
    y = (data["incidence"].to_numpy() + np.arange(1, 57)) % (n // 2 + 1)
    again = cbpp.refit(y / n)
    theirs = [-1.29881375, 0.21680629, 0.03428624, -0.73249221]
    np.testing.assert_allclose(again.beta, theirs, atol=3e-4)
    assert again.theta[0] == pytest.approx(0.35627897, abs=3e-4)
    # lme4 stops a little early, as with the data themselves (-92.02657 against -92.02628).
    assert 0.0 < again.logLik() + 119.0501872 < 5e-4
    assert type(again) is type(cbpp)


def test_a_refit_is_the_fit_that_glmer_makes_of_the_response(cbpp, simulated):
    data = mlm.load_cbpp().assign(incidence=(simulated["sim_1"] * mlm.load_cbpp()["size"]).round())
    again, fresh = cbpp.refit(simulated["sim_1"]), mlm.glmer(FORMULA, data)
    np.testing.assert_array_equal(again.beta, fresh.beta)
    np.testing.assert_array_equal(again.estimate.covariance, fresh.estimate.covariance)
    assert str(again.VarCorr()) == str(fresh.VarCorr())


def test_the_fits_own_response_gives_the_fit(cbpp):
    again = cbpp.refit(cbpp.design.response.y)
    np.testing.assert_array_equal(again.beta, cbpp.beta)


def test_a_single_singular_refit_warns_as_glmer_at_the_users_line(cbpp):
    n = mlm.load_cbpp()["size"].to_numpy()
    with pytest.warns(SingularFitWarning, match="herd") as caught:
        again = cbpp.refit(np.round(0.2 * n) / n)
    assert caught[0].filename == __file__
    assert again.isSingular()


def test_a_table_is_its_columns_one_by_one(cbpp, simulated, refits):
    assert isinstance(refits, Refits)
    assert list(refits) == [f"sim_{j}" for j in range(1, 6)]
    for name in refits:
        alone = cbpp.refit(simulated[name])
        limits = alone.confint()
        se = np.sqrt(np.diag(alone.vcov()))
        # Those of a table are found together, from other starting values.
        away = (refits.estimates.loc[name, "(Intercept)":] - alone.beta) / se
        np.testing.assert_allclose(away, 0.0, atol=1e-5)
        # The information is that of the point, 1e-5 standard errors away, where a search ended.
        np.testing.assert_allclose(refits.se.loc[name, "(Intercept)":], se, rtol=1e-4)
        # The interval of a sd is one on the log scale.
        sd = "sd_(Intercept)|herd"
        log_se = np.log(limits.loc[sd, "97.5 %"] / limits.loc[sd, "2.5 %"]) / (2 * 1.959964)
        assert refits.se.loc[name, sd] == pytest.approx(
            refits.estimates.loc[name, sd] * log_se, rel=1e-4
        )
        assert refits.logLik[name] == pytest.approx(float(alone.logLik()), abs=1e-8)
        assert refits[name].estimate.loglik == alone.estimate.loglik


def test_what_cannot_be_fitted_is_recorded(refits):
    assert "is constant (0 in every row)" in refits.failures["flat"]
    assert "number of successes is not a whole number" in refits.failures["broken"]
    assert len(refits.failures) == 2
    assert refits.estimates.loc[["flat", "broken"]].isna().all(axis=None)
    assert refits.converged.to_dict()["sim_1"]
    assert not refits.converged["flat"]
    with pytest.raises(DataError, match="is constant"):
        refits["flat"]


def test_the_long_table_has_walds_tests_of_the_coefficients_only(refits):
    long = refits.to_frame()
    assert list(long) == ["response", "parameter", "estimate", "se", "z", "Pr(>|z|)"]
    assert len(long) == 7 * 5
    row = long[(long["response"] == "sim_2") & (long["parameter"] == "period2")].iloc[0]
    table = refits["sim_2"].summary().coefficients
    assert row["z"] == pytest.approx(table.loc["period2", "z value"])
    assert row["Pr(>|z|)"] == pytest.approx(table.loc["period2", "Pr(>|z|)"])
    assert (
        long.loc[long["parameter"].str.startswith("sd_"), ["z", "Pr(>|z|)"]].isna().all(axis=None)
    )


def test_it_prints_as_text_and_html(refits):
    text = str(refits)
    assert "7 responses fitted to one model: incidence / size ~ period + (1 | herd)" in text
    assert "flat failed: response 'incidence / size' is constant" in text
    assert "<table" in refits._repr_html_()


@pytest.mark.parametrize("kind", ["array", "dict", "polars"])
def test_every_kind_of_table_is_taken(cbpp, simulated, refits, kind):
    pl = pytest.importorskip("polars")
    two = simulated[["sim_1", "sim_2"]]
    makers = {
        "array": two.to_numpy(),
        "dict": two.to_dict("list"),
        "polars": pl.from_pandas(two),
    }
    again = cbpp.refit(makers[kind])
    np.testing.assert_array_equal(again.estimates, refits.estimates.loc[["sim_1", "sim_2"]])


def test_counts_are_refused_by_a_model_of_zeros_and_ones():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.integers(0, 2, 60), "g": np.arange(60) % 6})
    data["label"] = np.where(data["y"] == 1, "yes", "no")
    with pytest.warns(SingularFitWarning):
        fit = mlm.glmer("y ~ 1 + (1 | g)", data)
    with pytest.raises(DataError, match="outside the support of binomial"):
        fit.refit(rng.integers(0, 5, 60))
    with pytest.raises(DataError, match="is a proportion"):
        fit.refit(rng.uniform(size=60))
    with pytest.raises(ArgumentError, match="has 59 values; the model has 60 rows"):
        fit.refit(data["y"][:59])
    with pytest.raises(ArgumentError, match="the new response is not numeric"):
        fit.refit(data["label"])
    # The same answers as words, for a model of words.
    with pytest.warns(SingularFitWarning):
        words = mlm.glmer("label ~ 1 + (1 | g)", data)
    flipped = data["label"].map({"yes": "no", "no": "yes"})
    with pytest.warns(SingularFitWarning):
        assert words.refit(flipped).beta[0] == pytest.approx(-fit.beta[0], abs=1e-6)


def test_rows_without_a_value_are_left_out():
    data = mlm.load_grouseticks()
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", data, "poisson", na_action="exclude")
    y = data["TICKS"].astype(float).copy()
    gone = np.arange(0, len(y), 9)
    y.iloc[gone] = np.nan
    again = fit.refit(y)
    fresh = mlm.glmer("y ~ YEAR + (1 | BROOD)", data.assign(y=y), "poisson", na_action="exclude")
    np.testing.assert_array_equal(again.beta, fresh.beta)
    np.testing.assert_array_equal(again.fitted(), fresh.fitted())
    assert np.isnan(again.fitted()[gone]).all()
    # Missing in the data already: values for all rows, or for those used, are the same response.
    np.testing.assert_array_equal(fresh.refit(y).beta, fresh.beta)
    np.testing.assert_array_equal(fresh.refit(y.dropna()).beta, fresh.beta)
    strict = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", data, "poisson", na_action="fail")
    with pytest.raises(DataError, match="missing values, which na_action='fail' forbids"):
        strict.refit(y)
    with pytest.raises(DataError, match="has no values"):
        fit.refit(np.full(len(y), np.nan))
