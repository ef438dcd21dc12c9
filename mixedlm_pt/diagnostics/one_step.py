"""What leaving rows out would change: one Newton step from the estimates of all rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design import Design, subset
from mixedlm_pt.fit import Fit, likelihood
from mixedlm_pt.model import GLMM


@dataclass(frozen=True, eq=False)
class Deletion:
    """Some rows and what leaving them out does.

    Attributes
    ----------
    fit : Fit or None
        Estimates without these rows; None if there are none.
    covariance : array, shape (p, p)
        Of beta without these rows.
    problem : str
        Why there are no estimates; empty otherwise.
    """

    fit: Fit | None
    covariance: FloatArray
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that share no random effect with others, and the deletions within them.

    Attributes
    ----------
    rows : array of int64
    deletions : list of (position, rows)
        Positions in the list of all deletions.
    """

    rows: IntArray
    deletions: list[tuple[int, IntArray]]


@dataclass(frozen=True, eq=False)
class Share:
    """What some rows contribute: to the gradient (n_par,) and to the information of beta (p, p)."""

    gradient: FloatArray
    information: FloatArray

    def __sub__(self, other: "Share") -> "Share":
        return Share(self.gradient - other.gradient, self.information - other.information)


def without_rows(design: Design, rows: IntArray) -> Design:
    """The design with weight zero for some rows, which is the likelihood without them.

    Nothing else changes: structure, coordinates and starting values stay those of the fit.
    """
    weights = design.response.weights.copy()
    weights[rows] = 0.0
    return replace(design, response=replace(design.response, weights=weights))


def blocks(fit: Fit, deletions: Sequence[IntArray]) -> list[Block]:
    """The deletions, sorted by the independent rows that they touch."""
    model = fit.model
    if model.structure is None:
        code = np.arange(model.n)
    elif model.structure.layout.kind == "tree":
        # Every other factor is nested in the last.
        code = model.design.factors[-1].codes
    else:
        code = np.zeros(model.n, np.int64)
    touched: dict[tuple[int, ...], list[tuple[int, IntArray]]] = defaultdict(list)
    for position, rows in enumerate(deletions):
        touched[tuple(np.unique(code[rows]).tolist())].append((position, rows))
    order, sizes = np.argsort(code, kind="stable"), np.bincount(code)
    ends = np.cumsum(sizes)
    return [
        Block(np.concatenate([order[ends[c] - sizes[c] : ends[c]] for c in key]), inside)
        for key, inside in touched.items()
    ]


def one_step(fit: Fit, precision: FloatArray, block: Block) -> list[tuple[int, Deletion]]:
    """Every deletion of a block by one Newton step.

    Parameters
    ----------
    fit : Fit
    precision : array, shape (n_par, n_par)
        Observed information of all parameters; zero in the rows of those on the boundary.
    block : Block

    Returns
    -------
    list of (position, Deletion)

    Notes
    -----
    The gradient without the rows is exact. The information is that of the fit less what the rows
    tell about beta given the other parameters, so that for a model without random effects this is
    the usual one-step deletion of a GLM, leverage included.
    """
    rows = np.sort(block.rows)
    model = replace(fit.model, design=subset(fit.design, rows))
    whole = share(fit, model)
    found = []
    for position, deleted in block.deletions:
        inside = np.searchsorted(rows, deleted)
        if len(inside) == len(rows):
            lost = whole
        else:
            lost = whole - share(fit, model.with_design(without_rows(model.design, inside)))
        found.append((position, stepped(fit, precision, lost)))
    return found


def share(fit: Fit, model: GLMM) -> Share:
    """Gradient and information of beta of some rows, at the estimates of the fit."""
    objective = likelihood(fit, model)
    evaluation, finder = objective(fit.par), objective.finder
    M = finder.scaled_design(fit.theta)
    eta = finder.linear_predictor(fit.beta, evaluation.mode.u, M)
    D = finder.density(eta, fit.log_phi)[2]
    _, packed = finder.factor(D, M)
    return Share(evaluation.gradient, finder.beta_information(M, packed, D)[0])


def stepped(fit: Fit, precision: FloatArray, lost: Share) -> Deletion:
    """The estimates after a Newton step on what is left."""
    p, n_theta = fit.model.p, fit.model.n_theta
    free = np.diag(precision) > 0.0
    left = precision.copy()
    left[:p, :p] -= lost.information
    try:
        factor = sl.cho_factor(left[np.ix_(free, free)])
    except (np.linalg.LinAlgError, ValueError):
        return Deletion(None, np.full((p, p), np.nan), "the information left is not definite")
    par = np.zeros(fit.model.n_par)
    par[free] = sl.cho_solve(factor, -lost.gradient[free])
    theta = inside_bounds(fit.model, fit.theta + par[p : p + n_theta])
    phi = fit.estimate.phi * (np.exp(par[-1]) if fit.family.estimates_phi else 1.0)
    estimate = replace(fit.estimate, beta=fit.beta + par[:p], theta=theta, phi=float(phi))
    covariance = sl.cho_solve(factor, np.eye(int(free.sum())))[:p, :p]
    return Deletion(fit.replace(estimate=estimate), covariance)


def inside_bounds(model: GLMM, theta: FloatArray) -> FloatArray:
    """theta with those sds at zero that a step has carried beyond."""
    theta = theta.copy()
    parts = zip(model.covariances, model.term_widths, model.theta_slices, strict=True)
    for covariance, k, part in parts:
        for column in covariance.columns(k):
            if theta[part][column[0]] < 0.0:
                theta[part.start + column] = 0.0
    return theta
