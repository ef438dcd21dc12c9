"""``tidy``, ``glance`` and ``augment`` have broom.mixed's columns and the fit's numbers."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def slopes():
    formula = "use ~ age + I(age^2) + urban + livch + (urban | district)"
    return mlm.glmer(formula, mlm.load_contraception())


def test_tidy_has_the_rows_of_broom_mixed(slopes):
    # broom.mixed::tidy(m): effect, group, term of the same model.
    table = slopes.tidy()
    assert table["effect"].tolist() == ["fixed"] * 7 + ["ran_pars"] * 3
    assert table["group"].tolist()[7:] == ["district"] * 3
    assert sorted(table["term"][7:]) == [
        "cor__urbanY.(Intercept)",
        "sd__(Intercept)",
        "sd__urbanY",
    ]
    assert table["estimate"][7:].tolist() == pytest.approx(
        slopes.VarCorr().to_frame()["sdcor"].iloc[[0, 2, 1]].tolist()
    )
    coefficients = slopes.summary().coefficients
    np.testing.assert_array_equal(
        table.loc[:6, ["estimate", "std_error", "statistic", "p_value"]], coefficients
    )


def test_limits_are_those_of_confint(slopes):
    table = slopes.tidy(conf_int=True, conf_level=0.9).set_index("term")
    limits = slopes.confint(level=0.9)
    for name in ("age", "livch3+"):
        assert table.loc[name, ["conf_low", "conf_high"]].tolist() == limits.loc[name].tolist()
    sd = table.loc["sd__urbanY", ["conf_low", "conf_high"]].tolist()
    assert sd == limits.loc["sd_urbanY|district"].tolist()


def test_ratios_have_the_delta_methods_errors(cbpp):
    plain, ratios = (cbpp.tidy("fixed", conf_int=True, exponentiate=e) for e in (False, True))
    for name in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(ratios[name], np.exp(plain[name]))
    np.testing.assert_allclose(ratios["std_error"], plain["std_error"] * ratios["estimate"])
    np.testing.assert_array_equal(ratios["p_value"], plain["p_value"])


def test_modes_have_their_conditional_sds(cbpp):
    table = cbpp.tidy("ran_vals", conf_int=True)
    assert list(table) == [
        *["effect", "group", "level", "term", "estimate", "std_error"],
        *["conf_low", "conf_high"],
    ]
    effects = cbpp.ranef()
    np.testing.assert_array_equal(table["estimate"], effects["herd"]["(Intercept)"])
    np.testing.assert_allclose(table["std_error"], effects.se["herd"]["(Intercept)"])
    width = table["conf_high"] - table["conf_low"]
    np.testing.assert_allclose(width, 2 * 1.959963984540054 * table["std_error"])


def test_coefficients_of_levels_are_coef(slopes):
    table = slopes.tidy("ran_coefs")
    coefficients = slopes.coef()["district"]
    assert len(table) == coefficients.size
    row = table[(table["level"] == "2") & (table["term"] == "urbanY")]
    assert row["estimate"].item() == coefficients.loc["2", "urbanY"]


def test_a_residual_sd_and_a_shape_have_their_rows():
    gamma = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), "gamma")
    last = gamma.tidy("ran_pars").iloc[-1]
    assert (last["group"], last["term"]) == ("Residual", "sd__Observation")
    assert last["estimate"] == gamma.sigma
    shape = mlm.glmer_nb("y ~ trt + (1 | subject)", mlm.load_epil2()).tidy("ran_pars").iloc[-1]
    assert shape["term"] == "theta"
    assert shape["std_error"] > 0.0


def test_models_without_one_kind_of_effects_are_tidy():
    glm = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    assert glm.tidy()["effect"].tolist() == ["fixed"] * 4
    assert glm.tidy(["ran_pars", "ran_vals", "ran_coefs"]).empty
    bare = mlm.glmer("incidence / size ~ 0 + (1 | herd)", mlm.load_cbpp())
    assert bare.tidy(conf_int=True)["term"].tolist() == ["sd__(Intercept)"]


def test_glance_is_one_row(cbpp):
    row = cbpp.glance()
    assert row.shape[0] == 1
    assert row["nobs"].item() == 56
    assert row["logLik"].item() == cbpp.logLik()
    assert row["deviance"].item() == cbpp.deviance()
    quasi = mlm.glmer(
        "incidence / size ~ period + (1 | herd)",
        mlm.load_cbpp(),
        mlm.families.QuasiFamily("binomial"),
    )
    assert np.isnan(quasi.glance()["AIC"].item())
    assert quasi.glance()["sigma"].item() == quasi.sigma


def test_augment_adds_to_the_data(cbpp):
    table, data = cbpp.augment(), mlm.load_cbpp()
    pd.testing.assert_frame_equal(table[list(data)], data)
    np.testing.assert_array_equal(table[".mu"], cbpp.fitted())
    np.testing.assert_allclose(table[".fixed"], cbpp.predict(type="link", re_form="~0"))
    np.testing.assert_array_equal(table[".resid"], cbpp.residuals())
    np.testing.assert_array_equal(table[".cooksd"], cbpp.cooks_distance())


@pytest.mark.parametrize("na_action", ["omit", "exclude"])
def test_augment_keeps_the_rows_that_na_action_says(na_action):
    data = mlm.load_epil2()
    data.index = [f"r{i}" for i in range(len(data))]
    data.loc[["r3", "r7"], "Age"] = np.nan
    fit = mlm.glmer("y ~ Age + (1 | subject)", data, "poisson", na_action=na_action)
    table = fit.augment()
    kept = data.dropna() if na_action == "omit" else data
    assert table.index.equals(kept.index)
    assert table[".mu"].isna().sum() == len(kept) - (len(data) - 2)


def test_polars_data_are_augmented():
    import polars as pl

    data = pl.from_pandas(mlm.load_cbpp())
    table = mlm.glmer("incidence / size ~ period + (1 | herd)", data).augment()
    assert table["incidence"].tolist() == data["incidence"].to_list()


def test_an_unknown_effect_is_refused(cbpp):
    with pytest.raises(ArgumentError, match="Did you mean 'ran_vals'"):
        cbpp.tidy("ranvals")
