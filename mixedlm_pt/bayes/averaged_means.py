"""Means averaged over normal random effects, for millions of rows times draws."""

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile import CompiledModel
from mixedlm_pt.prediction.normal_average import normal_average

# Far below the Monte-Carlo error of any number of draws that fits into memory.
AGREEMENT = 1e-7
FIRST_STEP = 1.0
MAX_HALVINGS = 9
# The normal density beyond is 1e-9 of the whole; a mean that grows as exp(s z) moves the peak of
# the product by s.
REACH = 6.0
# Values of eta at which a step length is tried.
N_PROBES = 101


def averaged_means(compiled: CompiledModel, eta: FloatArray, s: FloatArray) -> FloatArray:
    """Expectation of the mean over linear predictors ``N(eta, s^2)``, shape of ``eta``.

    As `normal_average`, in closed form where the link has one, without slopes and with one step
    for all: the trapezoidal rule converges the more slowly the larger s is, so the step that is
    exact at the largest s, for predictors from the least to the greatest, is exact for all.

    Parameters
    ----------
    compiled : CompiledModel
    eta, s : arrays of one shape
        Link scale; s not negative.

    Raises
    ------
    EstimationError
        If the normal distribution reaches predictors without a mean, as for the inverse link.
    """
    if compiled.averaged_mean is not None:
        mean: FloatArray = compiled.averaged_mean(eta.ravel(), s.ravel())[0]
        return mean.reshape(eta.shape)
    total, flat, spread = np.zeros(eta.size), eta.ravel(), s.ravel()
    for z, weight in zip(*trapezoidal_rule(compiled, flat, float(spread.max())), strict=True):
        total += weight * compiled.mean(flat + z * spread)[0]
    return total.reshape(eta.shape)


def trapezoidal_rule(
    compiled: CompiledModel, eta: FloatArray, s: float
) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights that agree with `normal_average` at the largest s."""
    probes = np.linspace(eta.min(), eta.max(), N_PROBES)
    exact = normal_average(compiled, probes, np.full(N_PROBES, s))[0]
    step = FIRST_STEP
    for _ in range(MAX_HALVINGS):
        count = int(np.ceil((REACH + s) / step))
        z: FloatArray = step * np.arange(-count, count + 1, dtype=np.float64)
        weights: FloatArray = np.exp(-0.5 * z**2) * (step / np.sqrt(2.0 * np.pi))
        means = compiled.mean((probes[:, None] + s * z).ravel())[0].reshape(N_PROBES, -1)
        if np.abs(means @ weights - exact).max() <= AGREEMENT * np.abs(exact).max():
            break
        step *= 0.5
    return z, weights
