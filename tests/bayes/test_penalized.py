"""The mode of the marginal posterior."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.optimize as so
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes import Exponential, Normal, flat_priors
from mixedlm_pt.bayes.penalized import penalized_fit
from mixedlm_pt.bayes.presets import default_priors
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.estimation import Objective
from mixedlm_pt.families import Gamma


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def slopes():
    rng = np.random.default_rng(12)
    g, x = np.repeat(np.arange(30), 8), rng.normal(size=240)
    b = rng.normal(size=(30, 2)) @ np.array([[0.6, 0.3], [0.0, 0.4]])
    mu = np.exp(0.5 + 0.3 * x + b[g, 0] + b[g, 1] * x)
    table = pd.DataFrame({"y": rng.gamma(3.0, mu / 3.0), "x": x, "g": g.astype(str)})
    return mlm.glmer("y ~ x + (x | g)", table, Gamma())


def moved(fit):
    """A fit with estimates some standard errors off the optimum."""
    estimate = fit.estimate
    return fit.replace(
        estimate=replace(
            estimate, beta=estimate.beta + 0.2, theta=estimate.theta * 1.3, phi=estimate.phi * 1.2
        )
    )


@pytest.mark.parametrize("nAGQ", [1, 9])
def test_with_flat_priors_the_mode_of_the_marginal_is_ml(nAGQ):
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), nAGQ=nAGQ)
    mode = penalized_fit(moved(fit), flat_priors(fit))
    np.testing.assert_allclose(mode.beta, fit.beta, atol=1e-6)
    np.testing.assert_allclose(mode.theta, fit.theta, atol=1e-6)


def test_with_flat_priors_correlations_and_shapes_are_ml_too(slopes):
    mode = penalized_fit(moved(slopes), flat_priors(slopes))
    np.testing.assert_allclose(mode.beta, slopes.beta, atol=1e-6)
    np.testing.assert_allclose(mode.theta, slopes.theta, atol=1e-6)
    np.testing.assert_allclose(mode.phi, slopes.phi, atol=1e-6)


def test_the_mode_maximises_likelihood_times_prior(cbpp):
    rates = {"sd": Exponential(4.0), "coefficients": Normal(0.0, 0.5)}
    mode = penalized_fit(cbpp, make_priors(cbpp.model, rates))
    objective, means = Objective(cbpp.model, cbpp.approximation), cbpp.design.X.mean(axis=0)

    def negative(par):
        beta, sd = par[:4], par[4]
        prior = st.norm.logpdf(means @ beta, 0.0, 2.5) + st.expon.logpdf(sd, scale=0.25)
        prior += st.norm.logpdf(beta[1:], 0.0, 0.5).sum()
        return -(objective(par).loglik + prior)

    start = np.append(cbpp.beta, cbpp.theta)
    options = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
    found = so.minimize(negative, start, method="Nelder-Mead", options=options)
    np.testing.assert_allclose(np.append(mode.beta, mode.theta), found.x, atol=2e-5)


def test_a_singular_fit_has_a_mode():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"y": rng.poisson(3.0, 60), "g": np.repeat(np.arange(12), 5).astype(str)})
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer("y ~ 1 + (1 | g)", table, "poisson")
    mode = penalized_fit(fit, default_priors(fit))
    assert 0.0 <= mode.theta[0] < 1e-3
    np.testing.assert_allclose(mode.beta, fit.beta, atol=0.01)
