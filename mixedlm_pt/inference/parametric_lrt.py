"""The likelihood ratio test with its null distribution simulated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaincc

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import positive_integer
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.fit import Fit, refitted
from mixedlm_pt.inference.comparability import model_lines, named_fits, refuse_incomparable
from mixedlm_pt.inference.likelihood_ratio import (
    P_NAIVE,
    SHORTFALL,
    LikelihoodRatioTest,
    chi_square_tail,
    likelihood_ratio_test,
)
from mixedlm_pt.limits import binomial_interval
from mixedlm_pt.refitting.bootstrap import Replicate, bootstrap, fits_of, replicate
from mixedlm_pt.result_table import ResultTable
from mixedlm_pt.tasks import Seed, interruption

# Statistics that differ by less are ties: what the optimiser leaves of a log-likelihood, and the
# many zeros of a variance on the boundary, which come out as 1e-12 or -1e-12.
TIE = 1e-6


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BootstrapTest(ResultTable):
    """A parametric bootstrap likelihood ratio test.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods of the data.
    df : int
        Parameters that the larger model adds.
    reference : array, shape (n,)
        The statistic of the responses simulated from the smaller model, zero at least.
    p_value : float
        ``(1 + #{reference >= statistic}) / (1 + n)``.
    p_interval : tuple of float
        95 % interval of the p-value that infinitely many simulations would give.
    failures : mapping
        Why other simulated responses could not be fitted, with how many times.
    seed
        Gives the same simulations again.
    """

    statistic: float
    df: int
    reference: FloatArray
    p_value: float
    p_interval: tuple[float, float]
    failures: Mapping[str, int]
    seed: Any


def pb_lrt(
    small: Fit,
    large: Fit,
    nsim: int = 1000,
    seed: Seed = None,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> BootstrapTest:
    """Likelihood ratio test of nested fits by parametric bootstrap.

    Responses are simulated from the smaller fit, with new random effects, and both models are
    fitted to each. That is right in small samples, where the chi-square distribution is not, and
    for variances, which are on the boundary under the null hypothesis.

    Parameters
    ----------
    small, large : Fit
        Nested, of the same data; in either order.
    nsim : int
        Number of simulations.
    seed : int, optional
        The result does not depend on ``n_jobs``.
    n_jobs : int, optional
        Processes; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    BootstrapTest
        Rows, as in pbkrtest [1]_: ``LRT`` (chi-square distribution), ``PBtest`` (share of simulated
        statistics that reach the observed one), and, unless variances are tested, ``Bartlett``
        (the statistic divided by the simulated mean over df) and ``Gamma`` (a gamma distribution
        with the simulated mean and variance), which need fewer simulations for small p-values.
        Unlike pbkrtest, simulated statistics of zero count. After a KeyboardInterrupt with the
        simulations that were finished.

    Raises
    ------
    ArgumentError
        If the fits do not compare (as in `anova`), or one is not nested in the other.
    EstimationError
        If no simulated response can be fitted.

    References
    ----------
    .. [1] Halekoh and Hojsgaard (2014), J. Stat. Softw. 59(9), section 5.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> data = mlm.load_cbpp()
    >>> small, large = (
    ...     mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", data) for x in ("1", "period")
    ... )
    >>> mlm.pb_lrt(small, large, nsim=50, seed=1).p_value  # doctest: +ELLIPSIS
    0.0196...
    """
    models = named_fits((small, large), {}, "pb_lrt()")
    small, large = models.values()
    refuse_incomparable((small, large), "pb_lrt()")
    test = likelihood_ratio_test(small, large)
    if test.df == 0 or test.relation.obstacle:
        reason = test.relation.obstacle or "has as many parameters as m1"
        raise ArgumentError(
            f"pb_lrt() needs nested models: m2, {large.design.formula}, {reason}; m1 is "
            f"{small.design.formula}."
        )
    boot = bootstrap(
        small,
        partial(likelihood_ratios, large),
        test.statistic,
        nsim=positive_integer("nsim", nsim),
        seed=seed,
        n_jobs=n_jobs,
        progress=progress,
    )
    reference = boot.t.to_numpy().ravel()
    n, exceeded = len(reference), int((reference >= test.statistic - TIE).sum())
    interval = binomial_interval(exceeded, n)
    notes = [
        f"PBtest is from {n:,} simulations, seed {boot.seed}; Monte Carlo interval (95 %) of its "
        f"p-value: {interval[0]:.3g} to {interval[1]:.3g}."
    ]
    notes += [f"{count:,} simulations failed: {reason}" for reason, count in boot.failures.items()]
    notes += interruption(boot.finished, boot.nsim, "simulations")
    p_value = (1 + exceeded) / (1 + n)
    return BootstrapTest(
        heading=("Parametric bootstrap likelihood ratio test", *model_lines(models)),
        table=rows_of_tests(test, reference, p_value),
        notes=tuple(notes),
        statistic=test.statistic,
        df=test.df,
        reference=reference,
        p_value=p_value,
        p_interval=interval,
        failures=boot.failures,
        seed=boot.seed,
    )


def likelihood_ratios(large: Fit, nulls: Iterator[Fit | Exception]) -> Iterator[Replicate]:
    """The statistics of the larger model, fitted to the responses of fits of the smaller one."""
    fits = list(nulls)
    responses = [fit if isinstance(fit, Exception) else fit.design.response for fit in fits]
    larger = fits_of(large, large.model, responses, start=large.restart, has_covariance=False)
    for null, full in zip(fits, larger, strict=True):
        yield replicate(partial(likelihood_ratio, full=full, large=large), null)


def likelihood_ratio(null: Fit, *, full: Fit | Exception, large: Fit) -> float:
    """The statistic of the larger model, whose fit to the response of ``null`` is ``full``.

    Raises
    ------
    EstimationError
        If the larger model cannot be fitted.
    """
    if isinstance(full, Exception):
        raise full
    if full.estimate.loglik < null.estimate.loglik - SHORTFALL:
        full = refitted(large, full.model, has_covariance=False)
    statistic = 2.0 * (full.estimate.loglik - null.estimate.loglik)
    if not statistic > -2.0 * SHORTFALL:
        raise EstimationError("the larger model was caught below the smaller one.")
    return max(statistic, 0.0)


def rows_of_tests(test: LikelihoodRatioTest, reference: FloatArray, p_value: float) -> pd.DataFrame:
    """Statistics with their p-values by the various null distributions."""
    rows = {
        "LRT": [test.statistic, test.df, test.p],
        "PBtest": [test.statistic, np.nan, p_value],
    }
    if test.relation.has_mixture:
        rows = {"LRT": rows["LRT"], "Mixture": [test.statistic, np.nan, test.p_mixture]} | rows
    if not test.relation.n_variances and len(reference) > 1 and reference.var() > 0.0:
        mean, variance = reference.mean(), reference.var(ddof=1)
        corrected = test.statistic * test.df / mean
        rows["Bartlett"] = [corrected, test.df, chi_square_tail(corrected, test.df)]
        by_gamma = gammaincc(mean**2 / variance, test.statistic * mean / variance)
        rows["Gamma"] = [test.statistic, np.nan, float(by_gamma)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["Chisq", "Df", P_NAIVE])
