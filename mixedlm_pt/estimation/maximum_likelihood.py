"""From a model to its estimates: start, optimise, settle the boundary, information, polish."""

from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.compile import Approximation
from mixedlm_pt.estimation.boundary import (
    free_parameters,
    settle_boundary,
    settle_limit,
    with_positive_diagonal,
)
from mixedlm_pt.estimation.centring import centred
from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.exact_fit import VANISHED
from mixedlm_pt.estimation.objective import Evaluation, Objective, ProfiledObjective
from mixedlm_pt.estimation.penalty import Penalty
from mixedlm_pt.estimation.polish import Curvature, polish
from mixedlm_pt.estimation.search import Progress, optimise, search_tol
from mixedlm_pt.estimation.start import Start, beside_zero, starting_values
from mixedlm_pt.linalg.threads import on_one_thread
from mixedlm_pt.model import GLMM


@dataclass(frozen=True, eq=False)
class Outcome:
    """How the optimisation ended.

    Attributes
    ----------
    optimizer : str
    message : str
        The optimiser's own words.
    gradient : array, shape (n_par,)
        Of the log-likelihood in (beta, theta, log phi), with the penalty where there is one; zero
        by symmetry on the boundary.
    decrement : float
        Gain in log-likelihood, or in the penalised one, that a Newton step still promises.
    n_evaluations : int
        Values with gradient that the optimiser asked for.
    n_hessian : int
        Gradients beside these for the curvature, each without a search for the mode, and values
        with gradient after the last Newton steps.
    n_newton : int
        Iterations of all inner Newton searches together.
    on_boundary : array of bool, shape (n_par,)
        Covariance parameters at zero, and a shape at its limit.
    has_information : bool
        Whether the observed information is positive definite in the other parameters.
    """

    optimizer: str
    message: str
    gradient: FloatArray
    decrement: float
    n_evaluations: int
    n_hessian: int
    n_newton: int
    on_boundary: BoolArray
    has_information: bool


@dataclass(frozen=True, eq=False)
class Estimate:
    """Maximum-likelihood estimates of one model, penalised or not.

    Attributes
    ----------
    beta, theta : arrays, shapes (p,), (n_theta,)
    phi : float
    u : array, shape (q,)
        Conditional mode of the spherical effects.
    loglik : float
        Without the penalty.
    covariance : array, shape (n_par, n_par)
        Inverse information of (beta, theta, log phi), the last where it is estimated; NaN in the
        rows of parameters on the boundary.
    covariance_rx : array, shape (p, p)
        Covariance of beta given the other parameters (lme4's ``use.hessian=FALSE``).
    outcome : Outcome
    restart : Start
        The estimates as starting values of a fit to similar data, in their own standard errors.
    loglik_se : float
        Monte-Carlo standard error of ``loglik``; 0 where the linear algebra is exact, see
        ``GlmerControl(structure=)``.
    log_prior : float
        The penalty; 0 without one.
    """

    beta: FloatArray
    theta: FloatArray
    phi: float
    u: FloatArray
    loglik: float
    covariance: FloatArray
    covariance_rx: FloatArray
    outcome: Outcome
    restart: Start
    loglik_se: float = 0.0
    log_prior: float = 0.0

    @property
    def value(self) -> float:
        """What was maximised: log-likelihood plus log prior."""
        return self.loglik + self.log_prior


# Where the criterion overflows it is not finite, and the optimiser rejects the step.
@on_one_thread
@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def fit_model(
    model: GLMM,
    approximation: Approximation,
    control: GlmerControl,
    *,
    start: FloatArray | Start | None = None,
    backend: str = "auto",
    progress: Progress | None = None,
    has_covariance: bool = True,
    penalty: Penalty | None = None,
) -> Estimate:
    """Maximise the approximate likelihood, or its product with a prior density.

    Parameters
    ----------
    model : GLMM
    approximation : Approximation
    control : GlmerControl
    start : array, shape (n_par,), or Start, optional
        beta, theta, log phi; NaN entries keep their default. Or the ``restart`` of an estimate,
        whose mode, scale and coordinates are used as well.
    backend : str
    progress : callable, optional
        Called with the number of evaluations and the criterion after each.
    has_covariance : bool
        Whether the information is computed; without it covariances are NaN, which saves half of
        a small fit.
    penalty : Penalty, optional
        Its log density is added to the log-likelihood: penalised maximum likelihood, the mode of
        the marginal posterior. Start, boundary and covariance are then those of the sum.

    Raises
    ------
    EstimationError
        If the criterion cannot be evaluated at the starting values.
    """
    kind = ProfiledObjective if approximation.nAGQ == 0 else Objective
    objective = kind(model, approximation, backend, penalty)
    # A restart comes with its own coordinates, which are good.
    centring = None if isinstance(start, Start) else centred(model)
    if centring is not None and not isinstance(start, Start):
        moved = centring.moved_penalty(penalty)
        eased = kind(centring.model, approximation, backend, moved)
        given = None if start is None else centring.there(start)
        best, _, _ = climb(eased, given, control, progress)
        start = centring.back(eased.full(best))
        objective.n_evaluations, objective.n_newton = eased.n_evaluations, eased.n_newton
        objective.n_nearby = eased.n_nearby
    search = replace(control, tol=search_tol(model, control)) if has_covariance else control
    best, initial, message = climb(objective, start, search, progress)
    n_evaluations = objective.n_evaluations
    best, is_limit = settle_limit(objective, best)
    curvature = Curvature(free_parameters(objective, best, is_limit))
    if message == VANISHED:
        # There is no maximum, and so no curvature there.
        curvature = Curvature(curvature.free, is_known=has_covariance)
    elif has_covariance:
        best, curvature = polish(objective, best, initial, control, is_limit)
    return summarise(objective, best, initial, curvature, control, message, n_evaluations)


def climb(
    objective: Objective,
    start: FloatArray | Start | None,
    control: GlmerControl,
    progress: Progress | None,
) -> tuple[Evaluation, Start, str]:
    """From the start to the optimum, its boundary settled; with the start and the last message."""
    if isinstance(start, Start):
        initial, is_scaled = start, True
        objective.beta, objective.u = initial.beta, initial.u
    else:
        initial = starting_values(objective, start, joint_mode=control.nAGQ0initStep)
        is_scaled = False
    best, message = optimise(
        objective, initial.par, initial, control, progress, is_scaled=is_scaled
    )
    best = settle_boundary(objective, with_positive_diagonal(objective, best), initial.scale)
    return best, initial, message


def summarise(
    objective: Objective,
    best: Evaluation,
    initial: Start,
    curvature: Curvature,
    control: GlmerControl,
    message: str,
    n_evaluations: int,
) -> Estimate:
    """Estimates with their covariance and the convergence measures."""
    n_hessian = objective.n_nearby + objective.n_evaluations - n_evaluations
    covariance = np.full((len(best.par), len(best.par)), np.nan)
    covariance_rx = np.full((objective.model.p,) * 2, np.nan)
    decrement, has_information = np.nan, False
    units, free = initial.scale.copy(), curvature.free
    if curvature.is_known:
        covariance_rx = objective.conditional_covariance(best)
    if curvature.root is not None:
        has_information, root = True, curvature.root[free]
        covariance[np.ix_(free, free)] = root @ root.T
        units[np.ix_(free, free)] = root
        projected = root.T @ best.gradient[free]
        decrement = 0.5 * float(projected @ projected)
    _, theta, log_phi = objective.split(best.par)
    return Estimate(
        beta=best.mode.beta,
        theta=theta,
        phi=float(np.exp(log_phi)),
        u=best.mode.u,
        loglik=best.loglik,
        covariance=objective.full_covariance(covariance, covariance_rx),
        covariance_rx=covariance_rx,
        outcome=Outcome(
            optimizer=control.optimizer,
            message=message,
            gradient=best.gradient,
            decrement=decrement,
            n_evaluations=n_evaluations,
            n_hessian=n_hessian,
            n_newton=objective.n_newton,
            on_boundary=~free,
            has_information=has_information,
        ),
        restart=beside_zero(Start(best.par, units, initial.bend, best.mode.beta, best.mode.u)),
        loglik_se=objective.loglik_se(best) if curvature.is_known else 0.0,
        log_prior=best.log_prior,
    )
