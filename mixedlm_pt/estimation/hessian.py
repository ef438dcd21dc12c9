"""Observed information of all parameters, by differences of the exact gradient."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.estimation.mode import Mode
from mixedlm_pt.estimation.newton_step import BetaBlock, Joint
from mixedlm_pt.estimation.objective import Evaluation, Objective
from mixedlm_pt.estimation.penalty import Information

# Length of a difference in standard errors, times the square root of the number of rows: so
# grows the rounding error of a gradient, and so fall third derivatives.
STEP = 1e-8
# Where the two values of an entry of the information disagree by more than this share, third
# derivatives are felt, which differences to the other side cancel; or rounding errors, which
# count for less in longer differences.
ASYMMETRY = 2e-6
LONGER = 30.0


class Neighbourhood:
    """Gradients next to an evaluation, without a search for the mode.

    By the implicit function theorem the mode moves by ``H^-1`` times the change of the mode
    equation ``Lambda'Z' score - u`` at fixed u. What this misses is of second order, like the
    truncation error of a difference quotient.

    Parameters
    ----------
    objective : Objective
    at : Evaluation
    """

    def __init__(self, objective: Objective, at: Evaluation) -> None:
        self.objective, self.at, self.finder = objective, at, objective.finder
        objective.start_from(at)
        self.step = STEP * float(np.sqrt(objective.model.n))
        self.M, self.joint = self.with_mode_held(at.par)
        self.packed = self.finder.packed(self.joint, self.M)
        objective.held.packed = self.packed

    def with_mode_held(self, par: FloatArray) -> tuple[FloatArray, Joint]:
        """M and the joint density at other parameters where the mode has not moved."""
        beta, theta, log_phi = self.objective.split(par)
        M, fixed = self.finder.scaled_design(theta), self.finder.offset + self.finder.X @ beta
        return M, self.finder.joint(fixed, M, self.at.mode.u, log_phi, with_step=True)

    @cached_property
    def block(self) -> BetaBlock | None:
        """beta's part of the joint information, where beta moves with the mode."""
        if not (self.objective.moves_beta and self.objective.model.p):
            return None
        return self.finder.newton_block(self.M, self.packed, self.joint.D, self.prior)

    @cached_property
    def prior(self) -> Information:
        """Negative Hessian of beta's log prior."""
        return self.finder.prior_information(self.at.mode.beta)

    def mode(self, beta: FloatArray, joint: Joint) -> Mode:
        """Where the mode moves to."""
        mode, r = self.at.mode, joint.r - self.joint.r
        if self.block is None:
            step = self.finder.solve(self.packed, r[:, None])[:, 0]
            return replace(mode, beta=beta, u=mode.u + step)
        r_beta = self.finder.X.T @ (joint.score - self.joint.score)
        step_beta, step_u = self.finder.solve_joint(self.packed, self.block, r_beta, r)
        return replace(mode, beta=mode.beta + step_beta, u=mode.u + step_u)

    def mode_beside(self, beta: FloatArray) -> Mode:
        """Where the mode moves to with beta alone, by ``-H^-1 Lambda'Z'DX``."""
        mode, (_, correction) = self.at.mode, self.beta_parts
        return replace(mode, beta=beta, u=mode.u - correction @ (beta - mode.beta))

    def gradient(self, par: FloatArray) -> FloatArray:
        """Gradient of the criterion at parameters next to those of the evaluation."""
        self.objective.n_nearby += 1
        beta, theta, log_phi = self.objective.split(par)
        first = self.objective.theta_slice.start
        if first and np.array_equal(par[first:], self.at.par[first:]):
            M, mode = self.M, self.mode_beside(beta)
        else:
            M, joint = self.with_mode_held(par)
            mode = self.mode(beta, joint)
        return self.objective.evaluate(theta, log_phi, M, mode)[1]

    def slopes(self, directions: FloatArray, longer: float = 1.0) -> FloatArray:
        """Derivatives of the negative gradient in the columns of ``directions`` (n_par, m).

        One-sided differences, each ``longer`` steps long; shape (m, n_par).
        """
        h = longer * self.step
        moved = [self.gradient(self.at.par + h * direction) for direction in directions.T]
        return (self.at.gradient - np.reshape(moved, directions.T.shape)) / h

    @cached_property
    def beta_parts(self) -> tuple[FloatArray, FloatArray]:
        """Information of beta in the joint density of (beta, u), (p, p), and ``H^-1 B`` (q, p)."""
        return self.finder.beta_information(self.M, self.packed, self.joint.D, self.prior)


def information(nearby: Neighbourhood, scale: FloatArray) -> FloatArray:
    """Negative Hessian of the criterion in scaled coordinates.

    Parameters
    ----------
    nearby : Neighbourhood
    scale : array, shape (n_par, n_free)
        Directions to differentiate in, about one standard error long.

    Returns
    -------
    array, shape (n_free, n_free)
        NaN where the criterion cannot be evaluated nearby.
    """
    if not nearby.objective.model.q:
        size = np.sqrt((scale**2).sum(axis=1))
        return scale.T @ partial_information(nearby, size) @ scale
    H = nearby.slopes(scale) @ scale
    if roughness(H) > ASYMMETRY:
        H = 0.5 * (H + nearby.slopes(scale, -1.0) @ scale)
    if roughness(H) > ASYMMETRY:
        sides = nearby.slopes(scale, LONGER) + nearby.slopes(scale, -LONGER)
        H = min(H, 0.5 * sides @ scale, key=roughness)
    return 0.5 * (H + H.T)


def roughness(H: FloatArray) -> float:
    """How far the information is from symmetric, as a share."""
    unit = np.sqrt(np.abs(np.diag(H)))
    return float((np.abs(H - H.T) / np.outer(unit, unit)).max(initial=0.0))


def partial_information(nearby: Neighbourhood, size: FloatArray) -> FloatArray:
    """Negative Hessian of the criterion without differences along beta, (n_par, n_par).

    The rows of theta and log phi are exact. For beta's block the information of the joint density
    of (beta, u) stands in, which leaves out how the log-determinant bends with beta; in a GLM
    there is none.

    Parameters
    ----------
    nearby : Neighbourhood
    size : array, shape (n_par,)
        Standard errors, about; zero where a parameter is held fixed.
    """
    first = nearby.objective.theta_slice.start
    H, rows = np.zeros((len(size), len(size))), np.flatnonzero(size)
    rows = rows[rows >= first]
    H[rows] = nearby.slopes(np.diag(size)[:, rows]) / size[rows, None]
    H[:first, first:] = H[first:, :first].T
    if first:
        H[:first, :first] = nearby.beta_parts[0]
    return 0.5 * (H + H.T)
