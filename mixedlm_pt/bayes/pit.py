"""Probability integral transforms of the responses, and the band that uniform ones stay in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import bdtr, bdtrc, bdtrik, ndtr

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import checked_seed
from mixedlm_pt.bayes.loo import Loo, loo
from mixedlm_pt.bayes.posterior_residuals import quantile_residuals
from mixedlm_pt.errors import ArgumentError

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult

# The function is looked at in so many places, and its band is simulated.
BAND_POINTS = 100
BAND_SIMULATIONS = 4000
BAND_SEED = 20220408


def loo_pit(
    posterior: PosteriorResult, left_out: Loo | None = None, seed: int | None = None
) -> pd.Series:
    r"""Probability of a response below the observed one, given all other rows: LOO-PIT.

    ``sum_s w_is P(Y_i <= y_i | draw s)`` with the smoothed importance weights of `loo` and the
    family's own distribution function; randomised for discrete responses. Unlike residuals at the
    full posterior these are not drawn towards 0.5 by the row itself.

    Parameters
    ----------
    posterior : PosteriorResult
    left_out : Loo, optional
        What ``loo()`` returned, if it is known.
    seed : int, optional
        Of the random part for discrete responses.

    Returns
    -------
    Series, shape (n,)
        Uniform on (0, 1) if the model is right; NaN for rows of weight zero.

    Raises
    ------
    ArgumentError
        If ``left_out`` is of groups, and if the family has no distribution function.

    References
    ----------
    .. [1] Gelfand, Dey and Chang (1992), Bayesian Statistics 4, 147-167.
    .. [2] Saeilynoja, Buerkner and Vehtari (2022), Statistics and Computing 32:32: the bands of
       their plot.
    """
    left_out = loo(posterior) if left_out is None else left_out
    if not isinstance(left_out, Loo):
        raise ArgumentError(f"left_out is {left_out!r}; it must be what loo() returned.")
    if not left_out.units.is_rows:
        raise ArgumentError(f"left_out leaves out {left_out.what}; PIT values need loo() by row.")
    log_weights = left_out.arviz.log_weights.transpose(..., "chain", "draw").to_numpy()
    weights = np.exp(log_weights.reshape(posterior.model.n, -1))
    weights /= weights.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(checked_seed(seed))
    values = ndtr(quantile_residuals(posterior, rng, weights))
    return pd.Series(values, index=posterior.model.design.index, name="loo_pit")


def ecdf_band(n: int, level: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Simultaneous limits of the empirical distribution function of n uniform values.

    Returns
    -------
    points, lower, upper : arrays, shape (m,)
        With the given probability the whole function lies within the limits at all points.

    References
    ----------
    .. [1] Saeilynoja, Buerkner and Vehtari (2022), Statistics and Computing 32:32, algorithm 1.
    """
    m = min(n, BAND_POINTS)
    points = np.arange(1, m + 1) / m
    rng = np.random.default_rng(BAND_SEED)
    counts = rng.multinomial(n, np.full(m, 1.0 / m), BAND_SIMULATIONS).cumsum(axis=1)[:, :-1]
    inner = points[:-1]
    tails = np.minimum(bdtr(counts, n, inner), bdtrc(counts - 1, n, inner))
    share = float(np.quantile(2.0 * tails.min(axis=1), 1.0 - level)) if m > 1 else 1.0 - level
    lower, upper = (np.ceil(bdtrik(tail, n, inner)) / n for tail in (0.5 * share, 1 - 0.5 * share))
    # Below zero the quantile is none; at the end all values are below.
    ends = (np.append(np.maximum(lower, 0.0), 1.0), np.append(upper, 1.0))
    return points, *ends
