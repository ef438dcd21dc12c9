"""Starting values and the scale of each coordinate."""

from dataclasses import dataclass, replace

import numpy as np
import scipy
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design import GroupingFactor
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation.objective import Objective

# A variance component that looks like zero starts at this share of a level's own sampling
# variance: zero itself is a stationary point of the criterion.
SMALLEST_SHARE = 0.1
# Newton decrement of the searches here: the optimiser goes on from where they stop, and where the
# response is completely separated a tighter one sends beta to where it has no information left.
START_TOL = 1e-4


@dataclass(frozen=True, eq=False)
class Start:
    """Starting values of an objective and a matrix with columns about one standard error long.

    Attributes
    ----------
    par : array, shape (n_par,)
    scale : array, shape (n_par, n_par)
    bend : array, shape (n_par,)
        For a diagonal of Lambda, the sd with which an average level alone tells its effect: below
        it the likelihood is about quadratic in the parameter, above it in its logarithm.
        Infinite for all others.
    beta, u : arrays, shapes (p,), (q,)
        Where the search for the mode begins.
    """

    par: FloatArray
    scale: FloatArray
    bend: FloatArray
    beta: FloatArray
    u: FloatArray


def starting_values(
    objective: Objective, given: FloatArray | None = None, *, joint_mode: bool = True
) -> Start:
    """GLM, then moments for the variance components, then the joint mode of (beta, u).

    Parameters
    ----------
    objective : Objective
    given : array, shape (n_par,), optional
        The user's values of (beta, theta, log phi); NaN where there is none.
    joint_mode : bool
        Take beta from the joint mode of (beta, u), lme4's nAGQ = 0 step, or keep the GLM's.

    Raises
    ------
    EstimationError
        If the density cannot be evaluated where all means equal that of the response.
    """
    model, finder = objective.model, objective.finder
    beta, log_phi = glm_start(objective)
    theta, theta_scale, theta_bend = moment_start(objective, beta, log_phi)
    M, u = finder.scaled_design(theta), np.zeros(model.q)
    mode = finder.find(beta, M, log_phi, u, move_beta=joint_mode, tol=START_TOL)
    if mode.converged:
        beta, u = mode.beta, mode.u
    eta = finder.linear_predictor(beta, u, M)
    log_phi, phi_scale = dispersion_start(objective, eta)
    D = np.maximum(finder.density(eta, log_phi)[2], 0.0)
    _, packed = finder.factor(D, M)
    block = finder.beta_block(M, packed, D)
    if not np.isfinite(D).all():
        raise EstimationError(
            "the predictors reproduce the response exactly, so its dispersion is zero and the "
            "likelihood has no maximum. Is the response computed from the predictors?"
        )
    if block is None:
        raise EstimationError(
            "the information of the fixed effects is singular at the starting values; rescale the "
            "predictors or give start=."
        )
    scale = sl.block_diag(sl.cholesky(block.covariance, lower=True), np.diag(theta_scale))
    par = np.concatenate([beta, theta])
    if model.family.estimates_phi:
        par, scale = np.append(par, log_phi), sl.block_diag(scale, np.array([[phi_scale]]))
    bend = np.full(len(par), np.inf)
    bend[model.p : model.p + model.n_theta] = theta_bend
    if given is not None:
        par = np.where(np.isnan(given), par, given)
    objective.beta, objective.u = beta, u
    first = model.p if objective.moves_beta else 0
    return beside_zero(Start(par[first:], scale[first:, first:], bend[first:], beta, u))


def beside_zero(start: Start) -> Start:
    """The start with variance components of zero moved away from there.

    Zero is a stationary point whatever the data say.
    """
    par = start.par.copy()
    at_zero = np.isfinite(start.bend) & (par == 0.0)
    par[at_zero] = SMALLEST_SHARE * start.bend[at_zero]
    return replace(start, par=par)


def glm_start(objective: Objective) -> tuple[FloatArray, float]:
    """beta and log phi of the model without random effects.

    Starts where every mean is the response's: there every density can be evaluated if it can be
    anywhere, whatever the link.
    """
    model, finder = objective.model, objective.finder
    empty, u = np.zeros((model.n, 0)), np.zeros(0)
    mean = np.average(finder.y, weights=finder.w)
    constant = float(objective.compiled.forward(np.array([mean]))[0][0])
    solution = np.linalg.lstsq(finder.X, constant - finder.offset, rcond=None)[0]
    beta = np.asarray(solution, np.float64)
    eta = finder.offset + finder.X @ beta
    if not np.isfinite(finder.density(eta, 0.0)[0]).all():
        eta = np.full(model.n, constant)
    log_phi, _ = dispersion_start(objective, eta)
    mode = finder.find(beta, empty, log_phi, u, move_beta=True, tol=START_TOL)
    if not np.isfinite(mode.value):
        raise EstimationError(
            "the log density cannot be evaluated at the starting values; give start= or "
            "another link."
        )
    return mode.beta, log_phi


def dispersion_start(objective: Objective, eta: FloatArray) -> tuple[float, float]:
    """log phi that maximises the density at eta, and its standard error there."""
    fixed_phi, finder = objective.model.family.fixed_phi, objective.finder
    if fixed_phi is not None:
        return float(np.log(fixed_phi)), 1.0

    def deviance(value: float) -> float:
        total = float(finder.density(eta, value)[0].sum())
        return -total if np.isfinite(total) else np.inf

    best = scipy.optimize.minimize_scalar(deviance, bracket=(0.0, 1.0), tol=1e-3)
    h = 0.1
    curvature = (deviance(best.x + h) - 2.0 * best.fun + deviance(best.x - h)) / h**2
    return float(best.x), float(curvature**-0.5) if curvature > 0.0 else 1.0


def moment_start(
    objective: Objective, beta: FloatArray, log_phi: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """theta by moments of the level sums of the GLM's score, its standard error and its bend.

    For one column of Z and level j let ``s_j`` be the sum of z times score and ``I_j`` that of
    z^2 times information; then ``E s_j^2 = I_j + theta^2 I_j^2`` to first order, and the level
    tells the share ``r_j = theta^2 I_j / (1 + theta^2 I_j)`` of what it would tell about a known
    effect.
    """
    model, finder = objective.model, objective.finder
    theta, scale = np.zeros(model.n_theta), np.ones(model.n_theta)
    bend = np.full(model.n_theta, np.inf)
    _, score, D = finder.density(finder.offset + finder.X @ beta, log_phi)
    D = np.maximum(D, 0.0)
    for t, term in enumerate(model.design.terms):
        grouping, Z = model.design.factors[term.factor], term.Z
        s = level_sums(grouping, Z * score[:, None])
        information = level_sums(grouping, Z * Z * D[:, None])
        sampling = grouping.n_levels / information.sum(axis=0)
        moment = (s * s - information).sum(axis=0) / (information**2).sum(axis=0)
        variance = np.maximum(moment, SMALLEST_SHARE * sampling)
        share = variance * information / (1.0 + variance * information)
        told = information / (1.0 + variance * information)
        for c, column in enumerate(model.covariances[t].columns(Z.shape[1])):
            where = model.theta_slices[t].start + column
            theta[where[0]], bend[where[0]] = np.sqrt(variance[c]), np.sqrt(sampling[c])
            scale[where[0]] = (2.0 * share[:, c] * told[:, c]).sum() ** -0.5
            for r, position in enumerate(where[1:], start=c + 1):
                scale[position] = (told[:, r] * share[:, c]).sum() ** -0.5
    return theta, scale, bend


def level_sums(grouping: GroupingFactor, values: FloatArray) -> FloatArray:
    """Sums of the columns of ``values`` (n, k) by level, shape (n_levels, k)."""
    sums = [np.bincount(grouping.codes, column, grouping.n_levels) for column in values.T]
    return np.stack(sums, axis=1)
