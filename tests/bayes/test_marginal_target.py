"""Sampling with the random effects integrated out, against integrals on grids."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import multivariate_t

import mixedlm_pt as mlm
from mixedlm_pt.bayes.conditional import resampled, smoothed_correction
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.marginal_target import approximation_of, sample_marginal
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.bayes.proposal import Proposal, adapted_proposal
from mixedlm_pt.bayes.whitened_marginal import MarginalTarget
from mixedlm_pt.errors import ArgumentError

SETTINGS = {"draws": 1000, "chains": 2, "random_seed": 4, "progressbar": False}


@pytest.fixture(scope="module")
def fit():
    """Few binary responses a group, where Laplace's approximation errs."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(40), 4)
    y = rng.random(160) < expit(0.4 + 1.5 * rng.normal(size=40)[g])
    return mlm.glmer("y ~ 1 + (1 | g)", pd.DataFrame({"y": y * 1, "g": g}), family="binomial")


@pytest.fixture(scope="module")
def exact(fit):
    """Weights of a grid of (beta, sd), and the mean of group 0's effect, by brute force."""
    priors = make_priors(fit.model, None)
    y = fit.design.response.y.reshape(40, 4)
    beta, log_sd = np.linspace(-1.5, 2.5, 61), np.linspace(-3.0, 2.0, 81)
    u, k = np.linspace(-7.0, 7.0, 141), np.arange(5)[:, None]
    successes = y.sum(axis=1).astype(int)
    eta = beta[:, None, None, None] + np.exp(log_sd)[:, None, None] * u
    log = k * eta - 4.0 * np.logaddexp(0.0, eta) - 0.5 * u**2
    by_count = logsumexp(log, axis=3)
    table = by_count[:, :, successes].sum(axis=2) + log_sd
    own = np.exp(log[:, :, successes[0]] - by_count[:, :, successes[0], None])
    effect = np.exp(log_sd) * (own @ u)
    (coefficient,), (sd,) = priors.coefficients, priors.sds[0]
    table += np.array([float(coefficient.logp(b).eval()) for b in beta])[:, None]
    table += np.array([float(sd.logp(s).eval()) for s in np.exp(log_sd)])
    weight = np.exp(table - table.max())
    weight /= weight.sum()
    means = {
        "beta": (weight.sum(axis=1) @ beta, weight.sum(axis=1) @ beta**2),
        "sd": (weight.sum(axis=0) @ np.exp(log_sd), weight.sum(axis=0) @ np.exp(2.0 * log_sd)),
    }
    return {k: (m, np.sqrt(s - m * m)) for k, (m, s) in means.items()}, (weight * effect).sum()


def moments(data):
    """Mean and sd of beta and the standard deviation, and the mean effect of group 0."""
    posterior = data["posterior"]
    beta, sd = posterior["beta"].to_numpy().ravel(), posterior["sd_g"].to_numpy().ravel()
    return {"beta": beta, "sd": sd}, posterior["b_g"].to_numpy()[..., 0, 0].ravel()


@pytest.mark.parametrize(
    ("kind", "method"), [("laplace", "importance"), ("laplace", "nuts"), ("agq", "nuts")]
)
def test_corrected_draws_are_of_the_exact_posterior(fit, exact, kind, method):
    priors = make_priors(fit.model, None)
    settings = SETTINGS | {"draws": 300 if method == "nuts" else 2000, "tune": 100}
    *_, data = sample_marginal(fit, priors, kind, method=method, **settings)
    attrs = data["sample_stats"].attrs
    assert attrs["khat"] < 0.7
    draws, effect = moments(data)
    n = effect.size * attrs["efficiency"] * (0.5 if method == "nuts" else 1.0)
    for name, (mean, sd) in exact[0].items():
        assert draws[name].mean() == pytest.approx(mean, abs=4.0 * sd / np.sqrt(n)), name
        assert draws[name].std() == pytest.approx(sd, rel=0.12), name
    assert effect.mean() == pytest.approx(exact[1], abs=4.0 * effect.std() / np.sqrt(n))


def test_uncorrected_draws_are_of_the_approximate_posterior(fit, exact):
    priors = make_priors(fit.model, None)
    marginal = MarginalTarget(MarginalDensity(fit, priors, approximation_of(fit, "laplace", None)))
    grid = np.linspace(-6.0, 6.0, 25)
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    values = np.array([marginal.value(z) for z in points])
    weight = np.exp(values - values.max())
    x = marginal.x(points)
    mean = weight @ np.exp(x[:, 1]) / weight.sum()
    # Quite another than the exact one, so that the test can tell.
    assert abs(mean - exact[0]["sd"][0]) > 0.15 * exact[0]["sd"][1]
    settings = SETTINGS | {"draws": 1000, "method": "importance", "correct": False}
    *_, data = sample_marginal(fit, priors, "laplace", **settings)
    sd = moments(data)[0]["sd"]
    n = sd.size * data["sample_stats"].attrs["efficiency"]
    assert sd.mean() == pytest.approx(mean, abs=4.0 * sd.std() / np.sqrt(n))


def test_the_gradient_is_that_of_the_density(fit):
    marginal = MarginalTarget(MarginalDensity(fit, make_priors(fit.model, None)))
    z, h = np.array([0.7, -0.4]), 1e-4
    differences = [(marginal(z + h * e)[0] - marginal(z - h * e)[0]) / (2.0 * h) for e in np.eye(2)]
    np.testing.assert_allclose(marginal(z)[1], differences, atol=1e-5)


def test_draws_are_the_same_on_any_number_of_cores(fit):
    priors = make_priors(fit.model, None)
    settings = SETTINGS | {"draws": 50, "method": "importance"}
    one, two = (
        sample_marginal(fit, priors, "laplace", cores=cores, **settings)[2] for cores in (1, 2)
    )
    np.testing.assert_array_equal(one["posterior"]["b_g"], two["posterior"]["b_g"])


def test_crossed_factors_with_slopes_are_sampled():
    rng = np.random.default_rng(2)
    a, b, x = np.repeat(np.arange(15), 12), np.tile(np.arange(12), 15), rng.normal(size=180)
    eta = 0.8 + 0.5 * rng.normal(size=15)[a] + 0.4 * rng.normal(size=12)[b]
    eta += (0.3 + 0.4 * rng.normal(size=15)[a]) * x
    data = pd.DataFrame({"y": rng.poisson(np.exp(eta)), "a": a, "b": b, "x": x})
    fit = mlm.glmer("y ~ x + (x | a) + (1 | b)", data, family="poisson")
    *_, tree = sample_marginal(
        fit,
        make_priors(fit.model, None),
        "laplace",
        method="importance",
        **(SETTINGS | {"draws": 400}),
    )
    posterior, attrs = tree["posterior"], tree["sample_stats"].attrs
    assert attrs["khat"] < 0.7
    assert attrs["efficiency"] > 0.3
    assert posterior["corr_a"].shape == (2, 400, 2, 2)
    # b follows from u: that of b has one effect.
    product = posterior["u_b"].to_numpy() * posterior["sd_b"].to_numpy()[:, :, None]
    np.testing.assert_allclose(posterior["b_b"], product)
    # Effects of the posterior are about those of the fit.
    modes = fit.ranef()["a"].to_numpy()
    sds = posterior["b_a"].std(("chain", "draw")).to_numpy()
    assert (np.abs(posterior["b_a"].mean(("chain", "draw")) - modes) < sds).all()


def test_smoothing_finds_a_quadratic_correction_under_noise():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(2, 3000, 3))
    truth = 2.0 + z @ np.array([0.3, -0.1, 0.0]) + 0.1 * z[..., 0] * z[..., 2]
    variance = np.full(truth.shape, 0.5)
    noisy = truth - 0.25 + np.sqrt(0.5) * rng.normal(size=truth.shape)
    correction = np.stack([noisy, variance], axis=2)
    smooth = smoothed_correction(z, correction, 0.5)
    assert np.abs(smooth - truth).max() < 0.25
    np.testing.assert_array_equal(smoothed_correction(z, correction, 0.05), noisy)


def test_systematic_resampling_keeps_each_draw_as_often_as_it_counts():
    weight = np.array([0.2, 1.0, 3.0, 0.0, 0.8])
    rng = np.random.default_rng(0)
    counts = np.mean(
        [np.bincount(resampled(weight, rng), minlength=5) for _ in range(4000)], axis=0
    )
    np.testing.assert_allclose(counts, weight, atol=0.03)


def test_the_proposal_has_the_density_of_scipy_and_finds_mean_and_covariance():
    rng = np.random.default_rng(3)
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    mean, inverse = np.array([0.5, -0.3]), np.linalg.inv(covariance)
    found = adapted_proposal(lambda z: -0.5 * (z - mean) @ inverse @ (z - mean), 2, rng)
    np.testing.assert_allclose(found.mean, mean, atol=0.25)
    np.testing.assert_allclose(found.factor @ found.factor.T, covariance, rtol=0.4, atol=0.1)
    proposal = Proposal(mean, np.linalg.cholesky(covariance), 5.0)
    z = proposal.draw(6, rng)
    np.testing.assert_allclose(
        proposal.log_density(z), multivariate_t(mean, covariance, df=5.0).logpdf(z)
    )


def test_what_a_target_is_not_for_is_refused(fit):
    priors = make_priors(fit.model, None)
    with pytest.raises(ArgumentError, match="unknown method 'hmc'"):
        sample_marginal(fit, priors, "laplace", method="hmc")
    fixed = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    with pytest.raises(ArgumentError, match="no random effects to integrate out"):
        approximation_of(fixed, "laplace", None)
    slopes = mlm.glmer("use ~ age + urban + (urban | district)", mlm.load_contraception())
    with pytest.raises(ArgumentError, match="one scalar random-effects term"):
        approximation_of(slopes, "agq", None)
