"""`glmer` and `glmer_nb`: from a formula and a table to a fitted model."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from mixedlm_pt.diagnostics import with_warnings
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.estimation import GlmerControl
from mixedlm_pt.families import Family, NegativeBinomial
from mixedlm_pt.fit import Call
from mixedlm_pt.refitting import fit_call, starting_parts
from mixedlm_pt.results import GlmerResult


def glmer(
    formula: str,
    data: Any,
    family: str | Family | type[Family] = "binomial",
    *,
    nAGQ: int = 1,
    weights: Any = None,
    offset: Any = None,
    na_action: str = "omit",
    contrasts: Mapping[str, Any] | None = None,
    covariance: Mapping[str, Any] | None = None,
    control: GlmerControl | None = None,
    start: Mapping[str, Any] | GlmerResult | None = None,
    priors: Any = None,
    backend: str = "auto",
    verbose: int | None = None,
) -> GlmerResult:
    """A generalized linear mixed model fitted by maximum likelihood, penalised or not.

    Parameters
    ----------
    formula : str
        R's formula language with lme4's random-effects terms:
        ``"incidence / size ~ period + (1 | herd)"``.
    data : pandas or polars data frame, or mapping of columns
    family : str, Family or Family class
        ``"binomial"``, ``families.Poisson(link="sqrt")``, ...
    nAGQ : int
        1: Laplace approximation. 2 to 100: adaptive Gauss-Hermite quadrature, for one scalar
        random-effects term. 0: Laplace with beta at the joint mode, faster and less accurate. The
        log-likelihood has the same scale for all of them.
    weights : str or array, optional
        Prior weights, by which each row's log density is multiplied; for the binomial with a
        proportion as response, the numbers of trials.
    offset : str or array, optional
        Known part of the linear predictor, link scale; added to ``offset()`` in the formula.
    na_action : {"omit", "exclude", "fail"}
        Rows with missing values: left out; left out and padded with NaN in results; an error.
    contrasts : mapping, optional
        Column to ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"`` or a matrix.
    covariance : mapping, optional
        Random-effects term, as it is printed (``"0 + visit | subject"``), to the structure of its
        covariance, an instance of your own `Covariance`; terms that are not named have lme4's
        unstructured one, ``"us"``. Only maximum likelihood without priors knows others.
    control : GlmerControl, optional
    start : mapping or GlmerResult, optional
        Starting values: ``"fixef"``, ``"theta"`` (absolute), ``"phi"``, any of them.
    priors : mapping, str or Priors, optional
        Penalised maximum likelihood: what is maximised is log-likelihood plus log prior density,
        with the random effects integrated out, so that the estimates are the mode of the marginal
        posterior. It keeps coefficients finite where the response is separated,
        ``{"coefficients": Normal(0, 2.5)}``, and standard deviations off zero,
        ``{"sd": Gamma(2, 0.1)}`` [1]_. A mapping, by the names of `to_pymc`, penalises what it
        names and nothing else: all other parameters are flat (in `to_pymc` and `sample` they keep
        the default priors). ``"default"``, ``"rstanarm"`` and other presets have a prior for every
        parameter. Densities are those of coefficients (link scale, the intercept's for centred
        predictors), standard deviations, correlations and dispersion on their own scales, so that
        flat priors give the maximum-likelihood estimates.
    backend : {"auto", "numpy", "numba"}
        How the graphs run: as machine code, which a structure's first fit makes in 0.1 to 0.6 s and
        keeps on disk, and by NumPy where that is as fast; by NumPy alone; or compiled whole by
        numba, which takes a minute at first.
    verbose : int, optional
        1 prints every evaluation of the criterion: log-likelihood, gain and elapsed time. By
        default a fit that takes longer than a few seconds shows one live line, on a terminal or
        in a notebook; 0 never shows anything.

    Returns
    -------
    GlmerResult
        With priors, ``fit.priors`` has that of every parameter, ``fit.logLik()`` is the likelihood
        without them and ``fit.log_prior()`` the rest of what was maximised; standard errors are
        from the curvature of the sum; AIC, BIC and likelihood-ratio tests, which compare maxima of
        likelihoods, are refused.

    Raises
    ------
    FormulaError, DataError, ColumnNotFoundError, ArgumentError
        If an argument is wrong; the message names it.
    EstimationError
        If the log-likelihood cannot be evaluated at the starting values.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, RankDeficiencyWarning

    References
    ----------
    .. [1] Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013), Psychometrika 78, 685-709: a gamma
       density of shape 2 and small rate is zero at zero and about linear elsewhere, so that it
       moves a standard deviation of zero by about one standard error and others hardly.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> round(fit.logLik(), 5)
    -92.02628
    >>> from mixedlm_pt.bayes import Normal
    >>> penalised = fit.update(priors={"coefficients": Normal(0.0, 1.0)})
    >>> round(float(penalised.fixef()["period4"]), 3), round(float(fit.fixef()["period4"]), 3)
    (-1.305, -1.58)
    """
    arguments = {
        "family": family,
        "nAGQ": nAGQ,
        "weights": weights,
        "offset": offset,
        "na_action": na_action,
        "contrasts": contrasts,
        "covariance": covariance,
        "control": control,
        "priors": dict(priors) if isinstance(priors, Mapping) else priors,
        "backend": backend,
    }
    call = Call(formula, data, arguments)
    return with_warnings(fit_call(GlmerResult, call, start=start, verbose=verbose))


def glmer_nb(
    formula: str, data: Any, *, theta: float | None = None, link: str = "log", **arguments: Any
) -> GlmerResult:
    """A negative binomial mixed model with its shape theta estimated jointly by ML.

    Parameters
    ----------
    formula, data
        As in `glmer`.
    theta : float, optional
        Starting value of the shape; the variance is ``mu + mu^2 / theta``.
    link : str
        ``"log"``, ``"sqrt"`` or ``"identity"``.
    **arguments
        Other arguments of `glmer`.

    Returns
    -------
    GlmerResult
        theta counts in the degrees of freedom; ``fit.phi`` is its estimate.
    """
    if "family" in arguments:
        raise ArgumentError(
            "glmer_nb() has its family, the negative binomial; for another one use glmer()."
        )
    start = arguments.pop("start", None)
    if theta is not None:
        if not (isinstance(theta, Real) and 0.0 < float(theta) < np.inf):
            raise ArgumentError(f"theta is {theta!r}; it must be a positive, finite number.")
        start = {**starting_parts(start), "phi": theta}
    return glmer(formula, data, NegativeBinomial(link=link), start=start, **arguments)
