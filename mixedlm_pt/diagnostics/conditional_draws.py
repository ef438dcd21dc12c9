"""Random effects drawn given the parameters, with the weights that make the draws exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.compile import Approximation, BoundFunction, compile_model
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.estimation import ModeFinder
from mixedlm_pt.linalg.square_root import INVERSE_ROOTS
from mixedlm_pt.model import GLMM

# Newton's steps from a start nearby, until `ModeFinder.find` takes over.
MAX_STEPS = 8


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal approximation ``N(u, H^-1)`` to the random effects given the parameters.

    Attributes
    ----------
    fixed : array, shape (n,)
        Linear predictor without random effects.
    M : array, shape (n, K)
    log_phi : float
    u : array, shape (q,)
    packed : array
        Factorisation of H.
    logdet : float
        ``log|H|``.
    """

    fixed: FloatArray
    M: FloatArray
    log_phi: float
    u: FloatArray
    packed: FloatArray
    logdet: float


@dataclass(frozen=True, eq=False)
class Proposals:
    """Draws from a `Gaussian` with importance weights.

    Attributes
    ----------
    u : array, shape (m, q)
    log_weights : array, shape (m, n_clusters)
        Log of ``p(y, u) / (p(y, mode) q(u) / q(mode))``, cluster by cluster: 0 at the mode.
    at_mode : array, shape (n_clusters,)
        Every cluster's part of ``log p(y | u) - u'u / 2`` at the mode.
    """

    u: FloatArray
    log_weights: FloatArray
    at_mode: FloatArray


@dataclass(frozen=True, eq=False)
class Resampled:
    """What proposals say together.

    Attributes
    ----------
    u : array, shape (q,)
        One of them, cluster by cluster.
    correction : float
        Exact minus Laplace's log-likelihood: the sum over clusters of the log mean weight.
    noise : float
        Its Monte-Carlo variance; 0 where one pair cannot tell.
    """

    u: FloatArray
    correction: float
    noise: float


class ConditionalEffects:
    """The random effects of a model given its parameters.

    Given the parameters, clusters (levels of the factor in which all others are nested) are
    independent, so that each has weights of its own. Crossed factors make one cluster.

    Parameters
    ----------
    model : GLMM
    n_pairs : int
        Proposals are drawn together: this many, and their mirror images in the mode, which
        cancels what skewness adds to the variance of the weights.
    backend : str

    Raises
    ------
    ArgumentError
        If the model has no random effects, or a structure without an exact factor.
    """

    def __init__(self, model: GLMM, n_pairs: int, backend: str = "auto") -> None:
        structure = model.structure
        if structure is None:
            raise ArgumentError("the model has no random effects to draw.")
        if structure.layout.kind not in INVERSE_ROOTS:
            raise ArgumentError(
                f"the random effects cannot be drawn: {structure.description}. Models of this "
                'size take target="full".'
            )
        self.model, self.structure, self.n_pairs = model, structure, n_pairs
        self.compiled = compile_model(model, Approximation(), backend)
        self.finder = ModeFinder(model, self.compiled)
        self.inverse_root = INVERSE_ROOTS[structure.layout.kind]

    @property
    def n_proposals(self) -> int:
        """Number of proposals drawn together."""
        return 2 * self.n_pairs

    @property
    def has_clusters(self) -> bool:
        """Whether the random effects fall into independent parts."""
        return self.structure.layout.kind == "tree"

    @property
    def n_clusters(self) -> int:
        """Number of independent parts."""
        return self.model.design.factors[-1].n_levels if self.has_clusters else 1

    @cached_property
    def cluster_of_row(self) -> IntArray:
        """The cluster of every row, shape (n,)."""
        if not self.has_clusters:
            return np.zeros(self.model.n, np.int64)
        return np.asarray(self.model.design.factors[-1].codes, np.int64)

    @cached_property
    def cluster_of_effect(self) -> IntArray:
        """The cluster of every random effect, shape (q,)."""
        clusters = np.zeros(self.model.q, np.int64)
        clusters[self.structure.cols] = self.cluster_of_row[:, None]
        return clusters

    def gaussian(
        self, beta: FloatArray, theta: FloatArray, log_phi: float, start: FloatArray, tol: float
    ) -> Gaussian:
        """The approximation at the mode, by Newton's steps until the decrement is below ``tol``.

        Raises
        ------
        EstimationError
            If the mode is not found.
        """
        finder = self.finder
        fixed, M = finder.offset + finder.X @ beta, finder.scaled_design(theta)
        u, lowest = start, -np.inf
        for _ in range(MAX_STEPS):
            joint = finder.joint(fixed, M, u, log_phi)
            logdet, packed = finder.factor(joint.D, M)
            if not (joint.value >= lowest and np.isfinite(logdet)):
                break
            step = finder.solve(packed, joint.r[:, None])[:, 0]
            u, lowest = u + step, joint.value
            if step @ joint.r < tol:
                return Gaussian(fixed, M, log_phi, u, packed, logdet)
        mode = finder.find(beta, M, log_phi, np.zeros_like(start))
        _, _, D = finder.density(finder.linear_predictor(beta, mode.u, M), log_phi)
        logdet, packed = finder.factor(D, M)
        if not (mode.converged and np.isfinite(logdet)):
            raise EstimationError("the mode of the random effects was not found.")
        return Gaussian(fixed, M, log_phi, mode.u, packed, logdet)

    def propose(self, at: Gaussian, rng: np.random.Generator) -> Proposals:
        """Draws from the Gaussian with their weights."""
        q, n_clusters = self.model.q, self.n_clusters
        z = rng.standard_normal((q, self.n_pairs))
        step = self.inverse_root(at.packed, z, self.structure.index, self.structure.layout.columns)
        # The mode itself comes last.
        u = np.concatenate([at.u + step.T, at.u - step.T, at.u[None]])
        form = np.zeros(u.shape)
        form[:-1] = np.tile(z.T**2, (2, 1))
        size = len(u) * n_clusters
        (density,) = self.densities(at.fixed, at.M, u.ravel(), size, np.asarray(at.log_phi))
        priors = np.bincount(self.clusters_of_effects, (form - u**2).ravel(), size)
        log_joint = (density + 0.5 * priors).reshape(len(u), n_clusters)
        return Proposals(u[:-1], log_joint[:-1] - log_joint[-1], log_joint[-1])

    def resample(self, proposals: Proposals, rng: np.random.Generator) -> Resampled:
        """One proposal a cluster, with probabilities proportional to the weights."""
        highest = proposals.log_weights.max(axis=0)
        weights = np.exp(proposals.log_weights - highest)
        total = np.cumsum(weights, axis=0)
        mean = total[-1] / len(total)
        which = (total < rng.random(self.n_clusters) * total[-1]).sum(axis=0)
        u: FloatArray = proposals.u[which[self.cluster_of_effect], np.arange(self.model.q)]
        correction = float((highest + np.log(mean)).sum())
        return Resampled(u, correction, noise_of(weights) / self.n_pairs)

    @cached_property
    def clusters_of_effects(self) -> IntArray:
        """The cluster of every effect of every proposal and the mode."""
        return counted(self.cluster_of_effect, self.n_proposals + 1, self.n_clusters).reshape(-1)

    @cached_property
    def densities(self) -> BoundFunction:
        """`CompiledModel.cluster_densities` of all proposals and the mode."""
        response, times = self.model.design.response, self.n_proposals + 1
        n, cols = self.model.n, self.structure.cols
        return self.compiled.cluster_densities.bind(
            response.y,
            response.weights,
            np.tile(np.arange(n), times)[:, None],
            counted(self.cluster_of_row, times, self.n_clusters).reshape(-1, 1),
            counted(cols, times, self.model.q).reshape(-1, cols.shape[1]),
        )


def noise_of(weights: FloatArray) -> float:
    """Variance of the sum over clusters of log weights, one pair of draws each.

    From weights (draws, n_clusters), in the order of `ConditionalEffects.propose`.
    """
    pairs = weights.reshape(2, -1, weights.shape[1]).mean(axis=0)
    if len(pairs) < 2:
        return 0.0
    return float((pairs.var(axis=0, ddof=1) / pairs.mean(axis=0) ** 2).sum())


def counted(codes: IntArray, times: int, n: int) -> IntArray:
    """Copies of codes below n, each with n more than the one before, shape (times, ...)."""
    shift = n * np.arange(times, dtype=np.int64)
    return codes + shift.reshape(-1, *(1 for _ in codes.shape))
