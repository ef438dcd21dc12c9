"""Estimates of all parameters on the scales on which people report them."""

import numpy as np
import pandas as pd

from mixedlm_pt.diagnostics.scales import scaled_parameters, scaled_standard_errors
from mixedlm_pt.diagnostics.term_covariance import term_covariances
from mixedlm_pt.fit import Fit


def natural_parameters(fit: Fit) -> pd.Series:
    """Sds, correlations, dispersion and coefficients, named and ordered as by `confint`.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Series
        ``sd_(Intercept)|herd`` and ``cor_x.(Intercept)|herd`` column by column of Lambda, link
        scale; ``sigma``, or a shape by its own name; then the fixed effects, link scale. A
        correlation with an effect that does not vary is NaN.
    """
    values: dict[str, float] = {}
    for term in term_covariances(fit):
        k = len(term.columns)
        r = term.correlation_factor @ term.correlation_factor.T
        for a in range(k):
            values[f"sd_{term.columns[a]}|{term.group}"] = term.sd[a]
            for b in range(a + 1, k):
                values[f"cor_{term.columns[b]}.{term.columns[a]}|{term.group}"] = r[b, a]
    name = dispersion_name(fit)
    if name is not None:
        values[name] = fit.sigma if fit.has_scale else fit.phi
    values |= dict(zip(fit.design.coef_names, fit.beta, strict=True))
    return pd.Series(values, dtype=np.float64)


def natural_standard_errors(fit: Fit) -> pd.Series:
    """Standard errors of `natural_parameters`, by the delta method from the observed information.

    NaN where there is none: sds of zero, correlations of +-1, Pearson's dispersion.
    """
    scaled = scaled_parameters(fit)
    slope = np.where(scaled.is_sd, scaled.back(scaled.values), 1.0 - np.tanh(scaled.values) ** 2)
    random = slope * scaled_standard_errors(fit, scaled)
    dispersion = []
    if dispersion_name(fit) is not None:
        # sigma is the square root of phi; a shape is phi itself.
        slope_phi = 0.5 * fit.sigma if fit.has_scale else fit.phi
        variance = fit.estimate.covariance[-1, -1] if fit.family.estimates_phi else np.nan
        dispersion.append(slope_phi * np.sqrt(variance))
    scale = fit.phi if fit.family.has_pearson_dispersion else 1.0
    fixed = np.sqrt(scale * np.diag(fit.estimate.covariance)[: fit.model.p])
    values = np.concatenate([random, dispersion, fixed])
    return pd.Series(values, index=natural_parameters(fit).index)


def dispersion_name(fit: Fit) -> str | None:
    """``sigma`` where phi scales the variance, a shape by its own name; None without either."""
    if fit.has_scale:
        return "sigma"
    return fit.family.phi_name if fit.family.estimates_phi else None
