"""A point of a profile likelihood, with what is known there about the curvature."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.estimation.optimizers import inverse_root


@dataclass(frozen=True, eq=False)
class Point:
    """Maximum of the likelihood where one coordinate is held fixed.

    Attributes
    ----------
    index : int
        Position of that coordinate.
    z : array, shape (m,)
        All coordinates in units of their standard errors, zero at the estimate.
    loglik : float
        Plus the log prior of a penalised fit.
    gradient : array, shape (m,)
        Of the log-likelihood in z.
    B : array, shape (m, m)
        Information in z as far as the searches have seen it.
    par : array, shape (n_par,)
        (beta, theta, log phi) of the equivalent model.
    zeta : float
        Signed root of twice the log-likelihood lost.
    """

    index: int
    z: FloatArray
    loglik: float
    gradient: FloatArray
    B: FloatArray
    par: FloatArray
    zeta: float = 0.0

    @property
    def coordinate(self) -> float:
        """The coordinate held fixed."""
        return float(self.z[self.index])

    @cached_property
    def response(self) -> tuple[FloatArray, FloatArray]:
        """Newton step of the other coordinates, and their move with that held fixed; (m - 1,)."""
        i = self.index
        B = np.delete(self.B, i, axis=0)
        right = np.stack([np.delete(self.gradient, i), -B[:, i]], axis=1)
        newton, move = np.linalg.solve(np.delete(B, i, axis=1), right).T
        return newton, move

    @property
    def decrement(self) -> float:
        """Gain in log-likelihood that the other coordinates still promise."""
        return 0.5 * float(np.delete(self.gradient, self.index) @ self.response[0])

    @property
    def slope(self) -> float:
        """Derivative of the profile log-likelihood in z (the Lagrange multiplier)."""
        rest = np.delete(self.gradient, self.index)
        return float(self.gradient[self.index] + rest @ self.response[1])

    @property
    def zeta_slope(self) -> float:
        """Derivative of zeta in z; at the estimate from the information."""
        if self.zeta != 0.0:
            return -self.slope / self.zeta
        i = self.index
        rest = np.delete(self.B[i], i)
        return float(np.sqrt(max(self.B[i, i] + rest @ self.response[1], 0.0)))


def curvature_after(B: FloatArray, moved: FloatArray, change: FloatArray) -> FloatArray:
    """The information after a step (BFGS); unchanged where the curvature is not positive.

    In all coordinates, that held fixed among them: steps along the profile tell how the others
    respond to it.
    """
    curvature = float(moved @ change)
    size = float(np.linalg.norm(moved) * np.linalg.norm(change))
    if curvature <= 1e-8 * size or size == 0.0:
        return B
    along = B @ moved
    updated: FloatArray = (
        B - np.outer(along, along) / float(moved @ along) + np.outer(change, change) / curvature
    )
    # Where a coefficient runs off to infinity, rounding may leave it singular.
    return B if inverse_root(updated) is None else updated
