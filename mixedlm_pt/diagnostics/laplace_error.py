"""How far Laplace's approximation is from the likelihood, group by group."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.diagnostics.conditional_draws import ConditionalEffects, Gaussian
from mixedlm_pt.diagnostics.pareto_smoothing import pareto_smoothed
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation import Objective
from mixedlm_pt.fit import Fit
from mixedlm_pt.linalg.square_root import INVERSE_ROOTS

# Rows of data, repeated for every draw, that are evaluated at a time.
ROWS = 200_000
# Draws from which slopes of the error are taken, and the length of a difference in standard
# errors: the error is smooth, because all its values are of the same random numbers.
SLOPE_DRAWS, STEP = 200, 0.5
# Nodes at which quadrature counts as exact.
NODES = 25


@dataclass(frozen=True, eq=False)
class Block:
    """Random effects that are integrated out together, all others held at their mode.

    Attributes
    ----------
    effects : ConditionalEffects
    cols : array of int
        Their columns in a row of Z Lambda.
    places : array of int
        Where they stand in u.
    """

    effects: ConditionalEffects
    cols: IntArray
    places: IntArray


@dataclass(frozen=True, eq=False)
class Errors:
    """Exact minus Laplace's log-likelihood, cluster by cluster.

    Attributes
    ----------
    difference, se : arrays, shape (n_clusters,)
        With its Monte-Carlo standard error.
    k_hat : array, shape (n_clusters,)
        Shape of the tail of the importance weights.
    """

    difference: FloatArray
    se: FloatArray
    k_hat: FloatArray


class LaplaceError:
    """The error of Laplace's approximation as a function of the parameters.

    Parameters
    ----------
    fit : Fit
    draws : int
        Of the random effects; half of them are mirror images of the others.
    seed : int, optional
    """

    def __init__(self, fit: Fit, draws: int, seed: int | None) -> None:
        self.fit, self.model, self.finder = fit, fit.model, fit.finder
        self.entropy = np.random.SeedSequence(seed).entropy
        # As many pairs at a time as ROWS allow, at least one and no more than were asked for.
        self.n_pairs = max(1, min(ROWS // (2 * fit.model.n), (draws + 1) // 2))
        self.n_rounds = -(-draws // (2 * self.n_pairs))

    @property
    def draws(self) -> int:
        """Number of draws; a few more than asked for."""
        return 2 * self.n_pairs * self.n_rounds

    @cached_property
    def joint(self) -> Block | None:
        """All random effects together; None where H has no exact factor."""
        assert self.model.structure is not None, "checked by the verb"
        if self.model.structure.layout.kind not in INVERSE_ROOTS:
            return None
        return self.block(tuple(range(len(self.model.design.factors))))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All effects where they fall into groups, else those of each factor given the others'."""
        if self.joint is not None and self.joint.effects.has_clusters:
            return (self.joint,)
        return tuple(self.block((f,)) for f in range(len(self.model.design.factors)))

    def block(self, factors: tuple[int, ...]) -> Block:
        """The effects of some grouping factors."""
        model = self.model
        is_whole = len(factors) == len(model.design.factors)
        ends = np.cumsum([0, *model.factor_widths])
        effects = ConditionalEffects(
            model if is_whole else model.with_factors(factors)[0], self.n_pairs, self.fit.backend
        )
        cols = np.concatenate([np.arange(ends[f], ends[f + 1]) for f in factors])
        places = np.concatenate([np.arange(model.q)[model.u_slices[f]] for f in factors])
        return Block(effects, cols, places)

    def gaussians(self, par: FloatArray, blocks: tuple[Block, ...]) -> Iterator[Gaussian]:
        """The normal approximations to blocks at (beta, theta, log phi).

        Raises
        ------
        EstimationError
            If the mode is not found.
        """
        fit, finder, model = self.fit, self.finder, self.model
        beta, theta = par[: model.p], par[model.p : model.p + model.n_theta]
        log_phi = float(par[-1]) if model.family.estimates_phi else fit.log_phi
        M = finder.scaled_design(theta)
        mode = finder.find(beta, M, log_phi, fit.u)
        if not mode.converged:
            raise EstimationError("the mode of the random effects was not found.")
        eta = finder.linear_predictor(beta, mode.u, M)
        D = finder.working_information(eta, log_phi)
        for block in blocks:
            own, at = block.effects, mode.u[block.places]
            part = np.ascontiguousarray(M[:, block.cols])
            logdet, packed = own.finder.factor(D, part)
            if not np.isfinite(logdet):
                raise EstimationError("the information about the random effects is not definite.")
            fixed = eta - (part * at[own.structure.cols]).sum(axis=1)
            yield Gaussian(fixed, part, log_phi, at, packed, logdet)

    def log_weights(self, block: Block, at: Gaussian, n_rounds: int) -> FloatArray:
        """Log importance weights (2, pairs, n_clusters) of draws and of their mirror images."""
        rng, rounds = np.random.default_rng(self.entropy), []
        for _ in range(n_rounds):
            drawn = block.effects.propose(at, rng).log_weights
            rounds.append(drawn.reshape(2, self.n_pairs, -1))
        return np.concatenate(rounds, axis=1)

    def errors(self, block: Block) -> Errors:
        """The errors at the estimates."""
        (at,) = self.gaussians(self.fit.par, (block,))
        weights = self.log_weights(block, at, self.n_rounds)
        _, k_hat = pareto_smoothed(weights.reshape(self.draws, -1))
        # Not the smoothed weights: their bias is small, but adds up over the clusters.
        highest = weights.max(axis=(0, 1))
        pairs = np.exp(weights - highest).mean(axis=0)
        mean = pairs.mean(axis=0)
        se = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)) / mean
        return Errors(highest + np.log(mean), se, k_hat)

    def total(self, par: FloatArray) -> float:
        """The error of the log-likelihood at other parameters, from fewer draws."""
        n_rounds = min(self.n_rounds, -(-SLOPE_DRAWS // (2 * self.n_pairs)))
        total = 0.0
        for block, at in zip(self.blocks, self.gaussians(par, self.blocks), strict=True):
            weights = self.log_weights(block, at, n_rounds)
            n = weights.shape[0] * weights.shape[1]
            total += float((logsumexp(weights, axis=(0, 1)) - np.log(n)).sum())
        return total

    def slope(self, direction: FloatArray) -> float:
        """Derivative of the error along a direction (n_par,) of about one standard error."""
        par = self.fit.par
        ahead, behind = self.total(par + STEP * direction), self.total(par - STEP * direction)
        return (ahead - behind) / (2.0 * STEP)

    def quadrature_gradient(self) -> FloatArray:
        """Gradient of the error, shape (n_par,), for one scalar term."""
        exact, laplace = (self.objective(nAGQ)(self.fit.par) for nAGQ in (self.n_nodes, 1))
        return exact.gradient - laplace.gradient

    @property
    def is_scalar(self) -> bool:
        """Whether quadrature is possible: one scalar random-effects term."""
        structure = self.model.structure
        return structure is not None and structure.layout.columns == (1,)

    @property
    def n_nodes(self) -> int:
        """Nodes of the quadrature that counts as exact."""
        return max(self.fit.approximation.nAGQ, NODES)

    def objective(self, nAGQ: int) -> Objective:
        """The log-likelihood by another approximation."""
        fit = self.fit
        objective = Objective(fit.model, replace(fit.approximation, nAGQ=nAGQ), fit.backend)
        objective.u = fit.u.copy()
        return objective

    def shifts(self) -> FloatArray:
        """Newton's step from the maximum of Laplace's likelihood to that of the exact one.

        In standard errors, shape (n_par,); NaN for parameters without one.
        """
        par, covariance = self.fit.par, self.fit.estimate.covariance
        shifts = np.full(len(par), np.nan)
        free = np.flatnonzero(np.diag(covariance) > 0.0)
        if not len(free):
            return shifts
        se = np.sqrt(np.diag(covariance)[free])
        directions = np.zeros((len(par), len(free)))
        directions[free] = np.linalg.cholesky(covariance[np.ix_(free, free)])
        if self.is_scalar:
            slopes = directions.T @ self.quadrature_gradient()
        else:
            slopes = np.array([self.slope(direction) for direction in directions.T])
        shifts[free] = directions[free] @ slopes / se
        return shifts
