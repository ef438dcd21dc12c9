"""Pareto-smoothed importance sampling: how heavy the tail of importance weights is, and smoothing.

[1] Vehtari, Simpson, Gelman, Yao and Gabry (2024), J. Mach. Learn. Res. 25(72), 1-58.
[2] Zhang and Stephens (2009), Technometrics 51, 316-325: the generalized Pareto fit.
"""

import numpy as np

from mixedlm_pt._typing import FloatArray

# [1, section 3.2.4]: above this k-hat estimates from this many draws or any more are unreliable.
MAX_KHAT = 0.7
# [1, appendix C] and [2]: strength and place of the priors, as in the R package loo and ArviZ.
PRIOR_DRAWS, PRIOR_SHAPE, PRIOR_SCALE = 10, 0.5, 3.0
# Log weights that differ by less hold nothing but rounding errors.
NO_SPREAD = 1e-10
# Numbers that a fit for several columns of weights may hold at a time.
CHUNK = 4_000_000


def tail_length(n_draws: int) -> int:
    """How many of the largest weights make the tail, [1, section 3.2.1]."""
    return int(3.0 * np.sqrt(n_draws)) if n_draws > 225 else n_draws // 5


def pareto_smoothed(log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log weights with smoothed tails, and the shapes k-hat of the tails.

    Parameters
    ----------
    log_weights : array, shape (n_draws, m)
        At least 25 draws; every column is smoothed on its own.

    Returns
    -------
    smoothed : array, shape (n_draws, m)
        The largest one of each column that it had before is 0.
    k_hat : array, shape (m,)
        Minus infinity where the weights are all the same.
    """
    n_draws, m = log_weights.shape
    n_tail = tail_length(n_draws)
    smoothed = log_weights - log_weights.max(axis=0)
    k_hat = np.full(m, -np.inf)
    size = max(1, CHUNK // (n_tail * n_profile(n_tail)))
    for first in range(0, m, size):
        columns = slice(first, first + size)
        k_hat[columns] = smooth_tails(smoothed[:, columns], n_tail)
    return smoothed, k_hat


def smooth_tails(log_weights: FloatArray, n_tail: int) -> FloatArray:
    """Smooth the tails of the columns in place; their shapes."""
    order = np.argpartition(log_weights, -n_tail - 1, axis=0)[-n_tail - 1 :]
    tail = np.take_along_axis(log_weights, order, axis=0)
    within = np.argsort(tail, axis=0)
    order = np.take_along_axis(order, within, axis=0)
    tail = np.take_along_axis(tail, within, axis=0)
    cutoff = np.exp(tail[0])
    excess = np.exp(tail[1:]) - cutoff
    # A quarter of the tail at the cutoff is not that of a Pareto distribution.
    has_tail = (tail[-1] - tail[0] > NO_SPREAD) & (excess[quartile(n_tail)] > excess[0])
    k_hat = np.full(log_weights.shape[1], -np.inf)
    if not has_tail.any():
        return k_hat
    k, scale = generalized_pareto(excess[:, has_tail])
    probability = (np.arange(n_tail) + 0.5) / n_tail
    share = -np.log1p(-probability)[:, None]
    quantiles = cutoff[has_tail] + scale * np.expm1(k * share) / k
    heights = np.minimum(np.log(quantiles), tail[-1, has_tail])
    places = order[1:, has_tail], np.flatnonzero(has_tail)[None, :]
    log_weights[places] = heights
    k_hat[has_tail] = k
    return k_hat


def n_profile(n: int) -> int:
    """How many values of the profile likelihood the fit takes for n excesses."""
    return 30 + int(np.sqrt(n))


def quartile(n: int) -> int:
    """Position of the first quartile among n sorted values."""
    return int(n / 4 + 0.5) - 1


def generalized_pareto(excess: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shapes and scales, each (m,), of excesses (n, m), sorted within columns.

    The posterior mean of [2] for ``k / scale``, with a weak prior that pulls the shape towards 0.5.
    """
    n = len(excess)
    rows = np.arange(1, n_profile(n) + 1)[:, None]
    spread = PRIOR_SCALE * excess[quartile(n)]
    b = 1.0 / excess[-1] + (1.0 - np.sqrt(len(rows) / (rows - 0.5))) / spread
    shape = np.log1p(-b[:, None, :] * excess).mean(axis=1)
    profile = n * (np.log(-b / shape) - shape - 1.0)
    weight = np.exp(profile - profile.max(axis=0))
    b = (weight * b).sum(axis=0) / weight.sum(axis=0)
    k = np.log1p(-b * excess).mean(axis=0)
    scale = -k / b
    return (n * k + PRIOR_DRAWS * PRIOR_SHAPE) / (n + PRIOR_DRAWS), scale
