"""The likelihood ratio of two nested fits and its null distributions."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.special import binom, chdtrc

from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.nesting import Nesting, nesting_of_models

P_NAIVE, P_MIXTURE = "Pr(>Chisq)", "Pr(>Chibarsq)"
# A larger model with a log-likelihood that is lower by more has not reached its maximum.
SHORTFALL = 1e-4


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """A likelihood ratio test.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods.
    df : int
        Parameters that the larger model adds.
    relation : Nesting
    has_singular_null : bool
        Whether the smaller fit itself has a variance of zero.
    """

    statistic: float
    df: int
    relation: Nesting
    has_singular_null: bool

    @property
    def p(self) -> float:
        """The p-value by the chi-square distribution, too large where variances are added."""
        return chi_square_tail(self.statistic, self.df)

    @property
    def p_mixture(self) -> float:
        """The p-value by the mixture for variances on the boundary; NaN where none is known."""
        if not self.relation.has_mixture:
            return np.nan
        return sum(w * chi_square_tail(self.statistic, df) for w, df in self.mixture)

    @property
    def mixture(self) -> list[tuple[float, int]]:
        """Weights of chi-squares with their df: each variance is zero with probability 1/2."""
        m = self.relation.n_variances
        weights = binom(m, np.arange(m + 1)) / 2.0**m
        return [(float(w), self.df - m + j) for j, w in enumerate(weights)]

    def remarks(self) -> list[str]:
        """What the reader of the p-values has to know."""
        m, remarks = self.relation.n_variances, []
        if self.relation.has_mixture:
            mixture = " + ".join(f"{Fraction(w)} chi-square({df})" for w, df in self.mixture)
            text = (
                f"{m} variances added are" if m > 1 else "the variance added is"
            ) + f" on the boundary under the null; {P_MIXTURE} is from {mixture}"
            condition = ", as if their estimates were independent; pb_lrt() simulates"
            remarks.append(text + (condition if m > 1 else "") + ".")
        elif m:
            remarks.append(
                f"{m} variances are on the boundary under the null, so {P_NAIVE} is too large "
                "(conservative); pb_lrt() simulates an exact one."
            )
        if self.has_singular_null:
            remarks.append(
                "the smaller model is singular, where the chi-square distribution of the statistic "
                "is doubtful; pb_lrt() simulates."
            )
        if self.statistic < -2.0 * SHORTFALL:
            remarks.append(
                f"the log-likelihood of the larger model is {-0.5 * self.statistic:.3g} lower than "
                "that of the smaller one, so it has not reached its maximum; see checkConv()."
            )
        return remarks


def likelihood_ratio_test(small: Fit, large: Fit) -> LikelihoodRatioTest:
    """The test of a fit within a larger one, which has at least as many parameters."""
    return LikelihoodRatioTest(
        statistic=2.0 * (large.estimate.loglik - small.estimate.loglik),
        df=large.n_par - small.n_par,
        relation=nesting_of_models(small.model, large.model),
        has_singular_null=bool(small.boundary_theta.any()),
    )


def chi_square_tail(statistic: float, df: int) -> float:
    """``P(chi2_df > statistic)``; with df = 0 a point mass at zero."""
    if df == 0:
        return float(statistic <= 0.0)
    return float(chdtrc(df, max(statistic, 0.0)))
