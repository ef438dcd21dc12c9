"""Optimisers in scaled coordinates, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from mixedlm_pt._typing import FloatArray

type Objective = Callable[[FloatArray], tuple[float, FloatArray]]
type Optimizer = Callable[[Objective, FloatArray, float, int, "Guide"], "Optimum"]

# A coordinate of 1 is about one standard error at the start: a first step of more than this many
# of them is a sign of a bad curvature estimate. Where such steps succeed the scale was wrong
# instead, and longer ones are allowed.
MAX_STEP = 8.0
GROWTH = 3.0
# Where a step leaves more than this share of the expected gain, the curvature is asked for if the
# gain is still worth it: more than so many tolerances.
SLOW = 0.1
WORTH = 1e4
# Least curvature believed in, where the expected one is 1: what is flatter is rounding error.
FLATTEST = 1e-3
# Armijo's constant: a step must gain this share of what the slope promises.
SUFFICIENT = 1e-4
MIN_LENGTH = 1e-10


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where an optimiser stopped; ``z`` is in scaled coordinates, ``value`` is minimised."""

    z: FloatArray
    value: float
    gradient: FloatArray
    n_evaluations: int
    message: str


@dataclass(frozen=True, eq=False)
class Guide:
    """What a search may know of its function beside values and gradients.

    Attributes
    ----------
    curvature : callable, optional
        The Hessian, or most of it, at the last z accepted; None where it cannot be told.
    is_scaled : bool
        Whether the unit matrix is the Hessian of a very similar function at its minimum.
    longest : array, shape (n,), optional
        Steps longer than this in a coordinate are shortened; default `MAX_STEP`.
    """

    curvature: Callable[[FloatArray], FloatArray | None] | None = None
    is_scaled: bool = False
    longest: FloatArray | None = None


def quasi_newton(
    f: Objective, z: FloatArray, tol: float, maxfun: int, guide: Guide = Guide()
) -> Optimum:
    """BFGS from the guide's curvature or a unit Hessian, which fits scaled coordinates.

    Steps where f cannot be evaluated are shortened; otherwise a step too long is cut to the
    minimum of the cubic through both ends. Stops when the Newton decrement ``g'H^-1 g / 2``, the
    gain that is still expected, is below ``tol``.
    """
    value, gradient = f(z)
    inverse, n = np.eye(len(z)), 1
    longest = MAX_STEP if guide.longest is None else guide.longest
    before = np.inf if guide.is_scaled else 0.0
    while n < maxfun:
        gain = 0.5 * float(gradient @ inverse @ gradient)
        if guide.curvature is not None and gain > max(SLOW * before, WORTH * tol):
            inverse = inverse_or(inverse, guide.curvature(z))
        step, before = -inverse @ gradient, gain
        excess = float((np.abs(step) / longest).max(initial=1.0))
        step /= excess
        slope = float(gradient @ step)
        if -0.5 * slope < tol:
            return Optimum(z, value, gradient, n, "the expected gain is below the tolerance")
        length, is_outside = 1.0, False
        while True:
            new_value, new_gradient = f(z + length * step)
            n += 1
            is_outside |= not np.isfinite(new_value)
            if new_value <= value + SUFFICIENT * length * slope:
                break
            if n >= maxfun or length < MIN_LENGTH:
                return Optimum(z, value, gradient, n, "the line search found no lower value")
            length = shorten(length, value, slope, new_value, new_gradient, step)
        if excess > 1.0 and length == 1.0:
            longest = longest * GROWTH
        if is_outside:
            longest = longest * min(GROWTH * float((np.abs(step) / longest).max()) * length, 1.0)
        moved, change = length * step, new_gradient - gradient
        inverse = bfgs_update(inverse, moved, change)
        z, value, gradient = z + moved, new_value, new_gradient
    return Optimum(z, value, gradient, n, f"stopped after maxfun={maxfun} evaluations")


def shorten(
    length: float,
    value: float,
    slope: float,
    new_value: float,
    new_gradient: FloatArray,
    step: FloatArray,
) -> float:
    """A shorter step: minimum of the cubic through both ends (Nocedal and Wright 2006, 3.59)."""
    if not np.isfinite(new_value):
        return 0.25 * length
    new_slope = float(new_gradient @ step)
    d1 = slope + new_slope - 3.0 * (new_value - value) / length
    inside = d1 * d1 - slope * new_slope
    if inside < 0.0:
        return 0.5 * length
    d2 = np.sqrt(inside)
    fraction = 1.0 - (new_slope + d2 - d1) / (new_slope - slope + 2.0 * d2)
    return float(length * min(max(fraction, 0.1), 0.7))


def inverse_or(inverse: FloatArray, H: FloatArray | None) -> FloatArray:
    """Inverse of H with its least curvatures raised; the one known where there is no H."""
    if H is None or not np.isfinite(H).all():
        return inverse
    values, vectors = np.linalg.eigh(H)
    found: FloatArray = (vectors / np.maximum(np.abs(values), FLATTEST)) @ vectors.T
    return found


def inverse_root(H: FloatArray | None) -> FloatArray | None:
    """R with ``R R' = H^-1``; None where H is not positive definite."""
    if H is None or not np.isfinite(H).all():
        return None
    try:
        root: FloatArray = np.linalg.inv(np.linalg.cholesky(H)).T
    except np.linalg.LinAlgError:
        return None
    return root


def bfgs_update(inverse: FloatArray, moved: FloatArray, change: FloatArray) -> FloatArray:
    """Inverse Hessian after a step; unchanged where the curvature along it is not positive."""
    curvature = float(moved @ change)
    if curvature <= 1e-10 * float(np.linalg.norm(moved) * np.linalg.norm(change)):
        return inverse
    left = np.eye(len(moved)) - np.outer(moved, change) / curvature
    updated: FloatArray = left @ inverse @ left.T + np.outer(moved, moved) / curvature
    return updated


def scipy_optimizer(method: str, *, has_gradient: bool) -> Optimizer:
    """An optimiser of `scipy.optimize.minimize` by its name there."""
    tolerances = {"BFGS": "gtol", "CG": "gtol", "L-BFGS-B": "gtol", "TNC": "gtol"}
    tolerances |= {"Nelder-Mead": "xatol", "COBYQA": "final_tr_radius"}
    limits = {"L-BFGS-B": "maxfun", "TNC": "maxfun"}
    limits |= dict.fromkeys(("Nelder-Mead", "Powell", "COBYQA"), "maxfev")

    def run(
        f: Objective, z: FloatArray, tol: float, maxfun: int, guide: Guide = Guide()
    ) -> Optimum:
        n, best = 0, Optimum(z, np.inf, z, 0, "")

        def counted(point: FloatArray) -> tuple[float, FloatArray]:
            nonlocal n, best
            n += 1
            value, gradient = f(point)
            if value < best.value:
                best = Optimum(point.copy(), value, gradient, n, "")
            # SciPy's line searches need a number where the criterion cannot be evaluated.
            return (value, gradient) if np.isfinite(value) else (1e300, np.zeros_like(point))

        options: dict[str, float] = {limits.get(method, "maxiter"): maxfun}
        if method in tolerances:
            # In scaled coordinates the decrement is half the squared gradient or distance.
            options[tolerances[method]] = float(np.sqrt(2.0 * tol))
        fun: Any = counted if has_gradient else lambda point: counted(point)[0]
        small = None if method in tolerances else tol
        # An attribute of the package, not an import: SciPy then loads it at first use.
        minimize: Any = scipy.optimize.minimize
        found = minimize(fun, z, jac=has_gradient, method=method, tol=small, options=options)
        return Optimum(best.z, best.value, best.gradient, n, str(found.message))

    return run


OPTIMIZERS: dict[str, Optimizer] = {
    "quasi-newton": quasi_newton,
    "BFGS": scipy_optimizer("BFGS", has_gradient=True),
    "L-BFGS-B": scipy_optimizer("L-BFGS-B", has_gradient=True),
    "SLSQP": scipy_optimizer("SLSQP", has_gradient=True),
    "TNC": scipy_optimizer("TNC", has_gradient=True),
    "CG": scipy_optimizer("CG", has_gradient=True),
    "Nelder-Mead": scipy_optimizer("Nelder-Mead", has_gradient=False),
    "Powell": scipy_optimizer("Powell", has_gradient=False),
    "COBYQA": scipy_optimizer("COBYQA", has_gradient=False),
}
