"""Intervals of predictions: for the mean, and for a new observation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import checked_seed
from mixedlm_pt.design import Design, NewDesign
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.fit import Fit
from mixedlm_pt.limits import normal_quantile, tails
from mixedlm_pt.prediction.joint_covariance import JointCovariance, LinearPredictor
from mixedlm_pt.prediction.random_part import own_term

# Simulated responses that are held at a time.
CHUNK = 10_000_000


def confidence_limits(eta: FloatArray, se: FloatArray, level: float) -> FloatArray:
    """Normal limits of linear predictors, shape (2, m), link scale."""
    z = normal_quantile(level)
    return np.stack([eta - z * se, eta + z * se])


def mean_limits(fit: Fit, limits: FloatArray) -> FloatArray:
    """Limits on the response scale, shape (2, m), from those of linear predictors.

    Held to the range of means: a limit of an identity, inverse or square-root link can lie outside,
    and there the link is not monotone.
    """
    # As the docstring says: beyond the range there is no mean to report.
    held = np.clip(limits, *attainable(fit))
    # At the end of the range the mean of an inverse link is infinite.
    with np.errstate(divide="ignore"):
        ends: FloatArray = fit.compiled.mean(held.ravel())[0].reshape(held.shape)
    return np.sort(ends, axis=0)


def attainable(fit: Fit) -> tuple[float, float]:
    """The lowest and highest linear predictor that has a mean of the family."""
    ends = np.array(fit.family.support.mean_range)
    if np.isinf(ends).all():
        return -np.inf, np.inf
    # The ends of the range have infinite predictors under most links.
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest, highest = np.sort(fit.compiled.forward(ends)[0])
    return float(lowest), float(highest)


@dataclass(frozen=True, eq=False)
class PredictiveDistribution:
    """New observations of m rows.

    Draws parameters from their normal distribution, then the random effects given these, then the
    response. Only the distribution of each row is asked for, so given the parameters the effects
    are drawn row by row.

    Attributes
    ----------
    fit : Fit
    design : Design or NewDesign
        With the held and the drawn terms.
    predictor : LinearPredictor
        With the held effects at their modes.
    joint : JointCovariance
    held, drawn : sequence of int
        Positions of the terms whose effects are those of the fit, and of those drawn anew.
    """

    fit: Fit
    design: Design | NewDesign
    predictor: LinearPredictor
    joint: JointCovariance
    held: Sequence[int]
    drawn: Sequence[int]

    def limits(self, level: float, nsim: int, seed: int | None) -> FloatArray:
        """Lower and upper quantile of every row, shape (2, m), response scale.

        Raises
        ------
        ArgumentError
            For a family without a distribution.
        EstimationError
            If the estimates have no covariance.
        """
        if not self.fit.family.has_likelihood:
            raise ArgumentError(
                f"{self.fit.family.name} has a mean and a variance but no distribution, so "
                "interval='prediction' does not exist. Use interval='confidence'."
            )
        V, m = self.joint.V, self.design.n
        if not np.isfinite(V).all():
            raise EstimationError(
                "interval='prediction' needs the covariance of the estimates, which this fit does "
                "not have: its information is not positive definite. See checkConv()."
            )
        rng = np.random.default_rng(checked_seed(seed))
        # Semidefinite: parameters on the boundary do not vary.
        values, vectors = np.linalg.eigh(V)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        steps = rng.standard_normal((nsim, len(V))) @ root.T
        limits, size = np.empty((2, m)), max(1, CHUNK // nsim)
        for start in range(0, m, size):
            rows = slice(start, min(start + size, m))
            y = np.stack(list(self.responses(rows, steps, rng)))
            # A quantile that is an observation: counts stay counts.
            limits[:, rows] = np.quantile(y, tails(level), axis=0, method="inverted_cdf")
        return limits

    def responses(
        self, rows: slice, steps: FloatArray, rng: np.random.Generator
    ) -> Iterator[FloatArray]:
        """A response of some rows for every step of the parameters, shape (n_rows,) each."""
        fit, p, n_theta = self.fit, self.fit.model.p, self.fit.model.n_theta
        eta, gradient = self.predictor.eta[rows], self.predictor.gradient[rows]
        w = self.design.response.weights if isinstance(self.design, Design) else self.design.weights
        lowest, highest = attainable(fit)
        new_terms = list(self.unknown(rows))
        phi = fit.phi
        for step in steps:
            variance = self.predictor.conditional[rows].copy()
            if new_terms:
                factors = fit.compiled.covariance_factors(fit.theta + step[p : p + n_theta])
                for t, is_new, Z in new_terms:
                    variance[is_new] += ((Z @ factors[t]) ** 2).sum(axis=1)
            moved = eta + gradient @ step + np.sqrt(variance) * rng.standard_normal(len(eta))
            # A draw beyond the range of means counts as its end: -0.1 of an identity link as 0.
            mu = fit.compiled.mean(np.clip(moved, lowest, highest))[0]
            if fit.family.estimates_phi:
                phi = fit.phi * float(np.exp(step[-1]))
            # At the end of the range the mean of an inverse link is infinite, and so is a response.
            y, is_finite = mu.copy(), np.isfinite(mu)
            y[is_finite] = fit.family.draw(rng, mu[is_finite], phi, w[rows][is_finite])
            yield y

    def unknown(self, rows: slice) -> Iterator[tuple[int, IntArray, FloatArray]]:
        """Terms whose effects are not the fit's in some of the rows: position, which, their Z."""
        for t in (*self.held, *self.drawn):
            term, factor = own_term(self.fit, t, self.design)
            n_known = self.fit.design.factors[self.fit.design.terms[t].factor].n_levels
            codes = factor.codes[rows]
            is_new: IntArray = np.flatnonzero((codes >= n_known) | (t in self.drawn))
            if len(is_new):
                yield t, is_new, term.Z[rows][is_new]
