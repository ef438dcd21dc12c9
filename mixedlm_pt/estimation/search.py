"""The search for the optimum, in coordinates that fit the optimisers."""

from collections.abc import Callable

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.coordinates import Coordinates
from mixedlm_pt.estimation.exact_fit import ExactFit, VanishingDispersion
from mixedlm_pt.estimation.hessian import Neighbourhood, partial_information
from mixedlm_pt.estimation.objective import Evaluation, Objective
from mixedlm_pt.estimation.optimizers import MAX_STEP, OPTIMIZERS, Guide
from mixedlm_pt.estimation.start import Start
from mixedlm_pt.model import GLMM

# Root mean square change of the linear predictor in a first step, in units of a row's own error.
REACH = 0.2
LONGEST_LOG = 4.0
# With so many levels the criterion is so nearly quadratic that the search may stop where the
# Newton step that follows does the rest, earlier in proportion to their number.
FEW_LEVELS = 20

type Progress = Callable[[int, float], None]


def optimise(
    objective: Objective,
    par: FloatArray,
    initial: Start,
    control: GlmerControl,
    progress: Progress | None = None,
    *,
    is_scaled: bool = False,
) -> tuple[Evaluation, str]:
    """Run the optimiser of ``control`` from ``par`` in coordinates scaled as at the start.

    ``is_scaled`` says that the scale is exact, or nearly.
    """
    coordinates = Coordinates.at(par, initial)
    size = coordinates.size * coordinates.slope(par)
    vanishing = VanishingDispersion.of(objective.model, objective.compiled)
    best: Evaluation | None = None

    def criterion(z: FloatArray) -> tuple[float, FloatArray]:
        nonlocal best
        par = coordinates.par(z)
        if vanishing is not None and best is not None and np.isfinite(best.value):
            vanishing.check(best.par[-1], par[-1])
        evaluation = objective(par)
        if best is None or evaluation.value > best.value:
            best = evaluation
        if progress is not None:
            progress(objective.n_evaluations, evaluation.value)
        return -evaluation.value, -coordinates.gradient(evaluation.par, evaluation.gradient)

    def curvature(z: FloatArray) -> FloatArray | None:
        if best is None or not np.array_equal(best.par, coordinates.par(z)):
            return None
        H = partial_information(Neighbourhood(objective, best), size)
        return coordinates.curvature(best.par, -best.gradient, H)

    guide = Guide(curvature, is_scaled, longest_steps(objective, coordinates))
    z = np.zeros(len(par))
    try:
        found = OPTIMIZERS[control.optimizer](criterion, z, control.tol, control.maxfun, guide)
        message = found.message
    except ExactFit as reason:
        message = str(reason)
    if best is None or not np.isfinite(best.value):
        raise EstimationError(what_fails(objective, par))
    return best, message


def what_fails(objective: Objective, par: FloatArray) -> str:
    """Whether the criterion or only its gradient cannot be evaluated at ``par``, in words."""
    beta, theta, log_phi = objective.split(par)
    M = objective.finder.scaled_design(theta)
    mode = objective.find_mode(beta, theta, M, log_phi)
    if mode.converged:
        loglik, gradient, _ = objective.evaluate(theta, log_phi, M, mode)
        if np.isfinite(loglik) and not np.isfinite(gradient).all():
            return (
                "the log-likelihood can be evaluated at the starting values, but not its gradient. "
                "In a family, link or covariance structure of your own, look for a function whose "
                "derivative is infinite or 0/0 there, such as a power of zero."
            )
    return (
        "the log-likelihood cannot be evaluated at the starting values; give start=, rescale the "
        "predictors or choose another link."
    )


def longest_steps(objective: Objective, coordinates: Coordinates) -> FloatArray:
    """The first steps that are not too long for a quadratic approximation, in z; (n_par,).

    Some standard errors; but these are short where there are many rows, and then the linear
    predictor may move by REACH of what a row knows about it. A logarithm moves by 1 if it should,
    and by no more than LONGEST_LOG even if the likelihood is flat.
    """
    is_log = coordinates.is_bent.copy()
    is_log[-1:] |= objective.model.family.estimates_phi
    size = coordinates.size
    # As the docstring says: by 1 where a standard error is less, by LONGEST_LOG where it is more.
    in_log = np.clip(MAX_STEP * size, 1.0, LONGEST_LOG) / size
    return np.where(is_log, in_log, max(MAX_STEP, REACH * np.sqrt(objective.model.n)))


def search_tol(model: GLMM, control: GlmerControl) -> float:
    """Tolerance of a search that Newton steps with the exact information follow."""
    n_levels = min((grouping.n_levels for grouping in model.design.factors), default=model.n)
    return control.tol * max(1.0, n_levels / FEW_LEVELS)
