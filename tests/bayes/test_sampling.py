import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import scipy.stats as st
from scipy.special import logsumexp

import mixedlm_pt as mlm
from mixedlm_pt.bayes import sample
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.bayes.pymc_model import build_pymc
from mixedlm_pt.bayes.sampling import starting_values
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.errors import ArgumentError

FORMULA = "incidence / size ~ period + (1 | herd)"
FAST = {"draws": 25, "tune": 40, "chains": 2, "cores": 1, "progressbar": False}


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp())


@pytest.fixture(scope="module")
def contraception():
    return mlm.glmer("use ~ age + urban + (urban | district)", mlm.load_contraception())


def test_pymc_samples_in_numpy_thunks(cbpp):
    # The mode of everything that PyMC compiles on its own.
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        arguments = {"compile_kwargs": {"mode": NUMPY}, "random_seed": 1, "sampler": "pymc"}
        posterior = sample(cbpp, **FAST, **arguments)
    assert (posterior.n_chains, posterior.n_draws) == (2, 25)
    z = (posterior.fixef() - cbpp.fixef()) / np.sqrt(np.diag(cbpp.vcov()))
    assert np.abs(z).max() < 2.0
    assert posterior.data["posterior"].dataset["b_herd"].dims[2:] == ("level_herd", "term_herd")
    assert posterior.sampling_seconds > 0.0


def test_the_sampler_starts_at_the_fit(contraception):
    posterior = build_pymc(contraception.model, make_priors(contraception.model))
    start = starting_values(contraception, posterior)
    assert set(start) == {variable.name for variable in posterior.pymc.free_RVs}
    with pm.do(posterior.pymc, start) as fixed:
        beta, b, eta = pm.draw(
            [fixed["beta"], fixed["b_district"], fixed["y"].owner.inputs[2]], mode=NUMPY
        )
    np.testing.assert_allclose(beta, contraception.beta)
    np.testing.assert_allclose(b, contraception.ranef()["district"], atol=1e-10)
    np.testing.assert_allclose(eta, contraception.eta, rtol=1e-10)


def test_the_sampler_starts_inside_the_parameter_space():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"y": rng.poisson(3.0, 60), "g": np.repeat(np.arange(12), 5).astype(str)})
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer("y ~ 1 + (1 | g)", table, "poisson")
    posterior = build_pymc(fit.model, make_priors(fit.model))
    assert starting_values(fit, posterior)["sd_g"] == pytest.approx(0.1)


def test_starting_values_follow_the_scalars_of_a_mixed_vector(cbpp):
    priors = make_priors(cbpp.model, {"period2": mlm.bayes.Uniform(-3.0, 3.0)})
    start = starting_values(cbpp, build_pymc(cbpp.model, priors))
    assert start["beta_centred[period2]"] == pytest.approx(cbpp.beta[1])


def test_an_unknown_sampler_is_refused(cbpp):
    with pytest.raises(ArgumentError, match="unknown sampler 'stan'; known: nutpie, pymc"):
        sample(cbpp, sampler="stan")


def posterior_by_importance(fit, n=40_000, seed=3):
    """Means and standard errors of (beta, sd) under the default priors, without PyMC.

    Gauss-Hermite quadrature of every herd's binomial likelihood, and importance sampling from a
    t distribution around the ML estimates.
    """
    rng = np.random.default_rng(seed)
    data, X = fit.call.data, fit.design.X
    successes, trials = data["incidence"].to_numpy(float), data["size"].to_numpy(float)
    herd = fit.design.factors[0].codes
    centre = np.append(fit.beta, np.log(fit.theta))
    J = np.diag([1.0] * 4 + [1.0 / fit.theta[0]])
    shape = 1.3 * J @ fit.estimate.covariance @ J
    proposal = st.multivariate_t(centre, shape, df=5, seed=rng)
    points = proposal.rvs(n)
    beta, sd = points[:, :4], np.exp(points[:, 4])
    x, w = np.polynomial.hermite.hermgauss(40)
    loglik = np.empty(n)
    constant = st.binom.logpmf(successes, trials, 0.5).sum() + trials.sum() * np.log(2.0)
    for part in np.array_split(np.arange(n), 40):
        eta = (beta[part] @ X.T)[:, :, None] + np.sqrt(2.0) * sd[part, None, None] * x
        rows = successes[:, None] * eta - trials[:, None] * np.logaddexp(0.0, eta)
        by_herd = np.stack([rows[:, herd == j].sum(axis=1) for j in range(15)], axis=1)
        loglik[part] = logsumexp(by_herd + np.log(w / np.sqrt(np.pi)), axis=2).sum(axis=1)
    prior = st.norm.logpdf(beta @ X.mean(axis=0), 0.0, 2.5)
    prior += st.norm.logpdf(beta[:, 1:], 0.0, 2.5 / X[:, 1:].std(axis=0, ddof=1)).sum(axis=1)
    prior += st.expon.logpdf(sd) + np.log(sd)
    weight = loglik + constant + prior - proposal.logpdf(points)
    weight = np.exp(weight - logsumexp(weight))
    values = np.column_stack([sd, beta])
    means = weight @ values
    errors = np.sqrt(weight**2 @ (values - means) ** 2)
    return means, errors


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_cbpp_s_posterior_is_the_one_by_importance_sampling(cbpp):
    posterior = sample(cbpp, draws=2000, random_seed=2, progressbar=False)
    summary = posterior.summary()
    means, errors = posterior_by_importance(cbpp)
    z = (summary["mean"] - means) / np.hypot(summary["mcse_mean"], errors)
    assert np.abs(z).max() < 4.0
    assert summary["r_hat"].max() < 1.01
    assert posterior.n_divergences == 0
    # The coefficients of the table that stands in README and demo.
    table = mlm.compare(cbpp, posterior).to_frame()["Posterior"]
    assert 0.3 < table.loc["sd_(Intercept)|herd", "shift"] < 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_draws_can_be_used_for_loo_and_for_new_responses(cbpp):
    import arviz as az

    posterior = sample(cbpp, draws=500, tune=500, random_seed=2, progressbar=False)
    with posterior.pymc:
        data = pm.compute_log_likelihood(posterior.data, progressbar=False)
        predicted = pm.sample_posterior_predictive(data, progressbar=False, random_seed=1)
    loo = az.loo(data)
    assert -110.0 < loo.elpd < -80.0
    y = predicted["posterior_predictive"]["y"]
    assert y.shape == (4, 500, 56)
    assert abs(float(y.mean()) - cbpp.design.response.y.mean()) < 0.05


def test_a_shape_at_its_limit_does_not_hold_the_sampler_there():
    rng = np.random.default_rng(8)
    table = pd.DataFrame(
        {"y": rng.binomial(6, 0.5, 60), "g": np.repeat(np.arange(12), 5).astype(str)}
    )
    with pytest.warns(mlm.errors.MixedlmWarning):
        fit = mlm.glmer_nb("y ~ 1 + (1 | g)", table)
    assert fit.phi > 1e6
    posterior = fit.sample(draws=300, tune=300, chains=2, random_seed=1, progressbar=False)
    assert posterior.n_divergences < 5
    # The prior of the shape, exponential(1), all but decides.
    assert posterior.draws["theta"].max() < 40.0
    assert posterior.convergence["r_hat"].max() < 1.03
