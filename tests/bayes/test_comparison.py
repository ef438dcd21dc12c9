"""The mode of the marginal posterior, the result's accessors, and the comparison."""

import re
from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pytest
import scipy.optimize as so
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes import Exponential, Normal, PosteriorResult, compare, flat_priors, to_pymc
from mixedlm_pt.bayes.comparison import parameters
from mixedlm_pt.bayes.penalized import penalized_fit
from mixedlm_pt.bayes.priors import default_priors, make_priors
from mixedlm_pt.compile.backends import NUMPY
from mixedlm_pt.errors import ArgumentError
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


def made_up(fit, **settings):
    """A posterior whose draws come from the prior: the accessors do not care."""
    model = to_pymc(fit)
    variables = [*model.free_RVs, *model.deterministics]
    import pymc as pm

    draws = pm.draw(variables, draws=40, random_seed=1, mode=NUMPY)
    posterior = {
        variable.name: values.reshape(2, 20, *values.shape[1:])
        for variable, values in zip(variables, draws, strict=True)
    }
    stats = {"diverging": np.zeros((2, 20), bool)}
    data = az.from_dict({"posterior": posterior, "sample_stats": stats})
    arguments = {"sampler": "nutpie", "tune": 10, "compile_seconds": 1.0, "sampling_seconds": 2.0}
    return PosteriorResult(fit, default_priors(fit), model, data, **(arguments | settings))


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


def test_parameters_are_those_of_confint(slopes):
    table = parameters(slopes)
    limits = slopes.confint()
    shared = table.index.intersection(limits.index)
    assert list(table.index[:4]) == ["sd_(Intercept)|g", "cor_x.(Intercept)|g", "sd_x|g", "shape"]
    np.testing.assert_allclose(table.loc[shared, ["lower", "upper"]], limits.loc[shared])
    np.testing.assert_allclose(table.loc["shape", "estimate"], 1.0 / slopes.phi)
    se = np.sqrt(slopes.estimate.covariance[-1, -1]) / slopes.phi
    np.testing.assert_allclose(table.loc["shape", "se"], se)


def test_the_standard_error_of_a_scalar_sd_is_that_of_theta(cbpp):
    table = parameters(cbpp)
    se = np.sqrt(cbpp.vcov(full=True).to_numpy().diagonal())
    np.testing.assert_allclose(table.loc["sd_(Intercept)|herd", "se"], se[4])
    np.testing.assert_allclose(table["se"].to_numpy()[1:], se[:4])
    np.testing.assert_allclose(table["estimate"], np.append(cbpp.theta, cbpp.beta))


def test_accessors_are_posterior_means(slopes):
    posterior = made_up(slopes)
    draws = posterior.data["posterior"].dataset
    np.testing.assert_allclose(posterior.fixef(), draws["beta"].mean(("chain", "draw")))
    np.testing.assert_allclose(posterior.ranef()["g"], draws["b_g"].mean(("chain", "draw")))
    assert list(posterior.ranef()["g"].columns) == ["(Intercept)", "x"]
    varcorr = posterior.VarCorr()
    assert list(varcorr.index) == ["sd_(Intercept)|g", "cor_x.(Intercept)|g", "sd_x|g"]
    expected = [draws["sd_g"][..., 0], draws["corr_g"][..., 1, 0], draws["sd_g"][..., 1]]
    np.testing.assert_allclose(varcorr["mean"], [values.mean() for values in expected])


def test_the_summary_is_arviz_s(cbpp):
    posterior = made_up(cbpp)
    summary = posterior.summary(ci_prob=0.9)
    own = az.summary(posterior.data, var_names=["beta"], ci_prob=0.9, round_to="none")
    assert {"eti90_lb", "eti90_ub", "r_hat", "ess_bulk", "ess_tail"} <= set(summary.columns)
    np.testing.assert_allclose(summary.iloc[1:]["r_hat"], own["r_hat"])
    np.testing.assert_allclose(summary.iloc[1:]["mean"], own["mean"])


def test_a_posterior_says_how_it_was_sampled(cbpp):
    text = str(made_up(cbpp))
    assert "nutpie (NUTS): 2 chains of 20 draws after 10 steps of adaptation." in text
    assert "Compiled in 1.0 s, sampled in 2.0 s." in text
    assert re.search(r"No divergences, largest R-hat \d\.\d{3}, smallest effective sample", text)
    assert "raise" in text
    assert max(map(len, text.splitlines())) <= 100
    html = made_up(cbpp)._repr_html_()
    assert "<table" in html
    assert "sd_(Intercept)|herd" in html


def test_the_shift_is_prior_plus_mean_against_mode(cbpp):
    table = compare(cbpp, made_up(cbpp)).to_frame()
    np.testing.assert_allclose(table["shift"], table["shift_prior"] + table["shift_mean"])
    np.testing.assert_allclose(table["shift"], (table["mean"] - table["estimate"]) / table["se"])
    # Exponential(1) draws a standard deviation down: d log p / d sd = -1.
    assert -0.3 < table.loc["sd_(Intercept)|herd", "shift_prior"] < -0.1


def test_a_comparison_prints_in_a_terminal(slopes):
    comparison = compare(slopes, made_up(slopes))
    lines = str(comparison).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("cor_x.(Intercept)|g") for line in lines)
    assert "shape" in comparison._repr_html_()


def test_a_better_approximation_can_be_compared_with_the_same_posterior(cbpp):
    better = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), nAGQ=10)
    assert "nAGQ = 10" in " ".join(str(compare(better, made_up(cbpp))).split())


def test_a_posterior_of_another_model_is_refused(cbpp, slopes):
    posterior = made_up(cbpp)
    with pytest.raises(ArgumentError, match="the fit and the posterior have different formulas"):
        compare(slopes, posterior)
    other = mlm.load_cbpp()
    other.loc[0, "incidence"] += 1
    changed = mlm.glmer("incidence / size ~ period + (1 | herd)", other)
    with pytest.raises(ArgumentError, match="different responses"):
        compare(changed, posterior)


def test_arguments_in_the_wrong_order_are_refused(cbpp):
    with pytest.raises(ArgumentError, match="it got PosteriorResult and GlmerResult"):
        compare(made_up(cbpp), cbpp)
