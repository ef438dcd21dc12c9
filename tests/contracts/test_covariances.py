"""Every covariance structure of the table: what `Covariance` promises."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.covariance import COVARIANCES, make_covariance
from mixedlm_pt.errors import ArgumentError

CASES = [(name, k) for name in COVARIANCES for k in (1, 2, 4)]


def factor_of(covariance, k):
    """``theta -> (Lambda, d Lambda / d theta)`` with shapes (k, k) and (k, k, n_theta)."""
    theta = pt.dvector("theta")
    Lambda = covariance.factor(theta, k)
    jacobian = pytensor.gradient.jacobian(Lambda.ravel(), theta, disconnected_inputs="ignore")
    function = pytensor.function([theta], [Lambda, jacobian], mode=NUMPY)

    def call(values):
        value, slopes = function(np.asarray(values, np.float64))
        return value, slopes.reshape(k, k, covariance.n_theta(k))

    return call


def check_promises(covariance, k, seed=0):
    """The promises of the class's docstrings, at zero and at a random theta."""
    factor, n = factor_of(covariance, k), covariance.n_theta(k)
    theta = 0.3 + np.random.default_rng(seed).normal(size=n)
    for at in (np.zeros(n), theta):
        Lambda, slopes = factor(at)
        assert Lambda.shape == (k, k)
        np.testing.assert_array_equal(np.triu(Lambda, 1), 0.0)
        assert np.isfinite(slopes).all()
        for j, step in enumerate(1e-6 * np.eye(n)):
            difference = (factor(at + step)[0] - factor(at - step)[0]) / 2e-6
            np.testing.assert_allclose(slopes[:, :, j], difference, atol=1e-8)
    Lambda = factor(theta)[0]
    for column in covariance.columns(k):
        turned = theta.copy()
        turned[column] *= -1.0
        other = factor(turned)[0]
        np.testing.assert_allclose(other @ other.T, Lambda @ Lambda.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_a_structure_is_smooth_triangular_and_even_where_it_says_so(name, k):
    check_promises(COVARIANCES[name], k)


def test_a_structure_is_known_by_name_class_and_instance():
    for name, covariance in COVARIANCES.items():
        assert make_covariance(name) == make_covariance(type(covariance)) == covariance
        assert hash(make_covariance(type(covariance))) == hash(covariance)


def test_an_unknown_structure_is_refused():
    with pytest.raises(ArgumentError, match=r"unknown covariance structure 'uss'.*mean 'us'"):
        make_covariance("uss")
    with pytest.raises(ArgumentError, match=r"covariance structure 3 must be a name \(us\)"):
        make_covariance(3)
