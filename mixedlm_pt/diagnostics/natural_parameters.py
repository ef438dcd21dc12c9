"""Estimates of all parameters on the scales on which people report them."""

import numpy as np
import pandas as pd

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


def dispersion_name(fit: Fit) -> str | None:
    """``sigma`` where phi scales the variance, a shape by its own name; None without either."""
    if fit.has_scale:
        return "sigma"
    return fit.family.phi_name if fit.family.estimates_phi else None
