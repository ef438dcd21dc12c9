import time
import warnings

import numpy as np
import pymc as pm
import pytensor
import pytest
import scipy.stats as st
from nutpie.sample import _BackgroundSampler as BackgroundSampler

import mixedlm_pt as mlm
from mixedlm_pt.bayes import LKJ, Exponential, HalfNormal, Normal, StudentT, to_pymc
from mixedlm_pt.bayes.joint_target import JointTarget
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.errors import SingularFitWarning
from mixedlm_pt.families import Binomial, Gamma

CASES = {
    "one factor": ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, "binomial"),
    "slopes": ("use ~ age + urban + (urban | district)", mlm.load_contraception, "binomial"),
    "two terms of a factor": (
        "Reaction ~ Days + (Days || Subject)",
        mlm.load_sleepstudy,
        Gamma("log"),
    ),
    "crossed, with a shape": (
        "TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)",
        mlm.load_grouseticks,
        "nbinom2",
    ),
    "three factors, slopes of a smaller one": (
        "TICKS ~ HEIGHT + (1 | INDEX) + (1 | BROOD) + (scale(HEIGHT) | LOCATION)",
        mlm.load_grouseticks,
        "poisson",
    ),
    "no random effects": ("incidence / size ~ period", mlm.load_cbpp, "binomial"),
}


def target_of(fit, priors=None):
    return JointTarget.of(MarginalDensity(fit, make_priors(fit.model, priors)))


@pytest.fixture(scope="module")
def targets():
    made = {}

    def find(name):
        if name not in made:
            formula, load, family = CASES[name]
            with warnings.catch_warnings():
                # The posterior of a singular fit is as regular as any.
                warnings.simplefilter("ignore", SingularFitWarning)
                fit = mlm.glmer(formula, load(), family)
            made[name] = (fit, target_of(fit))
        return made[name]

    return find


def log_determinant(target, z):
    """Of the derivative of (x, u) in z, by differences."""
    h = 1e-5
    ends = [
        np.array([np.hstack(target.expand(z + sign * h * step)) for step in np.eye(target.n)])
        for sign in (1, -1)
    ]
    return np.linalg.slogdet((ends[0] - ends[1]) / (2.0 * h))[1]


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_the_density(targets, name):
    _, target = targets(name)
    z, h = 0.7 * np.random.default_rng(2).normal(size=target.n), 1e-5
    _, gradient = target.value_and_gradient(z)
    for j in np.unique(np.linspace(0, target.n - 1, 25).astype(int)):
        step = h * np.eye(target.n)[j]
        ends = [target.value_and_gradient(z + sign * step)[0] for sign in (1.0, -1.0)]
        np.testing.assert_allclose(gradient[j], (ends[0] - ends[1]) / (2.0 * h), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name != "no random effects"])
def test_given_the_parameters_the_effects_are_standard_normal_at_the_mode(targets, name):
    _, target = targets(name)
    n_x, h = len(target.whitening.centre), 1e-4
    for j in np.unique(np.linspace(n_x, target.n - 1, 12).astype(int)):
        step = h * np.eye(target.n)[j]
        ends = [target.value_and_gradient(sign * step)[1] for sign in (1.0, -1.0)]
        row = (ends[0] - ends[1]) / (2.0 * h)
        np.testing.assert_allclose(row[n_x:], -np.eye(target.n)[j, n_x:], atol=1e-5)
        # The modes follow the parameters as far as a straight line goes.
        assert np.abs(row[:n_x]).max() < 0.1


@pytest.mark.parametrize("name", ["one factor", "crossed, with a shape"])
def test_the_density_is_that_of_the_model_in_pymc(targets, name):
    fit, target = targets(name)
    model = to_pymc(fit)
    logp = model.compile_logp(mode=NUMPY)
    rng, gaps = np.random.default_rng(4), []
    p = fit.model.p
    for _ in range(5):
        z = rng.normal(size=target.n)
        x, u = target.expand(z)
        rest, point = x[p:], {"beta_centred": x[:p]}
        for f, factor in enumerate(fit.design.factors):
            point[f"sd_{factor.name}_log__"] = rest[f : f + 1]
            point[f"u_{factor.name}"] = u[fit.model.u_slices[f]].reshape(-1, 1)
        if fit.family.estimates_phi:
            point["theta_log__"] = rest[-1]
        gaps.append(target.value_and_gradient(z)[0] - logp(point) - log_determinant(target, z))
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-6)


def test_the_density_of_correlated_effects_is_the_product_that_it_should_be():
    fit = mlm.glmer("use ~ age + (urban | district)", mlm.load_contraception())
    own = {"age": StudentT(4.0, 0.1, 0.5), "sd": HalfNormal(0.8), "corr": LKJ(2.0)}
    target = target_of(fit, own)
    c, y = target.coordinates, fit.design.response.y
    outputs = [c.beta, *c.sds, c.cholesky[0], c.log_jacobian]
    parameters = pytensor.function([c.x], outputs, mode=NUMPY)
    scale = mlm.bayes.default_priors(fit).coefficients[0].scale
    Z, codes = fit.design.terms[0].Z, fit.design.factors[0].codes
    rng, gaps = np.random.default_rng(5), []
    for _ in range(5):
        z = rng.normal(size=target.n)
        x, u = target.expand(z)
        beta, sds, L, log_jacobian = parameters(x)
        b = u.reshape(-1, 2) @ (sds[:, None] * L).T
        eta = fit.design.X @ beta + (Z * b[codes]).sum(axis=1)
        intercept = beta[0] + fit.design.X[:, 1].mean() * beta[1]
        expected = (
            st.bernoulli.logpmf(y, 1.0 / (1.0 + np.exp(-eta))).sum()
            + st.norm.logpdf(u).sum()
            + st.norm.logpdf(intercept, 0.0, scale)
            + st.t.logpdf(beta[1], 4.0, 0.1, 0.5)
            + st.halfnorm.logpdf(sds, scale=0.8).sum()
            + np.log(np.linalg.det(L @ L.T))
            + log_jacobian
            + log_determinant(target, z)
        )
        gaps.append(target.value_and_gradient(z)[0] - expected)
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-6)


def test_where_the_density_is_not_finite_it_says_so(targets):
    _, target = targets("one factor")
    assert np.isnan(target.value_and_gradient(np.full(target.n, np.inf))[0])


def test_draws_do_not_depend_on_the_number_of_cores(targets):
    fit, _ = targets("one factor")
    settings = {"draws": 50, "tune": 50, "random_seed": 7, "progressbar": False}
    one, two = (fit.sample(cores=cores, **settings) for cores in (1, 2))
    beta = [posterior.data["posterior"]["beta"].to_numpy() for posterior in (one, two)]
    np.testing.assert_array_equal(*beta)
    other = fit.sample(**settings | {"random_seed": 8}).data["posterior"]["beta"].to_numpy()
    assert np.abs(other - beta[0]).min() > 0.0


def test_the_posterior_is_that_of_pymc(targets):
    fit, _ = targets("one factor")
    own = {"coefficients": Normal(0.0, 1.0), "sd": Exponential(2.0)}
    posterior = fit.sample(random_seed=3, priors=own, progressbar=False)
    with to_pymc(fit, own):
        reference = pm.sample(
            random_seed=4, progressbar=False, chains=4, cores=1, compute_convergence_checks=False
        )
    reference = type(posterior)(fit, posterior.priors, reference, "pymc", "full", 1000, 0.0, 0.0)
    a, b = posterior.convergence, reference.convergence
    error = np.hypot(a["mcse_mean"], b["mcse_mean"])
    assert (np.abs(a["mean"] - b["mean"]) < 4.5 * error).all()
    error = np.hypot(a["mcse_sd"], b["mcse_sd"])
    assert (np.abs(a["sd"] - b["sd"]) < 4.5 * error).all()


def test_interrupting_keeps_the_draws(monkeypatch):
    def interrupted(sampler, **kwargs):
        time.sleep(3.0)
        raise KeyboardInterrupt

    fit = mlm.glmer("r2 ~ Anger + (1 | id) + (1 | item)", mlm.load_verbagg())
    monkeypatch.setattr(BackgroundSampler, "wait", interrupted)
    posterior = fit.sample(draws=50_000, tune=50, chains=2, random_seed=1, progressbar=False)
    assert 1 < posterior.n_draws < 50_000
    assert np.isfinite(posterior.data["posterior"]["beta"].to_numpy()).all()


def test_what_has_no_instructions_is_sampled_by_way_of_pymc():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), Binomial("cauchit"))
    posterior = fit.sample(draws=30, tune=60, chains=2, cores=1, random_seed=1, progressbar=False)
    assert posterior.n_draws == 30
