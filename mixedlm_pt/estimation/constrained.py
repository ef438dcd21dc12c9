"""The profile likelihood of one parameter: the maximum over all others while it is held fixed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile import Approximation
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation.boundary import lambda_columns
from mixedlm_pt.estimation.focus import Focus
from mixedlm_pt.estimation.maximum_likelihood import Estimate
from mixedlm_pt.estimation.objective import Objective, ProfiledObjective
from mixedlm_pt.estimation.optimizers import SUFFICIENT, shorten
from mixedlm_pt.estimation.penalty import Penalty
from mixedlm_pt.estimation.profile_point import Point, curvature_after
from mixedlm_pt.estimation.profile_start import longest_units, metric_root, starting_effects

# Log-likelihood that the other parameters may still gain: zeta is then good to 1e-9.
TOL = 1e-9
# Relative rounding error of a log-likelihood.
ROUNDING = 1e-14
# Far from the zeta wanted this share of the log-likelihood still missing is good enough.
EARLY = 0.02
# Zeta may miss its target by this: the limit is corrected by the slope there, and the error left
# is of second order, 1e-7 standard errors.
ZETA_TOL = 3e-4
# A maximum higher than the fit's by more than this was missed by the fit.
BETTER = 1e-6
# Longest step of the other parameters, in standard errors.
MAX_STEP = 4.0
# A column of Lambda closer to zero than NEAR starts at BESIDE, both in standard errors: zero itself
# is a stationary point.
NEAR, BESIDE = 0.01, 0.1
# So many standard errors from the estimate, where the slope lets the log-likelihood fall over as
# long a way again by less than this share of what is missing, it has an asymptote.
FAR, FLAT = 4.0, 0.01
# The first step outward is between these multiples of the zeta that is missing, and the next ones
# may be longer by GROWTH. A bracket or a step as narrow as CLOSED holds a jump, or the end of what
# can be evaluated. In standard errors.
SHORTEST, LONGEST, GROWTH, CLOSED = 0.1, 2.0, 3.0, 1e-7
MAX_SEARCH = 100
MAX_INNER = 100


class HigherMaximum(Exception):
    """The search has come upon a log-likelihood higher than the fit's."""

    def __init__(self, par: FloatArray) -> None:
        super().__init__("a higher log-likelihood than that of the fit")
        self.par = par


@dataclass(frozen=True, eq=False)
class Reached:
    """Where the search for a value of zeta ended.

    Attributes
    ----------
    point : Point
        The nearest one, or the last one inside.
    limit : float
        The parameter where zeta has that value, on its natural scale; the end of its range if zeta
        does not come so far, infinite (or what corresponds) if the likelihood has an asymptote, NaN
        if it cannot be followed.
    """

    point: Point
    limit: float


class ProfileSearch:
    """Points of the profile likelihood of one parameter.

    Parameters
    ----------
    focus : Focus
    estimate : Estimate
    approximation : Approximation
    backend : str
    penalty : Penalty, optional
        Then it is the criterion of penalised maximum likelihood that is profiled.

    Attributes
    ----------
    peak : Point
        The estimate.
    x : array, shape (n_par,)
        Its coordinates.
    unit : array, shape (m,)
        Standard errors of the coordinates, about.
    """

    def __init__(
        self,
        focus: Focus,
        estimate: Estimate,
        approximation: Approximation,
        backend: str,
        penalty: Penalty | None = None,
    ) -> None:
        kind = ProfiledObjective if approximation.nAGQ == 0 else Objective
        self.focus = focus
        self.objective: Objective = kind(
            focus.model, approximation, backend, focus.centring.moved_penalty(penalty)
        )
        # nAGQ = 0 searches over (theta, log phi).
        self.skipped = focus.model.p if self.objective.moves_beta else 0
        self.index = focus.index - self.skipped
        log_phi = [np.log(estimate.phi)] * focus.model.family.estimates_phi
        self.x = focus.x(np.concatenate([estimate.beta, estimate.theta, log_phi]))
        self.objective.beta = estimate.beta
        self.objective.u = starting_effects(focus, estimate, self.x, self.objective.compiled)
        root = metric_root(focus, estimate, self.skipped)
        longest = longest_units(focus, estimate)[self.skipped :]
        self.unit = np.minimum(np.sqrt((root**2).sum(axis=1)), longest)
        inverse = np.linalg.inv(root / self.unit[:, None])
        origin = np.zeros(len(root))
        self.loglik = np.inf
        guess = Point(self.index, origin, 0.0, origin, inverse.T @ inverse, self.x)
        peak = self.evaluate(origin, guess)
        if peak is None:
            raise EstimationError("the log-likelihood cannot be evaluated at the estimates.")
        self.peak, self.loglik = replace(peak, zeta=0.0), peak.loglik
        self.doubt()

    def doubt(self) -> None:
        """Look for a higher likelihood where the gradient at the estimate promises one."""
        step = np.linalg.solve(self.peak.B, self.peak.gradient)
        if 0.5 * float(step @ self.peak.gradient) > BETTER:
            for length in (1.0, 0.3, 0.1):
                self.evaluate(length * step, self.peak)

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of the coordinate, in z."""
        i = self.focus.index
        low, high = ((end - self.x[i]) / self.unit[self.index] for end in self.focus.bounds)
        return low, high

    def limit(self, coordinate: float) -> float:
        """The parameter at a coordinate in z, on its natural scale."""
        return float(self.focus.natural(self.coordinate(coordinate)))

    def coordinate(self, z: FloatArray | float) -> FloatArray:
        """The coordinate in x; exactly the end of its range where that was asked for."""
        x = self.x[self.focus.index] + self.unit[self.index] * np.asarray(z)
        (low, high), ends = self.bounds, self.focus.bounds
        return np.where(z == low, ends[0], np.where(z == high, ends[1], x))

    def evaluate(self, z: FloatArray, before: Point) -> Point | None:
        """The likelihood at z, with what the step from ``before`` says about the curvature."""
        x = self.x.copy()
        x[self.skipped :] += self.unit * z
        x[self.focus.index] = self.coordinate(z[self.index])
        par = self.focus.par(x)
        found = self.objective(par[self.skipped :])
        if not np.isfinite(found.value):
            return None
        in_par = np.concatenate([np.zeros(self.skipped), found.gradient])
        gradient = self.focus.gradient(par, in_par)[self.skipped :] * self.unit
        B = curvature_after(before.B, z - before.z, before.gradient - gradient)
        full = self.objective.full(found)
        if found.value > self.loglik + BETTER:
            raise HigherMaximum(self.focus.back(full))
        lost = max(self.loglik - found.value, 0.0)
        zeta = np.copysign(np.sqrt(2.0 * lost), z[self.index])
        return Point(self.index, z, found.value, gradient, B, full, float(zeta))

    def maximise(self, coordinate: float, near: Point, target: float | None = None) -> Point | None:
        """The maximum where the coordinate is held fixed; None where it cannot be evaluated.

        Parameters
        ----------
        coordinate : float
            In z.
        near : Point
            Where the search begins.
        target : float, optional
            Zeta wanted: where this one is far from it, a rough maximum will do.
        """
        newton, move = near.response
        step = newton + (coordinate - near.coordinate) * move
        step *= MAX_STEP / max(MAX_STEP, float(np.abs(step).max(initial=0.0)))
        z = self.beside_zero(near.z + np.insert(step, self.index, 0.0))
        z[self.index] = coordinate
        point = self.evaluate(z, near)
        for _ in range(MAX_INNER):
            if point is None or self.is_settled(point, target):
                break
            climbed = self.climb(point)
            if climbed is None:
                break
            point = climbed
        return point

    def is_settled(self, point: Point, target: float | None) -> bool:
        """Whether the other parameters are where they should be."""
        gain = point.decrement
        if target is None or gain < TOL:
            return gain < TOL
        missing = 0.5 * target**2 - (self.loglik - point.loglik - gain)
        return gain < EARLY * abs(missing) and abs(missing) > ZETA_TOL * abs(target)

    def climb(self, point: Point) -> Point | None:
        """A quasi-Newton step of the other coordinates; None where none gains anything."""
        newton, _ = point.response
        step = np.insert(newton, self.index, 0.0)
        step *= MAX_STEP / max(MAX_STEP, float(np.abs(step).max(initial=0.0)))
        promised, length = float(point.gradient @ step), 1.0
        slack = 0.1 * TOL + ROUNDING * abs(point.loglik)
        while length > 1e-6:
            new = self.evaluate(point.z + length * step, point)
            if new is None:
                length *= 0.25
            elif new.loglik >= point.loglik + SUFFICIENT * length * promised - slack:
                return new
            else:
                arguments = -point.loglik, -promised, -new.loglik, -new.gradient
                length = shorten(length, *arguments, step)
                point = replace(point, B=new.B)
        return None

    def beside_zero(self, z: FloatArray) -> FloatArray:
        """z with the diagonals of Lambda moved away from zero, where the gradient vanishes."""
        z = z.copy()
        logs = () if self.focus.triple is None else self.focus.triple
        origin = self.x[self.skipped :] / self.unit
        for diagonal, *_ in lambda_columns(self.objective):
            if diagonal + self.skipped not in logs and abs(origin[diagonal] + z[diagonal]) < NEAR:
                z[diagonal] = BESIDE - origin[diagonal]
        return z

    def reach(self, target: float, points: Sequence[Point]) -> Reached:
        """Where zeta has the value ``target``, which is not zero.

        Newton's method with the exact slope, held between the last points inside and outside.
        ``points`` are the known ones, the peak among them; the search begins at the nearest.
        """
        side = 1 if target > 0.0 else -1
        bound = self.bounds[side > 0]
        known = [point for point in points if point.zeta * side >= 0.0]
        inside = [point for point in known if abs(point.zeta) < abs(target)]
        inner = max(inside, key=lambda point: abs(point.coordinate))
        beyond = [point.coordinate for point in known if abs(point.zeta) >= abs(target)]
        outer = min(beyond, key=abs, default=side * np.inf)
        point = min(known, key=lambda point: abs(point.zeta - target))
        longest, growth = LONGEST * (abs(target) - abs(inner.zeta)), GROWTH
        for _ in range(MAX_SEARCH):
            if self.is_close(point, target):
                step = (target - point.zeta) / point.zeta_slope
                return Reached(point, self.limit(point.coordinate + step))
            if inner.coordinate == bound:
                return Reached(inner, self.focus.range[side > 0])
            if np.isinf(outer) and self.is_flat(inner, target):
                return Reached(inner, float(self.focus.natural(np.array(side * np.inf))))
            if min(abs(outer - inner.coordinate), longest) < CLOSED:
                return Reached(inner, self.limit(inner.coordinate))
            slope = point.zeta_slope
            step = side * (target - point.zeta) / slope if slope > 0.0 else np.inf
            onward = side * point.coordinate + step
            if np.isinf(outer):
                least = SHORTEST * (abs(target) - abs(inner.zeta))
                onward = min(max(onward, side * inner.coordinate + least), side * bound)
                onward = min(onward, side * inner.coordinate + longest)
                longest *= growth
            elif not side * inner.coordinate < onward < side * outer:
                onward = 0.5 * side * (inner.coordinate + outer)
            near = min(point, inner, key=lambda known: abs(side * onward - known.coordinate))
            found = self.maximise(side * onward, near, target)
            point = inner if found is None else found
            if found is None and np.isinf(outer):
                # The end of the range of the means, or only too far for the search of the mode.
                longest, growth = 0.5 * (onward - side * inner.coordinate), 1.0
            elif found is None or abs(found.zeta) >= abs(target):
                outer = side * onward
            else:
                inner = found
        return Reached(inner, np.nan)

    def is_close(self, point: Point, target: float) -> bool:
        """Whether the slope leads from the point to the limit."""
        is_near = abs(point.zeta - target) < ZETA_TOL and point.decrement < BETTER
        return is_near and point.zeta_slope > 0.0

    def is_flat(self, point: Point, target: float) -> bool:
        """Whether the profile has an asymptote away from zero before zeta reaches the target."""
        x = float(self.coordinate(point.coordinate))
        missing = 0.5 * (target**2 - point.zeta**2)
        way = abs(point.coordinate)
        is_far = way > FAR and x * target > 0.0
        return is_far and abs(point.slope) * way < FLAT * missing
