"""Confidence intervals of all parameters."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.diagnostics import dispersion_name, scaled_parameters
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import vcov

METHODS = ("Wald",)
# lme4's names for all fixed effects and for everything else.
GROUPS = ("beta_", "theta_")


def confint(
    fit: Fit,
    parm: str | Sequence[str] | None = None,
    level: float = 0.95,
    method: str = "Wald",
) -> pd.DataFrame:
    """Confidence limits of all parameters, random effects first.

    Parameters
    ----------
    fit : Fit
    parm : str or sequence of str, optional
        Rows wanted; ``"beta_"`` for the fixed effects, ``"theta_"`` for all others.
    level : float
    method : {"Wald"}
        ``"Wald"``, in any case: estimate plus and minus a normal quantile times the standard error
        from ``vcov(fit, full=True)``; for sds and the dispersion on the log scale and for
        correlations on Fisher's z scale, then transformed back (delta method with exact
        derivatives), so that limits never leave the parameter space.

    Returns
    -------
    DataFrame
        Columns ``"2.5 %"`` and ``"97.5 %"`` (for level 0.95). Rows: ``sd_(Intercept)|herd`` and
        ``cor_x.(Intercept)|herd`` on the link scale; ``sigma`` (sqrt(phi)) where phi scales the
        variance, otherwise the shape by its own name; then the fixed effects, link scale. NaN
        where no standard error exists: sds of zero, correlations of +-1, Pearson's dispersion.
        Limits of the other parameters of a singular fit take these as known.

    Raises
    ------
    ArgumentError
        If a row, the level or the method is not available.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.confint("period2").round(3)
             2.5 %  97.5 %
    period2 -1.593  -0.391
    """
    if method.lower() not in {known.lower() for known in METHODS}:
        raise unknown_name("method", method, METHODS)
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"level is {level!r}; it must lie between 0 and 1.")
    z = float(ndtri(0.5 * (1.0 + level)))
    limits = pd.concat([random_limits(fit, z), dispersion_limits(fit, z), fixed_limits(fit, z)])
    tails = (0.5 * (1.0 - level), 0.5 * (1.0 + level))
    limits.columns = pd.Index([f"{100.0 * tail:.3g} %" for tail in tails])
    return limits if parm is None else limits.loc[chosen_rows(fit, parm, limits.index)]


def random_limits(fit: Fit, z: float) -> pd.DataFrame:
    """Limits of the sds and correlations."""
    scaled = scaled_parameters(fit)
    theta = slice(fit.model.p, fit.model.p + fit.model.n_theta)
    covariance = vcov(fit, full=True).to_numpy()[theta, theta]
    is_free = ~fit.boundary_theta
    # A zero slope in a parameter on the boundary (which has no variance) leaves the row intact.
    depends = (scaled.jacobian[:, ~is_free] != 0.0).any(axis=1)
    J = scaled.jacobian[:, is_free]
    variance = np.einsum("mi,ij,mj->m", J, covariance[np.ix_(is_free, is_free)], J)
    half_width = z * np.sqrt(np.where(depends, np.nan, variance))
    value = np.where(np.isfinite(half_width), scaled.values, np.nan)
    return interval(scaled.names, scaled.back(value - half_width), scaled.back(value + half_width))


def dispersion_limits(fit: Fit, z: float) -> pd.DataFrame:
    """Limits of sigma or of the shape; no row for families without one."""
    family = fit.family
    name = dispersion_name(fit)
    if name is None:
        return interval((), np.empty(0), np.empty(0))
    power = 0.5 if fit.has_scale else 1.0
    log_estimate = power * np.log(fit.phi)
    se = np.nan
    if family.estimates_phi:
        se = power * np.sqrt(fit.estimate.covariance[-1, -1])
    limits = np.exp(log_estimate + z * se * np.array([-1.0, 1.0]))
    return interval((name,), limits[:1], limits[1:])


def fixed_limits(fit: Fit, z: float) -> pd.DataFrame:
    """Limits of the fixed effects."""
    half_width = z * np.sqrt(np.diag(vcov(fit)))
    return interval(fit.design.coef_names, fit.beta - half_width, fit.beta + half_width)


def interval(names: Sequence[str], lower: FloatArray, upper: FloatArray) -> pd.DataFrame:
    """Limits with the names of their parameters."""
    return pd.DataFrame({"lower": lower, "upper": upper}, index=pd.Index(list(names), dtype="str"))


def chosen_rows(fit: Fit, parm: str | Sequence[str], known: pd.Index) -> list[str]:
    """Names of the rows wanted, lme4's ``beta_`` and ``theta_`` expanded."""
    fixed = list(fit.design.coef_names)
    groups = {"beta_": fixed, "theta_": list(known[: len(known) - len(fixed)])}
    rows: list[str] = []
    for name in [parm] if isinstance(parm, str) else parm:
        if name not in known and name not in groups:
            raise unknown_name("parm", name, [*known, *GROUPS])
        rows += groups.get(name, [name])
    return rows
