"""The boundary of the parameters: variances of zero, shapes at a limit, signs of Lambda."""

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.estimation.objective import Evaluation, Objective

# A standard deviation below this share of its own standard error at the start is tried at zero.
NEAR_ZERO = 0.1
# A variance component at zero may cost this much log-likelihood: rounding error, no more.
ZERO_COST = 1e-7
# A shape whose likelihood does not fall within this factor (its logarithm) is at its limit.
SHAPE_SHIFT = float(np.log(1e3))


def lambda_columns(objective: Objective) -> list[IntArray]:
    """Positions in par of every column of Lambda whose sign is free, its diagonal first."""
    model, offset = objective.model, objective.theta_slice.start
    parts = zip(model.covariances, model.term_widths, model.theta_slices, strict=True)
    return [offset + part.start + column for cov, k, part in parts for column in cov.columns(k)]


def with_positive_diagonal(objective: Objective, best: Evaluation) -> Evaluation:
    """The same covariance with every column of Lambda turned so that its diagonal is positive."""
    par = best.par.copy()
    for column in lambda_columns(objective):
        if par[column[0]] < 0.0:
            par[column] *= -1.0
    if np.array_equal(par, best.par):
        return best
    objective.start_from(best)
    turned = objective(par)
    # Where the mode is hard to find again the signs may stay: the covariance is the same.
    return turned if turned.value >= best.value - ZERO_COST else best


def settle_boundary(objective: Objective, best: Evaluation, scale: FloatArray) -> Evaluation:
    """Put covariance parameters exactly at zero where that costs no log-likelihood.

    At zero the gradient vanishes by symmetry, so the test is the value itself.
    """
    size = np.sqrt((scale**2).sum(axis=1))
    for diagonal, *_ in lambda_columns(objective):
        if 0.0 < best.par[diagonal] < NEAR_ZERO * size[diagonal]:
            par = best.par.copy()
            par[diagonal] = 0.0
            at_zero = objective(par)
            if at_zero.value >= best.value - ZERO_COST:
                best = at_zero
    return best


def settle_limit(objective: Objective, best: Evaluation) -> tuple[Evaluation, bool]:
    """Whether a shape runs to infinity or zero, and then an evaluation further on.

    Counts that are not overdispersed want a negative binomial with an infinite theta, a Poisson.
    """
    family = objective.model.family
    if not family.estimates_phi or family.phi_scales_variance:
        return best, False
    for shift in (SHAPE_SHIFT, -SHAPE_SHIFT):
        par = best.par.copy()
        par[-1] += shift
        beyond = objective(par)
        if beyond.value >= best.value - ZERO_COST:
            return beyond, True
    return best, False


def free_parameters(objective: Objective, best: Evaluation, is_limit: bool) -> BoolArray:
    """The parameters that are not on the boundary, shape (n_par,)."""
    free = np.ones(len(best.par), np.bool_)
    free[[i for i, *_ in lambda_columns(objective) if best.par[i] == 0.0]] = False
    free[-1:] &= not is_limit
    return free
