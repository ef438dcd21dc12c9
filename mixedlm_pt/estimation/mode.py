"""Joint mode by damped Newton, outside the graph."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.compile import BoundFunction, CompiledModel, Known
from mixedlm_pt.estimation.newton_step import BetaBlock, Held, Joint, Step, definite_inverse
from mixedlm_pt.estimation.penalty import NO_PRIOR, BetaPrior, Information, Penalty
from mixedlm_pt.linalg import KERNELS
from mixedlm_pt.model import GLMM

# The final step is taken unchecked and squares the error: a decrement of 1e-10 leaves an error
# of about 1e-10 in units of conditional standard deviations, far below what a finite difference
# of gradients or the outer line search can see.
DECREMENT_TOL = 1e-10
MAX_NEWTON = 200
# Shorter steps than this no longer change a value of order 1e3 in double precision.
MIN_STEP = 1e-12
# Relative rounding error that a sum of a million log densities can show.
ROUNDING = 1e-11
# With fewer numbers a sparse matrix takes longer to make than its product.
MADE_SPARSE = 10_000
# Steps with a factorisation held that cost about as much as one with a new one.
MOST_HELD = 6


@dataclass(frozen=True, eq=False)
class Mode:
    """Where Newton's iteration ended.

    Attributes
    ----------
    beta, u : arrays, shapes (p,), (q,)
    value : float
        Joint log density ``log p(y | u) - u'u / 2``, with beta's log prior where beta moves; minus
        infinity if it cannot be evaluated.
    decrement : float
        Squared Newton decrement ``r' H^-1 r`` before the last step, twice what a quadratic density
        would gain by it, with the factorisation of that step; NaN if the iteration failed.
    n_newton : int
        Evaluations of the density.
    converged : bool
    """

    beta: FloatArray
    u: FloatArray
    value: float
    decrement: float
    n_newton: int
    converged: bool


class ModeFinder:
    """Newton's iteration for one model and data set; a penalty enters where beta moves."""

    def __init__(
        self, model: GLMM, compiled: CompiledModel, penalty: Penalty | None = None
    ) -> None:
        response = model.design.response
        self.model, self.compiled, self.penalty = model, compiled, penalty
        self.y, self.w = response.y, response.weights
        # What the functions of these data share.
        self.known: Known = {}
        self.X, self.offset = model.design.X, model.design.offset
        self.structure = model.structure
        self.columns = () if self.structure is None else self.structure.layout.columns
        self.kernels = None if self.structure is None else KERNELS[self.structure.layout.kind]
        # One function for the density and a step; others choose between factorisations.
        self.is_nested = self.structure is not None and self.structure.layout.kind == "tree"

    def scaled_design(self, theta: FloatArray) -> FloatArray:
        """``Z Lambda`` by row, shape (n, K)."""
        if self.structure is None:
            return np.empty((self.model.n, 0))
        M: FloatArray = self.bound_design(theta)[0]
        return M

    def linear_predictor(self, beta: FloatArray, u: FloatArray, M: FloatArray) -> FloatArray:
        """``eta``, shape (n,)."""
        fixed: FloatArray = self.offset + self.X @ beta
        if self.structure is None or not M.shape[1]:
            return fixed
        return fixed + (M * u[self.structure.cols]).sum(axis=1)

    def transpose_product(self, M: FloatArray, v: FloatArray) -> FloatArray:
        """``Lambda'Z' v`` for v of shape (n,) or (n, m)."""
        if self.structure is None or not M.shape[1]:
            return np.zeros((0, *v.shape[1:]))
        (n, K), q, cols = M.shape, self.structure.q, self.structure.cols.ravel()
        if v.size < MADE_SPARSE:
            columns = v.reshape(n, -1).T
            sums = [np.bincount(cols, (M * column[:, None]).ravel(), q) for column in columns]
            return np.reshape(sums, (-1, q)).T.reshape(q, *v.shape[1:])
        rows = csr_array((M.ravel(), cols, np.arange(n + 1) * K), (n, q))
        product: FloatArray = rows.T @ v
        return product

    def factor(self, D: FloatArray, M: FloatArray) -> tuple[float, FloatArray]:
        """What `solve` needs, packed, after a number that is NaN if H is not positive definite.

        A design without columns (a GLM) has the empty H.
        """
        if self.structure is None or self.kernels is None or not M.shape[1]:
            return 0.0, np.empty(0)
        factored: tuple[float, FloatArray] = self.kernels.prepare(
            D, M, self.structure.index, self.columns
        )
        return factored

    def solve(self, packed: FloatArray, rhs: FloatArray) -> FloatArray:
        """``H^-1 rhs`` for rhs of shape (q, m)."""
        if self.structure is None or self.kernels is None or not rhs.size:
            return rhs
        x: FloatArray = self.kernels.solve(packed, rhs, self.structure.index, self.columns)
        return x

    def row_inverse(
        self, packed: FloatArray, M: FloatArray, rows: IntArray | None = None
    ) -> FloatArray:
        """``H^-1 m`` of every row m of M at the row's own columns, shape (n, K).

        ``rows`` (m,) says with which rows of the fit those of M share their levels; default: they
        are the rows of the fit.
        """
        if self.structure is None or self.kernels is None or not M.shape[1]:
            return np.zeros_like(M)
        index = self.structure.index if rows is None else self.structure.index_at(rows)
        product: FloatArray = self.kernels.row_inverse(packed, M, index, self.columns)
        return product

    def step(self, M: FloatArray, joint: Joint, move_beta: bool, prior: BetaPrior) -> Step:
        """Newton step with information D, or with its positive part where that is indefinite.

        With the positive part H and the Schur complement of beta are positive definite, so the
        step still ascends.
        """
        D, r = joint.D, joint.r
        logdet, packed, step = joint.step or (*self.factor(D, M), None)
        if not np.isfinite(logdet):
            D, step = np.maximum(D, 0.0), None
            _, packed = self.factor(D, M)
        if not (move_beta and self.model.p):
            step = self.solve(packed, r[:, None])[:, 0] if step is None else step
            decrement = float(step @ r)
            return Step(np.zeros(self.model.p), step, decrement, decrement, packed)
        block = self.newton_block(M, packed, D, prior.information)
        if block is None and (D < 0.0).any():
            positive = replace(joint, D=np.maximum(D, 0.0), step=None)
            return self.step(M, positive, move_beta, prior)
        if block is None:
            return Step(np.zeros(self.model.p), np.zeros_like(r), np.nan, np.nan)
        r_beta = self.X.T @ joint.score + prior.gradient
        step_beta, step_u = self.solve_joint(packed, block, r_beta, r)
        decrement = float(step_beta @ r_beta + step_u @ r)
        return Step(step_beta, step_u, decrement, decrement)

    def packed(self, joint: Joint, M: FloatArray) -> FloatArray:
        """The factorisation of H, all NaN where H is not positive definite."""
        if joint.step is not None and np.isfinite(joint.step[0]):
            return joint.step[1]
        return self.factor(joint.D, M)[1]

    def held_step(self, held: Held, r: FloatArray, before: Step | None, tol: float) -> Step | None:
        """Step in u with a factorisation held; None if there is none, or it contracts too slowly.

        Each step with the same factorisation shortens the next one by about the same share. The
        first one predicts, to first order, the mode at other parameters.
        """
        if held.packed is None:
            return None
        u = self.solve(held.packed, r[:, None])[:, 0]
        decrement = float(u @ r)
        if not decrement >= 0.0:
            return None
        contraction = 1.0 if before is None else (decrement / before.decrement) ** 0.5
        error = contraction * decrement**0.5
        if before is not None and not error * contraction**MOST_HELD < tol:
            return None
        return Step(np.zeros(self.model.p), u, decrement, error, held.packed, True)

    def solve_joint(
        self, packed: FloatArray, block: BetaBlock, r_beta: FloatArray, r: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Solution of the joint system of (beta, u) with right-hand side (r_beta, r)."""
        x_beta = block.covariance @ (r_beta - block.correction.T @ r)
        return x_beta, self.solve(packed, r[:, None])[:, 0] - block.correction @ x_beta

    def beta_block(
        self, M: FloatArray, packed: FloatArray, D: FloatArray, prior: Information = 0.0
    ) -> BetaBlock | None:
        """beta's part of the joint information; None if its Schur complement is not definite."""
        S, correction = self.beta_information(M, packed, D, prior)
        if not np.isfinite(S).all():
            return None
        covariance = definite_inverse(S)
        return None if covariance is None else BetaBlock(covariance, correction)

    def newton_block(
        self, M: FloatArray, packed: FloatArray, D: FloatArray, prior: Information = 0.0
    ) -> BetaBlock | None:
        """`beta_block` for a step: combinations of beta without information stay where they are.

        Under complete separation the information about some combinations runs to zero together
        with their score.
        """
        block = self.beta_block(M, packed, D, prior)
        if block is not None or not (D >= 0.0).all():
            return block
        S, correction = self.beta_information(M, packed, D, prior)
        if not np.isfinite(S).all():
            return None
        # In units of the diagonal, so that a rare category is not mistaken for one without rows.
        unit = np.sqrt(np.maximum(np.diag(S), np.finfo(float).tiny))
        scaled = np.linalg.pinv(S / np.outer(unit, unit), hermitian=True)
        return BetaBlock(scaled / np.outer(unit, unit), correction)

    def beta_information(
        self, M: FloatArray, packed: FloatArray, D: FloatArray, prior: Information = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        """Schur complement ``X'DX - B'H^-1 B``, with the prior's information added, (p, p).

        And ``H^-1 B`` (q, p).
        """
        weighted = D[:, None] * self.X
        B = self.transpose_product(M, weighted)
        correction = self.solve(packed, B)
        return self.X.T @ weighted - B.T @ correction + prior, correction

    def prior_information(self, beta: FloatArray) -> Information:
        """Negative Hessian of beta's log prior, shape (p, p); zero without one."""
        return 0.0 if self.penalty is None else self.penalty.beta_information(beta)

    def information(
        self, mode: Mode, M: FloatArray, log_phi: float
    ) -> tuple[FloatArray, BetaBlock | None]:
        """Packed factorisation of H at a mode, and beta's part of the joint information."""
        _, _, D = self.density(self.linear_predictor(mode.beta, mode.u, M), log_phi)
        _, packed = self.factor(D, M)
        return packed, self.newton_block(M, packed, D, self.prior_information(mode.beta))

    def find(
        self,
        beta: FloatArray,
        M: FloatArray,
        log_phi: float,
        u: FloatArray,
        *,
        move_beta: bool = False,
        tol: float = DECREMENT_TOL,
        held: Held | None = None,
    ) -> Mode:
        """Mode of the joint density in u, or in (beta, u), from the given point.

        A start where the density cannot be evaluated is replaced by u = 0. Where a factorisation
        is most of the work, one of an earlier step or search (``held``, which is brought up to
        date) serves as long as it does nearly as well as one at the point itself.
        """
        held = Held() if held is None else held
        holds = not move_beta and self.structure is not None and self.structure.has_costly_factor
        best_beta, best_u, best_value, lowest = beta, u, -np.inf, -np.inf
        step, length = None, 1.0
        for n_newton in range(1, MAX_NEWTON + 1):
            if move_beta or n_newton == 1:
                fixed = self.offset + self.X @ beta
                prior = BetaPrior.at(beta, self.penalty) if move_beta else NO_PRIOR
            joint = self.joint(fixed, M, u, log_phi, with_step=True)
            value = joint.value + prior.value
            if not (np.isfinite(value) and value >= lowest):
                if step is None and u.any():
                    u = best_u = np.zeros_like(u)
                    continue
                if step is not None and step.is_held:
                    held.packed, u = None, best_u
                    continue
                length *= 0.5
                if step is None or length < MIN_STEP:
                    return Mode(best_beta, best_u, best_value, np.nan, n_newton, False)
                beta, u = best_beta + length * step.beta, best_u + length * step.u
                continue
            step, length = self.held_step(held, joint.r, step, tol) if holds else None, 1.0
            if step is None:
                step = self.step(M, joint, move_beta, prior)
                held.packed = step.packed if holds else None
            best_beta, best_u, best_value = beta, u, value
            lowest = value - ROUNDING * abs(value)
            if not np.isfinite(step.decrement):
                return Mode(beta, u, value, np.nan, n_newton, False)
            beta, u = beta + step.beta, u + step.u
            if step.error < tol:
                return Mode(beta, u, value, step.decrement, n_newton, True)
        return Mode(best_beta, best_u, best_value, np.nan, MAX_NEWTON, False)

    def joint(
        self,
        fixed: FloatArray,
        M: FloatArray,
        u: FloatArray,
        log_phi: float,
        *,
        with_step: bool = False,
    ) -> Joint:
        """Joint density at ``eta = fixed + M u`` with what a Newton step needs.

        With the step itself, where that is asked for and the factors are nested.
        """
        if M.shape[1] and with_step and self.is_nested:
            found = self.bound_newton(M, u, fixed, np.asarray(log_phi))
            value, score, D, r, logdet, packed, step = found
            return Joint(float(value), score, D, r, (float(logdet), packed, step))
        if M.shape[1]:
            value, *parts = self.bound_joint(M, u, fixed, np.asarray(log_phi))
            return Joint(float(value), *parts)
        logp, score, D = self.density(fixed, log_phi)
        return Joint(float(logp.sum()), score, D, np.zeros(len(u)))

    def working_information(self, eta: FloatArray, log_phi: float) -> FloatArray:
        """Information of every row in eta, (n,), that the Laplace approximation has."""
        D: FloatArray
        if self.compiled.approximation.laplace_weights == "expected":
            D = self.compiled.expected_information(self.y, self.w, eta, np.asarray(log_phi))[0]
        else:
            _, _, D = self.density(eta, log_phi)
        return D

    def density(self, eta: FloatArray, log_phi: float) -> tuple[Any, Any, Any]:
        """Log density, score and observed information, each (n,), with prior weights."""
        logp, score, D = self.bound_density(eta, np.asarray(log_phi))
        return logp, score, D

    @cached_property
    def bound_density(self) -> BoundFunction:
        """``(eta, log_phi) -> (log density, score, observed information)`` of these data."""
        return self.compiled.density.bind(self.y, self.w, known=self.known)

    @cached_property
    def bound_joint(self) -> BoundFunction:
        """`CompiledModel.joint` of these data."""
        assert self.structure is not None
        return self.compiled.joint.bind(self.y, self.w, self.structure.cols, known=self.known)

    @cached_property
    def bound_newton(self) -> BoundFunction:
        """`CompiledModel.newton` of these data."""
        assert self.structure is not None
        data = self.y, self.w, *self.structure.index
        return self.compiled.newton.bind(*data, known=self.known)

    @cached_property
    def bound_design(self) -> BoundFunction:
        """``theta -> M`` of these data."""
        return self.compiled.scaled_design.bind(*(t.Z for t in self.model.design.terms))
