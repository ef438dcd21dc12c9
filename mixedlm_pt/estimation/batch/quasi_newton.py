"""The quasi-Newton method of `optimizers.quasi_newton` for many functions at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.estimation.batch.modes import Taken
from mixedlm_pt.estimation.optimizers import GROWTH, MAX_STEP, MIN_LENGTH, SUFFICIENT

# Values (m,) and gradients (m, n_par) of the functions ``rows`` (m,) at points (m, n_par); only
# those that are ``active`` (m,) matter.
type Objectives = Callable[[FloatArray, IntArray, BoolArray], tuple[FloatArray, FloatArray]]

# Share of the functions still searched below which the others are left out of the arrays.
FEW = 0.85


@dataclass(frozen=True, eq=False)
class Line(Taken):
    """Where the searches stand; the first axis is that of ``number``.

    Attributes
    ----------
    number : which function
    z, value, gradient, inverse : the last accepted point and the inverse Hessian there
    step, slope, longest : step from it, slope along it, and its largest entry before it was cut
    length : share of the step tried
    limit : how long a step may be
    """

    number: IntArray
    z: FloatArray
    value: FloatArray
    gradient: FloatArray
    inverse: FloatArray
    step: FloatArray
    slope: FloatArray
    longest: FloatArray
    length: FloatArray
    limit: FloatArray


def quasi_newton(
    f: Objectives, z: FloatArray, tol: float, maxfun: int
) -> tuple[FloatArray, BoolArray]:
    """Minima (R, n_par) of R functions from z, and which of them were reached within ``maxfun``.

    Each function has its own inverse Hessian, line search and convergence; they only are evaluated
    together.
    """
    R, P = z.shape
    found, reached = z.copy(), np.zeros(R, np.bool_)
    number = np.arange(R)
    value, gradient = f(z, number, np.ones(R, np.bool_))
    ones, zeros = np.ones(R), np.zeros(R)
    inverse = np.broadcast_to(np.eye(P), (R, P, P))
    limit = np.full(R, MAX_STEP)
    state = Line(number, z, value, gradient, inverse, z, zeros, zeros, ones, limit)
    state, active, done = directed(state, np.isfinite(value), np.isfinite(value), tol)
    reached[done] = True
    for _ in range(maxfun - 1):
        if not active.any():
            break
        if active.sum() <= FEW * len(active):
            found[state.number[~active]] = state.z[~active]
            state = state.take(active)
            active = np.ones(len(state.number), np.bool_)
        state, active, done = advanced(f, state, active, tol)
        reached[done] = True
    found[state.number] = state.z
    return found, reached


def advanced(
    f: Objectives, state: Line, active: BoolArray, tol: float
) -> tuple[Line, BoolArray, IntArray]:
    """One evaluation of all; which searches go on, and the numbers of those that have arrived."""
    length = np.where(active, state.length, 0.0)
    trial = state.z + length[:, None] * state.step
    value, gradient = f(trial, state.number, active)
    enough = value <= state.value + SUFFICIENT * length * state.slope
    taken = active & enough
    stuck = active & ~enough & (length < MIN_LENGTH)
    shorter = shortened(state, length, value, gradient)
    inverse = updated(state.inverse, trial - state.z, gradient - state.gradient, taken)
    grown = taken & (state.longest > state.limit) & (length == 1.0)
    state = replace(
        state,
        z=np.where(taken[:, None], trial, state.z),
        value=np.where(taken, value, state.value),
        gradient=np.where(taken[:, None], gradient, state.gradient),
        inverse=inverse,
        length=np.where(enough, 1.0, shorter),
        limit=np.where(grown, GROWTH * state.limit, state.limit),
    )
    return directed(state, active & ~stuck, taken, tol)


def directed(
    state: Line, active: BoolArray, moved: BoolArray, tol: float
) -> tuple[Line, BoolArray, IntArray]:
    """New directions where the point moved; a gain expected below ``tol`` ends the search."""
    step = -np.matmul(state.inverse, state.gradient[:, :, None])[:, :, 0]
    longest = np.abs(step).max(axis=1, initial=0.0)
    step *= (state.limit / np.maximum(longest, state.limit))[:, None]
    slope = (state.gradient * step).sum(axis=1)
    arrived = moved & (-0.5 * slope < tol)
    state = replace(
        state,
        step=np.where(moved[:, None], step, state.step),
        slope=np.where(moved, slope, state.slope),
        longest=np.where(moved, longest, state.longest),
    )
    return state, active & ~arrived, state.number[arrived]


def shortened(
    state: Line, length: FloatArray, value: FloatArray, gradient: FloatArray
) -> FloatArray:
    """Shorter steps: minima of the cubics through both ends, as `optimizers.shorten`."""
    slope = (gradient * state.step).sum(axis=1)
    d1 = state.slope + slope - 3.0 * (value - state.value) / length
    inside = d1 * d1 - state.slope * slope
    d2 = np.sqrt(np.maximum(inside, 0.0))
    fraction = 1.0 - (slope + d2 - d1) / (slope - state.slope + 2.0 * d2)
    fraction = np.where(inside < 0.0, 0.5, np.minimum(np.maximum(fraction, 0.1), 0.7))
    return length * np.where(np.isfinite(value), fraction, 0.25)


def updated(
    inverse: FloatArray, moved: FloatArray, change: FloatArray, taken: BoolArray
) -> FloatArray:
    """Inverse Hessians after a step; unchanged where the curvature along it is not positive."""
    curvature = (moved * change).sum(axis=1)
    size = np.sqrt((moved**2).sum(axis=1) * (change**2).sum(axis=1))
    is_curved = taken & (curvature > 1e-10 * size)
    c = np.where(is_curved, curvature, 1.0)
    left = np.eye(moved.shape[1]) - moved[:, :, None] * change[:, None, :] / c[:, None, None]
    new = np.matmul(np.matmul(left, inverse), left.transpose(0, 2, 1))
    new += moved[:, :, None] * moved[:, None, :] / c[:, None, None]
    return np.where(is_curved[:, None, None], new, inverse)
