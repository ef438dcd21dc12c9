"""Log-likelihood, deviance, information criteria and counts."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mixedlm_pt.diagnostics import residuals
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit


class LogLik(float):
    """A log-likelihood: a number that knows its degrees of freedom.

    Attributes
    ----------
    df : int
        Number of estimated parameters.
    nobs : int
        Number of rows.
    """

    df: int
    nobs: int

    def __new__(cls, value: float, df: int, nobs: int) -> "LogLik":
        loglik = super().__new__(cls, value)
        loglik.df, loglik.nobs = df, nobs
        return loglik

    def __getnewargs__(self) -> tuple[float, int, int]:  # type: ignore[override]
        return float(self), self.df, self.nobs

    def __str__(self) -> str:
        return f"'log Lik.' {float(self):.7g} (df={self.df})"

    __repr__ = __str__


def logLik(fit: Fit) -> LogLik:
    """Maximised log-likelihood, with all normalising constants.

    Of a fit with priors it is the log-likelihood at the penalised estimates, without the priors:
    ``logLik(fit) + fit.log_prior()`` is what was maximised.

    Values of different families, links and numbers of quadrature nodes are on one scale. (lme4's
    for nAGQ > 1 is not: it lacks the likelihood of the saturated model.)

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    LogLik
        A float with ``df`` and ``nobs``.

    Raises
    ------
    ArgumentError
        For quasi-families, which have no likelihood.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp()).logLik()
    'log Lik.' -92.02628 (df=5)
    """
    require_likelihood(fit, "logLik()")
    return LogLik(fit.estimate.loglik, fit.n_par, fit.n_obs)


def log_prior(fit: Fit) -> float:
    """Log density of the priors at the estimates; 0 for maximum likelihood.

    Of coefficients, standard deviations, correlations and dispersion on their own scales. What
    penalised maximum likelihood maximises is ``logLik(fit) + log_prior(fit)``.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    float
    """
    return fit.estimate.log_prior


def AIC(fit: Fit) -> float:
    """Akaike's criterion, ``-2 logLik + 2 npar``.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    float
        Smaller is better.

    Raises
    ------
    ArgumentError
        For quasi-families, which have no likelihood, and for fits with priors.

    References
    ----------
    .. [1] Akaike (1974), IEEE Trans. Autom. Control 19, 716-723.
    """
    require_maximum(fit, "AIC()")
    return 2.0 * fit.n_par - 2.0 * fit.estimate.loglik


def BIC(fit: Fit) -> float:
    """Schwarz's criterion, ``-2 logLik + npar log(n)`` with n rows.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    float
        Smaller is better.

    Raises
    ------
    ArgumentError
        For quasi-families, which have no likelihood, and for fits with priors.

    References
    ----------
    .. [1] Schwarz (1978), Ann. Stat. 6, 461-464.
    """
    require_maximum(fit, "BIC()")
    return float(np.log(fit.n_obs)) * fit.n_par - 2.0 * fit.estimate.loglik


def AICc(fit: Fit) -> float:
    """Akaike's criterion for small samples, ``AIC + 2 k (k + 1) / (n - k - 1)``.

    Parameters
    ----------
    fit : Fit
        With k parameters and n rows. The correction is derived for linear models, and counts rows:
        with few, large groups it is too small.

    Returns
    -------
    float
        Infinite where ``n <= k + 1``, so that such a model is never preferred.

    Raises
    ------
    ArgumentError
        For quasi-families, which have no likelihood, and for fits with priors.

    References
    ----------
    .. [1] Hurvich and Tsai (1989), Biometrika 76, 297-307, eq. 3.
    """
    require_maximum(fit, "AICc()")
    left = fit.n_obs - fit.n_par - 1
    return AIC(fit) + (2.0 * fit.n_par * (fit.n_par + 1) / left if left > 0 else np.inf)


def deviance(fit: Fit) -> float:
    """Sum of the squared deviance residuals, conditional on the random effects.

    That is R's ``deviance()`` of a glmer fit. It is *not* ``-2 logLik``, which is what lme4 before
    1.1-37 prints as "deviance" in its summary.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    float
        Deviance scale, not divided by the dispersion.
    """
    return float(np.nansum(residuals(fit, "deviance") ** 2))


def df_residual(fit: Fit) -> int:
    """Rows minus estimated parameters.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    int
    """
    return fit.n_obs - fit.n_par


def nobs(fit: Fit) -> int:
    """Number of rows used; as in R's glm, rows of weight zero do not count.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    int
    """
    return fit.n_obs


def npar(fit: Fit) -> int:
    """Number of estimated parameters: beta, theta and phi where it is estimated by ML.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    int
    """
    return fit.n_par


def ngrps(fit: Fit) -> pd.Series:
    """Number of levels of every grouping factor.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Series
        Group to number of levels.
    """
    sizes = {factor.name: factor.n_levels for factor in fit.design.factors}
    return pd.Series(sizes, name="ngrps", dtype="int64")


def require_likelihood(fit: Fit, verb: str) -> None:
    """Refuse what needs a likelihood where the family has none.

    Raises
    ------
    ArgumentError
    """
    if not fit.family.has_likelihood:
        raise ArgumentError(
            f"{verb} does not exist for the family {fit.family.name!r}: it has a mean and a "
            "variance but no likelihood. Compare such models by Wald tests, anova(fit), or fit a "
            "family with a likelihood such as negative_binomial."
        )


def require_maximum(fit: Fit, verb: str) -> None:
    """Refuse what compares maxima of likelihoods where there is none.

    Raises
    ------
    ArgumentError
    """
    require_likelihood(fit, verb)
    if fit.penalty is not None:
        raise ArgumentError(
            f"{verb} needs a maximum of the likelihood, but this fit is penalised by priors: it "
            "maximises logLik() + log_prior(), and its parameters are not all free. Fit it without "
            "them, fit.update(priors=None), or compare predictions: cross_validate(), or LOO of "
            "fit.sample()."
        )


CRITERIA: dict[str, Callable[[Fit], float]] = {"AIC": AIC, "AICc": AICc, "BIC": BIC}
