"""A Student t that fits a nearly normal density, to draw from and weigh the draws."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from scipy.special import gammaln

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.diagnostics.pareto_smoothing import pareto_smoothed

# Degrees of freedom: tails heavier than those of posteriors of log standard deviations.
PILOT_DF, DF = 4.0, 8.0
# Rounds of draws that place and scale the proposal, and draws of each for every coordinate.
ROUNDS, PILOT, PILOT_EACH = 2, 150, 25
# Effective draws for every coordinate from which a covariance is believed.
ENOUGH = 5


@dataclass(frozen=True, eq=False)
class Proposal:
    """A multivariate Student t.

    Attributes
    ----------
    mean : array, shape (n,)
    factor : array, shape (n, n)
        Lower triangular; ``factor factor'`` is the scale matrix.
    df : float
    """

    mean: FloatArray
    factor: FloatArray
    df: float

    def draw(self, m: int, rng: np.random.Generator) -> FloatArray:
        """m draws, shape (m, n)."""
        normal = rng.standard_normal((m, len(self.mean)))
        scale = np.sqrt(self.df / rng.chisquare(self.df, m))
        draws: FloatArray = self.mean + scale[:, None] * (normal @ self.factor.T)
        return draws

    def log_density(self, z: FloatArray) -> FloatArray:
        """Log density (m,) at z (m, n)."""
        n, df = len(self.mean), self.df
        standard = sl.solve_triangular(self.factor, (z - self.mean).T, lower=True)
        form = np.log1p((standard**2).sum(axis=0) / df)
        constant = gammaln(0.5 * (df + n)) - gammaln(0.5 * df) - 0.5 * n * np.log(df * np.pi)
        logdet = np.log(np.diag(self.factor)).sum()
        density: FloatArray = constant - logdet - 0.5 * (df + n) * form
        return density


def adapted_proposal(
    log_density: Callable[[FloatArray], float], n: int, rng: np.random.Generator
) -> Proposal:
    """The proposal with the mean and covariance of a density, found by weighted pilot draws.

    Parameters
    ----------
    log_density : callable
        ``z (n,) -> log density``, about standard normal.
    n : int
    rng : numpy.random.Generator
    """
    proposal, m = Proposal(np.zeros(n), np.eye(n), PILOT_DF), PILOT + PILOT_EACH * n
    for _ in range(ROUNDS):
        z = proposal.draw(m, rng)
        values = np.array([log_density(point) for point in z])
        smoothed, _ = pareto_smoothed((values - proposal.log_density(z))[:, None])
        weight = np.exp(smoothed[:, 0])
        weight /= weight.sum()
        if 1.0 / (weight**2).sum() < ENOUGH * n:
            break
        mean = weight @ z
        covariance = (z - mean).T @ (weight[:, None] * (z - mean))
        proposal = Proposal(mean, np.linalg.cholesky(covariance), DF)
    return proposal
