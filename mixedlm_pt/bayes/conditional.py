"""Random effects drawn given draws of the parameters, and weights that make both exact."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.bayes.whitened_marginal import TOL, MarginalTarget
from mixedlm_pt.diagnostics.conditional_draws import (
    ConditionalEffects,
    Gaussian,
    Resampled,
    noise_of,
)
from mixedlm_pt.diagnostics.pareto_smoothing import pareto_smoothed
from mixedlm_pt.errors import EstimationError

# Newton decrement, by effect, before whose last step a mode is good enough for weighted draws,
# which are exact around any point.
PROPOSAL_TOL = 1e-3
# Proposals of the random effects that tell how noisy the weights are.
TRIALS = 400
# The variance that the proposals may add to a log weight; above, the correction is smoothed over
# the draws, if there are so many for every coefficient of a quadratic polynomial.
NOISE, DRAWS_EACH = 0.1, 10


@dataclass(frozen=True, eq=False)
class ExactTarget:
    """The posterior of parameters and random effects, estimated by importance sampling at any z.

    Attributes
    ----------
    marginal : MarginalTarget
    effects : ConditionalEffects
    noise : float
        Variance of the estimates' logarithms at the centre.
    k_hat : float
        Largest shape of the tails of the weights of the random effects there.
    """

    marginal: MarginalTarget
    effects: ConditionalEffects
    noise: float
    k_hat: float

    @classmethod
    def of(cls, marginal: MarginalTarget, proposals: int, rng: np.random.Generator) -> ExactTarget:
        """With so many proposals of the random effects for every draw of the parameters."""
        fit = marginal.density.fit
        effects = ConditionalEffects(fit.model, (proposals + 1) // 2, fit.backend)
        target = cls(marginal, effects, 0.0, 0.0)
        at = target.gaussian(np.zeros(marginal.n), TOL)
        trials = [
            effects.propose(at, rng).log_weights.reshape(2, effects.n_pairs, -1)
            for _ in range(-(-TRIALS // effects.n_proposals))
        ]
        log_weights = np.concatenate(trials, axis=1).reshape(-1, effects.n_clusters)
        noise = noise_of(np.exp(log_weights - log_weights.max(axis=0))) / effects.n_pairs
        k_hat = float(pareto_smoothed(log_weights)[1].max())
        return replace(target, noise=noise, k_hat=k_hat)

    def gaussian(self, z: FloatArray, tol: float) -> Gaussian:
        """The normal approximation to the random effects."""
        density = self.marginal.density
        beta, theta, log_phi = density.objective.split(density.parameters(self.marginal.x(z)))
        return self.effects.gaussian(beta, theta, log_phi, self.marginal.start(z), tol)

    def laplace(self, z: FloatArray) -> float:
        """Laplace's log density of x, without a gradient; minus infinity if it has none."""
        density = self.marginal.density
        try:
            at = self.gaussian(z, TOL)
        except EstimationError:
            return -np.inf
        value = self.effects.finder.joint(at.fixed, at.M, at.u, at.log_phi).value
        return value - 0.5 * at.logdet + density.log_prior(self.marginal.x(z))

    def weigh(self, z: FloatArray, rng: np.random.Generator) -> tuple[float, Resampled]:
        """Laplace's log density of x, and what proposals of the random effects add."""
        density = self.marginal.density
        try:
            at = self.gaussian(z, PROPOSAL_TOL * self.effects.model.q)
        except EstimationError:
            return -np.inf, Resampled(density.centre.u, 0.0, 0.0)
        proposals = self.effects.propose(at, rng)
        laplace = float(proposals.at_mode.sum()) - 0.5 * at.logdet
        log_prior = density.log_prior(self.marginal.x(z))
        return laplace + log_prior, self.effects.resample(proposals, rng)

    def draw(self, z: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Random effects from their normal approximation, shape (q,)."""
        at = self.gaussian(z, TOL)
        u: FloatArray = self.effects.propose(at, rng).u[0]
        return u


@dataclass(frozen=True, eq=False)
class Drawn:
    """Draws of z before any correction, chain by chain.

    Attributes
    ----------
    z : array, shape (chains, draws, n)
    log_density : array, shape (chains, draws)
        Of what they were drawn from, as a density of x but for a constant.
    diverging : array of bool, shape (chains, draws)
    n_steps : array of int, shape (chains, draws)
        Evaluations of the density.
    """

    z: FloatArray
    log_density: FloatArray
    diverging: BoolArray
    n_steps: IntArray


def weighted(
    exact: ExactTarget,
    drawn: Drawn,
    rngs: list[np.random.Generator],
    correct: bool,
    method: str,
    cores: int | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """z, random effects for every draw, and log weights, which are 0 where all count the same."""

    def one_chain(chain: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        rng, z = rngs[chain], drawn.z[chain]
        u, log_weight = np.empty((len(z), exact.effects.model.q)), np.zeros(len(z))
        correction = np.zeros((len(z), 2))
        for s, point in enumerate(z):
            if correct:
                log_weight[s], found = exact.weigh(point, rng)
                u[s], correction[s] = found.u, (found.correction, found.noise)
            else:
                u[s] = exact.draw(point, rng)
                if method == "importance":
                    log_weight[s] = exact.marginal.value(point)
        if correct or method == "importance":
            log_weight -= drawn.log_density[chain]
        return u, log_weight, correction

    # What a chain draws does not depend on how many run at a time.
    with ThreadPoolExecutor(max_workers=min(cores or 1, len(rngs))) as pool:
        done = list(pool.map(one_chain, range(len(rngs))))
    u, log_weight, correction = (np.stack(parts) for parts in zip(*done, strict=True))
    if correct:
        log_weight += smoothed_correction(drawn.z, correction, exact.noise)
    return drawn.z.copy(), u, log_weight


def smoothed_correction(z: FloatArray, correction: FloatArray, noise: float) -> FloatArray:
    """Exact minus Laplace's log-likelihood at z, shape (chains, draws).

    Parameters
    ----------
    z : array, shape (chains, draws, n)
    correction : array, shape (chains, draws, 2)
        Estimates and their variances.
    noise : float
        Typical variance. Where it is small the estimates, whose exponentials are unbiased, stay as
        they are.
    """
    n, (estimate, variance) = z.shape[2], np.moveaxis(correction, 2, 0)
    i, j = np.triu_indices(n)
    if noise <= NOISE or estimate.size < DRAWS_EACH * (1 + n + len(i)):
        return np.asarray(estimate, np.float64)
    points = z.reshape(-1, n)
    design = np.hstack([np.ones((len(points), 1)), points, points[:, i] * points[:, j]])
    # Half of its variance is what the logarithm of an unbiased estimate is too low.
    target = (estimate + 0.5 * variance).reshape(-1)
    coefficients = np.linalg.lstsq(design, target)[0]
    fitted: FloatArray = (design @ coefficients).reshape(estimate.shape)
    return fitted


def resampled(weight: FloatArray, rng: np.random.Generator) -> IntArray:
    """Which draws are kept and how often: systematic resampling, in the order of the draws.

    Copies follow each other, so that effective sample sizes take them for autocorrelation.
    """
    n = len(weight)
    ends = np.cumsum(weight)
    places: IntArray = np.searchsorted(ends, (np.arange(n) + rng.random()) * ends[-1] / n)
    return places
