"""What penalised maximum likelihood adds to the log-likelihood: the log density of a prior."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.model import GLMM

# Relative length of a difference: its truncation and its rounding error are about 1e-10.
STEP = 1e-5


class Penalty:
    """Log prior density of (beta, theta, log phi), a vector ``par`` of shape (n_par,).

    It is the density of coefficients, standard deviations, correlations and dispersion on their own
    scales, here a function of ``par`` without the Jacobian of any transformation: flat priors leave
    the maximum-likelihood estimates where they are. Estimation knows no more of priors than this.

    Attributes
    ----------
    priors : object
        What the density was made from.
    """

    priors: Any

    def value_and_gradient(self, par: FloatArray) -> tuple[float, FloatArray]:
        """Log density and its gradient (n_par,); minus infinity off the support.

        Where a standard deviation is zero, the boundary, the gradient there is zero by convention.
        """
        raise NotImplementedError

    def of_beta(self, beta: FloatArray) -> tuple[float, FloatArray]:
        """The part of the log density that depends on beta, and its gradient (p,)."""
        raise NotImplementedError

    def beta_information(self, beta: FloatArray) -> FloatArray:
        """Negative Hessian of that part, shape (p, p)."""
        raise NotImplementedError

    def in_words(self, model: GLMM) -> str:
        """Which parameters have which prior."""
        raise NotImplementedError

    def holds(self, directions: FloatArray) -> BoolArray:
        """Whether the density falls to zero far out along directions of beta (p, m), shape (m,)."""
        raise NotImplementedError

    def holds_sds(self, factor: int) -> bool:
        """Whether it does for large standard deviations of a grouping factor."""
        raise NotImplementedError

    def of_intercept(self) -> "Penalty":
        """The penalty of the model with the same random effects and only an intercept."""
        raise NotImplementedError


type Information = FloatArray | float


@dataclass(frozen=True, eq=False)
class BetaPrior:
    """What a Newton step needs of the log prior of beta: value, gradient (p,), information (p, p).

    Where the density is not log-concave, as far out in Student's t, the information is its positive
    part, with which a step still ascends.
    """

    value: float
    gradient: Information
    information: Information

    @classmethod
    def at(cls, beta: FloatArray, penalty: Penalty | None) -> "BetaPrior":
        """The prior at one point; zeros without one."""
        if penalty is None:
            return NO_PRIOR
        information = penalty.beta_information(beta)
        if np.isfinite(information).all():
            values, vectors = np.linalg.eigh(information)
            information = (vectors * np.maximum(values, 0.0)) @ vectors.T
        return cls(*penalty.of_beta(beta), information)


NO_PRIOR = BetaPrior(0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class MovedPenalty(Penalty):
    """The penalty as a function of the parameters of an equivalent model, such as a centred one.

    Attributes
    ----------
    penalty : Penalty
    back : callable
        From (beta, theta, log phi) of the equivalent model to those of the original one; it leaves
        beta and log phi as they are.
    theta : slice
        Where theta stands.
    """

    penalty: Penalty
    back: Callable[[FloatArray], FloatArray]
    theta: slice

    @property
    def priors(self) -> Any:
        """What the density was made from."""
        return self.penalty.priors

    def value_and_gradient(self, par: FloatArray) -> tuple[float, FloatArray]:
        """As there; differences in theta, because ``back`` is a numerical factorisation."""
        if not np.isfinite(par).all():
            return -np.inf, np.full(len(par), np.nan)
        value, gradient = self.penalty.value_and_gradient(self.back(par))
        theta = par[self.theta]
        h = STEP * float(np.abs(theta).max(initial=0.0))
        for j in range(self.theta.start, self.theta.stop):
            ahead, behind = par.copy(), par.copy()
            ahead[j] += h
            behind[j] -= h
            change = self.value(ahead) - self.value(behind)
            gradient[j] = change / (2.0 * h) if h else 0.0
        return value, gradient

    def value(self, par: FloatArray) -> float:
        """The log density alone."""
        return self.penalty.value_and_gradient(self.back(par))[0]

    def of_beta(self, beta: FloatArray) -> tuple[float, FloatArray]:
        return self.penalty.of_beta(beta)

    def beta_information(self, beta: FloatArray) -> FloatArray:
        return self.penalty.beta_information(beta)
