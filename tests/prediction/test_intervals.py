"""Intervals for the mean and for a new observation."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, EstimationError

NEW = pd.DataFrame({"herd": ["1", "7", "99"], "period": ["1", "3", "4"]})


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def reaction():
    family = mlm.families.Gamma(link="log")
    return mlm.glmer("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), family)


@pytest.mark.parametrize("re_form", [None, "~0", "marginal"])
def test_limits_of_the_mean_are_normal_on_the_link_scale(cbpp, re_form):
    link = cbpp.predict(type="link", interval="confidence", level=0.9, re_form=re_form)
    z = st.norm.ppf(0.95)
    np.testing.assert_allclose(link["upper"] - link["fit"], z * link["se_fit"], rtol=1e-12)
    np.testing.assert_allclose(link["fit"] - link["lower"], z * link["se_fit"], rtol=1e-12)
    response = cbpp.predict(interval="confidence", level=0.9, re_form=re_form)
    for limit in ("fit", "lower", "upper"):
        np.testing.assert_allclose(response[limit], 1 / (1 + np.exp(-link[limit])), rtol=1e-12)


def test_a_decreasing_link_keeps_lower_below_upper():
    family = mlm.families.Gamma(link="inverse")
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), family)
    own = fit.predict(interval="confidence")
    assert (own["lower"] < own["fit"]).all()
    assert (own["fit"] < own["upper"]).all()
    assert (own["lower"] > 0).all()


@pytest.mark.parametrize(("link", "lower", "upper"), [("sqrt", 0.0, 9.0), ("identity", 0.0, 3.0)])
def test_limits_do_not_leave_the_range_of_the_mean(link, lower, upper):
    data = pd.DataFrame({"x": [0.0, 0.0, 1.0, 1.0], "y": [1.0, 1.0, 4.0, 4.0]})
    fit = mlm.glmer("y ~ 1", data, mlm.families.Poisson(link=link))
    V = np.array([[1.0]])
    beta = np.array([1.0])
    estimate = fit.estimate.__class__(**{**vars(fit.estimate), "covariance": V, "beta": beta})
    own = fit.replace(estimate=estimate).predict(
        {"z": [0]}, interval="confidence", level=2 * st.norm.cdf(2) - 1
    )
    assert own.loc[0, ["lower", "upper"]].tolist() == pytest.approx([lower, upper])


def test_a_new_observation_of_a_known_mean_has_its_familys_quantiles():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"y": rng.poisson(7.0, 20000).astype(float)})
    fit = mlm.glmer("y ~ 1", data, "poisson")
    own = fit.predict({"z": [0]}, interval="prediction", seed=1, nsim=4000)
    expected = st.poisson.ppf([0.025, 0.975], fit.predict()[0])
    assert own.loc[0, ["lower", "upper"]].tolist() == expected.tolist()


def test_binomial_limits_are_numbers_of_successes(cbpp):
    trials = np.array([10.0, 25.0, 7.0])
    new = NEW.assign(size=trials)
    own = cbpp.predict(new, interval="prediction", seed=2, allow_new_levels=True)
    for limit in ("lower", "upper"):
        successes = own[limit] * trials
        np.testing.assert_allclose(successes, np.round(successes), atol=1e-9)
        assert own[limit].between(0.0, 1.0).all()
    with pytest.raises(ColumnNotFoundError, match="no column 'size'"):
        cbpp.predict(NEW, interval="prediction", seed=2, allow_new_levels=True)
    explicit = cbpp.predict(
        NEW, interval="prediction", seed=2, allow_new_levels=True, weights=trials
    )
    assert explicit["upper"].between(0.1, 0.9).any()


def test_limits_of_a_new_observation_are_those_of_draws_of_everything(reaction):
    """Parameters from their normal distribution, the effects of a new subject, the response."""
    fit, rng = reaction, np.random.default_rng(5)
    par = np.concatenate([fit.beta, fit.theta, [np.log(fit.phi)]])
    draws = rng.multivariate_normal(par, fit.estimate.covariance, size=200_000)
    beta, (a, b, c), phi = draws[:, :2].T, draws[:, 2:5].T, np.exp(draws[:, 5])
    u, v = rng.standard_normal((2, len(draws)))
    eta = beta[0] + a * u + 9.0 * (beta[1] + b * u + c * v)
    y = rng.gamma(1.0 / phi, phi * np.exp(eta))
    expected = np.quantile(y, [0.05, 0.95])
    new = {"Days": [9.0], "Subject": ["somebody"]}
    kinds = (
        {"newdata": new, "allow_new_levels": True},
        {"newdata": {"Days": [9.0]}, "re_form": "~0"},
        {"newdata": {"Days": [9.0]}, "re_form": "marginal"},
    )
    for kind in kinds:
        own = fit.predict(interval="prediction", level=0.9, seed=6, nsim=6000, **kind)
        np.testing.assert_allclose(
            own.loc[0, ["lower", "upper"]].astype(float), expected, rtol=0.02
        )


def test_limits_of_a_known_subject_contain_its_observations(reaction):
    own = reaction.predict(interval="prediction", seed=7, level=0.8)
    y = reaction.design.response.y
    share = ((own["lower"] <= y) & (y <= own["upper"])).mean()
    # 180 dependent rows that the fit has seen: somewhat above 80 %.
    assert 0.75 < share < 0.95
    mean = reaction.predict(interval="confidence", level=0.8)
    assert (own["lower"] < mean["lower"]).all()
    assert (own["upper"] > mean["upper"]).all()


def test_limits_depend_on_the_seed_alone(cbpp):
    a, b = (cbpp.predict(interval="prediction", seed=3, nsim=50) for _ in range(2))
    pd.testing.assert_frame_equal(a, b)
    other = cbpp.predict(interval="prediction", seed=4, nsim=50)
    assert not a["upper"].equals(other["upper"])


def test_mean_and_standard_error_are_the_same_beside_every_interval(cbpp):
    plain = cbpp.predict(se_fit=True)
    for interval in ("confidence", "prediction"):
        own = cbpp.predict(interval=interval, seed=1, nsim=20)
        pd.testing.assert_frame_equal(own[["fit", "se_fit"]], plain)


def test_a_negative_draw_of_an_identity_link_counts_as_zero():
    data = mlm.load_mmmec()
    fit = mlm.glmer(
        "deaths ~ 0 + expected + (0 + expected | nation)", data, mlm.families.Poisson("identity")
    )
    own = fit.predict({"expected": [0.01]}, re_form="~0", interval="prediction", seed=1)
    assert own["lower"][0] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interval": "predict"}, r"unknown interval 'predict'; .* Did you mean 'prediction'"),
        ({"interval": "prediction", "type": "link"}, r"have no link scale: use type='response'"),
        ({"interval": "confidence", "level": 95}, r"level is 95; it must lie between 0 and 1"),
        ({"interval": "prediction", "nsim": 0}, r"nsim is 0; it must be a positive integer"),
        ({"weights": [1.0]}, r"weights and offset belong to newdata"),
        ({"offset": "x"}, r"weights and offset belong to newdata"),
    ],
)
def test_impossible_arguments_are_refused(cbpp, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        cbpp.predict(**arguments)


def test_a_quasi_family_has_no_prediction_interval():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp(), mlm.families.QuasiBinomial())
    with pytest.raises(ArgumentError, match=r"quasibinomial has .* no distribution.*'confidence'"):
        fit.predict(interval="prediction")
    assert fit.predict(interval="confidence").notna().all().all()


def test_a_prediction_interval_needs_the_covariance_of_the_estimates(cbpp):
    unknown = np.full_like(cbpp.estimate.covariance, np.nan)
    estimate = cbpp.estimate.__class__(**{**vars(cbpp.estimate), "covariance": unknown})
    with pytest.raises(EstimationError, match=r"is not positive definite. See checkConv"):
        cbpp.replace(estimate=estimate).predict(interval="prediction")
