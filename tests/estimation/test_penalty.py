"""A penalty of any origin in the search for the maximum, its start, boundary and information."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.compile import Approximation
from mixedlm_pt.estimation import GlmerControl, Objective, Penalty, fit_model
from mixedlm_pt.estimation.centring import centred
from mixedlm_pt.fit import likelihood


class Quadratic(Penalty):
    """``-par' A par / 2``, which knows nothing of priors."""

    def __init__(self, A, p):
        self.A, self.p, self.priors = A, p, None

    def value_and_gradient(self, par):
        return -0.5 * float(par @ self.A @ par), -self.A @ par

    def of_beta(self, beta):
        A = self.A[: self.p, : self.p]
        return -0.5 * float(beta @ A @ beta), -A @ beta

    def beta_information(self, beta):
        return self.A[: self.p, : self.p]


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 8), "x": rng.normal(size=160)})
    b = rng.normal(size=(20, 2))[data.g] * [0.7, 0.4]
    eta = 0.2 + 0.5 * data.x + b[:, 0] + b[:, 1] * data.x
    data["y"] = rng.poisson(np.exp(eta))
    data["year"] = 2000.0 + data.x
    return mlm.glmer("y ~ x + (x | g)", data, "poisson")


def block(fit, beta, theta):
    """Separate quadratic forms of beta and theta."""
    A = np.zeros((fit.n_par, fit.n_par))
    A[:2, :2] = beta * np.array([[2.0, 0.7], [0.7, 1.0]])
    A[2:, 2:] = theta * np.eye(3)
    return A


def test_the_estimates_are_where_both_gradients_cancel(fit):
    penalty = Quadratic(block(fit, 30.0, 20.0), 2)
    found = fit_model(fit.model, fit.approximation, GlmerControl(), penalty=penalty)
    par = np.concatenate([found.beta, found.theta])
    ml = likelihood(fit, fit.model)
    slope = ml(par).gradient - penalty.A @ par
    assert np.abs(slope @ np.sqrt(np.diag(np.diag(found.covariance)))).max() < 1e-6
    assert found.log_prior == pytest.approx(penalty.value_and_gradient(par)[0])
    assert found.value == found.loglik + found.log_prior
    h = 1e-5
    H = np.array(
        [(ml(par + h * e).gradient - ml(par - h * e).gradient) / (2 * h) for e in np.eye(5)]
    )
    np.testing.assert_allclose(found.covariance, np.linalg.inv(penalty.A - H), rtol=1e-4, atol=1e-7)


def test_the_joint_mode_without_nodes_is_penalised_and_its_gradient_exact(fit):
    """Beta's prior moves the mode, and the criterion with it."""
    penalty = Quadratic(block(fit, 30.0, 20.0), 2)
    approximation = Approximation(0)
    found = fit_model(fit.model, approximation, GlmerControl(), penalty=penalty)
    at_mode = likelihood(fit, fit.model)
    joint = at_mode.finder
    M = joint.scaled_design(found.theta)
    eta = joint.linear_predictor(found.beta, found.u, M)
    score = joint.density(eta, 0.0)[1]
    np.testing.assert_allclose(joint.X.T @ score, penalty.A[:2, :2] @ found.beta, atol=1e-6)
    np.testing.assert_allclose(joint.transpose_product(M, score), found.u, atol=1e-6)
    np.testing.assert_allclose(found.outcome.gradient, 0.0, atol=1e-5)


def test_a_penalty_in_centred_coordinates_has_the_same_value_and_the_exact_gradient(fit):
    years = mlm.glmer("y ~ x + (year | g)", fit.call.data, "poisson")
    centring = centred(years.model)
    assert centring is not None
    A = np.zeros((years.n_par, years.n_par))
    A[0, 0] = 1.0

    class OfVariance(Quadratic):
        """A function of the covariance alone, as priors are: log sd of the slope."""

        def value_and_gradient(self, par):
            variance = par[3] ** 2 + par[4] ** 2
            gradient = np.zeros(len(par))
            gradient[3:5] = -par[3:5] / variance
            return -0.5 * np.log(variance) - 0.5 * par[0] ** 2, gradient - self.A @ par

    penalty = OfVariance(A, 2)
    moved = centring.moved_penalty(penalty)
    there = centring.there(years.par)
    value, gradient = moved.value_and_gradient(there)
    assert value == pytest.approx(penalty.value_and_gradient(years.par)[0], rel=1e-9)
    slope_sd = np.hypot(there[3], there[4])
    expected = np.array([-there[0], 0.0, 0.0, *(-there[3:5] / slope_sd**2)])
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


def test_without_a_penalty_nothing_is_added(fit):
    plain = Objective(fit.model, fit.approximation)(fit.par)
    zero = Objective(fit.model, fit.approximation, penalty=Quadratic(np.zeros((5, 5)), 2))(fit.par)
    assert plain.value == plain.loglik == zero.value
    np.testing.assert_array_equal(plain.gradient, zero.gradient)
