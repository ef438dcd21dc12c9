"""Mode of the marginal posterior: the likelihood that ML maximises, times the prior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad

from mixedlm_pt._typing import FloatArray, Vector
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.bayes.pymc_model import PosteriorModel, build_pymc, join
from mixedlm_pt.bayes.sampling import starting_values
from mixedlm_pt.compile.backends import NUMPY
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation import Objective, quasi_newton
from mixedlm_pt.fit import Fit

if TYPE_CHECKING:
    import pymc as pm

# Gain in log density at which the search stops; the error of an estimate is then of order 1e-5
# standard errors.
TOL = 1e-11
MAXFUN = 500


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Functions of the vector x of PyMC's unconstrained values (without u).

    x only guides the search: no Jacobian enters the density, which is that of beta, the standard
    deviations, the correlations and the dispersion on their own scales.

    Attributes
    ----------
    start : array, shape (n_x,)
        The maximum-likelihood fit.
    parameters : callable
        ``x -> (beta, theta, log phi)`` as one vector.
    log_prior : callable
        ``(x, g) -> (log prior, its gradient plus that of g'(beta, theta, log phi))``.
    """

    start: FloatArray
    parameters: pytensor.compile.Function
    log_prior: pytensor.compile.Function

    @classmethod
    def of(cls, fit: Fit, posterior: PosteriorModel) -> Coordinates:
        """Compile, in NumPy thunks."""
        model, graph = posterior.pymc, posterior.graph
        effects = {f"u_{factor.name}" for factor in fit.design.factors}
        variables = [rv for rv in model.free_RVs if rv.name not in effects]
        values = [model.rvs_to_values[rv] for rv in variables]
        parts = [graph.beta, *([graph.theta] if fit.model.n_theta else [])]
        if fit.family.estimates_phi:
            parts.append(graph.log_phi.reshape((1,)))
        parameters, log_prior = model.replace_rvs_by_values([join(parts), posterior.log_prior])
        g = pt.dvector("g")
        gradients = grad(log_prior + (g * parameters).sum(), values, disconnected_inputs="ignore")
        given = starting_values(fit, posterior)
        start = [start_of(model, rv, given[rv.name]) for rv in variables]
        ends = np.cumsum([0, *(value.size for value in start)])
        x: Vector = pt.dvector("x")
        pieces = {
            value: x[a:b].reshape(point.shape)
            for value, point, a, b in zip(values, start, ends, ends[1:], strict=False)
        }
        arguments = {"mode": NUMPY, "givens": pieces, "on_unused_input": "ignore"}
        gradient = join([part.reshape((-1,)) for part in gradients])
        return cls(
            np.concatenate([value.reshape(-1) for value in start]),
            pytensor.function([x], parameters, **arguments),
            pytensor.function([x, g], [log_prior, gradient], **arguments),
        )

    def jacobian(self, x: FloatArray) -> FloatArray:
        """``d (beta, theta, log phi) / dx``, shape (n_par, n_x)."""
        units = np.eye(len(self.parameters(x)))
        base = self.log_prior(x, np.zeros(len(units)))[1]
        return np.array([self.log_prior(x, unit)[1] - base for unit in units])


def start_of(model: pm.Model, rv: Vector, value: FloatArray | float) -> FloatArray:
    """A value of a random variable on PyMC's unconstrained scale."""
    transform = model.rvs_to_transforms[rv]
    if transform is None:
        return np.asarray(value, np.float64)
    forward = transform.forward(pt.as_tensor_variable(value), *rv.owner.inputs)
    return np.asarray(forward.eval(mode=NUMPY), np.float64)


def penalized_fit(fit: Fit, priors: Priors) -> Fit:
    """The fit with its estimates moved to the mode of the marginal posterior.

    Maximises ``log-likelihood + log prior`` over beta, standard deviations, correlations and
    dispersion: the density of these very quantities, so flat priors give the ML estimates. The
    log-likelihood is the fit's own, with the random effects integrated out by Laplace or
    quadrature.

    Raises
    ------
    EstimationError
        If the search fails.
    """
    posterior = build_pymc(fit.model, priors)
    coordinates = Coordinates.of(fit, posterior)
    # nAGQ = 0 maximises over beta together with u; the marginal likelihood next to it is Laplace's.
    approximation = replace(fit.approximation, nAGQ=max(fit.approximation.nAGQ, 1))
    objective = Objective(fit.model, approximation, fit.backend)
    objective.u = fit.u
    scale = scale_of(fit, coordinates)
    best, best_value = None, np.inf

    def criterion(z: FloatArray) -> tuple[float, FloatArray]:
        nonlocal best, best_value
        x = coordinates.start + scale @ z
        evaluation = objective(coordinates.parameters(x))
        log_prior, gradient = coordinates.log_prior(x, evaluation.gradient)
        value = -(evaluation.loglik + float(log_prior))
        if value < best_value:
            best, best_value = evaluation, value
        return value, -(scale.T @ gradient)

    z = np.zeros(len(coordinates.start))
    quasi_newton(criterion, z, TOL, MAXFUN)
    if best is None:
        raise EstimationError("the posterior density cannot be evaluated at the ML estimates.")
    beta, theta, log_phi = objective.split(best.par)
    estimate = replace(
        fit.estimate, beta=beta, theta=theta, phi=float(np.exp(log_phi)), u=best.mode.u
    )
    return fit.replace(estimate=estimate)


def scale_of(fit: Fit, coordinates: Coordinates) -> FloatArray:
    """Directions about one standard error long, shape (n_x, n_x); units where there is none."""
    covariance, J = fit.estimate.covariance, coordinates.jacobian(coordinates.start)
    if not np.isfinite(covariance).all():
        return np.eye(J.shape[1])
    return np.linalg.solve(J, np.linalg.cholesky(covariance))
