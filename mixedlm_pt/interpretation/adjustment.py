"""P-values and limits of several estimates together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from scipy.special import ndtr, ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.limits import normal_quantile, two_sided_p

# Genz's quasi-Monte-Carlo: absolute error of a joint probability, and the points it may take.
MVT_TOL = 1e-5
MVT_POINTS = 50_000
# The same points at every call, so that limits are a smooth function to solve for.
MVT_SEED = 1


@dataclass(frozen=True, eq=False)
class FamilyOfTests:
    """Standard normal statistics that are judged together.

    Attributes
    ----------
    z : array, shape (m,)
    correlation : array, shape (m, m)
    n_means : int
        Number of means that all pairwise differences compare; 0 for other contrasts.
    """

    z: FloatArray
    correlation: FloatArray
    n_means: int

    @property
    def m(self) -> int:
        """Number of tests; those that are not estimable do not count."""
        return int(np.isfinite(self.z).sum())


@dataclass(frozen=True)
class Adjustment:
    """How p-values and the half width of limits are corrected.

    Attributes
    ----------
    name : str
        As it is printed.
    p_values : callable
        Family to its adjusted p-values, shape (m,).
    quantile : callable
        Family and level to the number of standard errors that limits are wide.
    """

    name: str
    p_values: Callable[[FamilyOfTests], FloatArray]
    quantile: Callable[[FamilyOfTests, float], float]


def plain_p(tests: FamilyOfTests) -> FloatArray:
    """P-values of single tests."""
    return two_sided_p(tests.z)


def plain_quantile(tests: FamilyOfTests, level: float) -> float:
    """Half width of single limits in standard errors."""
    return normal_quantile(level)


def bonferroni_p(tests: FamilyOfTests) -> FloatArray:
    """P-values times the number of tests."""
    return np.minimum(tests.m * plain_p(tests), 1.0)


def bonferroni_quantile(tests: FamilyOfTests, level: float) -> float:
    """Limits whose error rates add up to that of the family."""
    return float(-ndtri(0.5 * (1.0 - level) / max(tests.m, 1)))


def sidak_p(tests: FamilyOfTests) -> FloatArray:
    """Exact for independent tests."""
    # log1p and expm1: 1 - p rounds to one for small p.
    p: FloatArray = -np.expm1(tests.m * np.log1p(-np.minimum(plain_p(tests), 1.0 - 1e-16)))
    return p


def sidak_quantile(tests: FamilyOfTests, level: float) -> float:
    """Limits that are joint for independent estimates."""
    return float(-ndtri(-0.5 * np.expm1(np.log(level) / max(tests.m, 1))))


def tukey_p(tests: FamilyOfTests) -> FloatArray:
    """From the studentized range; exact for independent means of equal variance."""
    from scipy.stats import studentized_range

    p = studentized_range.sf(np.sqrt(2.0) * np.abs(tests.z), tests.n_means, np.inf)
    return within_bounds(tests, p)


def tukey_quantile(tests: FamilyOfTests, level: float) -> float:
    """Limits from the studentized range."""
    from scipy.stats import studentized_range

    range_quantile = float(studentized_range.ppf(level, tests.n_means, np.inf))
    return range_quantile / float(np.sqrt(2.0))


def holm_p(tests: FamilyOfTests) -> FloatArray:
    """Holm (1979), Scand. J. Stat. 6, 65-70."""
    return stepwise(tests, lambda p, m: np.maximum.accumulate((m - np.arange(m)) * p))


def fdr_p(tests: FamilyOfTests) -> FloatArray:
    """Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300."""

    def from_largest(p: FloatArray, m: int) -> FloatArray:
        steps: FloatArray = np.minimum.accumulate((m / np.arange(1, m + 1) * p)[::-1])[::-1]
        return steps

    return stepwise(tests, from_largest)


def stepwise(tests: FamilyOfTests, adjusted: Callable[[FloatArray, int], FloatArray]) -> FloatArray:
    """Apply a rule to the p-values in increasing order; NaN stays NaN."""
    p = plain_p(tests)
    order = np.argsort(p, kind="stable")[: tests.m]
    p[order] = np.minimum(adjusted(p[order], tests.m), 1.0)
    return p


def mvt_p(tests: FamilyOfTests) -> FloatArray:
    """``P(max |Z| > |z|)`` with the estimates' own correlation."""
    p = np.array([1.0 - probability_within(tests, abs(z)) for z in tests.z])
    # Boole's inequality is sharper than an integral where p is near its absolute error.
    return within_bounds(tests, p)


def within_bounds(tests: FamilyOfTests, p: FloatArray) -> FloatArray:
    """Joint p-values no smaller than single ones and no larger than Bonferroni's."""
    return np.maximum(np.minimum(p, bonferroni_p(tests)), plain_p(tests))


def mvt_quantile(tests: FamilyOfTests, level: float) -> float:
    """The c for which all estimates are within c standard errors with probability ``level``."""
    low, high = plain_quantile(tests, level), bonferroni_quantile(tests, level)
    if tests.m < 2 or probability_within(tests, low) >= level:
        return low
    # An attribute of the package, not an import: SciPy then loads it at first use.
    solve: Any = scipy.optimize.brentq
    return float(solve(lambda c: probability_within(tests, c) - level, low, high, xtol=1e-6))


def probability_within(tests: FamilyOfTests, c: float) -> float:
    """``P(all |Z| <= c)`` for normal Z with the correlation of the tests."""
    if not np.isfinite(c):
        return np.nan
    from scipy.stats import multivariate_normal

    known = np.isfinite(tests.z)
    R = tests.correlation[np.ix_(known, known)]
    if len(R) == 1:
        return float(1.0 - 2.0 * ndtr(-c))
    limit = np.full(len(R), c)
    probability = multivariate_normal.cdf(
        limit,
        np.zeros(len(R)),
        R,
        allow_singular=True,
        maxpts=MVT_POINTS,
        abseps=MVT_TOL,
        releps=0.0,
        lower_limit=-limit,
        rng=np.random.default_rng(MVT_SEED),
    )
    return float(probability)


ADJUSTMENTS = {
    "none": Adjustment("none", plain_p, plain_quantile),
    "tukey": Adjustment("Tukey", tukey_p, tukey_quantile),
    "sidak": Adjustment("Sidak", sidak_p, sidak_quantile),
    "bonferroni": Adjustment("Bonferroni", bonferroni_p, bonferroni_quantile),
    # Stepwise methods have no limits of their own; emmeans, too, gives Bonferroni's.
    "holm": Adjustment("Holm", holm_p, bonferroni_quantile),
    "fdr": Adjustment("false discovery rate", fdr_p, bonferroni_quantile),
    "mvt": Adjustment("multivariate normal", mvt_p, mvt_quantile),
}


def chosen_adjustment(name: str) -> Adjustment:
    """An adjustment by name.

    Raises
    ------
    ArgumentError
        For a name that is not in ``ADJUSTMENTS``.
    """
    one_of("adjust", name, ADJUSTMENTS)
    return ADJUSTMENTS[name]
