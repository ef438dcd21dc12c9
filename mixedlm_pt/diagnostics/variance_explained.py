"""Nakagawa's R2 and the intraclass correlation: shares of the variance on the link scale."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import polygamma

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import ArgumentError, EstimationError, unknown_name
from mixedlm_pt.families.links import Log, UnitInterval
from mixedlm_pt.families.support import Counts, PositiveNumbers
from mixedlm_pt.fit import Fit, refitted
from mixedlm_pt.prediction.normal_average import normal_average
from mixedlm_pt.result_table import ResultTable


@dataclass(frozen=True, eq=False, repr=False)
class R2(ResultTable):
    """Marginal and conditional R2, one row a way to get the distribution's own variance."""

    @property
    def marginal(self) -> float:
        """Share of the variance that the fixed effects explain, by the first row."""
        return float(self.table["marginal"].iloc[0])

    @property
    def conditional(self) -> float:
        """Share that fixed and random effects explain together, by the first row."""
        return float(self.table["conditional"].iloc[0])


@dataclass(frozen=True, eq=False, repr=False)
class ICC(ResultTable):
    """Intraclass correlations; each row a share of variance."""

    @property
    def adjusted(self) -> float:
        """Random effects over random effects and residual."""
        return float(self.table["ICC"]["adjusted"])

    @property
    def unadjusted(self) -> float:
        """Random effects over everything, fixed effects included."""
        return float(self.table["ICC"]["unadjusted"])


@dataclass(frozen=True, eq=False)
class VarianceParts:
    """Variances on the link scale.

    Attributes
    ----------
    fixed : float
        Of ``X beta`` over the rows.
    random : Series
        By grouping factor: means over the rows of ``z' Sigma z``.
    overdispersion : float
        Of an observation-level random effect, which is residual.
    distribution : Series
        Of the response given its mean, carried to the link scale, by method.
    mean : float
        Marginal mean of the null model, at which that was done.
    """

    fixed: float
    random: pd.Series
    overdispersion: float
    distribution: pd.Series
    mean: float

    def residual(self, method: str) -> float:
        """Variance that neither fixed nor random effects explain."""
        return float(self.distribution[method]) + self.overdispersion


def r2(fit: Fit) -> R2:
    r"""Nakagawa's marginal and conditional R2.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    R2
        ``.marginal`` and ``.conditional``, by the first of the methods in the table. The residual
        variance on the link scale is that of the latent variable (``theoretical``: pi^2/3 logit,
        1 probit, pi^2/6 cloglog), ``lognormal``, ``trigamma`` (both for a log link) or by the
        ``delta`` method, ``Var(y) / (d mu / d eta)^2``, which is exact for an identity link
        [1]_. Means are marginal means of the null model, which has an intercept, the offset and
        all random effects. Random slopes count with the mean over the rows of ``z' Sigma z``
        [2]_, an observation-level random effect as residual.

    Raises
    ------
    EstimationError
        If the null model cannot be fitted.

    References
    ----------
    .. [1] Nakagawa, Johnson and Schielzeth (2017), J. R. Soc. Interface 14, 20170213, table 2.
    .. [2] Johnson (2014), Methods Ecol. Evol. 5, 944-946, equation 10.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> found = r2(fit)
    >>> round(found.marginal, 3), round(found.conditional, 3)
    (0.085, 0.187)
    """
    parts = variance_parts(fit)
    random = float(parts.random.sum())
    rows = {}
    for method in parts.distribution.index:
        total = parts.fixed + random + parts.residual(method)
        rows[method] = (parts.fixed / total, (parts.fixed + random) / total)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["marginal", "conditional"])
    return R2(("R2 of Nakagawa, Johnson and Schielzeth (2017)",), table, notes(parts, random))


def icc(fit: Fit, method: str | None = None) -> ICC:
    """Intraclass correlations: the share of the variance that lies between groups.

    Parameters
    ----------
    fit : Fit
    method : str, optional
        How the residual variance is taken to the link scale, one of the rows of `r2`; default the
        first.

    Returns
    -------
    ICC
        ``.adjusted`` (random / (random + residual)), ``.unadjusted`` (fixed effects in the
        denominator, too), and one row for each grouping factor (adjusted).

    Raises
    ------
    ArgumentError
        For a model without random effects, and for an unknown method.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> round(icc(fit).adjusted, 3)
    0.111
    """
    if not fit.design.terms:
        raise ArgumentError("the model has no random effects, so there is no intraclass variance.")
    parts = variance_parts(fit)
    chosen = str(parts.distribution.index[0]) if method is None else method
    if chosen not in parts.distribution.index:
        raise unknown_name("method", chosen, list(parts.distribution.index))
    random, residual = float(parts.random.sum()), parts.residual(chosen)
    shares = {
        "adjusted": random / (random + residual),
        "unadjusted": random / (parts.fixed + random + residual),
    }
    shares |= {str(g): v / (random + residual) for g, v in parts.random.items()}
    table = pd.DataFrame({"ICC": pd.Series(shares, dtype=np.float64)})
    return ICC((f"Intraclass correlation ({chosen} residual variance)",), table)


def notes(parts: VarianceParts, random: float) -> tuple[str, ...]:
    """The variances that the shares are made of."""
    residual = ", ".join(f"{value:.4g} ({name})" for name, value in parts.distribution.items())
    extra = f", observation level {parts.overdispersion:.4g}" if parts.overdispersion > 0.0 else ""
    return (
        f"Variances on the link scale: fixed {parts.fixed:.4g}, random {random:.4g}{extra}, "
        f"distribution {residual}; at a marginal mean of {parts.mean:.4g}.",
    )


def variance_parts(fit: Fit) -> VarianceParts:
    """The variance of the linear predictor and of the response, in parts."""
    random = random_variances(fit)
    n = fit.model.n
    by_row = [f.name for f in fit.design.factors if f.n_levels == n]
    mean = marginal_mean(null_model(fit))
    return VarianceParts(
        fixed=float(np.var(fit.design.X @ fit.beta, ddof=1)),
        random=random.drop(by_row),
        overdispersion=float(random[by_row].sum()),
        distribution=distribution_variances(fit, mean),
        mean=mean,
    )


def random_variances(fit: Fit) -> pd.Series:
    """Mean over the rows of ``z' Sigma z`` by grouping factor."""
    values = dict.fromkeys((factor.name for factor in fit.design.factors), 0.0)
    for term, Lambda in zip(fit.design.terms, fit.Lambda, strict=True):
        scaled = term.Z @ Lambda
        values[fit.design.factors[term.factor].name] += float((scaled**2).sum(axis=1).mean())
    return pd.Series(values, dtype=np.float64)


def null_model(fit: Fit) -> Fit:
    """The fit with an intercept as its only fixed effect."""
    design = fit.design
    if design.coef_names == ("(Intercept)",):
        return fit
    bare = replace(
        design,
        X=np.ones((design.n, 1)),
        coef_names=("(Intercept)",),
        assign=np.zeros(1, np.int64),
        term_labels=(),
        dropped=(),
    )
    penalty = None if fit.penalty is None else fit.penalty.of_intercept()
    return refitted(fit.replace(penalty=penalty), fit.model.with_design(bare))


def marginal_mean(null: Fit) -> float:
    """Mean response of a null model with its random effects averaged over, over the rows."""
    eta = null.design.offset + null.design.X @ null.beta
    s = np.full(len(eta), np.sqrt(random_variances(null).sum()))
    try:
        mu = normal_average(null.compiled, eta, s)[0]
    except EstimationError:
        # Links without a mean on both sides of zero: the mean where the random effects are zero.
        mu = null.compiled.mean(eta)[0]
    return float(mu.mean())


def distribution_variances(fit: Fit, mean: float) -> pd.Series:
    """Variance of a response of this mean on the link scale, by every method that applies.

    Nakagawa, Johnson and Schielzeth (2017), table 2, with ``Var(y)`` of any family.
    """
    family, link = fit.family, fit.family.link
    mu, phi = np.array([mean]), np.asarray(fit.estimate.phi)
    scale = fit.phi if family.phi_scales_variance else 1.0
    variance = scale * float(fit.compiled.variance(mu, phi)[0][0])
    values: dict[str, float] = {}
    if isinstance(link, UnitInterval) and link.latent_variance is not None:
        values["theoretical"] = scale * link.latent_variance
    if isinstance(link, Log) and isinstance(family.support, Counts | PositiveNumbers):
        values["lognormal"] = float(np.log1p(variance / mean**2))
        values["trigamma"] = float(polygamma(1, mean**2 / variance))
    eta: FloatArray = fit.compiled.forward(mu)[0]
    slope = float(fit.compiled.mean_slope(eta)[0][0])
    values["delta"] = variance / slope**2
    return pd.Series(values, dtype=np.float64)
