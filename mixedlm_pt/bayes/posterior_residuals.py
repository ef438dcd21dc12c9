"""Residuals averaged over the posterior."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import checked_seed
from mixedlm_pt.bayes.predictor_draws import by_dispersion, predictor_draws
from mixedlm_pt.diagnostics.residuals import ratio
from mixedlm_pt.errors import unknown_name
from mixedlm_pt.fit import Fit

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult

type Residual = Callable[[Fit, float, FloatArray, FloatArray, FloatArray], FloatArray]


def residuals(
    posterior: PosteriorResult, type: str = "deviance", seed: int | None = None
) -> FloatArray:
    """Posterior means of the residuals, in row order.

    Parameters
    ----------
    posterior : PosteriorResult
    type : {"deviance", "pearson", "response", "working", "quantile"}
        As in the `residuals` of a fit, with the random effects and the dispersion of each draw.
        ``"quantile"``: the normal quantile of the posterior mean of ``F(y)``, randomised for a
        discrete response.
    seed : int, optional
        Of the random part of quantile residuals.

    Returns
    -------
    array, shape (n,)

    Raises
    ------
    ArgumentError
        If ``type`` is unknown.
    """
    fit = posterior.fit
    if type == "quantile":
        return fit.design.pad(
            quantile_residuals(posterior, np.random.default_rng(checked_seed(seed)))
        )
    if type not in RESIDUALS:
        raise unknown_name("type", type, [*RESIDUALS, "quantile"])
    return fit.design.pad(mean_of(posterior, RESIDUALS[type]))


def mean_of(
    posterior: PosteriorResult, function: Residual, weights: FloatArray | None = None
) -> FloatArray:
    """Posterior mean of a function of phi, y, w and eta for every row, shape (..., n).

    ``weights`` (n, S) are those of the draws for every row, such as importance weights, with row
    sums of one; default equal ones.
    """
    fit, draws = posterior.fit, posterior.parameter_draws
    response = fit.design.response
    source = predictor_draws(fit, draws, fit.design, range(len(fit.design.terms)))
    parts = []
    for rows in source.slices(by_draw=True):
        eta = source.predictor(rows)
        y, w = (
            np.broadcast_to(part[rows, None], eta.shape) for part in (response.y, response.weights)
        )

        def at(phi: float, y: FloatArray, w: FloatArray, eta: FloatArray) -> FloatArray:
            return function(fit, phi, y, w, eta)

        values = by_dispersion(at, draws.log_phi, y, w, eta)
        mean = values.mean(axis=-1) if weights is None else (values * weights[rows]).sum(axis=-1)
        parts.append(mean)
    return np.concatenate(parts, axis=-1)


def response_residual(
    fit: Fit, phi: float, y: FloatArray, w: FloatArray, eta: FloatArray
) -> FloatArray:
    """``y - mu``."""
    gap: FloatArray = y - fit.compiled.mean(eta)[0]
    return gap


def deviance_residual(
    fit: Fit, phi: float, y: FloatArray, w: FloatArray, eta: FloatArray
) -> FloatArray:
    """Signed root of the deviance."""
    unit = fit.compiled.unit_deviance(y, eta, np.asarray(phi))[0]
    # A deviance is not negative, but at mu = y it is a difference of equal numbers.
    size = np.sqrt(np.maximum(w * unit, 0.0))
    signed: FloatArray = np.copysign(size, y - fit.compiled.mean(eta)[0])
    return signed


def pearson_residual(
    fit: Fit, phi: float, y: FloatArray, w: FloatArray, eta: FloatArray
) -> FloatArray:
    """In units of the standard deviation at phi = 1 and weight 1."""
    mu = fit.compiled.mean(eta)[0]
    return np.sqrt(w) * ratio(y - mu, np.sqrt(fit.compiled.variance(mu, np.asarray(phi))[0]))


def working_residual(
    fit: Fit, phi: float, y: FloatArray, w: FloatArray, eta: FloatArray
) -> FloatArray:
    """Of the linearised model, link scale."""
    return ratio(response_residual(fit, phi, y, w, eta), fit.compiled.mean_slope(eta)[0])


RESIDUALS: dict[str, Residual] = {
    "deviance": deviance_residual,
    "pearson": pearson_residual,
    "response": response_residual,
    "working": working_residual,
}


def quantile_residuals(
    posterior: PosteriorResult, rng: np.random.Generator, weights: FloatArray | None = None
) -> FloatArray:
    """Randomised quantile residuals under the posterior mean of the distribution, shape (n,).

    ``weights`` as in `mean_of`.
    """
    fit, response = posterior.fit, posterior.fit.design.response
    family, weighted = fit.family, response.weights > 0.0

    def tails(fit: Fit, phi: float, y: FloatArray, w: FloatArray, eta: FloatArray) -> FloatArray:
        mu, has_weight = fit.compiled.mean(eta)[0], w > 0.0
        values = [y]
        if family.support.is_discrete:
            values.append(family.support.below(y, np.where(has_weight, w, 1.0)))
        # Below the support: nothing is smaller, all is larger.
        found = np.zeros((2 * len(values), len(y)))
        found[1::2] = 1.0
        for i, value in enumerate(values):
            inside = has_weight & family.support.contains(value)
            found[2 * i : 2 * i + 2, inside] = family.tails(
                value[inside], mu[inside], phi, w[inside]
            )
        return found

    lower, upper, *below = mean_of(posterior, tails, weights)
    if family.support.is_discrete:
        u = rng.random(fit.model.n)
        lower_below, upper_below = below
        lower = lower_below + u * (lower - lower_below)
        upper = upper + (1.0 - u) * (upper_below - upper)
    # From the smaller tail: the other one has rounded to 1 far out.
    residual = np.where(lower < 0.5, ndtri(lower), -ndtri(upper))
    return np.where(weighted, residual, np.nan)
