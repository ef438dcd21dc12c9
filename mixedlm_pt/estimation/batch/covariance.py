"""Observed information of many responses, by differences of the exact gradients."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.estimation.batch.objective import BatchedObjective, Points
from mixedlm_pt.estimation.boundary import ZERO_COST

# In standard errors. Third derivatives leave an error of order STEP^2 in central differences, and
# rounding one of 1e-13 / STEP.
STEP = 1e-4


@dataclass(frozen=True, eq=False)
class Information:
    """The information in the parameters that are not on the boundary.

    Attributes
    ----------
    is_definite : array of bool, shape (R,)
    root : array, shape (R, n_par, n_par)
        A factor of the covariance, zero in the rows and columns of parameters on the boundary.
    """

    is_definite: BoolArray
    root: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """Covariances, shape (R, n_par, n_par)."""
        product: FloatArray = np.matmul(self.root, self.root.transpose(0, 2, 1))
        return product

    def decrement(self, gradient: FloatArray) -> FloatArray:
        """Gain in log-likelihood that a Newton step promises, shape (R,)."""
        projected = np.matmul(self.root.transpose(0, 2, 1), gradient[:, :, None])
        decrement: FloatArray = 0.5 * (projected**2).sum(axis=(1, 2))
        return decrement


def polished(
    objective: BatchedObjective, best: Points, scale: FloatArray, free: BoolArray
) -> tuple[Points, Information]:
    """A Newton step with the exact information, and that information."""
    R, P = best.par.shape
    both = free[:, :, None] & free[:, None, :]
    directions = np.where(both, tempered(objective, best, scale), 0.0)
    H = information(objective, best, directions)
    # Parameters on the boundary are decoupled and do not move.
    H[:, range(P), range(P)] += ~free
    is_finite = np.isfinite(H).all(axis=(1, 2))
    H[~is_finite] = -np.eye(P)
    values, vectors = np.linalg.eigh(H)
    is_definite = values.min(axis=1) > 0.0
    H[~is_definite] = np.eye(P)
    root = np.matmul(directions, np.linalg.inv(np.linalg.cholesky(H)).transpose(0, 2, 1))
    projected = np.matmul(directions.transpose(0, 2, 1), best.gradient[:, :, None])
    along = np.matmul(vectors.transpose(0, 2, 1), projected) / values[:, :, None]
    step = np.matmul(directions, np.matmul(vectors, along))[:, :, 0]
    rows = np.arange(R)[is_definite]
    if len(rows):
        moved = objective(best.par[rows] + step[rows], rows)
        kept = moved.loglik >= best.loglik[rows] - ZERO_COST
        best = best.replaced(rows[kept], moved.take(kept))
    return best, Information(is_definite, root)


def information(objective: BatchedObjective, best: Points, directions: FloatArray) -> FloatArray:
    """Negative Hessians in directions (R, n_par, n_par), the columns of each matrix."""
    ahead = changes(objective, best, STEP * directions)
    behind = changes(objective, best, -STEP * directions)
    H: FloatArray = np.matmul(behind - ahead, directions) / (2.0 * STEP)
    return 0.5 * (H + H.transpose(0, 2, 1))


def changes(objective: BatchedObjective, at: Points, steps: FloatArray) -> FloatArray:
    """Changes of the gradients with steps, the columns of each matrix; the changes are rows.

    As `hessian.Neighbourhood`: the mode moves by ``H^-1`` times the change of its equation, and
    what that misses is the same on both sides.
    """
    responses, has_modes = objective.all, at.u.shape[1] > 0
    objective.n_evaluations += steps.shape[2]

    def equation(par: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        beta, theta, log_phi = objective.split(par)
        M = responses.scaled_design(theta)
        eta = responses.fixed_part(beta) + responses.random_part(M, at.u)
        _, score, D = responses.density(eta, log_phi)
        return M, D, responses.transpose_product(M, score)

    if has_modes:
        M, D, pull = equation(at.par)
        _, packed = responses.factor(D, M)
    changed = np.empty(steps.shape)
    for j in range(steps.shape[2]):
        par, u = at.par + steps[:, :, j], at.u
        if has_modes:
            r = equation(par)[2] - pull
            u = u + responses.solve(packed, r[:, :, None])[:, :, 0]
        beta, theta, log_phi = objective.split(par)
        changed[:, j] = responses.criterion(beta, theta, log_phi, u)[1] - at.gradient
    return changed


def tempered(objective: BatchedObjective, best: Points, scale: FloatArray) -> FloatArray:
    """Directions (R, n_par, n_par) shortened to what the linear predictors span."""
    X, p = objective.model.design.X, objective.model.p
    if not p:
        return np.broadcast_to(scale, (len(best.par), *scale.shape))
    eta = np.matmul(X, best.par[:, :p, None])[:, :, 0]
    span = 1.0 + np.abs(eta).max(axis=1)
    reach = np.abs(X @ scale[:p]).max(axis=0)
    shortened: FloatArray = scale / np.maximum(reach / span[:, None], 1.0)[:, None, :]
    return shortened


def conditional_covariances(objective: BatchedObjective, best: Points) -> FloatArray:
    """Covariances of beta given theta and phi, shape (R, p, p); NaN where there is none."""
    model, responses = objective.model, objective.all
    beta, theta, log_phi = objective.split(best.par)
    X, R, p = model.design.X, len(beta), model.p
    eta, M = responses.fixed_part(beta), responses.scaled_design(theta)
    if model.q:
        eta += responses.random_part(M, best.u)
    D = responses.working_information(eta, log_phi)
    weighted = D[:, :, None] * X
    S = np.matmul(X.T, weighted)
    if model.q:
        _, packed = responses.factor(D, M)
        B = np.stack([responses.transpose_product(M, weighted[:, :, j]) for j in range(p)], axis=2)
        S -= np.matmul(B.transpose(0, 2, 1), responses.solve(packed, B))
    covariances = np.full((R, p, p), np.nan)
    for r in np.flatnonzero(np.isfinite(S).all(axis=(1, 2))):
        if np.linalg.eigvalsh(S[r]).min(initial=np.inf) > 0.0:
            covariances[r] = np.linalg.inv(S[r])
    return covariances
