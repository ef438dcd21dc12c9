"""Coefficients that the data push to infinity."""

import numpy as np
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.fit import Fit

# Effects as large as this on the link scale, with a standard error to match, are looked at. A
# fit whose likelihood rises for ever stops when 1e-9 are left to gain: near |eta| = 20 for logit
# and log links, 7 for probit.
LARGE_EFFECT = 5.0
# A direction that has kept less than this share of the information that it has at equal means.
INFORMATION_SHARE = 1e-5
# A coefficient's share of that direction's largest.
NAMED_SHARE = 0.1


def separated_coefficients(fit: Fit) -> tuple[str, ...]:
    """Names of the coefficients whose likelihood rises without end; usually none.

    Under complete separation (a category without a single success, or a threshold of x that
    divides failures from successes) the rows concerned have means at the edge of the support, and
    with them the information about some combination of coefficients vanishes. It is compared with
    the information about the same combination when all means are equal, so that collinear columns,
    which lose both, are not mistaken for it. A direction that a proper prior holds is none of them.
    """
    X, size = fit.design.X, np.abs(fit.beta)
    # From the information at the estimates themselves: that of the log-likelihood, which is flat
    # here, is nothing but rounding error. "not <": a missing standard error is the extreme case.
    suspects = ~(np.sqrt(np.diag(fit.estimate.covariance_rx)) < 0.5 * size)
    if not suspects.any():
        return ()
    spread = np.maximum(X.max(axis=0), -X.min(axis=0))
    suspects &= size * spread > LARGE_EFFECT
    if not suspects.any():
        return ()
    finder = fit.finder
    mean = np.average(finder.y, weights=finder.w)
    equal = np.full(fit.model.n, fit.compiled.forward(np.array([mean]))[0][0])
    # In units of the columns, whose squares may lie 1e30 apart.
    units = np.where(spread > 0.0, spread, 1.0)
    left = information(X / units, finder.density(fit.eta, fit.log_phi)[2])
    full = information(X / units, finder.density(equal, fit.log_phi)[2])
    try:
        shares, directions = sl.eigh(left, full)
    except np.linalg.LinAlgError:
        # Even equal means tell nothing of some combination: the columns are at fault.
        return ()
    directions = directions[:, shares < INFORMATION_SHARE]
    if fit.penalty is not None:
        directions = directions[:, ~fit.penalty.holds(directions / units[:, None])]
    lost = np.abs(directions)
    concerned = (lost > NAMED_SHARE * lost.max(axis=0, initial=0.0)).any(axis=1)
    return tuple(np.array(fit.design.coef_names, object)[suspects & concerned])


def information(X: FloatArray, D: FloatArray) -> FloatArray:
    """``X'DX`` from the rows that carry information, shape (p, p)."""
    matrix: FloatArray = X.T @ (np.maximum(D, 0.0)[:, None] * X)
    return matrix
