"""Residuals of the conditional model, at the modes of the random effects."""

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import unknown_name
from mixedlm_pt.fit import Fit


def residuals(fit: Fit, type: str = "deviance") -> FloatArray:
    """Residuals in row order.

    Parameters
    ----------
    fit : Fit
    type : {"deviance", "pearson", "response", "working"}
        ``"deviance"``: signed roots of the rows' deviances, prior weights included; their squares
        sum to ``deviance(fit)``. ``"pearson"``: ``sqrt(w) (y - mu) / sqrt(V(mu))``, not divided by
        sigma. ``"response"``: ``y - mu`` (for the binomial proportions). ``"working"``:
        ``(y - mu) / (d mu / d eta)``, link scale.

    Returns
    -------
    array, shape (n,)
        With ``na_action="exclude"`` one value for every row of the data, NaN where it was left out.

    Raises
    ------
    ArgumentError
        If ``type`` is unknown.
    """
    if type not in RESIDUALS:
        raise unknown_name("type", type, RESIDUALS)
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
