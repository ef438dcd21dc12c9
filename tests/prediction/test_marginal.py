"""Population-averaged means and coefficients, against integrals over the random effects."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import expit, ndtr

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.prediction.marginal import marginal_means
from mixedlm_pt.prediction.normal_average import normal_average

CBPP = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(CBPP, mlm.load_cbpp())


@pytest.fixture(scope="module")
def slopes():
    return mlm.glmer("use ~ urban + (urban | district)", mlm.load_contraception())


def normal(z):
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


MEANS = {
    "logit": expit,
    "probit": ndtr,
    "cloglog": lambda eta: -np.expm1(-np.exp(min(eta, 700.0))),
    "cauchit": lambda eta: 0.5 + np.arctan(eta) / np.pi,
}


@pytest.mark.parametrize("link", MEANS)
@pytest.mark.parametrize("s", [0.0, 0.1, 1.0, 5.0, 20.0])
def test_averages_of_a_probability_are_exact(link, s):
    fit = mlm.glmer(CBPP, mlm.load_cbpp(), mlm.families.Binomial(link=link))
    eta = np.array([-8.0, -3.0, 0.0, 1.0, 5.0, 20.0])

    def integrand(z, e):
        return MEANS[link](e + s * z) * normal(z)

    expected = [
        quad(integrand, -38, 38, (e,), epsabs=1e-13, epsrel=1e-12, limit=500, points=[0.0])[0]
        for e in eta
    ]
    mean, slope_eta, slope_s = normal_average(fit.compiled, eta, np.full(6, s))
    np.testing.assert_allclose(mean, expected, rtol=1e-9, atol=1e-13)
    h = 1e-4
    ahead, behind = (normal_average(fit.compiled, eta + e, np.full(6, s))[0] for e in (h, -h))
    np.testing.assert_allclose(slope_eta, (ahead - behind) / (2 * h), atol=2e-9)
    if s:
        ahead, behind = (normal_average(fit.compiled, eta, np.full(6, s + e))[0] for e in (h, -h))
        np.testing.assert_allclose(slope_s, (ahead - behind) / (2 * h), atol=2e-9)


@pytest.mark.parametrize("link", ["log", "sqrt", "identity"])
def test_averages_in_closed_form_are_the_integrals(link):
    fit = mlm.glmer("y ~ 1", mlm.load_epil2(), mlm.families.Poisson(link=link))
    eta, s = np.array([2.0, 3.5]), np.array([0.7, 0.3])
    mean = normal_average(fit.compiled, eta, s)[0]
    expected = [
        quad(
            lambda z, e=e, t=t: fit.compiled.mean(np.array([e + t * z]))[0][0] * normal(z), -12, 14
        )
        for e, t in zip(eta, s, strict=True)
    ]
    np.testing.assert_allclose(mean, np.array(expected)[:, 0], rtol=1e-10)


def test_two_correlated_effects_are_integrated_as_by_brute_force(slopes):
    Lambda = slopes.Lambda[0]
    beta = slopes.fixef().to_numpy()

    def mean(has_city):
        def integrand(v, u):
            b = Lambda @ [u, v]
            return expit(beta[0] + b[0] + has_city * (beta[1] + b[1])) * normal(u) * normal(v)

        return dblquad(integrand, -9, 9, -9, 9, epsabs=1e-10, epsrel=1e-10)[0]

    # The new data need no districts.
    own = slopes.predict({"urban": ["N", "Y"]}, re_form="marginal")
    np.testing.assert_allclose(own, [mean(0.0), mean(1.0)], rtol=1e-8)


def test_simulated_responses_have_the_marginal_means(cbpp):
    simulated = cbpp.simulate(nsim=4000, seed=1)
    z = (simulated.mean(axis=1) - cbpp.predict(re_form="marginal")) / simulated.sem(axis=1)
    assert abs(z).max() < 4.0
    assert 0.6 < z.std() < 1.4


def moved(fit, par):
    """The fit at other parameters."""
    p, n_theta = fit.model.p, fit.model.n_theta
    phi = np.exp(par[-1]) if fit.family.estimates_phi else fit.phi
    estimate = replace(fit.estimate, beta=par[:p], theta=par[p : p + n_theta], phi=phi)
    return fit.replace(estimate=estimate)


def test_the_gradient_of_marginal_means_is_that_of_differences(slopes):
    fit = slopes
    par = np.concatenate([fit.beta, fit.theta])
    own = marginal_means(fit, fit.design).gradient
    steps = 1e-5 * np.eye(len(par))
    differences = [
        (
            marginal_means(moved(fit, par + e), fit.design).mean
            - marginal_means(moved(fit, par - e), fit.design).mean
        )
        / 2e-5
        for e in steps
    ]
    np.testing.assert_allclose(own, np.transpose(differences), atol=1e-9)


def test_the_standard_error_is_the_delta_methods(cbpp):
    V = cbpp.estimate.covariance
    own = cbpp.predict(re_form="marginal", se_fit=True)
    gradient = marginal_means(cbpp, cbpp.design).gradient
    np.testing.assert_allclose(own["se_fit"] ** 2, np.einsum("ij,jk,ik->i", gradient, V, gradient))
    link = cbpp.predict(re_form="marginal", type="link", se_fit=True)
    mu = own["fit"]
    np.testing.assert_allclose(link["fit"], np.log(mu / (1 - mu)))
    np.testing.assert_allclose(link["se_fit"], own["se_fit"] / (mu * (1 - mu)))
    # Monte Carlo over the parameters.
    rng = np.random.default_rng(0)
    par = np.concatenate([cbpp.beta, cbpp.theta])
    draws = rng.multivariate_normal(par, 0.01 * V, size=500)
    sample = [marginal_means(moved(cbpp, draw), cbpp.design).mean[:4] for draw in draws]
    np.testing.assert_allclose(10.0 * np.std(sample, axis=0), own["se_fit"][:4], rtol=0.12)


def test_where_the_average_does_not_exist_the_link_is_named():
    family = mlm.families.Gamma(link="inverse")
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), family)
    with pytest.raises(EstimationError, match=r"link 'inverse' has no mean .* Use re_form='~0'"):
        fit.predict(re_form="marginal")


def test_without_random_effects_marginal_and_conditional_means_agree():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    pd.testing.assert_frame_equal(
        fit.predict(re_form="marginal", interval="confidence"),
        fit.predict(interval="confidence"),
        rtol=1e-12,
    )


def test_a_certain_event_has_a_marginal_interval(cbpp):
    fit = moved(cbpp, np.array([60.0, 0.0, 0.0, 0.0, 1.0]))
    own = fit.predict({"period": ["1"]}, re_form="marginal", interval="confidence")
    assert own.iloc[0].tolist() == [1.0, pytest.approx(0.0, abs=1e-12), 1.0, 1.0]


def test_marginal_coefficients_of_a_log_link_differ_in_the_intercept_only():
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks(), "poisson")
    table = mlm.marginal_coefs(fit).table
    shift = table["Estimate"] - table["Conditional"]
    np.testing.assert_allclose(shift, [fit.theta[0] ** 2 / 2, 0.0, 0.0], atol=1e-10)
    # A slope's standard error is unchanged, the intercept's that of beta + theta^2 / 2.
    V = fit.vcov(full=True).to_numpy()
    se = table["Std. Error"].to_numpy()
    np.testing.assert_allclose(se[1:], np.sqrt(np.diag(V))[1:3], rtol=1e-8)
    a = np.array([1.0, 0.0, 0.0, fit.theta[0]])
    assert se[0] == pytest.approx(np.sqrt(a @ V @ a), rel=1e-8)


def test_marginal_coefficients_of_a_probit_are_attenuated():
    family = mlm.families.Binomial(link="probit")
    fit = mlm.glmer(CBPP, mlm.load_cbpp(), family)
    table = fit.marginal_coefs().to_frame()
    np.testing.assert_allclose(
        table["Estimate"], fit.fixef() / np.sqrt(1 + fit.theta[0] ** 2), rtol=1e-9
    )
    assert list(table.columns) == ["Conditional", "Estimate", "Std. Error", "z value", "Pr(>|z|)"]
    assert "Population-averaged" in str(fit.marginal_coefs())


def test_marginal_coefficients_leave_the_offset_out():
    fit = mlm.glmer(
        "deaths ~ uvb + offset(log(expected)) + (1 | region)", mlm.load_mmmec(), "poisson"
    )
    own = fit.marginal_coefs().table["Estimate"]
    expected = [fit.beta[0] + fit.theta[0] ** 2 / 2, fit.beta[1]]
    np.testing.assert_allclose(own, expected, rtol=1e-9)


def test_marginal_coefficients_need_fixed_effects():
    fit = mlm.glmer("incidence / size ~ 0 + (1 | herd)", mlm.load_cbpp())
    with pytest.raises(ArgumentError, match="marginal_coefs needs fixed effects"):
        fit.marginal_coefs()
