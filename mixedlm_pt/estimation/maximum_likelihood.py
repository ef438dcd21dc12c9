"""From a model to its estimates: start, optimise, settle the boundary, information, polish."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import scipy.linalg as sl

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.compile import Approximation
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation.centring import centred
from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.coordinates import Coordinates
from mixedlm_pt.estimation.hessian import information
from mixedlm_pt.estimation.objective import Evaluation, Objective, ProfiledObjective
from mixedlm_pt.estimation.optimizers import OPTIMIZERS
from mixedlm_pt.estimation.start import Start, beside_zero, starting_values
from mixedlm_pt.model import GLMM

# A standard deviation below this share of its own standard error at the start is tried at zero.
NEAR_ZERO = 0.1
# A variance component at zero may cost this much log-likelihood: rounding error, no more.
ZERO_COST = 1e-7
# A shape whose likelihood does not fall within this factor (its logarithm) is at its limit.
SHAPE_SHIFT = float(np.log(1e3))
# Negative curvature at a stationary point: leave it this often before giving up.
MAX_RESTARTS = 3

type Progress = Callable[[int, float], None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """How the optimisation ended.

    Attributes
    ----------
    optimizer : str
    message : str
        The optimiser's own words.
    gradient : array, shape (n_par,)
        Of the log-likelihood in (beta, theta, log phi); zero by symmetry on the boundary.
    decrement : float
        Gain in log-likelihood that a Newton step still promises.
    n_evaluations : int
        Values with gradient that the optimiser asked for.
    n_hessian : int
        Further ones for the information and the final Newton step.
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
    """Maximum-likelihood estimates of one model.

    Attributes
    ----------
    beta, theta : arrays, shapes (p,), (n_theta,)
    phi : float
    u : array, shape (q,)
        Conditional mode of the spherical effects.
    loglik : float
    covariance : array, shape (n_par, n_par)
        Inverse information of (beta, theta, log phi), the last where it is estimated; NaN in the
        rows of parameters on the boundary.
    covariance_rx : array, shape (p, p)
        Covariance of beta given the other parameters (lme4's ``use.hessian=FALSE``).
    outcome : Outcome
    restart : Start
        The estimates as starting values of a fit to similar data, in their own standard errors.
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


@dataclass(frozen=True, eq=False)
class Curvature:
    """The observed information at an optimum, as far as it is known.

    Attributes
    ----------
    free : array of bool, shape (n_par,)
        Parameters that are not on the boundary.
    scale : array, shape (n_par, n_free), optional
        Directions, about one standard error long.
    H : array, shape (n_free, n_free), optional
        Information in these directions.
    """

    free: BoolArray
    scale: FloatArray | None = None
    H: FloatArray | None = None


# Where the criterion overflows it is not finite, and the optimiser rejects the step.
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
) -> Estimate:
    """Maximise the approximate likelihood.

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
        Called with the number of evaluations and the log-likelihood after each.
    has_covariance : bool
        Whether the information is computed; without it covariances are NaN, which saves half of
        a small fit.

    Raises
    ------
    EstimationError
        If the criterion cannot be evaluated at the starting values.
    """
    kind = ProfiledObjective if approximation.nAGQ == 0 else Objective
    objective = kind(model, approximation, backend)
    # A restart comes with its own coordinates, which are good.
    centring = None if isinstance(start, Start) else centred(model)
    if centring is not None and not isinstance(start, Start):
        eased = kind(centring.model, approximation, backend)
        given = None if start is None else centring.there(start)
        best, _, _ = climb(eased, given, control, progress)
        start = centring.back(eased.full(best))
        objective.n_evaluations, objective.n_newton = eased.n_evaluations, eased.n_newton
    best, initial, message = climb(objective, start, control, progress)
    n_evaluations = objective.n_evaluations
    best, is_limit = settle_limit(objective, best)
    curvature = Curvature(free_parameters(objective, best, is_limit))
    if has_covariance:
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
        initial = start
        objective.beta, objective.u = initial.beta, initial.u
    else:
        initial = starting_values(objective, start, joint_mode=control.nAGQ0initStep)
    best, message = optimise(objective, initial.par, initial, control, progress)
    best = settle_boundary(objective, with_positive_diagonal(objective, best), initial.scale)
    return best, initial, message


def optimise(
    objective: Objective,
    par: FloatArray,
    initial: Start,
    control: GlmerControl,
    progress: Progress | None = None,
) -> tuple[Evaluation, str]:
    """Run the optimiser of ``control`` from ``par`` in coordinates scaled as at the start."""
    coordinates = Coordinates.at(par, initial)
    best: Evaluation | None = None

    def criterion(z: FloatArray) -> tuple[float, FloatArray]:
        nonlocal best
        evaluation = objective(coordinates.par(z))
        if best is None or evaluation.loglik > best.loglik:
            best = evaluation
        if progress is not None:
            progress(objective.n_evaluations, evaluation.loglik)
        return -evaluation.loglik, -coordinates.gradient(evaluation.par, evaluation.gradient)

    z = np.zeros(len(par))
    found = OPTIMIZERS[control.optimizer](criterion, z, control.tol, control.maxfun)
    if best is None or not np.isfinite(best.loglik):
        raise EstimationError(
            "the log-likelihood cannot be evaluated at the starting values; give start=, rescale "
            "the predictors or choose another link."
        )
    return best, found.message


def lambda_columns(objective: Objective) -> list[IntArray]:
    """Positions in par of every column of Lambda whose sign is free, its diagonal first."""
    model, offset = objective.model, objective.theta_slice.start
    parts = zip(model.covariances, model.term_widths, model.theta_slices, strict=True)
    return [offset + part.start + column for cov, k, part in parts for column in cov.columns(k)]


def with_positive_diagonal(objective: Objective, best: Evaluation) -> Evaluation:
    """The same covariance with every column of Lambda turned so that its diagonal is positive."""
    par = best.par.copy()
    for column in lambda_columns(objective):
        if par[column[0]] < 0.0:
            par[column] *= -1.0
    return best if np.array_equal(par, best.par) else objective(par)


def settle_boundary(objective: Objective, best: Evaluation, scale: FloatArray) -> Evaluation:
    """Put covariance parameters exactly at zero where that costs no log-likelihood.

    At zero the gradient vanishes by symmetry, so the test is the value itself.
    """
    size = np.sqrt((scale**2).sum(axis=1))
    for diagonal, *_ in lambda_columns(objective):
        if 0.0 < best.par[diagonal] < NEAR_ZERO * size[diagonal]:
            par = best.par.copy()
            par[diagonal] = 0.0
            at_zero = objective(par)
            if at_zero.loglik >= best.loglik - ZERO_COST:
                best = at_zero
    return best


def settle_limit(objective: Objective, best: Evaluation) -> tuple[Evaluation, bool]:
    """Whether a shape runs to infinity or zero, and then an evaluation further on.

    Counts that are not overdispersed want a negative binomial with an infinite theta, a Poisson.
    """
    family = objective.model.family
    if not family.estimates_phi or family.phi_scales_variance:
        return best, False
    for shift in (SHAPE_SHIFT, -SHAPE_SHIFT):
        par = best.par.copy()
        par[-1] += shift
        beyond = objective(par)
        if beyond.loglik >= best.loglik - ZERO_COST:
            return beyond, True
    return best, False


def polish(
    objective: Objective,
    best: Evaluation,
    initial: Start,
    control: GlmerControl,
    is_limit: bool,
) -> tuple[Evaluation, Curvature]:
    """Newton step with the exact information; leave a saddle point along its negative curvature."""
    for _ in range(MAX_RESTARTS):
        free = free_parameters(objective, best, is_limit)
        scale = tempered(objective, best, initial.scale)[:, free]
        H = information(objective, best.par, scale)
        if not np.isfinite(H).all():
            break
        values, vectors = np.linalg.eigh(H)
        if values.min(initial=np.inf) > 0.0:
            step = vectors @ ((vectors.T @ (scale.T @ best.gradient)) / values)
            moved = objective(best.par + scale @ step)
            if moved.loglik >= best.loglik - ZERO_COST:
                best = moved
            break
        direction = scale @ vectors[:, 0]
        sides = (objective(best.par + sign * direction) for sign in (1.0, -1.0))
        left = max(sides, key=attrgetter("loglik"))
        if left.loglik <= best.loglik:
            break
        best, _ = optimise(objective, left.par, initial, control)
        best = with_positive_diagonal(objective, best)
    return best, Curvature(free, scale, H)


def is_definite(H: FloatArray) -> bool:
    """Whether a symmetric matrix is finite and positive definite."""
    return bool(np.isfinite(H).all() and np.linalg.eigvalsh(H).min(initial=np.inf) > 0.0)


def free_parameters(objective: Objective, best: Evaluation, is_limit: bool) -> BoolArray:
    """The parameters that are not on the boundary, shape (n_par,)."""
    free = np.ones(len(best.par), np.bool_)
    free[[i for i, *_ in lambda_columns(objective) if best.par[i] == 0.0]] = False
    free[-1:] &= not is_limit
    return free


def tempered(objective: Objective, best: Evaluation, scale: FloatArray) -> FloatArray:
    """Directions shortened to what the linear predictor spans at the optimum.

    Under separation the standard error at the start is thousands of times that; a difference
    quotient over such a step says nothing about the curvature.
    """
    if objective.moves_beta or not objective.model.p:
        return scale
    X, p = objective.finder.X, objective.model.p
    span = 1.0 + np.abs(X @ best.mode.beta).max()
    reach = np.abs(X @ scale[:p]).max(axis=0)
    shortened: FloatArray = scale / np.maximum(reach / span, 1.0)
    return shortened


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
    n_hessian = objective.n_evaluations - n_evaluations
    covariance = np.full((len(best.par), len(best.par)), np.nan)
    covariance_rx = np.full((objective.model.p,) * 2, np.nan)
    decrement, has_information = np.nan, False
    units, free, scale, H = initial.scale.copy(), curvature.free, curvature.scale, curvature.H
    if H is not None:
        covariance_rx = objective.conditional_covariance(best)
    if scale is not None and H is not None and is_definite(H):
        has_information = True
        root = scale[free] @ sl.inv(sl.cholesky(H, lower=True)).T
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
    )
