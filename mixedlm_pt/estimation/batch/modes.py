"""Modes of R responses by damped Newton, as `ModeFinder.find` finds one."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.compile import BoundFunction, CompiledModel
from mixedlm_pt.estimation.mode import DECREMENT_TOL, MAX_NEWTON, MIN_STEP, ROUNDING
from mixedlm_pt.graph import data_of
from mixedlm_pt.linalg import BATCHED_KERNELS, batched_index, first_replicates, last_sums
from mixedlm_pt.model import GLMM

# When no more than this share of the searches goes on, the others are left out of the arrays.
# Their functions are bound anew then, which costs about one evaluation.
FEW = 0.5


class Taken:
    """A dataclass of arrays whose first axis runs over the responses."""

    def take(self, which: IntArray | BoolArray) -> Self:
        """The arrays of some responses."""
        arrays: dict[str, Any] = {f.name: getattr(self, f.name)[which] for f in fields(self)}  # type: ignore[arg-type]
        return replace(self, **arrays)  # type: ignore[type-var]


class Responses:
    """Responses of one model with its functions bound to them.

    Parameters
    ----------
    model : GLMM
        Its own response does not matter.
    compiled : CompiledModel
    Y : array, shape (R, n)
    index : tuple of arrays
        `linalg.batched_index` of at least R replicates.
    """

    def __init__(
        self, model: GLMM, compiled: CompiledModel, Y: FloatArray, index: tuple[IntArray, ...]
    ) -> None:
        self.model, self.compiled, self.Y = model, compiled, Y
        self.structure = model.structure
        if self.structure is not None:
            self.index = first_replicates(index, self.structure.layout, len(Y))
            self.columns = self.structure.layout.columns
            self.kernels = BATCHED_KERNELS[self.structure.layout.kind]

    @classmethod
    def of(cls, model: GLMM, compiled: CompiledModel, Y: FloatArray) -> Self:
        """All responses together."""
        structure = model.structure
        index = () if structure is None else batched_index(structure, len(Y))
        return cls(model, compiled, Y, index)

    def take(self, which: IntArray | BoolArray) -> "Responses":
        """Some of the responses."""
        index = () if self.structure is None else self.index
        return Responses(self.model, self.compiled, self.Y[which], index)

    @cached_property
    def density(self) -> BoundFunction:
        """``(eta, log_phi) -> (log density, score, observed information)``, each (R, n)."""
        return self.compiled.batched.density.bind(self.Y, self.model.design.response.weights)

    def working_information(self, eta: FloatArray, log_phi: FloatArray) -> FloatArray:
        """Information of every row in eta, (R, n), that the Laplace approximation has."""
        D: FloatArray
        if self.compiled.approximation.laplace_weights == "observed":
            _, _, D = self.density(eta, log_phi)
            return D
        w, expected = self.model.design.response.weights, self.compiled.expected_information
        each = zip(self.Y, eta, log_phi, strict=True)
        return np.stack([expected(y, w, row, np.asarray(phi))[0] for y, row, phi in each])

    @cached_property
    def criterion(self) -> BoundFunction:
        """``(beta, theta, log_phi, u) -> (log-likelihood, gradient)``."""
        data = data_of(self.model)
        if self.structure is not None:
            data[len(data) - len(self.index) :] = self.index
        return self.compiled.batched.value_and_gradient.bind(self.Y, *data[1:])

    @cached_property
    def design(self) -> BoundFunction:
        """``theta -> M`` (R, n, K)."""
        Z = (term.Z for term in self.model.design.terms)
        return self.compiled.batched.scaled_design.bind(*Z)

    def scaled_design(self, theta: FloatArray) -> FloatArray:
        """``Z Lambda`` by row, shape (R, n, K)."""
        if self.structure is None:
            return np.empty((*self.Y.shape, 0))
        M: FloatArray = self.design(theta)[0]
        return M

    def fixed_part(self, beta: FloatArray) -> FloatArray:
        """``X beta + offset``, shape (R, n)."""
        design = self.model.design
        product: FloatArray = np.matmul(design.X, beta[:, :, None])[:, :, 0]
        return product + design.offset

    def random_part(self, M: FloatArray, u: FloatArray) -> FloatArray:
        """``Z Lambda u``, shape (R, n)."""
        return last_sums(M * u.reshape(-1)[self.index[0]])

    def transpose_product(self, M: FloatArray, v: FloatArray) -> FloatArray:
        """``Lambda'Z' v`` (R, q) for v (R, n)."""
        values = (M * v[:, :, None]).reshape(-1)
        R, q = len(v), self.model.q
        return np.bincount(self.index[0].reshape(-1), values, R * q).reshape(R, q)

    def factor(self, D: FloatArray, M: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``log|H|`` (R,), NaN where H is not positive definite, and the packed factorisation."""
        factored: tuple[FloatArray, FloatArray] = self.kernels.factor(
            D, M, self.index, self.columns
        )
        return factored

    def solve(self, packed: FloatArray, rhs: FloatArray) -> FloatArray:
        """``H^-1 rhs`` for rhs (R, q, m)."""
        x: FloatArray = self.kernels.solve(packed, rhs, self.index, self.columns)
        return x

    def step(
        self, M: FloatArray, u: FloatArray, score: FloatArray, D: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Newton steps (R, q) and decrements (R,); with D's positive part where it is needed."""
        logdet, packed = self.factor(D, M)
        indefinite = ~np.isfinite(logdet)
        if indefinite.any():
            _, packed = self.factor(np.where(indefinite[:, None], np.maximum(D, 0.0), D), M)
        r = self.transpose_product(M, score) - u
        step = self.solve(packed, r[:, :, None])[:, :, 0]
        return step, (step * r).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Search(Taken):
    """Where the searches stand; the first axis is that of ``number``.

    Attributes
    ----------
    number : which response
    fixed, M, log_phi : what is held
    u : the trial
    best, step, lowest : last accepted point, the step from it, and the least value allowed next
    length : share of the step tried; infinite before the first step
    """

    number: IntArray
    fixed: FloatArray
    M: FloatArray
    log_phi: FloatArray
    u: FloatArray
    best: FloatArray
    step: FloatArray
    lowest: FloatArray
    length: FloatArray


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes (R, q), whether each was found (R,), and the evaluations that it took (R,)."""

    u: FloatArray
    converged: BoolArray
    n_newton: IntArray


def find_modes(
    responses: Responses, fixed: FloatArray, M: FloatArray, log_phi: FloatArray, u: FloatArray
) -> Modes:
    """Modes from the given points; from u = 0 where the density cannot be evaluated there."""
    R, q = u.shape
    found, converged, count = u.copy(), np.zeros(R, np.bool_), np.zeros(R, np.int64)
    if not q:
        return Modes(found, ~converged, count)
    start, nowhere = np.full(R, np.inf), np.full(R, -np.inf)
    state = Search(np.arange(R), fixed, M, log_phi, u, u, np.zeros_like(u), nowhere, start)
    active = np.ones(R, np.bool_)
    for _ in range(MAX_NEWTON):
        count[state.number[active]] += 1
        state, active, is_found = advanced(responses, state, active)
        done = state.number[is_found]
        found[done], converged[done] = state.u[is_found], True
        if not active.any():
            break
        if active.sum() <= FEW * len(active):
            responses, state = responses.take(active), state.take(active)
            active = np.ones(len(state.number), np.bool_)
    return Modes(found, converged, count)


def advanced(
    responses: Responses, state: Search, active: BoolArray
) -> tuple[Search, BoolArray, BoolArray]:
    """One evaluation of all: the next trials, which searches go on, and which are done."""
    u = state.u
    eta = state.fixed + responses.random_part(state.M, u)
    logp, score, D = responses.density(eta, state.log_phi)
    value = logp.sum(axis=1) - 0.5 * (u * u).sum(axis=1)
    good = np.isfinite(value) & (value >= state.lowest)
    step, decrement = responses.step(state.M, u, score, D)
    is_first = np.isinf(state.length)
    again = ~good & is_first & u.any(axis=1)
    length = np.where(good, 1.0, np.where(is_first, np.inf, 0.5 * state.length))
    step = np.where(good[:, None], step, state.step)
    best = np.where(good[:, None], u, state.best)
    # A first trial that failed has no step to shorten: u = 0 is tried, once.
    forward = np.where(is_first & ~good, 0.0, length)
    trial = np.where(again[:, None], 0.0, best + forward[:, None] * step)
    best = np.where(again[:, None], 0.0, best)
    failed = np.where(good, ~np.isfinite(decrement), ~again & (is_first | (length < MIN_STEP)))
    is_found = active & good & (decrement < DECREMENT_TOL)
    lowest = np.where(good, value - ROUNDING * np.abs(value), state.lowest)
    state = replace(state, u=trial, best=best, step=step, lowest=lowest, length=length)
    return state, active & ~is_found & ~failed.astype(np.bool_), is_found
