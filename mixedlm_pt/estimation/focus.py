"""One parameter as a coordinate of an equivalent model, so that it can be held fixed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.estimation.centring import MAX_CONDITION, Centring, centred, condition
from mixedlm_pt.model import GLMM

# The angle at a correlation of one.
HALF_TURN = 0.5 * np.pi


@dataclass(frozen=True)
class Scale:
    """A parameter as a monotone function, ``transform(factor * x)``, of its coordinate."""

    transform: Callable[[FloatArray], FloatArray]
    factor: float = 1.0

    def __call__(self, x: FloatArray) -> FloatArray:
        return self.transform(self.factor * x)


@dataclass(frozen=True, eq=False)
class Focus:
    """A model in coordinates x of which one is a function of the parameter of interest.

    The random effects of a term may be multiplied by any matrix if its columns of Z are divided
    by it. With the effect of interest in front, its sd is the first entry of Lambda; with two of
    them in front, their correlation is the sine of an angle. At the ends of the parameter's range
    (sd zero, correlation +-1) the likelihood is smooth and even in these coordinates.

    Attributes
    ----------
    centring : Centring
        The equivalent model, and the way to its parameters.
    index : int
        Position of the coordinate in x, which is (beta, theta, log phi) of that model.
    bounds : tuple of float
        Range of the coordinate.
    natural : Scale
    triple : tuple of int, optional
        Positions of the three entries of Lambda behind a correlation; x has the logarithms of both
        sds and the angle there.
    """

    centring: Centring
    index: int
    bounds: tuple[float, float]
    natural: Scale
    triple: tuple[int, int, int] | None = None

    @property
    def model(self) -> GLMM:
        """The equivalent model."""
        return self.centring.model

    @property
    def range(self) -> tuple[float, float]:
        """Range of the parameter."""
        low, high = self.natural(np.array(self.bounds)).tolist()
        return low, high

    def x(self, par: FloatArray) -> FloatArray:
        """Coordinates, shape (n_par,), from (beta, theta, log phi) of the original model."""
        x = self.centring.there(par)
        if self.triple is not None:
            a, ab, b = self.triple
            x[a] = np.log(x[a])
            x[ab], x[b] = np.log(np.hypot(x[ab], x[b])), np.arctan2(x[ab], x[b])
        return x

    def par(self, x: FloatArray) -> FloatArray:
        """(beta, theta, log phi) of the equivalent model."""
        par = x.copy()
        if self.triple is not None:
            a, ab, b = self.triple
            par[a], sd, angle = np.exp(x[a]), np.exp(x[ab]), x[b]
            par[ab], par[b] = sd * np.sin(angle), sd * np.cos(angle)
        return par

    def gradient(self, par: FloatArray, gradient: FloatArray) -> FloatArray:
        """Gradient in x from that in the parameters of the equivalent model."""
        in_x = gradient.copy()
        if self.triple is not None:
            a, ab, b = self.triple
            in_x[a] = par[a] * gradient[a]
            in_x[ab] = par[ab] * gradient[ab] + par[b] * gradient[b]
            in_x[b] = par[b] * gradient[ab] - par[ab] * gradient[b]
        return in_x

    def back(self, par: FloatArray) -> FloatArray:
        """(beta, theta, log phi) of the original model from those of the equivalent one."""
        return self.centring.moved(par, tuple(np.linalg.inv(A) for A in self.centring.A))


def focus_on_coefficient(model: GLMM, j: int) -> Focus:
    """The j-th fixed effect."""
    return Focus(rotated(model), j, (-np.inf, np.inf), Scale(np.positive))


def focus_on_dispersion(model: GLMM) -> Focus:
    """sigma where phi scales the variance, otherwise phi; the coordinate is log phi."""
    factor = 0.5 if model.family.phi_scales_variance else 1.0
    return Focus(rotated(model), model.n_par - 1, (-np.inf, np.inf), Scale(np.exp, factor))


def focus_on_sd(model: GLMM, t: int, a: int) -> Focus:
    """The sd of effect a of term t."""
    first = model.p + model.theta_slices[t].start
    return Focus(rotated(model, t, [a]), first, (0.0, np.inf), Scale(np.positive))


def focus_on_correlation(model: GLMM, t: int, a: int, b: int) -> Focus:
    """The correlation of effects a and b of term t."""
    first = model.p + model.theta_slices[t].start
    triple = (first, first + 1, first + model.term_widths[t])
    bounds = (-HALF_TURN, HALF_TURN)
    return Focus(rotated(model, t, [a, b]), triple[2], bounds, Scale(np.sin), triple)


def rotated(model: GLMM, t: int = -1, lead: list[int] | None = None) -> Centring:
    """The model with the effects ``lead`` of term t in front, and in good coordinates."""
    base = centred(model)
    As = [np.eye(k) for k in model.term_widths] if base is None else list(base.A)
    design = model.design if base is None else base.model.design
    terms = list(design.terms)
    if lead is not None:
        As[t] = leading(model.design.terms[t].Z, lead)
        Z = np.linalg.solve(As[t].T, model.design.terms[t].Z.T).T
        terms[t] = replace(terms[t], Z=np.ascontiguousarray(Z))
    return Centring(model.with_design(replace(design, terms=tuple(terms))), tuple(As))


def leading(Z: FloatArray, lead: list[int]) -> FloatArray:
    """A of `Centring` whose first rows pick the effects ``lead`` as they are, shape (k, k)."""
    k, m = Z.shape[1], len(lead)
    order = [*lead, *(j for j in range(k) if j not in lead)]
    A = np.eye(k)
    if MAX_CONDITION < condition(Z) < np.inf:
        ahead, others = Z[:, order[:m]], Z[:, order[m:]]
        R = np.linalg.qr(others, mode="r")
        A[m:, m:] = R / np.diag(R)[:, None]
        A[m:, :m] = A[m:, m:] @ np.linalg.lstsq(others, ahead, rcond=None)[0]
    permuted: FloatArray = A @ np.eye(k)[order]
    return permuted
