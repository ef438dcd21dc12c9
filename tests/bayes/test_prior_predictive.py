"""Draws from the priors, of the parameters and of the response."""

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes import LKJ, Normal, Uniform
from mixedlm_pt.bayes.draws import ParameterDraws
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer_model("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def sleep():
    return mlm.glmer_model("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gaussian")


@pytest.fixture(scope="module")
def sleep_draws(sleep):
    return sleep.prior_predictive("rstanarm", draws=4000, random_seed=1)


def test_parameters_have_their_priors(sleep_draws):
    p = sleep_draws.parameters
    priors = sleep_draws.priors
    centred, sigma = p["beta_centred"], p["sigma"]
    for j, prior in enumerate(priors.coefficients):
        normal = st.norm(prior.location, prior.scale)
        assert st.kstest(centred[:, j], normal.cdf).pvalue > 1e-3
    assert st.kstest(sigma, st.expon(scale=1.0 / priors.dispersion.rate).cdf).pvalue > 1e-3
    # rstanarm: the root mean square of the ratios sd / sigma is exponential, their correlation
    # uniform.
    tau = np.sqrt(np.mean((p["sd_Subject"] / sigma[:, None]) ** 2, axis=1))
    assert st.kstest(tau, st.expon.cdf).pvalue > 1e-3
    corr = p["corr_Subject"][:, 1, 0]
    assert st.kstest(corr, st.uniform(-1.0, 2.0).cdf).pvalue > 1e-3


def test_responses_are_those_of_the_parameters(sleep, sleep_draws):
    # (y - X beta - Z b) / sigma is standard normal, whatever the parameters.
    p, design = sleep_draws.parameters, sleep.model.design
    codes, Z = design.factors[0].codes, design.terms[0].Z
    mean = p["beta"] @ design.X.T + np.einsum("nk,snk->sn", Z, p["b_Subject"][:, codes])
    np.testing.assert_allclose(sleep_draws.mean, mean, rtol=1e-10)
    residuals = (sleep_draws.y - mean) / p["sigma"][:, None]
    assert st.kstest(residuals[:, ::30].ravel(), st.norm.cdf).pvalue > 1e-3


def test_draws_agree_with_those_of_the_pymc_model(sleep, sleep_draws):
    model = sleep.to_pymc("rstanarm")
    names = ["beta", "sd_Subject", "sigma", "b_Subject"]
    draws = pm.draw([model[name] for name in names], draws=1500, random_seed=2, mode=NUMPY)
    for name, values in zip(names, draws, strict=True):
        own = sleep_draws.parameters[name].reshape(4000, -1)
        theirs = values.reshape(1500, -1)
        for column in range(min(own.shape[1], 3)):
            assert st.ks_2samp(own[:, column], theirs[:, column]).pvalue > 1e-3


def test_data_are_arviz_groups_that_parameter_draws_read(cbpp):
    predictive = cbpp.prior_predictive(draws=30, random_seed=3)
    data = predictive.data
    assert set(data.children) == {"prior", "prior_predictive", "observed_data"}
    assert data["prior_predictive"]["y"].sizes == {"chain": 1, "draw": 30, "obs": 56}
    np.testing.assert_array_equal(data["observed_data"]["y"], cbpp.model.design.response.y)
    draws = ParameterDraws.of(cbpp.model, data["prior"].dataset)
    np.testing.assert_array_equal(draws.beta, predictive.parameters["beta"])
    np.testing.assert_array_equal(draws.theta, predictive.parameters["sd_herd"])


def test_a_seed_makes_the_same_draws(cbpp):
    one, same, other = (cbpp.prior_predictive(draws=5, random_seed=s).y for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_binomial_responses_are_proportions_of_the_trials(cbpp):
    y = cbpp.prior_predictive(draws=20, random_seed=4).y
    counts = y * cbpp.model.design.response.weights
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)


def test_the_summary_says_how_much_of_the_prior_is_nearly_certain(cbpp):
    wide = cbpp.prior_predictive({"coefficients": Normal(0.0, 50.0)}, random_seed=5)
    low, high = (wide.mean < 0.01).mean(), (wide.mean > 0.99).mean()
    assert low + high > 0.5
    text = " ".join(str(wide).split())
    assert f"{100 * low:.0f} % of the fitted probabilities are below 1 %" in text
    assert "before any data most responses are all but certain." in text
    narrow = cbpp.prior_predictive("bambi", random_seed=5)
    assert "all but certain" not in str(narrow)
    observed = cbpp.model.design.response.y
    assert narrow.to_frame().loc["mean", "data"] == pytest.approx(observed.mean())
    assert "<table" in narrow._repr_html_()


def test_impossible_means_are_counted():
    data = mlm.load_grouseticks()
    model = mlm.glmer_model("TICKS ~ YEAR + (1 | BROOD)", data, "poisson")
    wild = model.prior_predictive({"coefficients": Normal(0.0, 200.0)}, draws=50, random_seed=6)
    n_lost = int(np.isnan(wild.y).any(axis=1).sum())
    assert n_lost > 0
    assert f"In {n_lost} of 50 draws a mean is one that no response can have" in str(wild)
    assert np.isfinite(wild.to_frame()).all(axis=None)


def test_a_prior_of_pymc_is_drawn_too(cbpp):
    priors = {"period2": pm.AsymmetricLaplace.dist(b=2.0, kappa=1.5, mu=0.3)}
    draws = cbpp.prior_predictive(priors, draws=2000, random_seed=7).parameters["beta"][:, 1]
    reference = st.laplace_asymmetric(kappa=1.5, loc=0.3, scale=0.5)
    assert st.kstest(draws, reference.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        (
            "flat",
            r"\(Intercept\), period2, period3, period4, sd_herd\[\(Intercept\)\] are improper",
        ),
        ("brms", "the priors of period2, period3, period4 are improper"),
    ],
)
def test_improper_priors_are_refused(cbpp, priors, message):
    with pytest.raises(ArgumentError, match=message):
        cbpp.prior_predictive(priors)


def test_a_quasi_family_is_refused():
    model = mlm.glmer_model("TICKS ~ 1 + (1 | BROOD)", mlm.load_grouseticks(), "quasipoisson")
    with pytest.raises(ArgumentError, match="quasipoisson has no likelihood"):
        model.prior_predictive()


def test_the_response_plot_has_a_row_a_level(cbpp, sleep):
    figure = cbpp.prior_predictive(draws=50, random_seed=8).plot()
    (ax,) = figure.axes
    design = cbpp.model.design
    observed = [
        np.average(design.response.y[rows], weights=design.response.weights[rows])
        for rows in (design.factors[0].codes == level for level in range(15))
    ]
    np.testing.assert_allclose(ax.collections[-1].get_offsets()[:, 0], np.sort(observed))
    assert ax.get_yticklabels()[0].get_text() == f"herd {np.argmin(observed) + 1}"
    with pytest.raises(ArgumentError, match="unknown group 'hert'"):
        cbpp.prior_predictive(draws=5, random_seed=8).plot(group="hert")
    with pytest.raises(ArgumentError, match="unknown kind 'prior'"):
        sleep.prior_predictive(draws=5, random_seed=8).plot("prior")
    plt.close("all")


def test_the_plot_of_priors_has_a_panel_a_parameter(sleep):
    priors = {"Days": Uniform(-10.0, 30.0), "corr": LKJ(3.0)}
    figure = sleep.prior_predictive(priors, draws=50, random_seed=9).plot("priors")
    titles = [ax.get_title("left").split("\n")[0] for ax in figure.axes]
    assert titles == [
        "(Intercept), predictors centred",
        "Days",
        "sd of (Intercept) | Subject",
        "sd of Days | Subject",
        "every correlation, Days | Subject",
        "sigma",
    ]
    curve = figure.axes[1].lines[0]
    np.testing.assert_allclose(curve.get_ydata(), 1.0 / 40.0)
    x, density = figure.axes[4].lines[0].get_data()
    np.testing.assert_allclose(density, st.beta(3.0, 3.0, -1.0, 2.0).pdf(x), rtol=1e-8)
    plt.close("all")
