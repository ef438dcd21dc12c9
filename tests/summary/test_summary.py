import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import RankDeficiencyWarning
from mixedlm_pt.summary.text import abbreviate, abbreviations
from mixedlm_pt.tables import numbers, p_values, stars, text_table

GOLDEN = Path(__file__).with_name("cbpp_summary.txt")


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def contraception():
    formula = "use ~ age + I(age^2) + urban + livch + (urban | district)"
    return mlm.glmer(formula, mlm.load_contraception())


@pytest.fixture(scope="module")
def gamma():
    return mlm.glmer("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gamma")


def test_the_summary_of_cbpp_is_the_golden_file(cbpp):
    # The number of evaluations is the optimiser's business.
    text = re.sub(r"\d+ evaluations", "N evaluations", str(cbpp.summary()))
    assert text + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_coefficients_are_those_of_forty_digits(cbpp):
    table = cbpp.summary().coefficients
    assert list(table.columns) == ["Estimate", "Std. Error", "z value", "Pr(>|z|)"]
    # Newton's method on the Laplace approximation with 40 digits, by mpmath 1.3.
    estimates = [-1.39853214237, -0.992332734874, -1.12867208417, -1.58031388518]
    errors = [0.2324719923, 0.3066424979, 0.3266378505, 0.4274365866]
    np.testing.assert_allclose(table["Estimate"], estimates, atol=1e-8)
    np.testing.assert_allclose(table["Std. Error"], errors, rtol=1e-5)
    from scipy.stats import norm

    z = np.array(estimates) / errors
    np.testing.assert_allclose(table["Pr(>|z|)"], 2 * norm.sf(np.abs(z)), rtol=1e-4)


def test_the_frame_of_a_summary_is_its_table_of_coefficients(cbpp):
    pd.testing.assert_frame_equal(cbpp.summary().to_frame(), cbpp.summary().coefficients)


def test_scaled_residuals_are_pearsons_over_sigma(gamma):
    scaled = gamma.residuals("pearson") / np.sqrt(gamma.phi)
    found = gamma.summary().scaled_residuals
    np.testing.assert_allclose(found, np.quantile(scaled, [0.0, 0.25, 0.5, 0.75, 1.0]))


def test_the_correlation_is_that_of_the_covariance(contraception):
    found, V = contraception.summary().correlation, contraception.vcov()
    assert found.loc["age", "livch3+"] == pytest.approx(
        V.loc["age", "livch3+"] / np.sqrt(V.loc["age", "age"] * V.loc["livch3+", "livch3+"])
    )


def test_varcorr_is_rs_data_frame(contraception):
    frame = contraception.VarCorr().to_frame()
    assert list(frame.columns) == ["grp", "var1", "var2", "vcov", "sdcor"]
    assert frame["var1"].tolist() == ["(Intercept)", "urbanY", "(Intercept)"]
    assert frame["var2"].isna().tolist() == [True, True, False]
    # Reference Contraception_slope_lme4.
    covariances = [0.384915658260136, 0.541210657084905, -0.361898672667571]
    scales = [0.62041571406609, 0.735670209458631, -0.79290477115466]
    np.testing.assert_allclose(frame["vcov"], covariances, rtol=1e-5)
    np.testing.assert_allclose(frame["sdcor"], scales, rtol=1e-5)


def test_varcorr_is_a_mapping_of_covariance_matrices(contraception):
    components = contraception.VarCorr()
    assert list(components) == ["district"]
    covariance = components["district"]
    assert covariance.loc["urbanY", "(Intercept)"] == covariance.loc["(Intercept)", "urbanY"]
    sd, corr = components.sd["district"], components.corr["district"]
    np.testing.assert_allclose(np.outer(sd, sd) * corr, covariance, rtol=1e-12)
    assert components.sigma is None


def test_a_scale_has_a_residual_row(gamma):
    last = gamma.VarCorr().to_frame().iloc[-1]
    assert last["grp"] == "Residual"
    # glmmTMB 1.1.5: sigma().
    assert last["sdcor"] == pytest.approx(0.08085279104, rel=1e-6)
    assert " Residual              0.08085" in str(gamma.VarCorr())


def test_the_text_of_varcorr_is_in_lme4s_layout(contraception):
    assert str(contraception.VarCorr()).splitlines() == [
        " Groups   Name        Std.Dev.  Corr",
        " district (Intercept)   0.6204",
        "          urbanY        0.7357 -0.79",
    ]


def test_a_second_term_of_a_group_has_lme4s_key():
    fit = mlm.glmer("Reaction ~ Days + (Days || Subject)", mlm.load_sleepstudy(), "gamma")
    assert list(fit.VarCorr()) == ["Subject", "Subject.1"]
    assert fit.VarCorr()["Subject.1"].columns.tolist() == ["Days"]


def test_a_fit_prints_itself_in_brief(cbpp):
    assert str(cbpp) == repr(cbpp)
    assert str(cbpp).splitlines() == [
        "Generalized linear mixed model fit by maximum likelihood (Laplace Approximation)",
        " Family: binomial ( logit )",
        "Formula: incidence / size ~ period + (1 | herd)",
        "   Data: 56 rows",
        "     AIC      BIC   logLik -2*log(L) df.resid",
        "194.0526 204.1793 -92.0263  184.0526       51",
        "Random effects:",
        " Groups Name        Std.Dev.",
        " herd   (Intercept)   0.6423",
        "Number of obs: 56, groups:  herd, 15",
        "Fixed effects:",
        "(Intercept)     period2     period3     period4",
        "    -1.3985     -0.9923     -1.1287     -1.5803",
    ]


@pytest.mark.parametrize(
    ("nAGQ", "control", "expected"),
    [
        (0, {}, "(Adaptive Gauss-Hermite\n  Quadrature, nAGQ = 0)"),
        (10, {}, "(Adaptive Gauss-Hermite\n  Quadrature, nAGQ = 10)"),
        (1, {"laplace_weights": "expected"}, "(Laplace Approximation,\n  expected information)"),
    ],
)
def test_the_heading_names_the_approximation(nAGQ, control, expected):
    fit = mlm.glmer(
        "incidence / size ~ period + (1 | herd)",
        mlm.load_cbpp(),
        nAGQ=nAGQ,
        control=mlm.GlmerControl(**control),
    )
    assert str(fit).startswith(
        f"Generalized linear mixed model fit by maximum likelihood {expected}\n"
    )


def test_a_model_without_random_effects_is_no_mixed_model():
    text = str(mlm.glmer("incidence / size ~ period", mlm.load_cbpp()).summary())
    assert text.startswith("Generalized linear model fit by maximum likelihood\n")
    assert "Random effects" not in text


def test_a_quasi_family_has_no_criteria_but_a_dispersion():
    family = mlm.families.QuasiFamily("binomial")
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), family)
    text = str(fit.summary())
    assert "maximum quasi-likelihood" in text
    assert "AIC" not in text
    assert f"Dispersion of quasibinomial: {fit.phi:.4g} (Pearson" in text
    assert fit.summary().criteria is None
    assert "AIC" not in fit._repr_html_()


def test_a_negative_binomial_reports_its_shape():
    fit = mlm.glmer_nb("y ~ Base * trt + Age + Visit + (1 | subject)", mlm.load_epil2())
    # glmmTMB 1.1.5: theta 7.4578, standard error of its logarithm 0.23569.
    line = "Shape of negative_binomial, theta: 7.458 (Std. Error 1.76)"
    assert line in str(fit)
    assert line in str(fit.summary())
    fixed = mlm.glmer(
        "y ~ Age + (1 | subject)", mlm.load_epil2(), mlm.families.NegativeBinomial(2.5)
    )
    assert "Dispersion" not in str(fixed)
    assert "Shape of negative_binomial, theta: 2.5 (fixed)" in str(fixed)


def test_weights_omitted_rows_and_dropped_columns_are_mentioned():
    data = mlm.load_cbpp()
    data["x"] = np.linspace(0.0, 1.0, 56)
    data.loc[5, "x"] = np.nan
    data["twice"] = 2.0 * data["x"]
    data["prop"] = data["incidence"] / data["size"]
    with pytest.warns(RankDeficiencyWarning):
        fit = mlm.glmer("prop ~ x + twice + (1 | herd)", data, weights="size")
    for text in (str(fit), str(fit.summary()), fit._repr_html_()):
        assert "55 rows (1 more omitted: missing values)" in text
        assert "twice" in text.split("ropped", 1)[1]
    assert "Weights: size" in str(fit)


def test_missing_standard_errors_are_shown_as_nan(cbpp):
    from dataclasses import replace

    missing = np.full_like(cbpp.estimate.covariance, np.nan)
    outcome = replace(cbpp.outcome, has_information=False, decrement=np.nan)
    fit = cbpp.replace(estimate=replace(cbpp.estimate, covariance=missing, outcome=outcome))
    text = str(fit.summary())
    assert re.search(r"period2 +-0\.9923 +NaN +NaN +NaN\n", text)
    assert "Correlation of Fixed Effects" not in text
    assert "NOT converged" in text


def test_many_coefficients_leave_their_correlations_out_of_the_text():
    rng = np.random.default_rng(8)
    data = pd.DataFrame(rng.normal(size=(80, 13)), columns=[f"x{i}" for i in range(13)])
    data["y"] = rng.poisson(2.0, 80)
    fit = mlm.glmer("y ~ " + " + ".join(f"x{i}" for i in range(13)), data, "poisson")
    assert "Correlation of Fixed Effects" not in str(fit.summary())
    assert fit.summary().correlation.shape == (14, 14)


def test_html_has_tables_with_scoped_headers_and_no_colours(contraception):
    html = contraception._repr_html_()
    assert html == contraception.summary()._repr_html_()
    assert html.count("<table") == html.count("</table>") == 3
    assert re.search(r'<th scope="row" style="text-align: left[^"]*">I\(age\^2\)</th>', html)
    assert "Pr(&gt;|z|)" in html
    assert "color:" not in html.replace("color: inherit", "")
    assert "background" not in html


def test_names_are_abbreviated_as_by_r():
    # abbreviate(x, 6) in R 4.2.2; (Intr) is lme4's own.
    expected = {
        "(Intercept)": "(Intr)",
        "period2": "perid2",
        "urbanY": "urbanY",
        "livch3+": "lvch3+",
        "btypescold": "btypsc",
        "FoodTreatmentSatiated": "FdTrtS",
        "trtprogabide": "trtprg",
        "I(age^2)": "I(g^2)",
        "log(BroodSize)": "lg(BS)",
    }
    assert {name: abbreviate(name) for name in expected} == expected


def test_abbreviations_that_coincide_are_longer_as_by_r():
    # abbreviate(x, 6) and abbreviate(x, 11) in R 4.2.2, as lme4 prints the summary of VerbAgg.
    names = ["btypescold", "btypeshout", "btypescold:modedo", "btypeshout:modedo"]
    assert abbreviations(names) == ["btypsc", "btypsh", "btypsc:", "btypsh:"]
    assert abbreviations(names, 11) == ["btypescold", "btypeshout", "btypscld:md", "btypsht:mdd"]
    assert abbreviations(["same", "same"], 3) == ["same", "same"]


def test_wide_letters_take_two_columns():
    table = text_table(["", "value"], [["変数", "1"], ["abcd", "2"]], left=(0,))
    assert table.splitlines()[1:] == ["変数     1", "abcd     2"]
    assert text_table(["", "v"], [["e\u0301", "1"], ["x", "2"]], left=(0,)).endswith("x 2")


def test_correlations_are_wrapped_as_by_lme4():
    fit = mlm.glmer("r2 ~ (Anger + Gender + btype + situ) * mode + (1 | id)", mlm.load_verbagg())
    text = str(fit.summary()).split("Correlation of Fixed Effects:\n")[1].split("\n\n")[0]
    assert max(map(len, text.splitlines())) <= 80
    headers = [line for line in text.splitlines() if line.startswith("   ")]
    assert [name for line in headers for name in line.split()] == [
        # The header of print(summary(m)) in lme4 1.1-31.
        *"(Intr) Anger GendrM btypsc btypsh sitslf modedo Angr:m GndrM: btypsc: btypsh:".split()
    ]
    rows = [line.split()[0] for line in text.splitlines() if not line.startswith("   ")]
    assert rows[-3:] == ["btypscld:md", "btypsht:mdd", "situslf:mdd"]
    assert "-0.000" not in text


def test_the_correlations_can_be_asked_for_and_left_out(cbpp):
    assert "Correlation of Fixed" not in str(cbpp.summary(correlation=False))
    data = pd.DataFrame(np.random.default_rng(8).normal(size=(80, 13))).add_prefix("x")
    data["y"] = np.random.default_rng(9).poisson(2.0, 80)
    fit = mlm.glmer("y ~ " + " + ".join(f"x{i}" for i in range(13)), data, "poisson")
    assert "Correlation of 14 fixed effects not shown" in str(fit.summary())
    assert "Correlation of Fixed Effects:\n" in str(fit.summary(correlation=True))


def test_other_standard_errors_are_used_and_named(cbpp):
    robust = cbpp.summary(vcov="sandwich")
    expected = np.sqrt(np.diag(cbpp.vcov(type="sandwich")))
    np.testing.assert_allclose(robust.coefficients["Std. Error"], expected)
    assert "Fixed effects (standard errors: sandwich):" in str(robust)
    assert "Fixed effects (standard errors: sandwich)" in robust._repr_html_()
    given = cbpp.summary(vcov=4.0 * cbpp.vcov())
    np.testing.assert_allclose(
        given.coefficients["z value"], cbpp.summary().coefficients["z value"] / 2.0
    )
    assert "(standard errors: given)" in str(given)


def test_the_dispersion_ratio_is_printed_where_it_says_something(cbpp, contraception, gamma):
    # performance::check_overdispersion: sum(residuals(m, "pearson")^2) / df.residual(m).
    ratio = (cbpp.residuals("pearson") ** 2).sum() / cbpp.df_residual()
    assert f"Pearson's dispersion ratio: {ratio:.4g} " in str(cbpp.summary())
    assert "dispersion ratio: " in cbpp._repr_html_()
    for fit in (contraception, gamma):
        assert "dispersion ratio" not in str(fit.summary())


def test_a_shape_at_its_limit_is_called_infinite():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "y": rng.binomial(10, 0.3, 200)})
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer_nb("y ~ 1 + (1 | g)", data)
    line = "Shape of negative_binomial, theta: infinite (on the boundary)"
    assert line in str(fit)
    assert line in str(fit.summary())
    assert line in fit._repr_html_()


def test_a_long_formula_is_wrapped(contraception):
    data = mlm.load_contraception()
    for name in "abcdefgh":
        data[f"predictor_{name}"] = np.random.default_rng(ord(name)).normal(size=len(data))
    terms = " + ".join(f"predictor_{name}" for name in "abcdefgh")
    text = str(mlm.glmer(f"use ~ {terms} + (1 | district)", data, nAGQ=0))
    assert max(map(len, text.splitlines())) <= 80
    assert "\n         predictor_" in text


def test_a_model_without_fixed_effects_says_so():
    fit = mlm.glmer("incidence / size ~ 0 + (1 | herd)", mlm.load_cbpp())
    assert "Fixed effects:\n(none)" in str(fit.summary())
    assert "<table" in fit._repr_html_()
    assert "Std.Dev." in str(fit)


def test_numbers_share_decimals_and_keep_four_digits_of_the_smallest():
    assert numbers([1.0, -0.012346]) == ["1.00000", "-0.01235"]
    assert numbers([123456.0, 2.0]) == ["123456.000", "2.000"]
    assert numbers([1e-12, 1.0]) == ["1.000e-12", "1.000e+00"]
    assert numbers([0.0, float("nan")]) == ["0.0000", "NaN"]


def test_p_values_are_rs():
    # From R's summary of cbpp.
    found = p_values([1.47e-09, 0.001068, 0.000474, 1e-20])
    assert found == ["1.47e-09", "0.001068", "0.000474", "< 2e-16"]
    assert stars([1e-4, 0.005, 0.03, 0.07, 0.5]) == ["***", "**", "*", ".", ""]


def test_columns_are_aligned_whatever_the_names():
    table = text_table(["", "value"], [["a very long name", "1"], ["b", "-22.5"]], left=(0,))
    assert table.splitlines() == [
        "                 value",
        "a very long name     1",
        "b                -22.5",
    ]
