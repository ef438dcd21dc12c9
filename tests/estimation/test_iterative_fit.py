"""A fit by the iterative structure against the exact fit of the same model."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.estimation import Objective

FORMULA = "y ~ x + (1 | pupil) + (1 | book)"


def simulated():
    rng = np.random.default_rng(3)
    n = 4000
    pupil, book, x = rng.integers(0, 300, n), rng.integers(0, 200, n), rng.normal(size=n)
    eta = 0.5 * x - 0.5 + rng.normal(size=300)[pupil] + 0.7 * rng.normal(size=200)[book]
    y = rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))
    return pd.DataFrame({"y": y, "x": x, "pupil": pupil, "book": book}).astype(
        {"pupil": "category", "book": "category"}
    )


def fitted(**options):
    return mlm.glmer(FORMULA, simulated(), control=mlm.GlmerControl(**options))


@pytest.fixture(scope="module")
def exact():
    return fitted(structure="crossed")


@pytest.fixture(scope="module")
def iterative():
    return fitted(structure="iterative")


def test_the_log_likelihood_is_within_its_monte_carlo_error(exact, iterative):
    se = iterative.estimate.loglik_se
    assert 0.0 < se < 0.2
    assert abs(iterative.logLik() - exact.logLik()) < 3.0 * se
    assert exact.estimate.loglik_se == 0.0


def test_estimates_and_standard_errors_are_those_of_the_exact_fit(exact, iterative):
    se = np.sqrt(np.diag(exact.estimate.covariance))
    assert (np.abs(iterative.par - exact.par) < 0.02 * se).all()
    np.testing.assert_allclose(np.sqrt(np.diag(iterative.estimate.covariance)), se, rtol=2e-3)


def test_the_optimiser_finds_the_maximum_of_a_smooth_criterion(iterative):
    assert iterative.checkConv().ok
    assert iterative.outcome.decrement < 1e-10
    assert iterative.outcome.n_evaluations < 15


def test_the_gradient_is_that_of_the_estimated_log_likelihood(iterative):
    objective = Objective(iterative.model, iterative.approximation)
    par, h = iterative.par + np.array([0.1, -0.05, 0.1, -0.1]), 1e-4
    gradient = objective(par).gradient
    for i, step in enumerate(h * np.eye(len(par))):
        slope = (objective(par + step).loglik - objective(par - step).loglik) / (2.0 * h)
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_four_times_the_probes_at_least_halve_the_error(iterative):
    more = fitted(structure="iterative", n_probes=128)
    # The spread of 16 random probes is itself good to 18 percent.
    assert more.estimate.loglik_se < 0.7 * iterative.estimate.loglik_se


def test_the_fit_says_that_its_log_likelihood_is_estimated(exact, iterative):
    text = " ".join(str(iterative).split())
    se = f"{iterative.estimate.loglik_se:.2g}"
    assert "log-determinants by 32 random probes" in text
    assert f"{se}, half of it with GlmerControl(n_probes=128)" in text
    assert "probes" not in str(exact)
    assert "conjugate gradients with 32 probes" in iterative.model.structure.description


def test_conditional_standard_deviations_are_those_of_the_exact_fit(exact, iterative):
    ours = iterative.ranef(condVar=True)
    theirs = exact.ranef(condVar=True)
    for name in ("pupil", "book"):
        mode = np.asarray(ours[name]) - np.asarray(theirs[name])
        assert np.abs(mode).max() < 0.02


def test_one_factor_needs_no_iterations():
    fit = mlm.glmer(
        "y ~ x + (1 | pupil)", simulated(), control=mlm.GlmerControl(structure="iterative")
    )
    assert fit.model.structure.layout.kind == "tree"
    assert fit.estimate.loglik_se == 0.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"structure": "iterativ"}, "unknown structure 'iterativ'.*Did you mean 'iterative'"),
        ({"n_probes": 3}, "n_probes is 3; it must be an integer from 4"),
        ({"n_probes": True}, "n_probes is True"),
        ({"n_probes": 8.0}, "n_probes is 8.0"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(ArgumentError, match=words):
        mlm.GlmerControl(**options)
