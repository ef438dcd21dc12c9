"""Predictive densities of rows that a fit has not seen, its parameters taken as known."""

from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design import Design, GroupingFactor, subset
from mixedlm_pt.extraction import working_information
from mixedlm_pt.fit import Fit, likelihood
from mixedlm_pt.prediction.effect_variance import effect_variances
from mixedlm_pt.prediction.random_part import random_part

# The trapezoidal rule over the normal density, in standard deviations: two step lengths that agree
# this well say that the finer one is exact for all purposes.
REACH = 9.0
FIRST_STEP = 0.25
AGREEMENT = 1e-8
# Halvings of the step: a row that says 1,000 times more than the normal density needs them.
MAX_HALVINGS = 9


@dataclass(frozen=True, eq=False)
class NewPredictor:
    """Linear predictors of rows outside the fit: normal, shapes (m,), link scale."""

    eta: FloatArray
    sd: FloatArray


def rows_beside(design: Design, rows: IntArray, fitted: IntArray) -> Design:
    """Some rows with levels coded as in ``subset(design, fitted)``, new ones after those."""
    factors = []
    for factor in design.factors:
        known = np.unique(factor.codes[fitted])
        new = np.setdiff1d(factor.codes[rows], known)
        order = np.concatenate([known, new])
        place = np.empty(factor.n_levels, np.int64)
        place[order] = np.arange(len(order))
        levels = factor.levels[order]
        factors.append(GroupingFactor(factor.name, levels, place[factor.codes[rows]]))
    return replace(subset(design, rows), factors=tuple(factors))


def new_predictor(fit: Fit, design: Design) -> NewPredictor:
    """Distribution of the linear predictors of new rows, given the response of the fit.

    Known levels have the Laplace approximation's normal distribution, new ones the model's own.

    Parameters
    ----------
    fit : Fit
    design : Design
        From `rows_beside`.
    """
    part = random_part(fit, design, range(len(design.terms)))
    _, packed = fit.finder.factor(working_information(fit), fit.scaled_design)
    new = np.where(part.cols < fit.model.q, 0.0, part.M)
    variance = effect_variances(fit.finder, packed, part) + (new**2).sum(axis=1)
    return NewPredictor(design.offset + design.X @ fit.beta + part.effect, np.sqrt(variance))


def log_densities(fit: Fit, design: Design, predictor: NewPredictor) -> FloatArray:
    """``log E p(y_i | eta_i)`` of every new row over its linear predictor, shape (m,).

    The prior weights multiply the log density. The integral over eta_i is exact.
    """
    response, log_phi = design.response, np.asarray(fit.log_phi)

    def sums(rows: IntArray, z: FloatArray) -> FloatArray:
        """Log of the sum of the integrand over z."""
        eta = predictor.eta[rows, None] + predictor.sd[rows, None] * z
        y, w = (np.repeat(v[rows], len(z)) for v in (response.y, response.weights))
        logp = fit.compiled.density(y, w, eta.ravel(), log_phi)[0].reshape(eta.shape)
        logp = logp - 0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)
        # A linear predictor that the link has no mean for has no density either.
        return log_sum(np.where(np.isnan(logp), -np.inf, logp))

    step, count = FIRST_STEP, round(REACH / FIRST_STEP)
    open_rows = np.arange(design.n)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        total: FloatArray = sums(open_rows, step * np.arange(-count, count + 1.0)) + np.log(step)
        for _ in range(MAX_HALVINGS):
            middle = step * np.arange(0.5 - count, count)
            between = sums(open_rows, middle) + np.log(step)
            finer = np.logaddexp(total[open_rows], between) - np.log(2.0)
            settled = np.abs(finer - total[open_rows]) < AGREEMENT
            total[open_rows] = finer
            open_rows = open_rows[~settled]
            if not open_rows.size:
                break
            step, count = 0.5 * step, 2 * count
    return total


def log_sum(values: FloatArray) -> FloatArray:
    """Log of the row sums of ``exp(values)``, without overflow."""
    largest = values.max(axis=1)
    total: FloatArray = largest + np.log(np.exp(values - largest[:, None]).sum(axis=1))
    return total


def joint_log_density(fit: Fit, design: Design, rows: IntArray, fitted: IntArray) -> float:
    """Log density of the responses of some rows together, given the response of the fit.

    ``log L(fitted and rows) - log L(fitted)`` by the fit's own approximation at its estimates. For
    rows that share no random effect with the fit that is their own log-likelihood.

    Parameters
    ----------
    fit : Fit
        Of ``subset(design, fitted)``.
    design : Design
    rows, fitted : arrays of int64
    """
    shared = any(np.isin(f.codes[rows], f.codes[fitted]).any() for f in design.factors)
    if not shared:
        return log_likelihood(fit, subset(design, rows))
    both = subset(design, np.concatenate([fitted, rows]))
    return log_likelihood(fit, both) - log_likelihood(fit, fit.design)


def log_likelihood(fit: Fit, design: Design) -> float:
    """Log-likelihood of other data at the estimates of a fit."""
    return likelihood(fit, replace(fit.model, design=design))(fit.par).loglik
