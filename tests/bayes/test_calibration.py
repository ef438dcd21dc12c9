"""Ranks of true values among posterior draws are uniform, and the tools that say so work."""

import numpy as np
import pytensor
import pytest
import scipy.stats as st

from benchmarks.calibration import STUDIES, TARGETS, Settings, replicate, starting_fit
from benchmarks.calibration_page import ranks_by_name
from benchmarks.ranks import band, ecdf, expected, p_value
from mixedlm_pt.bayes import Exponential, Normal
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.graph import GLMMGraph, data_of, joint_logp
from mixedlm_pt.tasks import spawn_seeds

# Each number of ranks has a null distribution of its own, simulated once.
N, L = 60, 99
SHORT = Settings(draws=300, tune=300, ranks=L)


def test_uniform_ranks_stay_in_the_band_as_often_as_it_says():
    rng = np.random.default_rng(1)
    lower, upper = band(N, L, level=0.9)
    p_values, inside = [], []
    for _ in range(2000):
        ranks = rng.integers(0, L + 1, N)
        difference = ecdf(ranks, L) - expected(L)
        inside.append(np.all((lower <= difference) & (difference <= upper)))
        p_values.append(p_value(ranks, L))
    # Four binomial standard errors.
    assert abs(np.mean(inside) - 0.9) < 4.0 * np.sqrt(0.09 / 2000)
    for level in (0.5, 0.05):
        # Ranks are discrete, so the test may be conservative, but not the other way.
        assert np.mean(np.array(p_values) <= level) < level + 4.0 * np.sqrt(
            level * (1.0 - level) / 2000
        )
    assert np.mean(np.array(p_values) <= 0.05) > 0.03


@pytest.mark.parametrize(
    "distribution",
    [st.norm(0.7, 1.0), st.norm(0.0, 0.35), st.norm(0.0, 2.5)],
    ids=["biased", "wide posterior", "narrow posterior"],
)
def test_wrong_posteriors_have_small_p_values(distribution):
    # Posterior N(0, 1), where the truth is from another distribution.
    rng = np.random.default_rng(2)
    truth = distribution.rvs(N, rng)
    ranks = (rng.normal(size=(N, L)) < truth[:, None]).sum(axis=1)
    assert p_value(ranks, L) < 1e-3
    own = (rng.normal(size=(N, L)) < rng.normal(size=(N, 1))).sum(axis=1)
    assert p_value(own, L) > 1e-2


def test_the_ecdf_counts_ranks_below():
    np.testing.assert_allclose(ecdf(np.array([0, 2, 2, 3]), 3), [0.25, 0.25, 0.75])
    np.testing.assert_allclose(expected(3), [0.25, 0.5, 0.75])


@pytest.mark.parametrize("name", STUDIES)
def test_the_simulator_draws_from_the_priors_that_the_sampler_gets(name):
    study, rng = STUDIES[name], np.random.default_rng(3)
    truths = [study.truth(rng) for _ in range(1000)]
    means = study.frame["x"].mean()
    drawn = {
        "(Intercept)": [t["beta"][0, 0] + means * t["beta"][0, 1] for t in truths],
        "x": [t["beta"][0, 1] for t in truths],
        "sd": [t["sd"][0, -1] for t in truths],
        "theta": [t["theta"][0] for t in truths],
    }
    for parameter, prior in study.priors.items():
        if isinstance(prior, Normal):
            expected_cdf = st.norm(prior.location, prior.scale).cdf
        elif isinstance(prior, Exponential):
            expected_cdf = st.expon(scale=1.0 / prior.rate).cdf
        else:
            # The density of a 2 x 2 correlation matrix is (1 - rho^2)^(eta - 1).
            drawn["corr"] = [t["rho"][0] for t in truths]
            expected_cdf = st.beta(prior.eta, prior.eta, loc=-1.0, scale=2.0).cdf
        assert st.kstest(drawn[parameter], expected_cdf).pvalue > 1e-3
    scaled = np.concatenate([t["b"][0] / t["sd"][0] for t in truths])
    assert st.kstest(scaled.ravel(), st.norm.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", STUDIES)
def test_the_simulator_s_likelihood_is_that_of_the_model(name):
    study, rng = STUDIES[name], np.random.default_rng(6)
    y = study.response(rng, study.truth(rng))
    fit, is_constant = starting_fit(study, y)
    assert not is_constant
    b = fit.ranef()["g"].to_numpy()
    values = {"beta": fit.beta[None], "b": b[None], "theta": np.array([fit.phi])}
    values |= {"sd": np.ones((1, 2)), "rho": np.zeros(1)}
    own = study.quantities(values, y)["log-likelihood"][0]
    graph = GLMMGraph.of(fit.model)
    inputs = [*graph.data, *graph.parameters, graph.u]
    joint = pytensor.function(inputs, joint_logp(graph), mode=NUMPY, on_unused_input="ignore")
    logp = joint(*data_of(fit.model), fit.beta, fit.theta, np.log(fit.phi), fit.u)
    assert own == pytest.approx(logp + 0.5 * fit.u @ fit.u, rel=1e-9)


def test_a_constant_response_is_kept():
    study = STUDIES["negative binomial"]
    fit, is_constant = starting_fit(study, np.zeros(study.groups * study.rows))
    assert is_constant
    assert not fit.design.response.y.any()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", STUDIES)
def test_posteriors_are_calibrated(name, target):
    seeds = enumerate(spawn_seeds(20, N))
    records = [
        replicate(task, study=STUDIES[name], target=target, settings=SHORT) for task in seeds
    ]
    p_values = {key: p_value(ranks, L) for key, ranks in ranks_by_name(records).items()}
    assert min(p_values.values()) > 1e-3 / len(p_values), p_values
