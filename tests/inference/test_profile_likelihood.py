import json
import pickle
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from scipy.stats import chi2, norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ConvergenceWarning, MixedlmWarning
from mixedlm_pt.estimation import Objective
from mixedlm_pt.inference import profile_likelihood
from mixedlm_pt.inference.profile_curve import focuses

CBPP = "incidence / size ~ period + (1 | herd)"
REFERENCE = Path(__file__).parents[1] / "reference" / "fits"
ROWS = ["sd_(Intercept)|herd", "(Intercept)", "period2", "period3", "period4"]


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(CBPP, mlm.load_cbpp())


@pytest.fixture(scope="module")
def cbpp_profile(cbpp):
    return cbpp.profile()


@pytest.fixture(scope="module")
def contraception():
    formula = "use ~ age + I(age^2) + urban + livch + (urban | district)"
    return mlm.glmer(formula, mlm.load_contraception())


@pytest.fixture(scope="module")
def gamma():
    return mlm.glmer("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gamma")


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


@pytest.fixture(scope="module")
def correlation_one():
    rng = np.random.default_rng(3)
    n = 12
    data = pd.DataFrame({"g": np.repeat(np.arange(8), n), "x": np.tile(np.linspace(-1, 1, n), 8)})
    b = rng.normal(size=8)[data.g]
    data["y"] = rng.poisson(np.exp(1.0 + 0.6 * b + 0.3 * b * data.x)).astype(float)
    control = mlm.GlmerControl(check_singular=False)
    return mlm.glmer("y ~ x + (x | g)", data, "poisson", control=control)


def estimates(fit):
    log_phi = [np.log(fit.phi)] * fit.family.estimates_phi
    return np.concatenate([fit.beta, fit.theta, log_phi])


def lambda_of(theta, k):
    Lambda = np.zeros((k, k))
    Lambda[np.triu_indices(k)[::-1]] = theta
    return Lambda


def constrained_loglik(fit, parameter, value):
    """SciPy's SLSQP with the parameter as a nonlinear constraint on (beta, theta, log phi)."""
    objective = Objective(fit.model, fit.approximation)
    unit = np.diag(fit.estimate.restart.scale) + 1e-8
    x0 = estimates(fit)
    # On the boundary every derivative of a correlation may vanish.
    x0[fit.outcome.on_boundary] += 0.1

    def loss(z):
        evaluation = objective(x0 + unit * z)
        return -evaluation.loglik, -evaluation.gradient * unit

    constraint = {"type": "eq", "fun": lambda z: parameter(x0 + unit * z) - value}
    found = scipy.optimize.minimize(
        loss,
        np.zeros(len(x0)),
        jac=True,
        method="SLSQP",
        constraints=[constraint],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    return -found.fun


# ---- agreement with R -----------------------------------------------------------------------


def test_limits_of_cbpp_are_those_of_the_issue(cbpp_profile):
    # Root finding on lme4's own objective, reference cbpp_confint: profile_95_root.
    lower = [0.346091882317632, -1.90118783042225, -1.61676617563819, -1.80100711930882]
    upper = [1.09995584041057, -0.947787823748212, -0.407780175037191, -0.511553428674939]
    expected = pd.DataFrame(
        {"2.5 %": [*lower, -2.50075745237242], "97.5 %": [*upper, -0.800756926171574]}, index=ROWS
    )
    found = cbpp_profile.confint()
    pd.testing.assert_frame_equal(found, expected, rtol=0.0, atol=1e-7, check_index_type=False)
    # confint(profile(fit)) of lme4 1.1-31, interpolated: 1e-5.
    assert found.loc["period4"].round(3).tolist() == [-2.501, -0.801]


def test_limits_of_other_levels_are_lme4s(cbpp_profile):
    # lme4: confint(fit, method = "profile", level = 0.9), interpolated.
    expected = [[0.38890712, 1.00762726], [-1.81165560, -1.02253813], [-1.51290266, -0.49981802]]
    found = cbpp_profile.confint(ROWS[:3], level=0.9)
    assert list(found.columns) == ["5 %", "95 %"]
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_adaptive_quadrature_is_profiled_too():
    # lme4 1.1-31: confint(profile(glmer(..., nAGQ = 10))).
    expected = {
        "sd_(Intercept)|herd": [0.3488017621, 1.1112954604],
        "(Intercept)": [-1.9046841206, -0.9462134013],
        "period4": [-2.5001918845, -0.7995919921],
    }
    fit = mlm.glmer(CBPP, mlm.load_cbpp(), nAGQ=10)
    found = fit.confint(list(expected), method="profile")
    np.testing.assert_allclose(found, list(expected.values()), rtol=2e-6)


def test_slopes_and_correlations_are_glmmtmbs(contraception):
    # glmmTMB 1.1.5: confint(m, method = "profile", parm = c(1, 4, 8, 9)), interpolated; its thetas
    # are log sds. lme4 1.1-31 gives up after 4 minutes: "profiling detected new, lower deviance".
    expected = {
        "sd_(Intercept)|district": np.exp([-0.820338812628, -0.161871993332]),
        "sd_urbanY|district": np.exp([-1.007226378019, 0.151256812104]),
        "(Intercept)": [-1.438362205792, -0.702669185222],
        "urbanY": [0.451813546055, 1.113660165295],
    }
    found = contraception.confint(list(expected), method="profile")
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-3)
    assert found.index.tolist() == list(expected)


def test_correlation_and_sigma_of_a_gamma_fit_are_glmmtmbs(gamma):
    # glmmTMB 1.1.5, confint(m, method = "profile"); theta_3 = -0.6300282790734, 0.6250398202139
    # with r = theta / sqrt(1 + theta^2). sigma: exp(-betad / 2) of TMB::tmbprofile(m$obj, "betad").
    scaled = np.array([-0.6300282790734, 0.6250398202139])
    expected = {
        "sd_(Intercept)|Subject": [0.0677865781978, 0.1536645518625],
        "cor_Days.(Intercept)|Subject": scaled / np.sqrt(1.0 + scaled**2),
        "sd_Days|Subject": [0.0115402300326, 0.0269034167324],
        "sigma": [0.0723534207298, 0.0911536432778],
        "(Intercept)": [5.4781387595696, 5.5868885923589],
        "Days": [0.0242751153254, 0.0434317672912],
    }
    found = gamma.confint(method="profile")
    assert list(found.index) == list(expected) == list(gamma.confint().index)
    np.testing.assert_allclose(found, list(expected.values()), rtol=5e-4)


def test_the_shape_of_a_negative_binomial_is_tmbs():
    fit = mlm.glmer_nb("y ~ Base * trt + Age + Visit + (1 | subject)", mlm.load_epil2())
    # exp(confint(TMB::tmbprofile(m$obj, name = "betad"))), glmmTMB 1.1.5, interpolated; and
    # confint(m, method = "profile").
    found = fit.confint(["theta", "trtprogabide"], method="profile")
    expected = [[4.79279658105, 12.1629956455], [-1.7292038266547, -0.1389600550892]]
    np.testing.assert_allclose(found, expected, rtol=5e-5)


def test_an_sd_that_zero_is_compatible_with_has_the_lower_limit_zero():
    data = mlm.load_cbpp()
    fit = mlm.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd / period)", data)
    found = fit.profile("theta_")
    # lme4 1.1-31: confint(profile(fit)), interpolated.
    expected = [[0.419866795529, 1.370384193897], [0.0, 0.873718089252]]
    np.testing.assert_allclose(found.confint(), expected, rtol=2e-4)
    assert found.confint().loc["sd_(Intercept)|herd", "2.5 %"] == 0.0
    assert "0 is\ncompatible" in str(found) or "0 is compatible" in str(found)


def test_a_model_without_random_effects_has_the_limits_of_glm():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    # R 4.2.2: confint(glm(cbind(incidence, size - incidence) ~ period, binomial, cbpp)).
    expected = [
        [-1.56115876209, -0.992026553047],
        [-1.76953663005, -0.620479541278],
        [-1.95088310722, -0.715727097003],
        [-2.68065936024, -1.037551810521],
    ]
    np.testing.assert_allclose(fit.confint(method="profile"), expected, rtol=1e-4)


# ---- the definition, by brute force ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("sd_x|g", lambda L: np.linalg.norm(L[1])),
        ("cor_z.x|g", lambda L: L[1] @ L[2] / np.linalg.norm(L[1]) / np.linalg.norm(L[2])),
        ("cor_x.(Intercept)|g", lambda L: L[1, 0] / np.linalg.norm(L[1])),
    ],
)
def test_the_likelihood_ratio_at_the_limits_is_the_quantile(three_effects, name, parameter):
    fit = three_effects
    for value in fit.confint(name, method="profile").loc[name]:
        loglik = constrained_loglik(fit, lambda par: parameter(lambda_of(par[3:9], 3)), value)
        lost = 2.0 * (fit.logLik() - loglik)
        assert lost == pytest.approx(chi2.ppf(0.95, 1), abs=2e-5)


def test_every_point_has_its_likelihood_and_its_parameters(three_effects):
    fit = three_effects
    found = fit.profile(["sd_z|g", "cor_z.x|g", "x"])
    frame = found.to_frame()
    assert list(frame.columns) == [".zeta", *fit.confint().index, ".par", ".focal"]
    for curve in found.curves:
        objective = Objective(fit.model, fit.approximation)
        loglik = np.array([objective(par).loglik for par in curve.par])
        np.testing.assert_allclose(curve.zeta**2, 2.0 * (fit.logLik() - loglik), atol=1e-7)
        rows = frame[frame[".par"] == curve.name]
        for par, value in zip(curve.par, rows[".focal"], strict=True):
            moved = replace(fit.estimate, beta=par[:3], theta=par[3:9])
            natural = mlm.diagnostics.natural_parameters(fit.replace(estimate=moved))
            assert natural[curve.name] == pytest.approx(value, rel=1e-9)


def test_moving_the_origin_of_a_slope_changes_nothing_but_its_intercept(gamma):
    data = mlm.load_sleepstudy()
    data["year"] = data["Days"] + 2001
    fit = mlm.glmer("Reaction ~ year + (year | Subject)", data, "gamma")
    uncentred = fit.confint(["sd_year|Subject", "sigma", "year"], method="profile")
    centred = gamma.confint(["sd_Days|Subject", "sigma", "Days"], method="profile")
    np.testing.assert_allclose(uncentred, centred, rtol=1e-6)
    wide = fit.confint(["sd_(Intercept)|Subject", "cor_year.(Intercept)|Subject"], method="profile")
    assert np.isfinite(wide).all(axis=None)
    assert (wide.iloc[1] > -1.0).all()
    assert (wide.iloc[1] < -0.9999).all()


# ---- the ends of the parameter space --------------------------------------------------------


def test_an_sd_estimated_as_zero_has_limits():
    data = {"s": [10, 11, 9, 10, 10], "n": [20] * 5, "g": list("abcde")}
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("s / n ~ 1 + (1 | g)", data, control=control)
    found = fit.confint(method="profile")
    lower, upper = found.loc["sd_(Intercept)|g"]
    assert lower == 0.0
    # By symmetry the intercept stays at zero: the profile is the likelihood itself.
    objective = Objective(fit.model, fit.approximation)
    lost = 2.0 * (fit.logLik() - objective(np.array([0.0, upper])).loglik)
    assert lost == pytest.approx(chi2.ppf(0.95, 1), abs=1e-5)
    assert found.loc["(Intercept)", "2.5 %"] == pytest.approx(-found.loc["(Intercept)", "97.5 %"])
    # Held far from the estimate, the random effect wakes up: wider than without it.
    glm = mlm.glmer("s / n ~ 1", data).confint(method="profile")
    assert found.loc["(Intercept)", "97.5 %"] >= glm.loc["(Intercept)", "97.5 %"] - 1e-8


def test_a_correlation_estimated_as_one_has_a_lower_limit(correlation_one):
    fit = correlation_one
    lower, upper = fit.confint("cor_x.(Intercept)|g", method="profile").to_numpy()[0]
    assert upper == 1.0
    loglik = constrained_loglik(fit, lambda par: par[3] / np.hypot(par[3], par[4]), lower)
    assert 2.0 * (fit.logLik() - loglik) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)


def test_the_correlation_with_an_effect_that_does_not_vary_may_be_anything(correlation_one):
    theta = np.array([0.8, 0.0, 0.0])
    flat = correlation_one.replace(estimate=replace(correlation_one.estimate, theta=theta))
    found = flat.profile("cor_x.(Intercept)|g")
    assert found.confint().to_numpy().tolist() == [[-1.0, 1.0]]
    assert "one of the effects does not vary" in str(found)


def test_separation_gives_an_infinite_limit_and_says_so():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 6), "x": np.tile([0, 0, 0, 1, 1, 1], 20)})
    data["y"] = np.where(data.x == 1, 1, rng.integers(0, 2, 120))
    with pytest.warns(ConvergenceWarning, match="separated"):
        fit = mlm.glmer("y ~ x + (1 | g)", data)
    with pytest.warns(MixedlmWarning, match="x: there is no upper limit.*levels off towards inf"):
        lower, upper = fit.confint("x", method="profile").loc["x"]
    assert upper == np.inf
    loglik = constrained_loglik(fit.replace(estimate=near(fit, lower)), lambda par: par[1], lower)
    assert 2.0 * (fit.logLik() - loglik) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)


def test_where_every_coefficient_separates_limits_exist_on_one_side():
    """Rounding once left the information singular that one of the searches had collected."""
    data = mlm.load_culcitalogreg().query("ttt != 'none' or predation == 1")
    with pytest.warns(ConvergenceWarning, match="separated"):
        fit = mlm.glmer("predation ~ ttt + (1 | block)", data)
    # There is a second maximum, 0.25 higher, at an sd of 26 and with means that round to 0 and 1.
    # Whether one of the searches comes across it, and says so, is a matter of rounding.
    with pytest.warns(MixedlmWarning, match="levels off towards|log-likelihood is higher"):
        limits = fit.confint(method="profile").loc["(Intercept)":"tttshrimp"]
    assert np.isinf(limits.to_numpy()).tolist() == [[False, True], [True, False], [True, False]]


def near(fit, value):
    """Estimates that start SLSQP where the likelihood is not flat."""
    restart = replace(fit.estimate.restart, scale=np.eye(3))
    return replace(fit.estimate, beta=np.array([fit.beta[0], value]), restart=restart)


def test_counts_without_overdispersion_allow_an_infinite_shape():
    data = {"y": [3.0, 2, 4, 3, 5, 2, 3, 4, 3, 3, 1, 2], "g": list("aaabbbcccddd")}
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer_nb("y ~ 1 + (1 | g)", data, control=control)
    found = fit.profile("theta")
    with pytest.warns(MixedlmWarning, match="theta: there is no upper limit"):
        lower, upper = found.confint().loc["theta"]
    assert upper == np.inf
    loglik = constrained_loglik(fit, lambda par: par[2], np.log(lower))
    assert 2.0 * (fit.logLik() - loglik) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)


def test_where_means_would_leave_their_range_the_curve_ends():
    data = {"y": [0.0, 20.0, 20.0, 8.0, 8.0], "x": [0.0, 1.0, 1.0, 2.0, 2.0]}
    found = mlm.glmer("y ~ x", data, mlm.families.Poisson(link="identity")).profile("(Intercept)")
    assert found.confint().iloc[0, 0] == pytest.approx(0.0, abs=1e-5)
    text = " ".join(str(found).split())
    assert "beyond the lower limit the profile ends: there the likelihood cannot be" in text


def test_identity_links_are_followed_to_the_limit():
    # The search for the mode fails here if the steps are long: the means become negative.
    formula = "deaths ~ expected + (1 | nation)"
    fit = mlm.glmer(formula, mlm.load_mmmec(), mlm.families.Poisson(link="identity"))
    lower = fit.confint("(Intercept)", method="profile").iloc[0, 0]
    loglik = constrained_loglik(fit, lambda par: par[0], lower)
    assert 2.0 * (fit.logLik() - loglik) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)


# ---- better optima, work, immutability ------------------------------------------------------


def test_a_missed_optimum_is_found_and_the_profile_starts_again(cbpp, cbpp_profile):
    beta = cbpp.beta + 0.01 * np.arange(4)
    worse = cbpp.replace(estimate=replace(cbpp.estimate, beta=beta, loglik=-92.0277))
    with pytest.warns(ConvergenceWarning, match=r"higher by 0\.001.* than that of the fit"):
        found = worse.profile()
    assert found.fit.logLik() == pytest.approx(cbpp.logLik(), abs=1e-8)
    np.testing.assert_allclose(found.confint(), cbpp_profile.confint(), rtol=1e-6)
    np.testing.assert_array_equal(worse.beta, beta)
    with pytest.warns(ConvergenceWarning, match="give it to glmer as start="):
        limits = worse.confint(method="profile")
    np.testing.assert_allclose(limits, cbpp_profile.confint(), rtol=1e-6)


def test_nothing_in_the_fit_changes(cbpp, contraception):
    for fit in (cbpp, contraception):
        before = pickle.dumps((fit.estimate, fit.b, fit.mu, fit.messages))
        fit.profile("theta_").confint(level=0.7)
        fit.confint("theta_", method="profile")
        assert pickle.dumps((fit.estimate, fit.b, fit.mu, fit.messages)) == before


def test_a_point_takes_few_evaluations(cbpp, contraception, monkeypatch):
    count = 0
    evaluate = Objective.__call__

    def counted(self, par):
        nonlocal count
        count += 1
        return evaluate(self, par)

    monkeypatch.setattr(Objective, "__call__", counted)
    for fit in (cbpp, contraception):
        count = 0
        found = fit.profile()
        assert count < 4.0 * sum(len(curve.points) for curve in found.curves)


def test_other_levels_go_on_from_the_curves(cbpp, cbpp_profile):
    fresh = cbpp.confint(level=0.731, method="profile")
    pd.testing.assert_frame_equal(cbpp_profile.confint(level=0.731), fresh, rtol=1e-6)
    beyond = cbpp_profile.confint("period2", level=0.9999)
    assert list(beyond.columns) == ["0.005 %", "99.995 %"]
    loglik = constrained_loglik(cbpp, lambda par: par[1], beyond.iloc[0, 1])
    lost = 2.0 * (cbpp.logLik() - loglik)
    assert lost == pytest.approx(chi2.ppf(0.9999, 1), abs=2e-5)


def test_limits_widen_with_the_level(cbpp_profile):
    widths = [np.ptp(cbpp_profile.confint("period2", q)) for q in (0.5, 0.8, 0.9, 0.95, 0.99)]
    assert (np.diff(widths) > 0.0).all()


def test_results_do_not_depend_on_the_workers(cbpp, cbpp_profile):
    with joblib.parallel_config("threading", n_jobs=2):
        found = cbpp.profile()
    pd.testing.assert_frame_equal(found.to_frame(), cbpp_profile.to_frame())


def test_an_interrupted_profile_keeps_what_is_finished(cbpp, monkeypatch):
    trace = profile_likelihood.trace_parameter

    def interrupted(name, **arguments):
        if name == "period3":
            raise KeyboardInterrupt
        return trace(name, **arguments)

    monkeypatch.setattr(profile_likelihood, "trace_parameter", interrupted)
    found = cbpp.profile()
    assert list(found.confint().index) == ROWS[:3]
    assert "Interrupted after 3 of 5 parameters." in str(found)


# ---- the object -----------------------------------------------------------------------------


def test_the_table_has_estimates_and_limits(cbpp_profile):
    text = str(cbpp_profile)
    assert "Profile likelihood" in text
    assert "sd_(Intercept)|herd   0.6423  0.3461  1.1000     11" in text
    assert "<td" in cbpp_profile._repr_html_()
    assert pickle.loads(pickle.dumps(cbpp_profile)).confint().equals(cbpp_profile.confint())


def test_the_frame_is_lme4s(cbpp, cbpp_profile):
    frame = cbpp_profile.to_frame()
    assert list(frame.columns) == [".zeta", *ROWS, ".par", ".focal"]
    peak = frame[frame[".zeta"] == 0.0]
    np.testing.assert_allclose(
        peak[ROWS], np.tile(mlm.diagnostics.natural_parameters(cbpp), (5, 1))
    )


def test_points_of_lme4s_profile_lie_on_the_curve(cbpp):
    # as.data.frame(profile(fit, signames = FALSE)) of lme4 1.1-31, second and third row.
    for sd, zeta in ((0.06770021218, -3.647650630), (0.14733284683, -3.318934081)):
        level = 2.0 * norm.cdf(-zeta) - 1.0
        found = cbpp.confint("sd_(Intercept)|herd", level=level, method="profile")
        assert found.iloc[0, 0] == pytest.approx(sd, rel=5e-4)


def test_the_curve_between_its_points_is_the_profile(cbpp, cbpp_profile):
    # In the middle between the points of 90 and 95 %.
    zeta = 1.8
    level = 2.0 * norm.cdf(zeta) - 1.0
    for name in ROWS:
        smooth = cbpp_profile[name].smooth(2001)
        exact = cbpp.confint(name, level=level, method="profile").loc[name].to_numpy()
        between = np.interp([-zeta, zeta], smooth["zeta"], smooth["value"])
        np.testing.assert_allclose(between, exact, atol=2e-4)


def test_names_of_all_parameters_are_those_of_confint(three_effects, gamma, cbpp):
    for fit in (three_effects, gamma, cbpp):
        assert list(focuses(fit)) == list(fit.confint().index)


def test_what_has_no_profile_is_refused_by_name(cbpp):
    data = mlm.load_cbpp()
    quasi = mlm.glmer(CBPP, data, "quasibinomial")
    with pytest.raises(ArgumentError, match=r"profile\(\) does not exist .* 'quasibinomial'"):
        quasi.profile()
    with pytest.raises(ArgumentError, match=r"confint\(method='profile'\) does not exist"):
        quasi.confint(method="profile")
    fast = mlm.glmer(CBPP, data, nAGQ=0)
    with pytest.raises(ArgumentError, match=r"nAGQ=0 they do not maximise the criterion. 'theta_'"):
        fast.profile()
    assert fast.profile("theta_").confint().loc[ROWS[0], "2.5 %"] == pytest.approx(0.345, abs=1e-3)
    with pytest.raises(ArgumentError, match=r"unknown parm 'perod2'.*Did you mean 'period2'"):
        cbpp.profile("perod2")
    with pytest.raises(ArgumentError, match=r"alphamax is 0\.0; it must lie between"):
        cbpp.profile(alphamax=0.0)


def test_reference_file_agrees(cbpp_profile):
    path = REFERENCE / "cbpp_confint.json"
    table = json.loads(path.read_text())["profile_90"]["columns"]
    expected = np.column_stack(list(table.values()))
    np.testing.assert_allclose(cbpp_profile.confint(level=0.9), expected, rtol=1e-3)
