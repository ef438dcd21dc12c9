"""The posterior of the parameters with the random effects integrated out as in a fit."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
import scipy.linalg as sl
from pytensor.gradient import grad

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.coordinates import Coordinates
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.bayes.pymc_model import join
from mixedlm_pt.compile import Approximation, Function
from mixedlm_pt.compile.backends import numpy_function
from mixedlm_pt.estimation import Objective, quasi_newton
from mixedlm_pt.fit import Fit

# Gain in log density at which the search for the mode stops: it only centres a sampler.
TOL = 1e-4
MAXFUN = 200
# Length of a difference of gradients, in the units of the search, and least curvature believed
# in: a direction that the data and the prior leave flatter is as wide as this makes it.
STEP = 1e-3
FLATTEST = 1e-2
# Searches, each in the units of the one before, until none is flat.
ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Centre:
    """Where the marginal posterior is and how wide.

    Attributes
    ----------
    x : array, shape (n_x,)
        Mode of the density of the coordinates.
    scale : array, shape (n_x, n_x)
        Lower triangular factor of the inverse of the information there.
    u : array, shape (q,)
        Mode of the random effects there.
    """

    x: FloatArray
    scale: FloatArray
    u: FloatArray


class MarginalDensity:
    """Log posterior density of the coordinates x, and its gradient.

    Parameters
    ----------
    fit : Fit
        Where searches start.
    priors : Priors
    approximation : Approximation, optional
        How the random effects are integrated out; as in the fit (Laplace for nAGQ = 0).

    Attributes
    ----------
    objective : Objective
        The log-likelihood; remembers the last mode of the random effects.
    """

    def __init__(
        self, fit: Fit, priors: Priors, approximation: Approximation | None = None
    ) -> None:
        if approximation is None:
            approximation = replace(fit.approximation, nAGQ=max(fit.approximation.nAGQ, 1))
        self.fit, self.coordinates = fit, Coordinates.of(fit.model, priors)
        self.objective = Objective(fit.model, approximation, fit.backend)
        self.objective.u = fit.u.copy()

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Log density and gradient (n_x,) at x; minus infinity where it cannot be evaluated."""
        evaluation = self.objective(self.parameters(x))
        log_prior, gradient = self.pullback(x, evaluation.gradient)
        return evaluation.loglik + log_prior, gradient

    def parameters(self, x: FloatArray) -> FloatArray:
        """(beta, theta, log phi) at x, the vector that `Objective` takes."""
        parameters: FloatArray = self.functions[0](x)[0]
        return parameters

    def log_prior(self, x: FloatArray) -> float:
        """Log prior density of the coordinates."""
        return float(self.functions[1](x)[0])

    def pullback(self, x: FloatArray, g: FloatArray) -> tuple[float, FloatArray]:
        """Log prior of x, and its gradient plus that of ``g'(beta, theta, log phi)``."""
        log_prior, gradient = self.functions[2](x, g)
        return float(log_prior), gradient

    @cached_property
    def functions(self) -> tuple[Function, Function, Function]:
        """What `parameters`, `log_prior` and `pullback` compute."""
        c, g = self.coordinates, pt.dvector("g")
        log_prior = c.log_prior + c.log_jacobian
        gradient = grad(log_prior + (g * self.vector).sum(), c.x)
        return (
            numpy_function([c.x], [self.vector]),
            numpy_function([c.x], [log_prior]),
            numpy_function([c.x, g], [log_prior, gradient]),
        )

    @cached_property
    def vector(self) -> pt.TensorVariable:
        """(beta, theta, log phi) as an expression of x."""
        c, parts = self.coordinates, [self.coordinates.beta]
        if c.model.n_theta:
            parts.append(c.theta)
        if c.dispersion is not None:
            parts.append(c.log_phi.reshape((1,)))
        return join(parts)

    @cached_property
    def centre(self) -> Centre:
        """Mode and width, found from the fit."""
        x, scale = self.coordinates.start(self.fit), self.first_scale()
        for _ in range(ROUNDS):
            x, scale, is_curved = self.improved(x, scale)
            if is_curved:
                break
        self(x)
        return Centre(x, scale, self.objective.u.copy())

    def improved(self, x: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
        """Mode and width by a search along ``scale``, and whether it was curved in all of them."""

        def criterion(z: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self(x + scale @ z)
            return -value, -(scale.T @ gradient)

        z = quasi_newton(criterion, np.zeros(len(x)), TOL, MAXFUN).z
        steps = STEP * np.eye(len(x))
        H = np.array([criterion(z + h)[1] - criterion(z - h)[1] for h in steps]) / (2.0 * STEP)
        values, vectors = np.linalg.eigh(0.5 * (H + H.T))
        width = scale @ (vectors / np.sqrt(np.maximum(values, FLATTEST)))
        factor = sl.cholesky(width @ width.T, lower=True)
        return x + scale @ z, factor, bool((values > FLATTEST).all())

    def first_scale(self) -> FloatArray:
        """Directions about one standard error of the fit long, shape (n_x, n_x)."""
        x, covariance = self.coordinates.start(self.fit), self.fit.estimate.covariance
        units = np.eye(len(self.parameters(x)))
        base = self.pullback(x, np.zeros(len(units)))[1]
        J = np.array([self.pullback(x, unit)[1] - base for unit in units])
        is_regular = np.isfinite(covariance).all() and np.linalg.cond(J) < 1e8
        return np.linalg.solve(J, np.linalg.cholesky(covariance)) if is_regular else np.eye(len(x))
