"""From the link scale to the response scale, random effects at zero or averaged out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.prediction.normal_average import normal_average
from mixedlm_pt.prediction.random_part import random_variance

WAYS = (False, True, "exact")
# What emmeans calls a mean on the response scale.
NAMES = {
    "binomial": "prob",
    "quasibinomial": "prob",
    "poisson": "rate",
    "quasipoisson": "rate",
}
# What the exponential of a difference on the link scale is called.
RATIOS = {"logit": "odds.ratio", "log": "ratio"}


@dataclass(frozen=True, eq=False)
class BackTransform:
    """A function of the linear predictor.

    Attributes
    ----------
    link : str
    name : str
        Column that holds its values.
    ratio : str or None
        Column of exponentiated differences; None for links without ratios.
    apply : callable
        ``eta -> (value, slope)``, each of the shape of eta; a partial function, so that it pickles.
    note : str
        How random effects were treated, if not left at zero.
    """

    link: str
    name: str
    ratio: str | None
    apply: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    note: str = ""


def back_transform(fit: Fit, bias_adjust: bool | str) -> BackTransform:
    """The inverse link of a fit, or its average over the random effects.

    Parameters
    ----------
    fit : Fit
    bias_adjust : bool or "exact"
        Whether to average over random effects of the total variance, the mean over the rows of the
        fit: True by the second-order expansion ``h + s^2 h'' / 2``, ``"exact"`` by quadrature.

    Raises
    ------
    ArgumentError
        For another value.
    """
    if bias_adjust not in WAYS:
        raise ArgumentError(f"bias_adjust is {bias_adjust!r}; it must be False, True or 'exact'.")
    link = fit.family.link.name
    name, ratio = NAMES.get(fit.family.name, "response"), RATIOS.get(link)
    if not bias_adjust or link == "identity":
        return BackTransform(link, name, ratio, partial(inverse_link, fit))
    variance, _ = random_variance(fit, fit.design, range(len(fit.design.terms)))
    s = float(np.sqrt(variance.mean()))
    if bias_adjust == "exact":
        return BackTransform(
            link,
            name,
            ratio,
            partial(averaged_link, fit, s=s),
            f"Averaged over normal random effects of total sd {s:.4g}.",
        )
    return BackTransform(
        link,
        name,
        ratio,
        partial(adjusted_link, fit, s=s),
        f"Bias adjustment applied based on sigma = {s:.4g}.",
    )


def inverse_link(fit: Fit, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``h(eta)`` and its slope."""
    mean: FloatArray = fit.compiled.mean(eta)[0]
    slope: FloatArray = fit.compiled.mean_slope(eta)[0]
    return mean, slope


def averaged_link(fit: Fit, eta: FloatArray, s: float) -> tuple[FloatArray, FloatArray]:
    """``E h(eta + s Z)`` for standard normal Z, and its slope."""
    known = np.isfinite(eta)
    mean, slope = np.full_like(eta, np.nan), np.full_like(eta, np.nan)
    mean[known], slope[known], _ = normal_average(
        fit.compiled, eta[known], np.full(int(known.sum()), s)
    )
    return mean, slope


def adjusted_link(fit: Fit, eta: FloatArray, s: float) -> tuple[FloatArray, FloatArray]:
    """``h(eta) + s^2 h''(eta) / 2`` and its slope; emmeans, vignette "transformations"."""
    mean, slope = inverse_link(fit, eta)
    second, third = fit.compiled.mean_bends(eta)
    return mean + 0.5 * s**2 * second, slope + 0.5 * s**2 * third
