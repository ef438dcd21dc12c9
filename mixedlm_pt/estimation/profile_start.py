"""Where a profile starts: modes, standard errors and curvature in the coordinates of a focus."""

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile import CompiledModel
from mixedlm_pt.estimation.focus import HALF_TURN, Focus
from mixedlm_pt.estimation.maximum_likelihood import Estimate
from mixedlm_pt.estimation.objective import with_same_effects

# No standard error of a logarithm is longer.
LONGEST_LOG = 2.0


def starting_effects(
    focus: Focus, estimate: Estimate, x: FloatArray, compiled: CompiledModel
) -> FloatArray:
    """The mode of u in the equivalent model, shape (q,), at the coordinates x of the estimates."""
    model, factors = focus.model, compiled.covariance_factors
    theta = focus.par(x)[model.p : model.p + model.n_theta]
    pairs = zip(focus.centring.A, factors(estimate.theta), strict=True)
    return with_same_effects(model, estimate.u, [A @ old for A, old in pairs], factors(theta))


def longest_units(focus: Focus, estimate: Estimate) -> FloatArray:
    """What no standard error should exceed, shape (n_par,): those of flat directions are huge."""
    model, X = focus.model, focus.model.design.X
    longest = np.full(model.n_par, np.inf)
    span = 1.0 + np.abs(X @ estimate.beta).max(initial=0.0)
    longest[: model.p] = span / np.abs(X).max(axis=0, initial=0.0)
    if model.family.estimates_phi:
        longest[-1] = LONGEST_LOG
    if focus.triple is not None:
        longest[list(focus.triple)] = LONGEST_LOG, LONGEST_LOG, HALF_TURN
    return longest


def metric_root(focus: Focus, estimate: Estimate, skipped: int) -> FloatArray:
    """Columns one standard error long, shape (m, m), without the first ``skipped`` coordinates."""
    start = estimate.restart
    par = np.concatenate([estimate.beta[:skipped], start.par])
    size = np.sqrt((start.scale**2).sum(axis=1))
    J = np.empty_like(start.scale)
    for j, h in enumerate(1e-4 * size):
        ahead, behind = par.copy(), par.copy()
        ahead[skipped + j] += h
        behind[skipped + j] -= h
        J[:, j] = (focus.x(ahead) - focus.x(behind))[skipped:] / (2.0 * h)
    root: FloatArray = J @ start.scale
    return root
