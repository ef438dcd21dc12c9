import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics.scales import scaled_parameters
from mixedlm_pt.errors import ArgumentError, MixedlmWarning


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def contraception():
    formula = "use ~ age + I(age^2) + urban + livch + (urban | district)"
    return mlm.glmer(formula, mlm.load_contraception())


@pytest.fixture(scope="module")
def three_effects():
    rng = np.random.default_rng(11)
    n = 300
    data = pd.DataFrame({"g": rng.integers(0, 25, n).astype(str), "x": rng.normal(size=n)})
    data["z"] = rng.normal(size=n)
    b = rng.normal(size=(25, 3)) @ np.array([[0.6, 0.3, 0.1], [0.0, 0.5, 0.2], [0.0, 0.0, 0.4]])
    rows = b[data.g.astype(int)]
    mu = np.exp(1.0 + rows[:, 0] + rows[:, 1] * data.x + rows[:, 2] * data.z)
    data["y"] = rng.poisson(mu).astype(float)
    return mlm.glmer("y ~ x + z + (x + z | g)", data, "poisson")


def limits(rows):
    names, lower, upper = zip(*rows, strict=True)
    return pd.DataFrame({"2.5 %": lower, "97.5 %": upper}, index=list(names))


def test_rows_and_limits_are_glmmtmbs(cbpp):
    # confint() of glmmTMB 1.1.5; it has Wald limits on the log scale for sds, too.
    expected = limits(
        [
            ("sd_(Intercept)|herd", 0.3724432155, 1.1075515366),
            ("(Intercept)", -1.8541693131, -0.9428956197),
            ("period2", -1.5933405391, -0.3913240466),
            ("period3", -1.7688696381, -0.4884729569),
            ("period4", -2.4180740223, -0.7425533519),
        ]
    )
    pd.testing.assert_frame_equal(cbpp.confint(), expected, rtol=1e-5)


def test_sds_and_sigma_of_a_gamma_fit_are_glmmtmbs():
    fit = mlm.glmer("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gamma")
    # confint(full = TRUE) of glmmTMB 1.1.5, whose scale for correlations is another.
    expected = limits(
        [
            ("sd_(Intercept)|Subject", 0.06760970429, 0.15045637251),
            ("sd_Days|Subject", 0.01159498392, 0.02643765358),
            ("sigma", 0.07204568183, 0.09073651124),
            ("(Intercept)", 5.48101734451, 5.58401849113),
            ("Days", 0.02477814690, 0.04292176394),
        ]
    )
    found = fit.confint()
    assert found.index[1] == "cor_Days.(Intercept)|Subject"
    pd.testing.assert_frame_equal(found.drop(found.index[1]), expected, rtol=1e-5)


def test_the_shape_of_a_negative_binomial_is_glmmtmbs():
    fit = mlm.glmer_nb("y ~ Base * trt + Age + Visit + (1 | subject)", mlm.load_epil2())
    # glmmTMB 1.1.5.
    expected = limits([("theta", 4.69886822651, 11.83672946515)])
    pd.testing.assert_frame_equal(fit.confint("theta"), expected, rtol=1e-5)


def test_rows_of_a_vector_term_run_column_by_column(three_effects):
    assert list(three_effects.confint("theta_").index) == [
        "sd_(Intercept)|g",
        "cor_x.(Intercept)|g",
        "cor_z.(Intercept)|g",
        "sd_x|g",
        "cor_z.x|g",
        "sd_z|g",
    ]


def test_derivatives_agree_with_central_differences(three_effects):
    fit, h = three_effects, 1e-6
    exact = scaled_parameters(fit)
    for j in range(6):
        values = []
        for sign in (1.0, -1.0):
            theta = fit.theta.copy()
            theta[j] += sign * h
            moved = fit.replace(estimate=replace(fit.estimate, theta=theta))
            values.append(scaled_parameters(moved).values)
        difference = (values[0] - values[1]) / (2.0 * h)
        np.testing.assert_allclose(exact.jacobian[:, j], difference, rtol=1e-7, atol=1e-8)


def test_limits_hold_the_estimates_and_stay_in_range(three_effects):
    found = three_effects.confint("theta_")
    is_sd = found.index.str.startswith("sd_")
    assert (found[is_sd] > 0.0).all(axis=None)
    assert (found[~is_sd].abs() < 1.0).all(axis=None)
    scaled = scaled_parameters(three_effects)
    estimates = scaled.back(scaled.values)
    assert ((found["2.5 %"] < estimates) & (estimates < found["97.5 %"])).all()


def test_theta_has_the_standard_errors_of_the_reference(contraception):
    # Reference Contraception_slope_lme4: theta_se by higher-order differences.
    covariance = contraception.vcov(full=True)
    names = ["district.(Intercept)", "district.urbanY.(Intercept)", "district.urbanY"]
    assert list(covariance.index[-3:]) == names
    se = np.sqrt(np.diag(covariance.loc[names, names]))
    np.testing.assert_allclose(
        se, [0.10248046948217, 0.198824574825094, 0.141282585237738], rtol=1e-5
    )


def test_rx_holds_the_other_parameters_fixed(cbpp):
    # vcov(fit, use.hessian = FALSE) of lme4, reference cbpp_logit_lme4.
    expected = [0.22789088437958, 0.305385529452043, 0.326049286101179, 0.42879501114445]
    np.testing.assert_allclose(np.sqrt(np.diag(cbpp.vcov(type="rx"))), expected, rtol=1e-6)
    with pytest.raises(ArgumentError, match=r"full=True.* needs another type than 'rx'"):
        cbpp.vcov(full=True, type="rx")


def test_the_dispersion_is_in_the_full_covariance():
    fit = mlm.glmer_nb("y ~ Base * trt + Age + Visit + (1 | subject)", mlm.load_epil2())
    covariance = fit.vcov(full=True)
    assert covariance.index[-1] == "log(theta)"
    # glmmTMB 1.1.5, reference epil2_nbinom2_glmmTMB: se_disp.
    assert np.sqrt(covariance.iloc[-1, -1]) == pytest.approx(0.235689347837282, rel=1e-5)


@pytest.mark.parametrize(
    ("level", "columns"),
    [(0.9, ["5 %", "95 %"]), (0.99, ["0.5 %", "99.5 %"]), (0.5, ["25 %", "75 %"])],
)
def test_columns_are_named_by_their_tails(cbpp, level, columns):
    found = cbpp.confint(level=level, method="wald")
    assert list(found.columns) == columns
    from scipy.stats import norm

    se = np.sqrt(cbpp.vcov().loc["period2", "period2"])
    lower, upper = norm.interval(level, cbpp.fixef()["period2"], se)
    assert found.loc["period2"].tolist() == pytest.approx([lower, upper])


def test_rows_are_chosen_by_name_or_by_kind(cbpp):
    assert list(cbpp.confint("period3").index) == ["period3"]
    assert list(cbpp.confint(["period3", "(Intercept)"]).index) == ["period3", "(Intercept)"]
    assert list(cbpp.confint("beta_").index) == list(cbpp.fixef().index)


def test_bad_arguments_are_refused(cbpp):
    with pytest.raises(ArgumentError, match="unknown method 'profil'; known: Wald, profile, boot"):
        cbpp.confint(method="profil")
    with pytest.raises(ArgumentError, match="unknown type 'bca'; known: perc, basic, norm"):
        cbpp.confint(method="boot", nsim=2, boot_type="bca")
    with pytest.raises(ArgumentError, match=r"unknown parm 'perod2'; .* Did you mean 'period2'"):
        cbpp.confint("perod2")
    with pytest.raises(ArgumentError, match="level is 95; it must lie between 0 and 1"):
        cbpp.confint(level=95)
    with pytest.raises(ArgumentError, match="unknown type 'sandwhich'"):
        cbpp.vcov(type="sandwhich")


@pytest.mark.parametrize("method", ["Wald", "profile", "boot"])
def test_all_methods_have_the_same_rows_and_columns(cbpp, method):
    names = ["sd_(Intercept)|herd", "(Intercept)", "period2", "period3", "period4"]
    found = cbpp.confint(method=method.upper(), nsim=10, seed=1)
    assert list(found.index) == names
    assert found.index.dtype == cbpp.confint().index.dtype
    assert list(found.columns) == ["2.5 %", "97.5 %"]
    assert (found["2.5 %"] < found["97.5 %"]).all()
    few = cbpp.confint(["period3", "theta_"], 0.8, method, nsim=10, seed=1)
    assert list(few.index) == ["period3", "sd_(Intercept)|herd"]
    assert list(few.columns) == ["10 %", "90 %"]


def test_bootstrap_limits_are_those_of_bootmer(cbpp):
    boot = cbpp.bootMer(nsim=12, seed=5)
    for kind in ("perc", "basic", "norm"):
        found = cbpp.confint(method="boot", nsim=12, seed=5, boot_type=kind)
        pd.testing.assert_frame_equal(found, boot.confint(type=kind))
    assert found.attrs == {
        "nsim": 12,
        "failed": 0,
        "failures": {},
        "singular": boot.singular,
        "seed": 5,
    }


def test_failures_of_the_bootstrap_are_counted_and_told(cbpp, monkeypatch):
    fine = cbpp.bootMer(nsim=9, seed=5)
    some = replace(fine, failures={"the likelihood is not finite": 1})
    # The package's attribute of this name is the function.
    module = sys.modules["mixedlm_pt.inference.confint"]
    monkeypatch.setattr(module, "bootMer", lambda *_, **__: some)
    message = "1 of 10 replicates of the bootstrap failed.* 1 times: the likelihood is not finite"
    with pytest.warns(MixedlmWarning, match=message):
        found = cbpp.confint(method="boot", nsim=10)
    assert found.attrs["failed"] == 1
    few = replace(fine, failures={}, nsim=9)
    monkeypatch.setattr(module, "bootMer", lambda *_, **__: few)
    assert cbpp.confint(method="boot").attrs["failures"] == {}


def test_a_variance_of_zero_has_no_limits_and_the_others_do():
    data = {"s": [10, 11, 9, 10, 10], "n": [20] * 5, "g": list("abcde")}
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("s / n ~ 1 + (1 | g)", data, control=control)
    glm = mlm.glmer("s / n ~ 1", data)
    found = fit.confint()
    assert found.loc["sd_(Intercept)|g"].isna().all()
    np.testing.assert_allclose(
        found.loc["(Intercept)"], glm.confint().loc["(Intercept)"], rtol=1e-6
    )


def test_a_correlation_of_one_has_no_limits(contraception):
    theta = np.array([0.6, 0.4, 0.0])
    outcome = replace(contraception.outcome, on_boundary=np.array([False] * 9 + [True]))
    covariance = contraception.estimate.covariance.copy()
    covariance[9], covariance[:, 9] = np.nan, np.nan
    fit = contraception.replace(
        estimate=replace(
            contraception.estimate, theta=theta, covariance=covariance, outcome=outcome
        )
    )
    found = fit.confint("theta_")
    assert found.loc["cor_urbanY.(Intercept)|district"].isna().all()
    # With theta_3 = 0 the sds are theta_1 and theta_2, and their log ses those over the estimates.
    for name, j in {"sd_(Intercept)|district": 0, "sd_urbanY|district": 1}.items():
        se = np.sqrt(covariance[7 + j, 7 + j]) / theta[j]
        expected = theta[j] * np.exp(1.959963984540054 * se * np.array([-1.0, 1.0]))
        np.testing.assert_allclose(found.loc[name], expected, rtol=1e-9)


def test_wald_limits_of_the_fixed_effects_take_any_covariance(cbpp):
    half = 1.959963984540054 * np.sqrt(np.diag(cbpp.vcov(type="sandwich")))
    robust, usual = cbpp.confint(vcov="sandwich"), cbpp.confint()
    np.testing.assert_allclose(robust.loc["(Intercept)":, "2.5 %"], cbpp.beta - half, rtol=1e-12)
    np.testing.assert_allclose(robust.loc["(Intercept)":, "97.5 %"], cbpp.beta + half, rtol=1e-12)
    pd.testing.assert_frame_equal(robust.iloc[:1], usual.iloc[:1])
    given = cbpp.confint("beta_", vcov=4.0 * cbpp.vcov())
    width, old = given.diff(axis=1).iloc[:, 1], usual.loc["(Intercept)":].diff(axis=1).iloc[:, 1]
    np.testing.assert_allclose(width, 2.0 * old, rtol=1e-12)
    with pytest.raises(ArgumentError, match="vcov is for Wald limits; method='profile' has none"):
        cbpp.confint(method="profile", vcov="sandwich")
