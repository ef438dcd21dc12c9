"""Fits and posteriors beside each other: numbers, where shifts come from, text, refusals."""

import re

import arviz as az
import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes import HalfNormal, flat_priors
from mixedlm_pt.bayes.comparison_columns import parameters
from mixedlm_pt.bayes.penalized import penalized_fit
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import Gamma
from tests.bayes.made_up import posterior_of

FORMULA = "incidence / size ~ period + (1 | herd)"
SD = "sd_(Intercept)|herd"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp())


@pytest.fixture(scope="module")
def exact():
    return mlm.glmer(FORMULA, mlm.load_cbpp(), nAGQ=10)


@pytest.fixture(scope="module")
def posterior(cbpp):
    return posterior_of(cbpp)


@pytest.fixture(scope="module")
def slopes():
    rng = np.random.default_rng(12)
    g, x = np.repeat(np.arange(30), 8), rng.normal(size=240)
    b = rng.normal(size=(30, 2)) @ np.array([[0.6, 0.3], [0.0, 0.4]])
    mu = np.exp(0.5 + 0.3 * x + b[g, 0] + b[g, 1] * x)
    table = pd.DataFrame({"y": rng.gamma(3.0, mu / 3.0), "x": x, "g": g.astype(str)})
    return mlm.glmer("y ~ x + (x | g)", table, Gamma())


def test_parameters_are_those_of_confint(slopes):
    table, limits = parameters(slopes), slopes.confint()
    shared = table.index.intersection(limits.index)
    assert list(table.index[:4]) == ["sd_(Intercept)|g", "cor_x.(Intercept)|g", "sd_x|g", "shape"]
    np.testing.assert_allclose(table.loc[shared, ["lower", "upper"]], limits.loc[shared])
    np.testing.assert_allclose(table.loc["shape", "estimate"], 1.0 / slopes.phi)
    se = np.sqrt(slopes.estimate.covariance[-1, -1])
    np.testing.assert_allclose(table.loc["shape", "se"], se / slopes.phi)
    # Normal on the scale of log(phi).
    ends = np.exp(-np.log(slopes.phi) + 1.959964 * se * np.array([-1.0, 1.0]))
    np.testing.assert_allclose(table.loc["shape", ["lower", "upper"]], ends, rtol=1e-6)


def test_the_standard_error_of_a_scalar_sd_is_that_of_theta(cbpp):
    table = parameters(cbpp)
    se = np.sqrt(cbpp.vcov(full=True).to_numpy().diagonal())
    np.testing.assert_allclose(table["se"], np.append(se[4], se[:4]))
    np.testing.assert_allclose(table["estimate"], np.append(cbpp.theta, cbpp.beta))


def test_the_numbers_of_a_posterior_are_those_of_its_draws(slopes):
    posterior = posterior_of(slopes)
    own = mlm.compare(slopes, posterior, level=0.9).to_frame()["Posterior"]
    draws = posterior.data["posterior"].dataset.stack(s=("chain", "draw"))
    values = {
        "sd_(Intercept)|g": draws["sd_g"][0],
        "cor_x.(Intercept)|g": draws["corr_g"][1, 0],
        "sd_x|g": draws["sd_g"][1],
        "shape": draws["shape"],
        "(Intercept)": draws["beta"][0],
        "x": draws["beta"][1],
    }
    assert list(own.index) == list(values)
    for row, drawn in values.items():
        expected = [drawn.mean(), drawn.std(ddof=1), *np.quantile(drawn, [0.05, 0.95])]
        found = own.loc[row, ["estimate", "se", "lower", "upper"]].astype(float)
        np.testing.assert_allclose(found, expected)
    beta = posterior.data["posterior"]["beta"].to_numpy()[..., 1]
    assert own.loc["x", "r_hat"] == pytest.approx(float(az.rhat(beta)))
    assert own.loc["x", "ess"] == pytest.approx(float(az.ess(beta)))


def test_the_numbers_of_fits_are_those_of_confint(cbpp, exact):
    frame = mlm.compare(cbpp, exact, level=0.8).to_frame()
    for name, fit in {"ML nAGQ=1": cbpp, "ML nAGQ=10": exact}.items():
        own = frame[name]
        limits = fit.confint(level=0.8)
        np.testing.assert_allclose(own[["lower", "upper"]], limits.loc[own.index])


def test_limits_can_be_those_of_the_profile(cbpp, posterior):
    frame = mlm.compare(cbpp, posterior, interval="profile").to_frame()["ML"]
    limits = cbpp.confint(method="profile")
    np.testing.assert_allclose(frame[["lower", "upper"]], limits.loc[frame.index], rtol=1e-5)


def test_limits_of_a_shape_are_the_profile_s_on_its_own_scale(slopes):
    comparison = mlm.compare(slopes, posterior_of(slopes), interval="profile", parm=["shape", "x"])
    sigma = slopes.confint("sigma", method="profile").to_numpy()[0]
    own = comparison.to_frame()["ML"].loc["shape", ["lower", "upper"]].astype(float)
    np.testing.assert_allclose(own, sigma[::-1] ** -2.0, rtol=1e-5)


def test_centres_and_limits_of_posteriors_are_chosen(cbpp, posterior):
    chosen = {"center": "median", "credible": "hdi", "level": 0.8}
    own = mlm.compare(cbpp, posterior, **chosen).to_frame()["Posterior"].loc["period3"]
    draws = posterior.draws["period3"].ravel()
    assert own["estimate"] == np.median(draws)
    np.testing.assert_allclose([own["lower"], own["upper"]], az.hdi(draws, prob=0.8))


def test_the_shift_is_the_sum_of_its_parts(cbpp, exact, posterior):
    frame = mlm.compare(cbpp, exact, posterior).to_frame()
    first = frame["ML nAGQ=1"]
    for name in ("ML nAGQ=10", "Posterior"):
        own = frame[name]
        shift = (own["estimate"] - first["estimate"]) / first["se"]
        np.testing.assert_allclose(own["shift"], shift)
        parts = own["shift_prior"] + own["shift_approximation"] + own["shift_mean"]
        np.testing.assert_allclose(parts, shift, atol=1e-12)
    # Exponential(1) draws a standard deviation down: d log p / d sd = -1.
    assert -0.3 < frame["Posterior"].loc[SD, "shift_prior"] < -0.1


def test_of_a_better_fit_all_is_approximation(cbpp, exact):
    own = mlm.compare(Laplace=cbpp, AGQ=exact).to_frame()["AGQ"]
    np.testing.assert_array_equal(own["shift_approximation"], own["shift"])
    assert (own[["shift_prior", "shift_mean"]] == 0.0).all(axis=None)


def test_a_better_fit_separates_the_approximation_from_the_skewness(cbpp, exact, posterior):
    frame = mlm.compare(Laplace=cbpp, AGQ=exact, NUTS=posterior).to_frame()
    modes = [penalized_fit(fit, posterior.priors).theta[0] for fit in (cbpp, exact)]
    se, own = frame["Laplace"].loc[SD, "se"], frame["NUTS"].loc[SD]
    assert own["shift_approximation"] == pytest.approx((modes[1] - modes[0]) / se, abs=1e-5)
    assert own["mode"] == pytest.approx(modes[1], abs=1e-6)
    # Draws from the Laplace approximation miss what it misses.
    laplace = posterior_of(cbpp, target="laplace")
    own = mlm.compare(Laplace=cbpp, AGQ=exact, NUTS=laplace).to_frame()["NUTS"].loc[SD]
    assert own["shift_approximation"] == 0.0
    assert own["mode"] == pytest.approx(modes[0], abs=1e-6)
    # What importance sampling corrects does not miss it.
    laplace.data["sample_stats"].attrs["correct"] = 1
    own = mlm.compare(Laplace=cbpp, AGQ=exact, NUTS=laplace).to_frame()["NUTS"].loc[SD]
    assert own["mode"] == pytest.approx(modes[1], abs=1e-6)


def test_flat_priors_shift_nothing(slopes):
    posterior = posterior_of(slopes, priors=flat_priors(slopes))
    own = mlm.compare(slopes, posterior).to_frame()["Posterior"]
    assert own["shift_prior"].abs().max() < 1e-5


def test_overlap_and_ratio_are_those_of_the_limits(cbpp, posterior):
    frame = mlm.compare(cbpp, posterior).to_frame()
    ml, own = frame["ML"], frame["Posterior"]
    # Half a standard error wide and around the estimate: one interval lies in the other.
    rows = ["period2", "period3", "period4"]
    inner = (own["upper"] - own["lower"]) / (ml["upper"] - ml["lower"])
    np.testing.assert_allclose(own.loc[rows, "overlap"], inner[rows])
    np.testing.assert_allclose(own["se_ratio"], own["se"] / ml["se"])
    # Normals of equal means and a ratio of 2: see test_comparison_density.
    np.testing.assert_allclose(own.loc[rows, "overlap_density"], 0.677, atol=0.04)


def test_sentences_say_what_differs_and_why(cbpp, exact):
    sceptical = make_priors(cbpp.model, {"sd_herd": HalfNormal(0.3)})
    sd = np.random.default_rng(2).gamma(9.0, 0.055, (1000, 1))
    posterior = posterior_of(cbpp, sd=sd, priors=sceptical)
    comparison = mlm.compare(cbpp, posterior)
    (sentence,) = comparison.sentences
    own = comparison.to_frame()["Posterior"].loc[SD]
    assert own["shift"] < -0.25
    assert sentence.startswith(f"Posterior: {SD} lies {-own['shift']:.2f} SE below ML: prior -")
    assert re.search(r"mean against mode, with what the approximation misses, [+-]", sentence)
    better = mlm.compare(cbpp, exact, posterior).sentences
    assert better[0] == "ML nAGQ=10: no parameter lies more than 0.25 SE from ML nAGQ=1."
    assert "misses" not in better[1]


def test_a_fit_on_the_boundary_has_no_shift_there():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"y": rng.poisson(3.0, 60), "g": np.repeat(np.arange(12), 5).astype(str)})
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer("y ~ 1 + (1 | g)", table, "poisson")
    draws = np.random.default_rng(3).gamma(2.0, 0.05, (1000, 1))
    comparison = mlm.compare(fit, posterior_of(fit, sd=draws))
    own = comparison.to_frame()["Posterior"].loc["sd_(Intercept)|g"]
    assert np.isnan(own["shift"])
    assert np.isnan(own["overlap_density"])
    assert own["mode"] < 1e-3
    message = "ML has no standard error for sd_(Intercept)|g: no shift is known."
    assert comparison.sentences[-1] == message
    assert "nan" not in str(comparison).lower()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_comparison_prints_in_a_terminal(slopes, n):
    posteriors = {f"NUTS{i}": posterior_of(slopes, seed=i) for i in range(n - 1)}
    comparison = mlm.compare(ML=slopes, **posteriors)
    text = str(comparison)
    assert max(map(len, text.splitlines())) <= 100
    assert any(line.startswith("cor_x.(Intercept)|g") for line in text.splitlines())
    html = comparison._repr_html_()
    for name in comparison.results:
        assert re.search(rf"^ +.*{name}", text, re.MULTILINE)
        assert f">{name}</th>" in html
    assert html.count("<tr>") == html.count("</tr>")


def test_the_frame_has_a_column_a_result_and_statistic(cbpp, posterior):
    frame = mlm.compare(cbpp, posterior).to_frame()
    assert frame.columns.names == ["result", "statistic"]
    estimates = frame.xs("estimate", axis=1, level="statistic")
    assert list(estimates.columns) == ["ML", "Posterior"]
    np.testing.assert_allclose(estimates["ML"], np.append(cbpp.theta, cbpp.beta))


def test_rows_are_chosen_by_the_names_of_confint(slopes):
    twice = {"A": slopes, "B": slopes}
    assert list(mlm.compare(**twice, parm="beta_").table.index) == ["(Intercept)", "x"]
    assert list(mlm.compare(**twice, parm=["x", "shape"]).table.index) == ["x", "shape"]
    with pytest.raises(ArgumentError, match=r"unknown parm 'shap'.*Did you mean 'shape'"):
        mlm.compare(**twice, parm="shap")


def test_names_say_what_distinguishes_the_results(cbpp, exact, posterior):
    laplace = posterior_of(cbpp, target="laplace")
    assert list(mlm.compare(cbpp, posterior).results) == ["ML", "Posterior"]
    names = list(mlm.compare(cbpp, exact, posterior, laplace).results)
    assert names == ["ML nAGQ=1", "ML nAGQ=10", "Posterior full", "Posterior laplace"]
    names = list(mlm.compare(cbpp, posterior, posterior_of(cbpp, seed=2), mine=exact).results)
    assert names == ["ML", "Posterior (1)", "Posterior (2)", "mine"]


def test_posteriors_alone_stand_beside_their_fit(posterior, cbpp):
    comparison = mlm.compare(A=posterior, B=posterior_of(cbpp, seed=2))
    assert list(comparison.results) == ["ML", "A", "B"]
    assert comparison.reference == "ML"
    assert comparison.results["ML"] is cbpp


def test_random_effects_are_compared_by_level(slopes):
    posterior = posterior_of(slopes)
    comparison = mlm.compare(slopes, posterior, what="ranef")
    frame, b = comparison.to_frame(), posterior.data["posterior"]["b_g"]
    modes = slopes.ranef()
    np.testing.assert_allclose(frame["ML"].loc["g", "x"]["estimate"], modes["g"]["x"])
    np.testing.assert_allclose(frame["ML"].loc["g", "x"]["se"], modes.se["g"]["x"])
    own = frame["Posterior"].loc["g", "x"]
    assert list(own.index) == list(modes["g"].index)
    np.testing.assert_allclose(own["estimate"], b[..., 1].mean(("chain", "draw")))
    np.testing.assert_allclose(own["se"], b[..., 1].std(("chain", "draw"), ddof=1))
    shift = (own["estimate"].to_numpy() - modes["g"]["x"]) / modes.se["g"]["x"]
    np.testing.assert_allclose(own["shift"], shift)
    assert "20 of 60 rows, those with the largest shifts" in str(comparison)
    with pytest.raises(ArgumentError, match="unknown group 'h'"):
        mlm.compare(slopes, posterior, what="ranef", parm="h")


@pytest.mark.parametrize("arguments", [{"type": "link"}, {"re_form": "~0"}, {}])
def test_predictions_are_compared_row_by_row(cbpp, posterior, arguments):
    new = {"period": ["1", "3"], "herd": ["2", "7"]}
    comparison = mlm.compare(cbpp, posterior, what="predictions", newdata=new, **arguments)
    frame = comparison.to_frame()
    ml = cbpp.predict(new, se_fit=True, interval="confidence", **arguments)
    np.testing.assert_allclose(frame["ML"][["estimate", "se", "lower", "upper"]], ml)
    draws = posterior.data["posterior"]
    beta = draws["beta"].to_numpy().reshape(-1, 4)
    b = draws["b_herd"].to_numpy().reshape(-1, 15)[:, [1, 6]]
    eta = np.column_stack([beta[:, 0], beta[:, 0] + beta[:, 2]])
    eta += 0.0 if "re_form" in arguments else b
    values = eta if "type" in arguments else 1.0 / (1.0 + np.exp(-eta))
    own = frame["Posterior"]
    np.testing.assert_allclose(own["estimate"], values.mean(axis=0))
    np.testing.assert_allclose(own["se"], values.std(axis=0, ddof=1))
    np.testing.assert_allclose(own["lower"], np.quantile(values, 0.025, axis=0))
    assert "Predictions of" in str(comparison)


def test_medians_of_predictions_are_those_of_the_draws(cbpp, posterior):
    arguments = {"what": "predictions", "newdata": {"period": ["1"]}, "re_form": "~0"}
    own = mlm.compare(cbpp, posterior, center="median", **arguments).to_frame()["Posterior"]
    beta = posterior.data["posterior"]["beta"].to_numpy()[..., 0]
    assert own["estimate"].iloc[0] == pytest.approx(np.median(1.0 / (1.0 + np.exp(-beta))))


def test_other_models_and_other_data_are_refused(cbpp, slopes, posterior):
    with pytest.raises(ArgumentError, match="Posterior and A have different numbers of rows"):
        mlm.compare(posterior, A=slopes)
    data = mlm.load_cbpp()
    data.loc[0, "incidence"] += 1
    with pytest.raises(ArgumentError, match="ML and Posterior have different responses"):
        mlm.compare(mlm.glmer(FORMULA, data), posterior)
    simpler = mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp())
    with pytest.raises(ArgumentError, match=r"different formulas.*model_selection"):
        mlm.compare(cbpp, simpler)
    other = mlm.load_cbpp()
    other["herd"] = other["herd"].astype(str).replace({"1": "2", "2": "1"})
    with pytest.raises(ArgumentError, match="different groups"):
        mlm.compare(mlm.glmer(FORMULA, other), posterior)
    probit = mlm.glmer(FORMULA, mlm.load_cbpp(), mlm.families.Binomial("probit"))
    with pytest.raises(ArgumentError, match="different families"):
        mlm.compare(cbpp, probit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 95}, "level is 95"),
        ({"interval": "boot"}, "unknown interval 'boot'"),
        ({"credible": "qi"}, "unknown credible 'qi'"),
        ({"center": "mode"}, "unknown center 'mode'"),
        ({"what": "coef"}, "unknown what 'coef'"),
        ({"newdata": {"period": ["1"]}}, "newdata.* for what='predictions'"),
        ({"what": "predictions", "parm": "x"}, "parm is for parameters"),
        ({"NUTS": 3}, "it got 'int' as 'NUTS'"),
    ],
)
def test_bad_arguments_are_refused(cbpp, posterior, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        mlm.compare(cbpp, posterior, **arguments)


def test_one_result_or_two_of_one_name_are_refused(cbpp, posterior):
    with pytest.raises(ArgumentError, match=r"needs two results or more.*it got 1"):
        mlm.compare(cbpp)
    with pytest.raises(ArgumentError, match="two results are named 'ML'"):
        mlm.compare(cbpp, posterior, ML=cbpp)


def test_what_a_map_fit_differs_by_is_its_prior(cbpp):
    penalized = mlm.glmer(FORMULA, mlm.load_cbpp(), priors="rstanarm")
    comparison = mlm.compare(penalized, cbpp)
    assert comparison.reference == "ML"
    own = comparison.to_frame()["MAP"]
    assert own.loc[SD, "shift_prior"] < -0.1
    np.testing.assert_allclose(own["shift_prior"], own["shift"], atol=1e-4)
    np.testing.assert_array_equal(own["shift_mean"], 0.0)
    assert "penalised maximum likelihood" in str(comparison)


def test_a_map_fit_with_flat_priors_is_ml(cbpp):
    own = mlm.compare(cbpp, cbpp.update(priors="flat")).to_frame()["MAP"]
    assert own["shift"].abs().max() < 1e-5
    np.testing.assert_allclose(own["overlap"], 1.0, atol=1e-5)
    np.testing.assert_allclose(own["se_ratio"], 1.0, atol=1e-4)


def test_what_nagq_0_misses_is_approximation_and_no_prior(cbpp):
    rough = cbpp.update(nAGQ=0)
    frame = mlm.compare(rough, posterior_of(cbpp, priors=flat_priors(cbpp))).to_frame()
    own = frame["Posterior"]
    np.testing.assert_allclose(own["shift_prior"], 0.0, atol=1e-5)
    missed = (np.append(cbpp.theta, cbpp.beta) - frame["ML"]["estimate"]) / frame["ML"]["se"]
    np.testing.assert_allclose(own["shift_approximation"], missed, atol=1e-4)
