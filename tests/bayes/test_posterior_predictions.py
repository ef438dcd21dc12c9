"""Predictions of a posterior against brute force over its draws, quadrature and delta methods."""

import numpy as np
import pandas as pd
import pytest
import scipy.integrate as si
import scipy.stats as st
from scipy.special import expit

import mixedlm_pt as mlm
from mixedlm_pt.bayes.averaged_means import averaged_means
from mixedlm_pt.errors import ArgumentError, DataError
from mixedlm_pt.families import Binomial, Gamma
from tests.bayes.normal_posterior import normal_posterior

NEW = {"period": ["1", "4", "2"], "herd": ["3", "3", "77"]}


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def posterior(cbpp):
    return normal_posterior(cbpp, 400)


@pytest.fixture(scope="module")
def narrow(cbpp):
    """So close to the estimates that only first-order terms count."""
    return normal_posterior(cbpp, 4000, shrink=0.02)


@pytest.fixture(scope="module")
def slopes():
    rng = np.random.default_rng(12)
    g, x = np.repeat(np.arange(30), 8), rng.normal(size=240)
    b = rng.normal(size=(30, 2)) @ np.array([[0.6, 0.3], [0.0, 0.4]])
    mu = np.exp(0.5 + 0.3 * x + b[g, 0] + b[g, 1] * x)
    table = pd.DataFrame({"y": rng.gamma(3.0, mu / 3.0), "x": x, "g": g.astype(str)})
    return mlm.glmer("y ~ x + (x | g)", table, Gamma())


@pytest.fixture(scope="module")
def crossed():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "a": rng.integers(0, 12, 150).astype(str),
            "c": rng.integers(0, 7, 150).astype(str),
            "x": rng.normal(size=150),
        }
    )
    a, c = table["a"].astype(int), table["c"].astype(int)
    slope, level = 0.3 + rng.normal(size=12)[a], 0.8 * rng.normal(size=12)[a]
    eta = level + slope * table["x"] + 0.6 * rng.normal(size=7)[c]
    table["y"] = rng.poisson(np.exp(eta))
    return mlm.glmer("y ~ x + (x || a) + (1 | c)", table, "poisson")


def brute_force(posterior, newdata, re_form=None):
    """Draws of the mean, fit by fit at every draw, by the fit's own predict."""
    n = len(posterior.parameter_draws)
    return np.array([posterior.at_draw(s).predict(newdata, re_form=re_form) for s in range(n)])


@pytest.mark.parametrize("re_form", [None, "~0", "marginal"])
def test_predictions_summarise_what_a_fit_predicts_at_every_draw(posterior, re_form):
    rows = {"period": ["1", "4"], "herd": ["3", "9"]}
    draws = brute_force(posterior, rows, re_form)
    found = posterior.predict(rows, re_form=re_form, interval="confidence", level=0.9)
    np.testing.assert_allclose(found["fit"], draws.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["se_fit"], draws.std(axis=0, ddof=1), rtol=1e-6)
    np.testing.assert_allclose(
        found[["lower", "upper"]].T, np.quantile(draws, [0.05, 0.95], axis=0), rtol=1e-6
    )
    raw = posterior.predict_draws(rows, re_form=re_form)
    assert raw.dims == ("chain", "draw", "obs")
    assert raw.shape == (2, 200, 2)
    np.testing.assert_allclose(raw.to_numpy().reshape(400, 2), draws, rtol=1e-6)


@pytest.mark.parametrize("re_form", [None, "~ (1 | c)", "~ (0 + x | a)", "marginal"])
def test_some_terms_of_several_factors_are_those_of_every_draw(crossed, re_form):
    posterior = normal_posterior(crossed, 20, shrink=0.3)
    rows = crossed.call.data.iloc[:9]
    np.testing.assert_allclose(
        posterior.predict(rows, re_form=re_form),
        brute_force(posterior, rows, re_form).mean(axis=0),
        rtol=1e-6,
    )


def test_fitted_rows_are_the_default(slopes):
    posterior = normal_posterior(slopes, 40, shrink=0.3)
    means = np.array([posterior.at_draw(s).mu for s in range(40)])
    np.testing.assert_allclose(posterior.fitted(), means.mean(axis=0))
    np.testing.assert_allclose(posterior.predict(se_fit=True)["se_fit"], means.std(axis=0, ddof=1))


def test_blocks_of_rows_and_draws_do_not_matter(slopes, monkeypatch):
    posterior = normal_posterior(slopes, 40, shrink=0.3)
    whole = posterior.predict(interval="confidence")
    residuals = posterior.residuals()
    monkeypatch.setattr("mixedlm_pt.bayes.predictor_draws.BLOCK", 40 * 7)
    monkeypatch.setattr("mixedlm_pt.bayes.predictor_draws.BLOCK_BY_DRAW", 40 * 11)
    pd.testing.assert_frame_equal(posterior.predict(interval="confidence"), whole)
    np.testing.assert_allclose(posterior.residuals(), residuals)


@pytest.mark.parametrize("type", ["response", "link"])
@pytest.mark.parametrize("re_form", [None, "~0", "marginal"])
def test_close_to_the_estimates_sds_are_delta_method_standard_errors(cbpp, narrow, type, re_form):
    rows = {"period": ["1", "4"], "herd": ["3", "9"]}
    found = narrow.predict(rows, type, re_form, se_fit=True)
    ml = cbpp.predict(rows, type, re_form, se_fit=True)
    np.testing.assert_allclose(found["se_fit"] / 0.02, ml["se_fit"], rtol=0.05)
    np.testing.assert_allclose(found["fit"], ml["fit"], rtol=2e-3)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_averages_over_normal_effects_are_integrals(link):
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), Binomial(link))
    eta, s = np.array([[-3.0, 0.4], [1.1, 6.0]]), np.array([[0.2, 1.0], [2.5, 3.0]])
    found = averaged_means(fit.compiled, eta, s)
    for place in np.ndindex(eta.shape):

        def integrand(z, at=eta[place], by=s[place]):
            return st.norm.pdf(z) * fit.compiled.mean(np.array([at + by * z]))[0][0]

        exact = si.quad(integrand, -9.0, 9.0, epsabs=1e-12)[0]
        assert found[place] == pytest.approx(exact, rel=1e-6)


def test_new_levels_have_the_distribution_of_their_draw(posterior):
    draws = posterior.predict_draws(
        {"period": ["2"] * 2000, "herd": [f"new {j}" for j in range(2000)]},
        "link",
        allow_new_levels=True,
        seed=1,
    ).to_numpy()
    own = posterior.parameter_draws
    expected = (own.beta[:, 0] + own.beta[:, 1]).reshape(2, 200)
    sd = np.abs(own.theta[:, 0]).reshape(2, 200)
    z = (draws - expected[..., None]) / sd[..., None]
    assert st.kstest(z.ravel()[::37], "norm").pvalue > 0.01
    # Levels are independent, and so are draws.
    assert abs(np.corrcoef(z[..., 0].ravel(), z[..., 1].ravel())[0, 1]) < 0.2


def test_rows_of_one_new_level_share_its_effect(posterior):
    rows = {"period": ["2", "2"], "herd": ["new", "new"]}
    draws = posterior.predict_draws(rows, allow_new_levels=True, seed=1).to_numpy()
    np.testing.assert_array_equal(draws[..., 0], draws[..., 1])


def test_new_levels_need_permission(posterior):
    with pytest.raises(DataError, match="a level in the new data that the fit has not"):
        posterior.predict(NEW)


def test_prediction_limits_are_quantiles_of_new_observations(posterior, cbpp):
    found = posterior.predict(interval="prediction", seed=3)
    draws = brute_force(posterior, None)
    w = cbpp.design.response.weights
    for row in (0, 17):
        # The predictive distribution is a mixture of binomials.
        k = np.arange(w[row] + 1.0)
        cdf = st.binom.cdf(k[:, None], w[row], draws[:, row]).mean(axis=1)
        lower, upper = (w[row] * found["lower"][row], w[row] * found["upper"][row])
        for limit, probability in ((round(lower), 0.025), (round(upper), 0.975)):
            # The quantile of 400 draws is that of a probability within three standard errors.
            slack = 3.0 * np.sqrt(0.025 * 0.975 / 400)
            below = cdf[limit - 1] if limit else 0.0
            assert below - slack < probability < cdf[limit] + slack


def test_without_random_effects_new_observations_belong_to_new_groups(posterior):
    rows = {"period": ["1"], "herd": ["3"], "size": [50], "incidence": [0]}
    held = posterior.predict(rows, interval="prediction", seed=1)
    free = posterior.predict(rows, re_form="~0", interval="prediction", seed=1)
    own = posterior.parameter_draws
    rng = np.random.default_rng(5)
    eta = own.beta[:, 0] + own.theta[:, 0] * rng.standard_normal((200, 400))
    y = rng.binomial(50, expit(eta)) / 50
    expected = np.quantile(y, [0.025, 0.975])
    np.testing.assert_allclose(free[["lower", "upper"]].to_numpy()[0], expected, atol=0.06)
    assert held["upper"].item() < free["upper"].item()


def test_a_gamma_response_has_the_dispersion_of_its_draw(slopes):
    posterior = normal_posterior(slopes, 2000, shrink=0.5)
    y = posterior.predict_draws(slopes.call.data.iloc[:4], observations=True, seed=2)
    mu, phi = brute_force_mu(posterior, 4), np.exp(posterior.parameter_draws.log_phi)
    u = st.gamma.cdf(y.to_numpy().reshape(2000, 4), 1.0 / phi[:, None], scale=mu * phi[:, None])
    assert st.kstest(u.ravel(), "uniform").pvalue > 0.01


def brute_force_mu(posterior, m):
    n = len(posterior.parameter_draws)
    return np.array([posterior.at_draw(s).mu[:m] for s in range(n)])


@pytest.mark.parametrize("type", ["deviance", "pearson", "response", "working"])
def test_residuals_are_means_over_the_draws(slopes, type):
    posterior = normal_posterior(slopes, 30, shrink=0.3)
    # A fit's own residuals have its phi, which the draws move.
    expected = np.mean([posterior.at_draw(s).residuals(type) for s in range(30)], axis=0)
    np.testing.assert_allclose(posterior.residuals(type), expected)


def test_quantile_residuals_are_of_the_mean_distribution(slopes, posterior):
    own = normal_posterior(slopes, 30, shrink=0.3)
    y = slopes.design.response.y
    fits = [own.at_draw(s) for s in range(30)]
    cdf = np.mean([st.gamma.cdf(y, 1 / f.phi, scale=f.mu * f.phi) for f in fits], axis=0)
    np.testing.assert_allclose(own.residuals("quantile"), st.norm.ppf(cdf), atol=1e-8)
    once, again = posterior.residuals("quantile", seed=1), posterior.residuals("quantile", seed=1)
    np.testing.assert_array_equal(once, again)
    assert st.kstest(once, "norm").pvalue > 0.01


def test_simulations_are_of_single_draws(posterior, cbpp):
    found = posterior.simulate(5, seed=2)
    assert list(found.columns) == [f"sim_{j}" for j in range(1, 6)]
    assert found.index.equals(cbpp.simulate(1).index)
    counts = found.mul(cbpp.design.response.weights, axis=0)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    pd.testing.assert_frame_equal(posterior.simulate(5, seed=2), found)


def test_posterior_predictive_comes_as_a_group_of_a_new_result(posterior):
    found = posterior.with_posterior_predictive(seed=1)
    y = found.data["posterior_predictive"]["y"]
    assert y.dims == ("chain", "draw", "obs")
    assert y.shape == (2, 200, 56)
    assert "posterior_predictive" not in posterior.data
    assert type(found) is type(posterior)


def test_fewer_draws_are_taken_when_asked_for(posterior):
    draws = posterior.predict_draws(nsim=20)
    assert draws.shape == (2, 10, 56)
    whole = posterior.predict_draws()
    np.testing.assert_array_equal(draws, whole.sel(draw=draws["draw"]))


def test_rows_with_missing_values_are_missing(posterior):
    rows = pd.DataFrame({"period": ["1", None], "herd": ["3", "3"]})
    assert np.isnan(posterior.predict(rows)).tolist() == [False, True]
    assert np.isnan(posterior.predict_draws(rows).to_numpy()[0, 0]).tolist() == [False, True]


def test_impossible_requests_are_refused(posterior):
    with pytest.raises(ArgumentError, match="observations, which have no link scale"):
        posterior.predict(type="link", interval="prediction")
    with pytest.raises(ArgumentError, match="observations have no link scale"):
        posterior.predict_draws(type="link", observations=True)
    with pytest.raises(ArgumentError, match="nsim is 1; it must be an integer of at least 2"):
        posterior.predict(nsim=1)
