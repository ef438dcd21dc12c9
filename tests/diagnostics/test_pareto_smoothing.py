"""Pareto smoothing against ArviZ."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from mixedlm_pt.diagnostics.pareto_smoothing import pareto_smoothed


@pytest.mark.parametrize("n", [100, 1000])
def test_shapes_and_smoothed_weights_are_those_of_arviz(n):
    rng = np.random.default_rng(1)
    weights = np.column_stack(
        [rng.standard_t(4, n), rng.exponential(0.3, n), 0.1 * rng.normal(size=n)]
    )
    smoothed, k_hat = pareto_smoothed(weights)
    for j, column in enumerate(weights.T):
        theirs, k = array_stats.psislw(-column)
        assert k_hat[j] == pytest.approx(float(k), rel=1e-8)
        # ArviZ's sum to one.
        ours = smoothed[:, j] - np.log(np.exp(smoothed[:, j]).sum())
        theirs = theirs - np.log(np.exp(theirs).sum())
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_a_pareto_tail_has_its_shape():
    rng = np.random.default_rng(2)
    log_weights = rng.exponential(size=(40_000, 3)) * np.array([0.3, 0.6, 1.0])
    _, k_hat = pareto_smoothed(log_weights)
    np.testing.assert_allclose(k_hat, [0.3, 0.6, 1.0], atol=0.15)


def test_equal_weights_have_no_tail():
    log_weights = np.zeros((200, 2))
    log_weights[:, 1] = np.random.default_rng(3).normal(size=200)
    smoothed, k_hat = pareto_smoothed(log_weights)
    assert k_hat[0] == -np.inf
    assert np.isfinite(k_hat[1])
    np.testing.assert_array_equal(smoothed[:, 0], 0.0)
