"""Estimates of all parameters on the scales on which people report them."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of
from mixedlm_pt.diagnostics.scales import scaled_parameters, scaled_standard_errors
from mixedlm_pt.diagnostics.term_covariance import term_covariances
from mixedlm_pt.errors import unknown_name
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
    return pd.Series(natural_values(fit), dtype=np.float64)


def natural_values(fit: Fit) -> dict[str, float]:
    """`natural_parameters` without a Series, which takes longer than the numbers."""
    values: dict[str, float] = {}
    for term in term_covariances(fit):
        r, sd = term.correlation_factor @ term.correlation_factor.T, term.sd
        values |= {name: sd[a] if a == b else r[a, b] for name, a, b in term.parameters}
    name = dispersion_name(fit)
    if name is not None:
        values[name] = fit.sigma if fit.has_scale else fit.phi
    return values | dict(zip(fit.design.coef_names, fit.beta, strict=True))


def natural_standard_errors(fit: Fit) -> pd.Series:
    """Standard errors of `natural_parameters`, by the delta method from the observed information.

    NaN where there is none: sds of zero, correlations of +-1, Pearson's dispersion.
    """
    return pd.Series(natural_errors(fit), index=list(natural_values(fit)))


def natural_errors(fit: Fit) -> FloatArray:
    """`natural_standard_errors` as an array."""
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
    return np.concatenate([random, dispersion, fixed])


def chosen_parameters(
    fit: Fit, parm: str | Sequence[str] | None, known: Iterable[str] | None = None
) -> list[str]:
    """Names of the parameters that an argument ``parm=`` asks for.

    Parameters
    ----------
    fit : Fit
    parm : str or sequence of str, optional
        Names; lme4's ``"beta_"`` for the fixed effects, ``"theta_"`` for all others. Default: all.
    known : iterable of str, optional
        The names to choose from, default those of `natural_parameters`.

    Raises
    ------
    ArgumentError
        For an unknown name.
    """
    names = list(natural_values(fit) if known is None else known)
    fixed = set(fit.design.coef_names)
    groups = {
        "beta_": [name for name in names if name in fixed],
        "theta_": [name for name in names if name not in fixed],
    }
    rows: list[str] = []
    for name in names if parm is None else names_of("parm", parm):
        if name not in names and name not in groups:
            raise unknown_name("parm", name, [*names, *groups])
        rows += groups.get(name, [name])
    return rows


def dispersion_name(fit: Fit) -> str | None:
    """``sigma`` where phi scales the variance, a shape by its own name; None without either."""
    if fit.has_scale:
        return "sigma"
    return fit.family.phi_name if fit.family.estimates_phi else None
