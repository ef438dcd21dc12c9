"""Profile likelihood of the parameters of a fit, and the limits that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import finite_number, one_of
from mixedlm_pt.diagnostics import chosen_parameters, natural_parameters
from mixedlm_pt.errors import (
    ArgumentError,
    ConvergenceWarning,
    EstimationError,
    MixedlmWarning,
    warn,
)
from mixedlm_pt.estimation import GlmerControl, Point, fit_model
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.likelihood import require_likelihood
from mixedlm_pt.inference.profile_curve import Curve, trace_parameter
from mixedlm_pt.limits import limits_frame
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import interruption, run_tasks

# Points lie at the limits of these levels, where plots have their lines.
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
# Of the limits that are printed.
PRINTED_LEVEL = 0.95
# Better optima, one after the other, before giving up.
MAX_CLIMBS = 10


@dataclass(frozen=True, eq=False, repr=False)
class Profile(Printed):
    """Profile likelihoods of parameters, on their natural scales.

    Attributes
    ----------
    fit : Fit
        The fit profiled: the one given, or a better one if the search found a higher likelihood.
    curves : tuple of Curve
        In the order of `confint`.
    asked : int
        Parameters asked for.
    remarks : tuple of str
        What happened on the way.
    """

    fit: Fit
    curves: tuple[Curve, ...]
    asked: int
    remarks: tuple[str, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; the parameters that were finished are here."""
        return len(self.curves) < self.asked

    def __getitem__(self, name: str) -> Curve:
        one_of("parameter", name, self.names)
        return self.curves[self.names.index(name)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters profiled."""
        return tuple(curve.name for curve in self.curves)

    def confint(self, parm: str | Sequence[str] | None = None, level: float = 0.95) -> pd.DataFrame:
        """Confidence limits: where the signed root of the likelihood ratio has its quantiles.

        Parameters
        ----------
        parm : str or sequence of str, optional
            Rows wanted; ``"beta_"`` for the fixed effects, ``"theta_"`` for all others.
        level : float
            Any: where the curves have no point at its limits, the search for them goes on.

        Returns
        -------
        DataFrame
            Columns ``"2.5 %"`` and ``"97.5 %"`` (for level 0.95); see `confint`.

        Raises
        ------
        ArgumentError
            If a row or the level is not available.
        """
        names = chosen_parameters(self.fit, parm, self.names)
        return profile_limits(self.fit, names, level, {name: self[name] for name in names})

    def to_frame(self) -> pd.DataFrame:
        """All points, as lme4's ``as.data.frame``.

        Returns
        -------
        DataFrame
            ``.zeta``; the estimates of all parameters at the point, natural scale; ``.par``, the
            parameter held fixed; ``.focal``, its value.
        """
        p, n_theta = self.fit.model.p, self.fit.model.n_theta
        rows = []
        for curve in self.curves:
            for zeta, value, par in zip(curve.zeta, curve.value, curve.par, strict=True):
                phi = np.exp(par[-1]) if self.fit.family.estimates_phi else self.fit.estimate.phi
                moved = replace(
                    self.fit.estimate,
                    beta=par[:p],
                    theta=par[p : p + n_theta],
                    phi=float(phi),
                )
                natural = natural_parameters(self.fit.replace(estimate=moved))
                natural[curve.name] = value
                rows.append({".zeta": zeta, **natural, ".par": curve.name, ".focal": value})
        columns = [".zeta", *natural_parameters(self.fit).index, ".par", ".focal"]
        return pd.DataFrame(rows, columns=pd.Index(columns))

    def printed(self) -> ResultTable:
        """Estimates, limits and remarks."""
        limits = [curve.limits[PRINTED_LEVEL] for curve in self.curves]
        table = pd.DataFrame(
            {
                "estimate": [curve.estimate for curve in self.curves],
                "2.5 %": [lower for lower, _ in limits],
                "97.5 %": [upper for _, upper in limits],
                "points": [len(curve.points) for curve in self.curves],
            },
            index=pd.Index(self.names, dtype="str"),
        )
        notes = [remark for curve in self.curves for remark in curve.remarks(PRINTED_LEVEL)]
        notes += interruption(len(self.curves), self.asked, "parameters")
        title = "Profile likelihood"
        if self.fit.priors is not None:
            title += ", penalised by the priors of the fit"
        return ResultTable((title,), table, (*self.remarks, *notes))


def profile(
    fit: Fit,
    which: str | Sequence[str] | None = None,
    alphamax: float = 0.01,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Profile:
    """Profile likelihood of sds, correlations, dispersion and fixed effects.

    Each parameter is held fixed at values on both sides of its estimate while all others are
    estimated anew, with exact gradients. The points are not on a grid: they lie where the limits
    of the levels 50, 80, 90, 95 and 99 % are, each found to about 1e-6 standard errors.

    Parameters
    ----------
    fit : Fit
        Stays as it is. With priors it is log-likelihood plus log prior that is profiled.
    which : str or sequence of str, optional
        Parameters by the names of `confint`; ``"beta_"`` for the fixed effects, ``"theta_"`` for
        all others. Default: all.
    alphamax : float
        Curves reach as far as the limits of level ``1 - alphamax``.
    n_jobs : int, optional
        Processes, a parameter each; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    Profile
        With ``confint()``, ``to_frame()`` and ``plot()``. After a KeyboardInterrupt with the
        parameters that were finished.

    Raises
    ------
    ArgumentError
        For an unknown parameter, for families without a likelihood, and for the fixed effects of
        a fit with nAGQ=0, which do not maximise its criterion.

    Warns
    -----
    ConvergenceWarning
        If the search comes upon a higher likelihood than that of the fit. The profile starts again
        from there and belongs to the better fit, ``profile.fit``.

    References
    ----------
    .. [1] Bates and Watts (1988), Nonlinear Regression Analysis, section 6.1.
    .. [2] Venzon and Moolgavkar (1988), Applied Statistics 37, 87-94.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.profile("sd_(Intercept)|herd").confint().round(4)
                          2.5 %  97.5 %
    sd_(Intercept)|herd  0.3461     1.1
    """
    if not 0.0 < finite_number("alphamax", alphamax) <= 0.5:
        raise ArgumentError(f"alphamax is {alphamax!r}; it must lie between 0 and 0.5.")
    names = profiled_names(fit, which, "profile()")
    widest = 1.0 - alphamax
    levels = sorted({*(level for level in LEVELS if level < widest), PRINTED_LEVEL, widest})
    better, curves, remarks = trace(fit, names, levels, n_jobs=n_jobs, progress=progress)
    return Profile(better, tuple(curves), len(names), remarks)


def profile_limits(
    fit: Fit,
    names: Sequence[str],
    level: float,
    known: Mapping[str, Curve] | None = None,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Limits of one level, with a warning about those that do not exist."""
    curves = [] if known is None else list(known.values())
    if known is None or not all(level in curve.limits for curve in curves):
        points = {curve.name: curve.points for curve in curves}
        _, curves, _ = trace(fit, names, [level], points, n_jobs=n_jobs, progress=progress)
    limits = np.array([curve.limits[level] for curve in curves]).reshape(-1, 2)
    for curve, row in zip(curves, limits, strict=True):
        if not np.isfinite(row).all():
            warn(" ".join(curve.remarks(level)), MixedlmWarning)
    return limits_frame([curve.name for curve in curves], limits[:, 0], limits[:, 1], level)


def profiled_names(fit: Fit, which: str | Sequence[str] | None, verb: str) -> list[str]:
    """Names of the parameters wanted, if they have a profile likelihood."""
    require_likelihood(fit, verb)
    names = chosen_parameters(fit, which)
    fixed = set(fit.design.coef_names)
    if any(name.startswith(("sd_", "cor_")) for name in set(names) - fixed):
        fit.model.require_unstructured(
            f"{verb} has standard deviations and correlations",
            "Name other parameters ('beta_'), or use confint(method='wald') or 'boot'.",
        )
    if fit.approximation.nAGQ == 0 and fixed.intersection(names):
        raise ArgumentError(
            f"{verb} of fixed effects needs a fit with nAGQ=1 or more: with nAGQ=0 they do not "
            "maximise the criterion. 'theta_' gives the other parameters."
        )
    return names


def trace(
    fit: Fit,
    names: Sequence[str],
    levels: Sequence[float],
    known: Mapping[str, tuple[Point, ...]] | None = None,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[Fit, list[Curve], tuple[str, ...]]:
    """Curves of parameters with the limits of some levels, of the best fit that turns up.

    Returns
    -------
    fit, curves, remarks
    """
    best, known = fit, known or {}
    for _ in range(MAX_CLIMBS):
        work = partial(trace_parameter, fit=best, levels=levels, known=known)
        outcomes = run_tasks(work, names, label="profile", n_jobs=n_jobs, progress=progress)
        curves = [outcome for outcome in outcomes if isinstance(outcome, Curve)]
        higher = [outcome for outcome in outcomes if not isinstance(outcome, Curve)]
        if not higher:
            break
        best = max((climbed(best, par) for par in higher), key=lambda fit: fit.estimate.value)
        known = {}
    else:
        raise EstimationError(
            "the likelihood keeps rising while it is profiled; the fit has not converged."
        )
    remarks = []
    if best is not fit:
        gain = best.estimate.value - fit.estimate.value
        remarks.append(
            f"Profiling found estimates whose log-likelihood is higher by {gain:.4g} than that of "
            "the fit. The profile is that of the better fit, the attribute fit of this profile; "
            "give it to glmer as start=."
        )
        warn(remarks[-1], ConvergenceWarning)
    return best, curves, tuple(remarks)


def climbed(fit: Fit, par: FloatArray) -> Fit:
    """The fit reached from (beta, theta, log phi)."""
    restart = fit.estimate.restart
    first = len(par) - len(restart.par)
    start = replace(restart, par=par[first:], beta=par[: fit.model.p])
    # Not the fit's own optimiser, which stopped too early.
    control = GlmerControl()
    estimate = fit_model(
        fit.model,
        fit.approximation,
        control,
        start=start,
        backend=fit.backend,
        penalty=fit.penalty,
    )
    return fit.replace(estimate=estimate)
