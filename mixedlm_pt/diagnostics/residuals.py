"""Residuals of the conditional model, at the modes of the random effects."""

import numpy as np
from scipy.special import ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import checked_seed
from mixedlm_pt.errors import unknown_name
from mixedlm_pt.fit import Fit


def residuals(fit: Fit, type: str = "deviance", seed: int | None = None) -> FloatArray:
    """Residuals in row order.

    Parameters
    ----------
    fit : Fit
    type : {"deviance", "pearson", "response", "working", "quantile"}
        ``"deviance"``: signed roots of the rows' deviances, prior weights included; their squares
        sum to ``deviance(fit)``. ``"pearson"``: ``sqrt(w) (y - mu) / sqrt(V(mu))``, not divided by
        sigma. ``"response"``: ``y - mu`` (for the binomial proportions). ``"working"``:
        ``(y - mu) / (d mu / d eta)``, link scale. ``"quantile"``: the standard normal quantile of
        ``F(y)``, drawn uniformly between the normal quantiles of ``F(y-)`` and ``F(y)`` for a
        discrete response [1]_; standard normal if the model is right, whatever the family. NaN in
        rows of weight 0.
    seed : int, optional
        Of the random part of quantile residuals.

    Returns
    -------
    array, shape (n,)
        With ``na_action="exclude"`` one value for every row of the data, NaN where it was left out.

    Raises
    ------
    ArgumentError
        If ``type`` is unknown, and for quantile residuals of a family without a distribution
        function (quasi-families).

    References
    ----------
    .. [1] Dunn and Smyth (1996), J. Comput. Graph. Stat. 5, 236-244.
    """
    if type == "quantile":
        return fit.design.pad(quantile_residuals(fit, np.random.default_rng(checked_seed(seed))))
    if type not in RESIDUALS:
        raise unknown_name("type", type, [*RESIDUALS, "quantile"])
    return fit.design.pad(RESIDUALS[type](fit))


def response_residuals(fit: Fit) -> FloatArray:
    """``y - mu``, shape (n,)."""
    return fit.design.response.y - fit.mu


def deviance_residuals(fit: Fit) -> FloatArray:
    """Signed roots of the deviance of every row, shape (n,)."""
    response = fit.design.response
    unit = fit.compiled.unit_deviance(response.y, fit.eta, np.asarray(fit.estimate.phi))[0]
    # A deviance is not negative, but at mu = y it is a difference of equal numbers.
    size = np.sqrt(np.maximum(response.weights * unit, 0.0))
    signed: FloatArray = np.copysign(size, response.y - fit.mu)
    return signed


def pearson_residuals(fit: Fit) -> FloatArray:
    """Residuals in units of the standard deviation at phi = 1 and weight 1, shape (n,)."""
    response = fit.design.response
    V = fit.compiled.variance(fit.mu, np.asarray(fit.estimate.phi))[0]
    return np.sqrt(response.weights) * ratio(response_residuals(fit), np.sqrt(V))


def working_residuals(fit: Fit) -> FloatArray:
    """Residuals of the linearised model, shape (n,), link scale."""
    return ratio(response_residuals(fit), fit.compiled.mean_slope(fit.eta)[0])


def quantile_residuals(fit: Fit, rng: np.random.Generator) -> FloatArray:
    """Randomised quantile residuals, shape (n,); standard normal under the model."""
    family, response = fit.family, fit.design.response
    u = rng.random(fit.model.n)
    residual = np.full(fit.model.n, np.nan)
    rows = response.weights > 0.0
    y, w, mu, u = response.y[rows], response.weights[rows], fit.mu[rows], u[rows]
    lower, upper = family.tails(y, mu, fit.phi, w)
    if family.support.is_discrete:
        below = family.support.below(y, w)
        lower_below, upper_below = np.zeros_like(y), np.ones_like(y)
        inside = family.support.contains(below)
        lower_below[inside], upper_below[inside] = family.tails(
            below[inside], mu[inside], fit.phi, w[inside]
        )
        lower = lower_below + u * (lower - lower_below)
        upper = upper + (1.0 - u) * (upper_below - upper)
    # From the smaller tail: the other one has rounded to 1 far out.
    residual[rows] = np.where(lower < 0.5, ndtri(lower), -ndtri(upper))
    return residual


def ratio(gap: FloatArray, scale: FloatArray) -> FloatArray:
    """``gap / scale``; 0 where the gap is: a mean that rounds to y may have no variance left."""
    # Any other response has the infinite residual that a variance of zero implies.
    with np.errstate(divide="ignore"):
        return np.divide(gap, scale, out=np.zeros_like(gap), where=gap != 0.0)


RESIDUALS = {
    "deviance": deviance_residuals,
    "pearson": pearson_residuals,
    "response": response_residuals,
    "working": working_residuals,
}
