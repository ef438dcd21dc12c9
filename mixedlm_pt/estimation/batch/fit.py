"""Maximum-likelihood estimates for many responses of one model, found together."""

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.compile import Approximation
from mixedlm_pt.estimation.batch.covariance import Information, conditional_covariances, polished
from mixedlm_pt.estimation.batch.objective import BatchedObjective, Points
from mixedlm_pt.estimation.batch.quasi_newton import quasi_newton
from mixedlm_pt.estimation.boundary import (
    NEAR_ZERO,
    SHAPE_SHIFT,
    ZERO_COST,
    lambda_columns,
)
from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.coordinates import Coordinates
from mixedlm_pt.estimation.maximum_likelihood import Estimate, Outcome
from mixedlm_pt.estimation.start import Start, beside_zero
from mixedlm_pt.linalg import BATCHED_KERNELS
from mixedlm_pt.linalg.batched_crossed import numbers
from mixedlm_pt.linalg.threads import on_one_thread
from mixedlm_pt.model import GLMM

# Evaluations after which a response is left to `fit_model`, which has more than one way out of
# trouble; one in a thousand needs so many.
MAX_EVALUATIONS = 60
# Numbers that the arrays of one evaluation may have, about: they then stay in the processor's
# caches, and all together take some 64 MB.
CHUNK = 32_768
# Where fewer responses than that make a chunk, the loops that run one alone are faster.
FEWEST = 8


def chunk_size(model: GLMM, approximation: Approximation) -> int:
    """Responses that are best fitted together."""
    rows = model.n * max(1, approximation.nAGQ)
    largest = max(model.q, rows * min(2, max(1, sum(model.term_widths))))
    structure = model.structure
    if structure is not None and structure.layout.kind == "crossed":
        largest = max(largest, numbers(structure.index, structure.layout.columns))
    return max(1, CHUNK // largest)


def is_batchable(
    model: GLMM, approximation: Approximation, control: GlmerControl, backend: str
) -> bool:
    """Whether `fit_responses` has the method that is asked for, and is faster."""
    is_default = control.optimizer == "quasi-newton" and backend in ("auto", "numpy")
    has_kernels = model.structure is None or model.structure.layout.kind in BATCHED_KERNELS
    is_faster = chunk_size(model, approximation) >= FEWEST
    return is_default and has_kernels and is_faster and approximation.nAGQ > 0


# Where a criterion overflows it is not finite, and the optimiser rejects the step.
@on_one_thread
@np.errstate(all="ignore")
def fit_responses(
    model: GLMM,
    Y: FloatArray,
    approximation: Approximation,
    control: GlmerControl,
    start: Start,
    *,
    backend: str = "auto",
    has_covariance: bool = True,
) -> list[Estimate | None]:
    """What `fit_model` finds for every response, but all evaluated together.

    Every response has its own parameters, modes, line search and convergence, and its estimate does
    not depend on the others, to the last bit.

    Parameters
    ----------
    model : GLMM
        Its own response does not matter.
    Y : array, shape (R, n)
        Responses, at most about `chunk_size` of them: more take more memory and no less time.
    approximation, control, backend
        For which `is_batchable`.
    start : Start
        Where every search begins: the ``restart`` of an estimate for a similar response.
    has_covariance : bool
        Whether the information is computed.

    Returns
    -------
    list
        None for the responses that are better fitted alone: the search for their maximum was
        long, came to a saddle point or left the region where the criterion can be evaluated.
    """
    objective = BatchedObjective(model, approximation, backend, Y)
    objective.u[:] = start.u
    rows = np.arange(len(Y))
    best, reached = optimised(objective, start, control)
    best = with_positive_diagonals(objective, best, rows)
    best = settled_boundary(objective, best, start.scale, rows)
    n_evaluations = objective.n_evaluations.copy()
    best, is_limit = settled_limit(objective, best, rows)
    free = free_parameters(objective, best, is_limit)
    reached &= np.isfinite(best.loglik)
    information = None
    if has_covariance:
        # Where the search ended the information may be off by 1e-4; the step corrects that.
        best, _ = polished(objective, best, start.scale, free)
        best, information = polished(objective, best, start.scale, free)
        reached &= information.is_definite
    return summarised(objective, best, reached, free, information, start, control, n_evaluations)


def optimised(
    objective: BatchedObjective, start: Start, control: GlmerControl
) -> tuple[Points, BoolArray]:
    """The maxima in coordinates scaled as at the start, and which of them were reached."""
    coordinates = Coordinates.at(start.par, start)
    R, P = len(objective.u), len(start.par)
    nothing = np.full((R, P), np.nan)
    last = Points(nothing, np.full(R, -np.inf), nothing, objective.u)

    def criterion(
        z: FloatArray, rows: IntArray, active: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        nonlocal last
        points = objective(coordinates.par(z), rows, active)
        better = active & (points.loglik > last.loglik[rows])
        last = last.replaced(rows[better], points.take(better))
        return -points.loglik, -coordinates.gradient(points.par, points.gradient)

    maxfun = min(control.maxfun, MAX_EVALUATIONS)
    _, reached = quasi_newton(criterion, np.zeros((R, P)), control.tol, maxfun)
    return last, reached


def tried(
    objective: BatchedObjective, best: Points, par: FloatArray, rows: IntArray, cost: float
) -> tuple[Points, IntArray]:
    """Other parameters (m, n_par) of some responses, kept where they cost no more than that."""
    if not len(rows):
        return best, rows
    points = objective(par, rows)
    kept = points.loglik >= best.loglik[rows] - cost
    return best.replaced(rows[kept], points.take(kept)), rows[kept]


def with_positive_diagonals(objective: BatchedObjective, best: Points, rows: IntArray) -> Points:
    """The same covariances with every column of Lambda turned so that its diagonal is positive."""
    par = best.par.copy()
    for column in lambda_columns(objective.alone):
        turned = par[:, column[0]] < 0.0
        par[np.ix_(turned, column)] *= -1.0
    changed = rows[(par != best.par).any(axis=1) & np.isfinite(best.loglik)]
    return tried(objective, best, par[changed], changed, np.inf)[0]


def settled_boundary(
    objective: BatchedObjective, best: Points, scale: FloatArray, rows: IntArray
) -> Points:
    """Covariance parameters exactly at zero where that costs no log-likelihood."""
    size = np.sqrt((scale**2).sum(axis=1))
    for diagonal, *_ in lambda_columns(objective.alone):
        near = (best.par[:, diagonal] > 0.0) & (best.par[:, diagonal] < NEAR_ZERO * size[diagonal])
        par = best.par[near]
        par[:, diagonal] = 0.0
        best, _ = tried(objective, best, par, rows[near], ZERO_COST)
    return best


def settled_limit(
    objective: BatchedObjective, best: Points, rows: IntArray
) -> tuple[Points, BoolArray]:
    """Which shapes run to infinity or zero (R,), with evaluations further on for these."""
    family, is_limit = objective.model.family, np.zeros(len(rows), np.bool_)
    if not family.estimates_phi or family.phi_scales_variance:
        return best, is_limit
    for shift in (SHAPE_SHIFT, -SHAPE_SHIFT):
        left = rows[~is_limit & np.isfinite(best.loglik)]
        par = best.par[left]
        par[:, -1] += shift
        best, beyond = tried(objective, best, par, left, ZERO_COST)
        is_limit[beyond] = True
    return best, is_limit


def free_parameters(objective: BatchedObjective, best: Points, is_limit: BoolArray) -> BoolArray:
    """The parameters that are not on the boundary, shape (R, n_par)."""
    free = np.ones(best.par.shape, np.bool_)
    for diagonal, *_ in lambda_columns(objective.alone):
        free[:, diagonal] = best.par[:, diagonal] != 0.0
    free[:, -1:] &= ~is_limit[:, None]
    return free


def summarised(
    objective: BatchedObjective,
    best: Points,
    reached: BoolArray,
    free: BoolArray,
    information: Information | None,
    start: Start,
    control: GlmerControl,
    n_evaluations: IntArray,
) -> list[Estimate | None]:
    """Estimates of the responses whose maximum was reached."""
    beta, theta, log_phi = objective.split(best.par)
    R, p = beta.shape
    phi, P = np.exp(log_phi), best.par.shape[1]
    covariance = np.full((R, P, P), np.nan)
    covariance_rx = np.full((R, p, p), np.nan)
    units = np.broadcast_to(start.scale, (R, P, P))
    decrement = np.full(R, np.nan)
    if information is not None:
        both = free[:, :, None] & free[:, None, :]
        covariance = np.where(both, information.covariance, np.nan)
        covariance_rx = conditional_covariances(objective, best)
        units = np.where(both, information.root, start.scale)
        decrement = information.decrement(best.gradient)
    n_hessian = objective.n_evaluations - n_evaluations
    message = "the expected gain is below the tolerance"
    estimates: list[Estimate | None] = []
    for r in range(R):
        if not reached[r]:
            estimates.append(None)
            continue
        outcome = Outcome(
            optimizer=control.optimizer,
            message=message,
            gradient=best.gradient[r],
            decrement=float(decrement[r]),
            n_evaluations=int(n_evaluations[r]),
            n_hessian=int(n_hessian[r]),
            n_newton=int(objective.n_newton[r]),
            on_boundary=~free[r],
            has_information=information is not None,
        )
        again = Start(best.par[r], units[r], start.bend, beta[r], best.u[r])
        estimates.append(
            Estimate(
                beta=beta[r],
                theta=theta[r],
                phi=float(phi[r]),
                u=best.u[r],
                loglik=float(best.loglik[r]),
                covariance=covariance[r],
                covariance_rx=covariance_rx[r],
                outcome=outcome,
                restart=beside_zero(again),
            )
        )
    return estimates
