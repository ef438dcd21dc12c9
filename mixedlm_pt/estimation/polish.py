"""The information at the optimum, and the last Newton steps with it."""

from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.estimation.boundary import ZERO_COST, free_parameters, with_positive_diagonal
from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.hessian import Neighbourhood, information
from mixedlm_pt.estimation.objective import Evaluation, Objective
from mixedlm_pt.estimation.optimizers import SLOW, inverse_root
from mixedlm_pt.estimation.search import optimise
from mixedlm_pt.estimation.start import Start

# A decrement from which no Newton step is worth an evaluation: 1e-7 standard errors.
SETTLED = 1e-14
# The information may change by this share in a Newton step: so accurate are standard errors.
MAX_DRIFT = 1e-5
# Rounding error of a gradient in standard errors, times the square root of the number of rows.
ROUNDING = 1e-12
# An eigenvalue of the information in units of its diagonal below COLLINEAR is not known to many
# digits; below TINY it is rounding error.
COLLINEAR, TINY = 1e-3, 1e-13
# Negative curvature at a stationary point: leave it this often before giving up.
MAX_RESTARTS = 3


@dataclass(frozen=True, eq=False)
class Curvature:
    """The observed information at an optimum, as far as it is known.

    Attributes
    ----------
    free : array of bool, shape (n_par,)
        Parameters that are not on the boundary.
    is_known : bool
        Whether it was computed.
    root : array, shape (n_par, n_free), optional
        ``root root'`` is its inverse in the free parameters; None where it has none.
    """

    free: BoolArray
    is_known: bool = False
    root: FloatArray | None = None


def polish(
    objective: Objective,
    best: Evaluation,
    initial: Start,
    control: GlmerControl,
    is_limit: bool,
) -> tuple[Evaluation, Curvature]:
    """Newton steps with the exact information; leave a saddle point along negative curvature."""
    is_repeated, root = False, None
    for _ in range(MAX_RESTARTS):
        free, nearby = free_parameters(objective, best, is_limit), Neighbourhood(objective, best)
        # A parameter on the boundary stays there: no direction has a part in it.
        scale = directions(nearby, initial.scale)[:, free] * free[:, None]
        H = information(nearby, scale)
        if not np.isfinite(H).all():
            break
        better = straightened(scale, H)
        if better is not None:
            scale, H = better, information(nearby, better)
        if not np.isfinite(H).all():
            break
        R = inverse_root(H)
        root = None if R is None else scale @ R
        if root is not None:
            best, is_same = newton(objective, best, root, control)
            if is_same or is_repeated:
                break
            is_repeated = True
            continue
        direction = scale @ np.linalg.eigh(H)[1][:, 0]
        sides = (objective(best.par + sign * direction) for sign in (1.0, -1.0))
        left = max(sides, key=attrgetter("value"))
        if left.value <= best.value:
            break
        best, _ = optimise(objective, left.par, initial, control)
        best = with_positive_diagonal(objective, best)
    return best, Curvature(free, True, root)


def newton(
    objective: Objective, best: Evaluation, root: FloatArray, control: GlmerControl
) -> tuple[Evaluation, bool]:
    """Newton steps with one information, ``(root root')^-1``, from where that was computed.

    Also whether it still holds where they end: a step leaves behind that share of the gradient by
    which the information has changed.
    """
    pull, is_same = root.T @ best.gradient, True
    rounding = ROUNDING * float(np.sqrt(objective.model.n))
    while 0.5 * length(pull) ** 2 > SETTLED:
        moved = objective(best.par + root @ pull)
        if not moved.value >= best.value - ZERO_COST:
            break
        best, before, pull = moved, length(pull), root.T @ moved.gradient
        left = length(pull)
        is_same &= left < max(MAX_DRIFT * before, rounding)
        is_last = objective.n_evaluations >= control.maxfun
        if is_last or 0.5 * left**2 < control.tol or left > SLOW * before:
            return best, is_same or is_last
    return best, is_same


def length(pull: FloatArray) -> float:
    """Euclidean length."""
    return float(np.linalg.norm(pull))


def directions(nearby: Neighbourhood, scale: FloatArray) -> FloatArray:
    """Directions of differences, about one standard error long, shape (n_par, n_par).

    ``scale`` has the standard errors at the start, which those of beta need not be: under
    separation they grow without end. There differences are no longer than what the linear
    predictor spans, or they would say nothing about the curvature.
    """
    p = nearby.objective.theta_slice.start
    if not p:
        return scale
    units = np.diag(np.sqrt((scale**2).sum(axis=1)))
    R, X = inverse_root(nearby.beta_parts[0]), nearby.finder.X
    units[:p, :p] = scale[:p, :p] if R is None else R
    span = 1.0 + np.abs(X @ nearby.at.mode.beta).max()
    reach = np.abs(X @ units[:p, :p]).max(axis=0)
    units[:p, :p] /= np.maximum(reach / span, 1.0)
    return units


def straightened(scale: FloatArray, H: FloatArray) -> FloatArray | None:
    """Directions along the principal axes of the information; None where the old ones will do.

    In nearly collinear ones, such as the entries of Lambda with a calendar year as random slope,
    rounding errors exceed the least eigenvalue.
    """
    unit = np.sqrt(np.abs(np.diag(H)))
    if not unit.all():
        return None
    values, vectors = np.linalg.eigh(H / np.outer(unit, unit))
    if np.abs(values).min(initial=1.0) > COLLINEAR:
        return None
    # Directions without information stay as short as they are.
    size = (unit[:, None] * vectors**2).sum(axis=0)
    axes: FloatArray = vectors / unit[:, None] * size / np.sqrt(np.maximum(np.abs(values), TINY))
    return scale @ axes
