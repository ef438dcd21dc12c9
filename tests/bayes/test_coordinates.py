import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.integrate as si

import mixedlm_pt as mlm
from mixedlm_pt.bayes import default_priors
from mixedlm_pt.bayes.coordinates import (
    Coordinates,
    correlation_factor,
    partial_correlations,
)
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.families import Gamma, NegativeBinomial


@pytest.fixture(scope="module")
def factor_of_three():
    x = pt.vector("x", shape=(3,))
    return pytensor.function([x], correlation_factor(x, 3), mode=NUMPY)


def test_the_jacobian_is_that_of_the_correlation_matrix(factor_of_three):
    def correlations(x):
        L, _ = factor_of_three(x)
        return (L @ L.T)[[1, 2, 2], [0, 0, 1]]

    x, h = np.array([0.4, -0.7, 0.3]), 1e-5
    columns = [(correlations(x + h * e) - correlations(x - h * e)) / (2 * h) for e in np.eye(3)]
    _, log_jacobian = factor_of_three(x)
    expected = np.log(abs(np.linalg.det(np.array(columns))))
    np.testing.assert_allclose(log_jacobian, expected, rtol=1e-8)


def test_partial_correlations_undo_the_factor(factor_of_three):
    x = np.array([0.4, -0.7, 0.3])
    L, _ = factor_of_three(x)
    np.testing.assert_allclose((L**2).sum(axis=1), 1.0)
    np.testing.assert_allclose(partial_correlations(L), x)


@pytest.mark.parametrize(
    ("formula", "load", "family"),
    [
        ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, "binomial"),
        ("use ~ age + urban + (urban | district)", mlm.load_contraception, "binomial"),
        ("Reaction ~ Days + (Days || Subject)", mlm.load_sleepstudy, Gamma("log")),
        ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", mlm.load_grouseticks, NegativeBinomial()),
        ("TICKS ~ YEAR", mlm.load_grouseticks, "poisson"),
    ],
)
def test_the_start_is_the_fit(formula, load, family):
    fit = mlm.glmer(formula, load(), family)
    coordinates = Coordinates.of(fit.model, default_priors(fit))
    outputs = [coordinates.beta, coordinates.theta, coordinates.log_phi]
    parameters = pytensor.function([coordinates.x], outputs, mode=NUMPY, on_unused_input="ignore")
    x = coordinates.start(fit)
    assert x.shape == (coordinates.n_x,)
    beta, theta, log_phi = parameters(x)
    np.testing.assert_allclose(beta, fit.beta, rtol=1e-10)
    np.testing.assert_allclose(log_phi, fit.log_phi, rtol=1e-12, atol=1e-15)
    # Small standard deviations are moved inside.
    inside = theta if max(fit.model.term_widths, default=1) > 1 else np.maximum(fit.theta, 0.1)
    np.testing.assert_allclose(theta, inside, rtol=1e-12)


def test_the_prior_of_a_standard_deviation_integrates_to_one_over_its_coordinate():
    fit = mlm.glmer("incidence / size ~ 0 + size + (1 | herd)", mlm.load_cbpp())
    coordinates = Coordinates.of(fit.model, default_priors(fit))
    density = pytensor.function(
        [coordinates.x], pt.exp(coordinates.log_prior + coordinates.log_jacobian), mode=NUMPY
    )
    scale = default_priors(fit).coefficients[0].scale
    total, _ = si.quad(lambda z: density(np.array([0.0, z])), -30.0, 8.0)
    np.testing.assert_allclose(total, 1.0 / (scale * np.sqrt(2.0 * np.pi)), rtol=1e-8)
