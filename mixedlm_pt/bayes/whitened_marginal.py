"""The marginal posterior in coordinates that the fit has whitened."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.whitening import slope_of_modes

# Newton decrement before whose last step the mode of the random effects is good enough: the error
# of the density is then far below what a sampler's step makes.
TOL = 1e-5


class NotEvaluableError(ArithmeticError):
    """Tells nutpie to end the trajectory here."""

    is_recoverable = True


@dataclass(frozen=True, eq=False)
class MarginalTarget:
    """The marginal posterior in z, where ``x = centre + scale z`` and z is about standard normal.

    Attributes
    ----------
    density : MarginalDensity
    """

    density: MarginalDensity

    @property
    def n(self) -> int:
        """Length of z."""
        return len(self.density.centre.x)

    def x(self, z: FloatArray) -> FloatArray:
        """Coordinates (..., n) of z (..., n)."""
        centre = self.density.centre
        return centre.x + z @ centre.scale.T

    @cached_property
    def slope(self) -> FloatArray:
        """Derivative of the modes of the random effects in z, shape (q, n)."""
        return slope_of_modes(self.density)

    def start(self, z: FloatArray) -> FloatArray:
        """About the modes of the random effects at z, shape (q,)."""
        start: FloatArray = self.density.centre.u + self.slope @ z
        return start

    def __call__(self, z: FloatArray) -> tuple[float, FloatArray]:
        """Log density of x and its gradient in z.

        Raises
        ------
        NotEvaluableError
            If the density cannot be evaluated.
        """
        density, objective, x = self.density, self.density.objective, self.x(z)
        beta, theta, log_phi = objective.split(density.parameters(x))
        M = objective.finder.scaled_design(theta)
        mode = objective.finder.find(beta, M, log_phi, self.start(z), tol=TOL)
        value, slopes = -np.inf, np.zeros(self.n)
        if mode.converged:
            value, slopes = objective.bound_criterion(beta, theta, np.asarray(log_phi), mode.u)
        log_prior, gradient = density.pullback(x, slopes)
        log_density = float(value) + log_prior
        if not (np.isfinite(log_density) and np.isfinite(gradient).all()):
            raise NotEvaluableError("the marginal likelihood cannot be evaluated here.")
        return log_density, density.centre.scale.T @ gradient

    def value(self, z: FloatArray) -> float:
        """Log density of x; minus infinity where it cannot be evaluated."""
        try:
            return self(z)[0]
        except NotEvaluableError:
            return -np.inf
