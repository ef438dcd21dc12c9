"""The criterion as a function of one parameter vector, with the mode warm-started."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile import Approximation, BoundFunction, compile_model
from mixedlm_pt.estimation.mode import Mode, ModeFinder
from mixedlm_pt.estimation.newton_step import Held
from mixedlm_pt.estimation.penalty import Penalty
from mixedlm_pt.graph import data_of
from mixedlm_pt.model import GLMM


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The criterion and its gradient at a parameter vector.

    Where it cannot be evaluated the log-likelihood is minus infinity and the gradient NaN: the
    optimiser rejects the step.

    Attributes
    ----------
    par : array, shape (n_par,)
    loglik : float
    gradient : array, shape (n_par,)
        Of ``value``.
    mode : Mode
    log_prior : float
        The penalty; 0 without one.
    """

    par: FloatArray
    loglik: float
    gradient: FloatArray
    mode: Mode
    log_prior: float = 0.0

    @property
    def value(self) -> float:
        """What is maximised: log-likelihood plus log prior."""
        return self.loglik + self.log_prior


class Objective:
    """Log-likelihood, plus the penalty if there is one, and gradient in (beta, theta, log phi).

    Counts its evaluations and remembers the last mode, from which the next search starts, and the
    last factorisation.

    Parameters
    ----------
    model : GLMM
    approximation : Approximation
    backend : str
    penalty : Penalty, optional

    Attributes
    ----------
    u : array, shape (q,)
        Last mode found.
    theta : array, shape (n_theta,), optional
        Where it was found.
    n_evaluations, n_newton, n_nearby : int
        Evaluations of the criterion, of the density in the searches for the mode, and gradients
        without such a search.
    """

    moves_beta = False

    def __init__(
        self,
        model: GLMM,
        approximation: Approximation,
        backend: str = "auto",
        penalty: Penalty | None = None,
    ) -> None:
        self.model, self.approximation, self.penalty = model, approximation, penalty
        self.compiled = compile_model(model, approximation, backend)
        self.finder = ModeFinder(model, self.compiled, penalty)
        self.beta, self.u, self.held = np.zeros(model.p), np.zeros(model.q), Held()
        self.theta: FloatArray | None = None
        self.n_evaluations = 0
        self.n_newton = 0
        self.n_nearby = 0

    def start_from(self, evaluation: Evaluation) -> None:
        """Let the next search for the mode begin at that of an evaluation."""
        self.beta, self.u = evaluation.mode.beta, evaluation.mode.u
        _, self.theta, _ = self.split(evaluation.par)

    @property
    def theta_slice(self) -> slice:
        """Where theta stands in ``par``."""
        first = 0 if self.moves_beta else self.model.p
        return slice(first, first + self.model.n_theta)

    def split(self, par: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """beta, theta and log phi, which is in ``par`` only where it is estimated."""
        fixed_phi = self.model.family.fixed_phi
        log_phi = float(par[-1]) if fixed_phi is None else float(np.log(fixed_phi))
        beta = self.beta if self.moves_beta else par[: self.model.p]
        return beta, par[self.theta_slice], log_phi

    def __call__(self, par: FloatArray) -> Evaluation:
        """Evaluate at ``par``."""
        self.n_evaluations += 1
        beta, theta, log_phi = self.split(par)
        M = self.finder.scaled_design(theta)
        mode = self.find_mode(beta, theta, M, log_phi)
        nothing = np.full(len(par), np.nan)
        if not mode.converged:
            return Evaluation(par, -np.inf, nothing, mode)
        loglik, gradient, log_prior = self.evaluate(theta, log_phi, M, mode)
        if not (np.isfinite(loglik + log_prior) and np.isfinite(gradient).all()):
            return Evaluation(par, -np.inf, nothing, mode)
        return Evaluation(par, float(loglik), gradient, mode, log_prior)

    def find_mode(self, beta: FloatArray, theta: FloatArray, M: FloatArray, log_phi: float) -> Mode:
        """Mode from the last one found, or from other points where that fails."""
        for u in self.starts(theta):
            mode = self.finder.find(beta, M, log_phi, u, move_beta=self.moves_beta, held=self.held)
            self.n_newton += mode.n_newton
            if mode.converged:
                self.beta, self.theta, self.u = mode.beta, theta, mode.u
                break
        return mode

    def starts(self, theta: FloatArray) -> Iterator[FloatArray]:
        """Where to look for the mode: the same u, the same b, u = 0."""
        yield self.u
        if self.theta is not None and np.isfinite(theta).all():
            factors = self.compiled.covariance_factors
            yield with_same_effects(self.model, self.u, factors(self.theta), factors(theta))
        yield np.zeros_like(self.u)

    def evaluate(
        self, theta: FloatArray, log_phi: float, M: FloatArray, mode: Mode
    ) -> tuple[float, FloatArray, float]:
        """Log-likelihood, gradient of the criterion and log prior at the mode."""
        loglik, gradient = self.bound_criterion(mode.beta, theta, np.asarray(log_phi), mode.u)
        if self.penalty is None:
            return float(loglik), gradient, 0.0
        log_prior, slope = self.penalty.value_and_gradient(self.joined(mode.beta, theta, log_phi))
        return float(loglik), gradient + slope[self.model.n_par - len(gradient) :], log_prior

    def joined(self, beta: FloatArray, theta: FloatArray, log_phi: float) -> FloatArray:
        """(beta, theta, log phi), shape (n_par,), the last only where it is estimated."""
        estimated = [log_phi] if self.model.family.estimates_phi else []
        return np.concatenate([beta, theta, estimated])

    @cached_property
    def bound_criterion(self) -> BoundFunction:
        """``(beta, theta, log_phi, u) -> (log-likelihood, gradient)`` of these data."""
        data = data_of(self.model)
        return self.compiled.value_and_gradient.bind(*data, known=self.finder.known)

    def full(self, best: Evaluation) -> FloatArray:
        """(beta, theta, log phi), shape (n_par,), whichever of them ``par`` holds."""
        return np.concatenate([best.mode.beta, best.par[self.theta_slice.start :]])

    def full_covariance(self, covariance: FloatArray, conditional: FloatArray) -> FloatArray:
        """Covariance of (beta, theta, log phi), shape (n_par, n_par).

        From that of ``par`` and `conditional_covariance`.
        """
        return covariance

    def conditional_covariance(self, best: Evaluation) -> FloatArray:
        """Covariance of beta given theta and phi, shape (p, p); NaN if it does not exist."""
        _, theta, log_phi = self.split(best.par)
        M, beta = self.finder.scaled_design(theta), best.mode.beta
        eta = self.finder.linear_predictor(beta, best.mode.u, M)
        D = self.finder.working_information(eta, log_phi)
        _, packed = self.finder.factor(D, M)
        block = self.finder.beta_block(M, packed, D, self.finder.prior_information(beta))
        return np.full((self.model.p,) * 2, np.nan) if block is None else block.covariance

    def loglik_se(self, best: Evaluation) -> float:
        """Monte-Carlo standard error of the log-likelihood; 0 where log|H| is exact."""
        structure = self.model.structure
        if structure is None or self.finder.kernels is None:
            return 0.0
        _, theta, log_phi = self.split(best.par)
        M = self.finder.scaled_design(theta)
        eta = self.finder.linear_predictor(best.mode.beta, best.mode.u, M)
        D = self.finder.working_information(eta, log_phi)
        index, columns = structure.index, structure.layout.columns
        return 0.5 * self.finder.kernels.logdet_se(D, M, index, columns)


class ProfiledObjective(Objective):
    """nAGQ = 0: log-likelihood in (theta, log phi), with beta and u at their joint mode."""

    moves_beta = True

    def evaluate(
        self, theta: FloatArray, log_phi: float, M: FloatArray, mode: Mode
    ) -> tuple[float, FloatArray, float]:
        """As there at the joint mode of (beta, u), which moves with the parameters.

        Beta's prior is part of the density whose mode that is, so that it adds nothing to v_beta.
        """
        finder = self.finder
        arguments = (mode.beta, theta, np.asarray(log_phi), mode.u)
        direct, implicit = self.bound_profiled
        loglik, gradient, v_beta, v_u = direct(*arguments)
        packed, block = finder.information(mode, M, log_phi)
        if block is None:
            return -np.inf, gradient, 0.0
        s_beta, s_u = finder.solve_joint(packed, block, v_beta, v_u)
        gradient = gradient + implicit(*arguments, s_beta, s_u)[0]
        if self.penalty is None:
            return float(loglik), gradient, 0.0
        log_prior, slope = self.penalty.value_and_gradient(self.joined(mode.beta, theta, log_phi))
        return float(loglik), gradient + slope[self.model.p :], log_prior

    @cached_property
    def bound_profiled(self) -> tuple[BoundFunction, BoundFunction]:
        """`CompiledModel.profiled` of these data."""
        direct, implicit = self.compiled.profiled
        data = data_of(self.model)
        return direct.bind(*data), implicit.bind(*data)

    def full_covariance(self, covariance: FloatArray, conditional: FloatArray) -> FloatArray:
        """As lme4 for nAGQ = 0: beta's covariance is the conditional one."""
        return sl.block_diag(conditional, covariance)


def with_same_effects(
    model: GLMM, u: FloatArray, old: Sequence[FloatArray], new: Sequence[FloatArray]
) -> FloatArray:
    """Spherical effects (q,) with another Lambda for the same b; ``old`` and ``new`` by term."""
    maps = [np.linalg.lstsq(b, a, rcond=None)[0] for a, b in zip(old, new, strict=True)]
    moved = u.copy()
    for part, terms, grouping in zip(
        model.u_slices, model.factor_terms, model.design.factors, strict=True
    ):
        by_level = moved[part].reshape(grouping.n_levels, -1)
        by_level[:] = by_level @ sl.block_diag(*(maps[t] for t in terms)).T
    return moved
