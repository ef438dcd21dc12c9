"""Confidence intervals of all parameters: Wald, profile likelihood and parametric bootstrap."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.diagnostics import (
    chosen_parameters,
    dispersion_name,
    scaled_parameters,
    scaled_standard_errors,
)
from mixedlm_pt.errors import ArgumentError, MixedlmWarning, unknown_name, warn
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import Covariance, chosen_vcov
from mixedlm_pt.inference.profile_likelihood import profile_limits, profiled_names
from mixedlm_pt.limits import limits_frame, normal_quantile, tails
from mixedlm_pt.refitting import bootMer
from mixedlm_pt.tasks import Seed

METHODS = ("Wald", "profile", "boot")
# A warning where more than this share of the replicates of a bootstrap failed.
MAX_FAILED = 0.05


def confint(
    fit: Fit,
    parm: str | Sequence[str] | None = None,
    level: float = 0.95,
    method: str = "Wald",
    *,
    vcov: Covariance = None,
    nsim: int = 500,
    boot_type: str = "perc",
    seed: Seed = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Confidence limits of all parameters, random effects first.

    Parameters
    ----------
    fit : Fit
        Stays as it is.
    parm : str or sequence of str, optional
        Rows wanted; ``"beta_"`` for the fixed effects, ``"theta_"`` for all others.
    level : float
    method : {"Wald", "profile", "boot"}
        In any case. ``"Wald"``: estimate plus and minus a normal quantile times the standard error
        from ``vcov(fit, full=True)``; for sds and the dispersion on the log scale and for
        correlations on Fisher's z scale, then transformed back (delta method with exact
        derivatives), so that limits never leave the parameter space.
        ``"profile"``: where twice the log-likelihood lost, all other parameters estimated anew,
        is the quantile of chi-square with one df; see `profile`.
        ``"boot"``: from fits of responses simulated from this fit; see `bootMer`.
    vcov : str, DataFrame or array, optional
        For Wald limits of the fixed effects: a type of :func:`vcov` such as ``"sandwich"``, or the
        matrix itself. The other rows stay as they are.
    nsim : int
        Replicates of the bootstrap.
    boot_type : {"perc", "basic", "norm"}
        Kind of bootstrap limits; see `Bootstrap.confint`.
    seed : int, optional
        Of the simulations.
    n_jobs : int, optional
        Processes of ``"profile"`` and ``"boot"``; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        Columns ``"2.5 %"`` and ``"97.5 %"`` (for level 0.95). Rows: ``sd_(Intercept)|herd`` and
        ``cor_x.(Intercept)|herd`` on the link scale; ``sigma`` (sqrt(phi)) where phi scales the
        variance, otherwise the shape by its own name; then the fixed effects, link scale.

        Wald: NaN where no standard error exists: sds of zero, correlations of +-1, Pearson's
        dispersion. Limits of the other parameters of a singular fit take these as known.

        Profile: zero or +-1 where the likelihood at this end of the range is within the limits;
        infinite where it levels off.

        Bootstrap: ``attrs`` holds ``"nsim"``, ``"failed"`` (replicates), ``"failures"`` (reason to
        number), ``"singular"`` and ``"seed"``.

    Raises
    ------
    ArgumentError
        If a row, the level or the method is not available, and for ``vcov`` with another method
        than Wald's.

    Warns
    -----
    MixedlmWarning
        If more than 5 % of the replicates of a bootstrap failed, and for limits of a profile that
        do not exist.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.confint("period2").round(3)
             2.5 %  97.5 %
    period2 -1.593  -0.391
    >>> fit.confint("period2", method="profile").round(3)
             2.5 %  97.5 %
    period2 -1.617  -0.408
    """
    names = {known.lower(): known for known in METHODS}
    if str(method).lower() not in names:
        raise unknown_name("method", method, METHODS)
    tails(level)
    method = names[method.lower()]
    if method != "Wald" and vcov is not None:
        raise ArgumentError(f"vcov is for Wald limits; method={method!r} has none.")
    if method == "profile":
        rows = profiled_names(fit, parm, "confint(method='profile')")
        return profile_limits(fit, rows, level, n_jobs=n_jobs, progress=progress)
    rows = chosen_parameters(fit, parm)
    if method == "Wald":
        return wald_limits(fit, level, vcov).loc[rows]
    return bootstrap_limits(fit, rows, level, boot_type, nsim, seed, n_jobs, progress)


def bootstrap_limits(
    fit: Fit,
    rows: list[str],
    level: float,
    boot_type: str,
    nsim: int,
    seed: Seed,
    n_jobs: int | None,
    progress: bool,
) -> pd.DataFrame:
    """Limits from the replicates of a bootstrap, with their failures as attributes."""
    boot = bootMer(fit, nsim=nsim, seed=seed, n_jobs=n_jobs, progress=progress)
    limits = boot.confint(level, boot_type, rows)
    failed = sum(boot.failures.values())
    if failed > MAX_FAILED * (failed + len(boot.t)):
        reasons = "; ".join(f"{n:,} times: {reason}" for reason, n in boot.failures.items())
        warn(
            f"{failed:,} of {failed + len(boot.t):,} replicates of the bootstrap failed, and the "
            f"limits rest on the others. {reasons}",
            MixedlmWarning,
        )
    limits.attrs |= {
        "nsim": nsim,
        "failed": failed,
        "failures": dict(boot.failures),
        "singular": boot.singular,
        "seed": boot.seed,
    }
    return limits


def wald_limits(fit: Fit, level: float, vcov: Covariance) -> pd.DataFrame:
    """Limits by the normal approximation, all rows."""
    z = normal_quantile(level)
    parts = random_limits(fit, z), dispersion_limits(fit, z), fixed_limits(fit, z, vcov)
    names = [name for part_names, _, _ in parts for name in part_names]
    lower = np.concatenate([part_lower for _, part_lower, _ in parts])
    upper = np.concatenate([part_upper for _, _, part_upper in parts])
    return limits_frame(names, lower, upper, level)


type Interval = tuple[Sequence[str], FloatArray, FloatArray]


def random_limits(fit: Fit, z: float) -> Interval:
    """Limits of the sds and correlations."""
    scaled = scaled_parameters(fit)
    half_width = z * scaled_standard_errors(fit, scaled)
    value = np.where(np.isfinite(half_width), scaled.values, np.nan)
    return scaled.names, scaled.back(value - half_width), scaled.back(value + half_width)


def dispersion_limits(fit: Fit, z: float) -> Interval:
    """Limits of sigma or of the shape; no row for families without one."""
    family = fit.family
    name = dispersion_name(fit)
    if name is None:
        return (), np.empty(0), np.empty(0)
    power = 0.5 if fit.has_scale else 1.0
    log_estimate = power * np.log(fit.phi)
    se = np.nan
    if family.estimates_phi:
        se = power * np.sqrt(fit.estimate.covariance[-1, -1])
    limits = np.exp(log_estimate + z * se * np.array([-1.0, 1.0]))
    return (name,), limits[:1], limits[1:]


def fixed_limits(fit: Fit, z: float, vcov: Covariance) -> Interval:
    """Limits of the fixed effects."""
    half_width = z * np.sqrt(np.diag(chosen_vcov(fit, vcov)))
    return fit.design.coef_names, fit.beta - half_width, fit.beta + half_width
