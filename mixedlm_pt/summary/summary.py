"""The summary of a fit: numbers first, then text or HTML."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.diagnostics import (
    Convergence,
    Overdispersion,
    checkConv,
    has_binary_response,
    overdispersion,
    residuals,
)
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import AIC, BIC, df_residual, ngrps
from mixedlm_pt.inference.estimates import Covariance, chosen_vcov
from mixedlm_pt.limits import wald_columns
from mixedlm_pt.summary.description import Description, describe
from mixedlm_pt.summary.html import summary_html
from mixedlm_pt.summary.text import summary_text
from mixedlm_pt.summary.varcorr import VarCorr, VarianceComponents


@dataclass(frozen=True, eq=False)
class Summary:
    """A fit in numbers, printed in lme4's layout.

    Attributes
    ----------
    description : Description
        Model and method in words.
    criteria : Series or None
        AIC, BIC, logLik, ``-2*log(L)``, df.resid; None for quasi-families.
    scaled_residuals : Series
        Minimum, quartiles and maximum of the Pearson residuals divided by sigma.
    varcorr : VarianceComponents
    n_groups : Series
        Levels of every grouping factor.
    coefficients : DataFrame
        Estimate, Std. Error, z value, Pr(>|z|), one row a fixed effect, link scale. The z tests
        are Wald's, against a normal distribution.
    correlation : DataFrame, shape (p, p)
        Of the estimated fixed effects.
    convergence : Convergence
    dispersion_ratio : Overdispersion or None
        Of families without a dispersion (Poisson, binomial with trials).
    standard_errors : str
        Where they come from, if not from the observed information.
    shows_correlation : bool or None
        Whether the text has the correlations; None for as many coefficients as lme4 shows.
    """

    description: Description
    criteria: pd.Series | None
    scaled_residuals: pd.Series
    varcorr: VarianceComponents
    n_groups: pd.Series
    coefficients: pd.DataFrame
    correlation: pd.DataFrame
    convergence: Convergence
    dispersion_ratio: Overdispersion | None = None
    standard_errors: str = ""
    shows_correlation: bool | None = None

    def to_frame(self) -> pd.DataFrame:
        """The table of coefficients, unrounded."""
        return self.coefficients.copy()

    def __str__(self) -> str:
        return summary_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return summary_html(self)


def summary(fit: Fit, correlation: bool | None = None, vcov: Covariance = None) -> Summary:
    """Everything that is usually reported of a fit.

    Parameters
    ----------
    fit : Fit
    correlation : bool, optional
        Whether the text has the correlations of the fixed effects; default: for up to 12 of them.
    vcov : str, DataFrame or array, optional
        Covariance of the fixed effects: a type of `vcov` such as ``"sandwich"``, or the matrix.

    Returns
    -------
    Summary
        Prints in lme4's layout; ``.coefficients`` and the other attributes are the numbers.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.summary().coefficients["z value"].round(2).tolist()
    [-6.02, -3.24, -3.46, -3.7]
    """
    V = chosen_vcov(fit, vcov)
    origin = "" if vcov is None or isinstance(vcov, str) else "given"
    return Summary(
        description=describe(fit),
        criteria=criteria(fit),
        scaled_residuals=residual_quantiles(fit),
        varcorr=VarCorr(fit),
        n_groups=ngrps(fit),
        coefficients=coefficient_table(fit, V),
        correlation=coefficient_correlation(fit, V),
        convergence=checkConv(fit),
        dispersion_ratio=dispersion_ratio(fit),
        standard_errors=origin or str(vcov or ""),
        shows_correlation=correlation,
    )


def coefficient_table(fit: Fit, V: FloatArray) -> pd.DataFrame:
    """Estimates, standard errors and Wald tests of the fixed effects with covariance V (p, p)."""
    columns = wald_columns(fit.beta, np.sqrt(np.diag(V)))
    return pd.DataFrame(columns, index=pd.Index(fit.design.coef_names, dtype="str"))


def coefficient_correlation(fit: Fit, V: FloatArray) -> pd.DataFrame:
    """Correlation matrix of the estimated fixed effects, shape (p, p)."""
    se, names = np.sqrt(np.diag(V)), pd.Index(fit.design.coef_names, dtype="str")
    return pd.DataFrame(V / np.outer(se, se), index=names, columns=names)


def criteria(fit: Fit) -> pd.Series | None:
    """The information criteria, None where there is no likelihood; what a penalised fit has."""
    if not fit.family.has_likelihood:
        return None
    loglik = fit.estimate.loglik
    if fit.priors is not None:
        parts = {"logLik": loglik, "log prior": fit.estimate.log_prior, "sum": fit.estimate.value}
        return pd.Series({**parts, "df.resid": float(df_residual(fit))})
    return pd.Series(
        {
            "AIC": AIC(fit),
            "BIC": BIC(fit),
            "logLik": loglik,
            "-2*log(L)": -2.0 * loglik,
            "df.resid": float(df_residual(fit)),
        }
    )


def dispersion_ratio(fit: Fit) -> Overdispersion | None:
    """Pearson's ratio where it says something: not where a dispersion is estimated, nor for 0/1."""
    family = fit.family
    is_dispersed = family.estimates_phi or family.has_pearson_dispersion
    says_nothing = is_dispersed or has_binary_response(fit) or df_residual(fit) <= 0
    return None if says_nothing or not fit.compiled.has_variance else overdispersion(fit)


def residual_quantiles(fit: Fit) -> pd.Series:
    """Five numbers of the Pearson residuals in units of sigma; NaN where no variance is known."""
    quantiles = np.full(5, np.nan)
    if fit.compiled.has_variance:
        scaled = residuals(fit, "pearson") / fit.sigma
        quantiles = np.quantile(scaled[~np.isnan(scaled)], np.linspace(0.0, 1.0, 5))
    return pd.Series(quantiles, index=pd.Index(["Min", "1Q", "Median", "3Q", "Max"]))
