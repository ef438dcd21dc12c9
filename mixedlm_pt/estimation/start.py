"""Starting values and the scale of each coordinate."""

from dataclasses import dataclass, replace

import numpy as np
import scipy
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.covariance import Unstructured
from mixedlm_pt.design import GroupingFactor
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation.objective import Objective
from mixedlm_pt.model import GLMM

# A variance component that looks like zero starts at this share of a level's own sampling
# variance: zero itself is a stationary point of the criterion.
SMALLEST_SHARE = 0.1
# Newton decrement by row of the searches here: the optimiser goes on from where they stop, and
# where the response is completely separated a tighter one sends beta to where it has no
# information left.
START_TOL = 1e-4
# Longest steps of a log variance and of log phi: the expansions around the present values say
# little about what is further away.
LONGEST_SCORING = 2.0
LONGEST_PHI = 1.0
# No standard error of a logarithm is longer: where a shape runs to infinity its likelihood is flat.
WIDEST_PHI = 2.0


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
    """GLM, moments for the variance components, joint mode of (beta, u), a step of Fisher scoring.

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
    tol = START_TOL * model.n
    mode = finder.find(beta, M, log_phi, u, move_beta=joint_mode, tol=tol)
    if mode.converged and model.family.estimates_phi:
        log_phi = dispersion_start(objective, finder.linear_predictor(mode.beta, mode.u, M))
        mode = finder.find(mode.beta, M, log_phi, mode.u, move_beta=joint_mode, tol=tol)
    if mode.converged:
        beta, u = mode.beta, mode.u
    eta = finder.linear_predictor(beta, u, M)
    D = np.maximum(finder.density(eta, log_phi)[2], 0.0)
    _, packed = finder.factor(D, M)
    block = finder.beta_block(M, packed, D, finder.prior_information(beta))
    if not np.isfinite(D).all():
        raise EstimationError(
            "the predictors reproduce the response exactly, so its dispersion is zero and the "
            "likelihood has no maximum. Is the response computed from the predictors?"
        )
    units = None if block is None else lower_root(block.covariance)
    if units is None:
        raise EstimationError(
            "the information of the fixed effects is singular at the starting values; rescale the "
            "predictors or give start=."
        )
    N = finder.row_inverse(packed, M)
    if mode.converged:
        theta, theta_scale, u = scored(model, theta, theta_scale, u, M, D[:, None] * N)
    scale = sl.block_diag(units, np.diag(theta_scale))
    par = np.concatenate([beta, theta])
    if model.family.estimates_phi:
        log_phi, phi_scale = dispersion_step(objective, eta, log_phi, (M * N).sum(axis=1))
        par, scale = np.append(par, log_phi), sl.block_diag(scale, np.array([[phi_scale]]))
    bend = np.full(len(par), np.inf)
    bend[model.p : model.p + model.n_theta] = theta_bend
    if given is not None:
        par = np.where(np.isnan(given), par, given)
    objective.beta, objective.u, objective.held.packed = beta, u, packed
    first = model.p if objective.moves_beta else 0
    return beside_zero(Start(par[first:], scale[first:, first:], bend[first:], beta, u))


def lower_root(covariance: FloatArray) -> FloatArray | None:
    """Cholesky factor of a covariance; None where rounding has left it without one."""
    try:
        return np.asarray(sl.cholesky(covariance, lower=True), np.float64)
    except np.linalg.LinAlgError:
        return None


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
    beta = np.zeros(model.p)
    if (finder.X[:, :1] == 1.0).all() and model.p and not finder.offset.any():
        beta[0] = constant
    else:
        beta[:] = np.linalg.lstsq(finder.X, constant - finder.offset, rcond=None)[0]
    eta = finder.offset + finder.X @ beta
    if not np.isfinite(finder.density(eta, 0.0)[0]).all():
        eta = np.full(model.n, constant)
    log_phi = dispersion_start(objective, eta)
    mode = finder.find(beta, empty, log_phi, u, move_beta=True, tol=START_TOL * model.n)
    if not np.isfinite(mode.value):
        raise EstimationError(
            "the log density cannot be evaluated at the starting values; give start= or "
            "another link."
        )
    return mode.beta, log_phi


def dispersion_start(objective: Objective, eta: FloatArray) -> float:
    """log phi that maximises the density at eta."""
    fixed_phi, finder = objective.model.family.fixed_phi, objective.finder
    if fixed_phi is not None:
        return float(np.log(fixed_phi))

    def deviance(value: float) -> float:
        total = float(finder.density(eta, value)[0].sum())
        return -total if np.isfinite(total) else np.inf

    return float(scipy.optimize.minimize_scalar(deviance, bracket=(0.0, 1.0), tol=1e-3).x)


def dispersion_step(
    objective: Objective, eta: FloatArray, log_phi: float, leverage: FloatArray
) -> tuple[float, float]:
    """log phi after a Newton step of the Laplace criterion at eta, and its standard error.

    ``leverage`` (n,), the diagonal of ``M H^-1 M'``, is the derivative of ``log|H|`` in the
    information of each row.
    """

    def criterion(value: float) -> float:
        logp, _, D = objective.finder.density(eta, value)
        return float((logp - 0.5 * leverage * D).sum())

    h = 0.1
    behind, here, ahead = (criterion(log_phi + step) for step in (-h, 0.0, h))
    curvature = (2.0 * here - behind - ahead) / h**2
    if not curvature > 0.0:
        return log_phi, 1.0
    step = (ahead - behind) / (2.0 * h * curvature)
    moved = log_phi + min(max(step, -LONGEST_PHI), LONGEST_PHI)
    return moved, min(curvature**-0.5, WIDEST_PHI)


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


def scored(
    model: GLMM,
    theta: FloatArray,
    scale: FloatArray,
    u: FloatArray,
    M: FloatArray,
    DN: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """theta after a step of Fisher scoring at the mode, its standard error, and u for the same b.

    With the information by row held, the gradient of the Laplace criterion in Lambda of a term,
    times ``Lambda'``, is ``sum_j u_j u_j' - R_j``, where ``R_j = I - (H^-1)_jj`` is what the data
    tell about level j; the variance of its entries is about ``sum_j r_j r_j'`` with r the diagonal
    of R. Its rows sum to R: ``M' DN`` with ``N = M H^-1``, each (n, K).
    """
    theta, scale, u = theta.copy(), scale.copy(), u.copy()
    place = 0
    for part, terms, grouping in zip(
        model.u_slices, model.factor_terms, model.design.factors, strict=True
    ):
        by_level, first = u[part].reshape(grouping.n_levels, -1), place
        for t in terms:
            k, where = model.term_widths[t], model.theta_slices[t].start
            m, dn = M[:, place : place + k], DN[:, place : place + k]
            v = by_level[:, place - first : place - first + k]
            place += k
            # The step is one in all covariances: another structure need not contain its end.
            if not isinstance(model.covariances[t], Unstructured):
                continue
            R, r = m.T @ dn, level_sums(grouping, m * dn)
            variance = r.T @ r
            if not (np.isfinite(variance).all() and variance.all()):
                continue
            values, vectors = np.linalg.eigh((v.T @ v - 0.5 * (R + R.T)) / variance)
            # A longer step would leave the expansion that gives its direction.
            growth = np.exp(np.clip(values, -LONGEST_SCORING, LONGEST_SCORING))
            root = np.linalg.cholesky((vectors * growth) @ vectors.T)
            # The same b, so that the same eta: there the density can be evaluated.
            v[:] = np.linalg.solve(root, v.T).T
            columns = [where + column for column in model.covariances[t].columns(k)]
            Lambda = np.zeros((k, k))
            for c, column in enumerate(columns):
                Lambda[c:, c] = theta[column]
            Lambda = Lambda @ root
            for c, column in enumerate(columns):
                theta[column] = Lambda[c:, c]
                scale[column] = np.diag(Lambda)[c:] / np.sqrt(variance[c, c:])
                scale[column[0]] /= np.sqrt(2.0)
    return theta, scale, u


def level_sums(grouping: GroupingFactor, values: FloatArray) -> FloatArray:
    """Sums of the columns of ``values`` (n, k) by level, shape (n_levels, k)."""
    sums = [np.bincount(grouping.codes, column, grouping.n_levels) for column in values.T]
    return np.stack(sums, axis=1)
