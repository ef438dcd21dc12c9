"""Coordinates in which the joint posterior is nearly standard normal, from the fit."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.bayes.coordinates import Coordinates, ends
from mixedlm_pt.bayes.marginal import MarginalDensity

# Length of a difference for the slope of the modes, in standard deviations.
STEP = 0.5
# The smaller factors' effects share coordinates with all others where the products cost at most
# this many times what the rows do, or are so few.
SHARE = 10
FREE = 200_000


@dataclass(frozen=True, eq=False)
class Whitening:
    """A linear map from z to the coordinates x of the parameters and the spherical effects u.

    ``x = centre + scale z_x`` and ``u = f m + s e`` with m about the mode and e the noise. The
    modes move with the parameters to first order. The effects of the smaller grouping factors are
    whitened together, ``e = outer z_s``, and move the modes of the largest one's, whose levels are
    then independent of each other: ``e = blocks z_l`` and ``m = modes + slope d - inner r s outer
    z_s``, with ``d = x - centre``, or its tanh for all but beta: far out the modes cease to move.
    In these coordinates the Gaussian approximation of the posterior at its mode is standard normal.

    The factors f and s say what becomes of the mode and the standard deviation of an effect, given
    the parameters, where its standard deviation is r times that at the centre. Were the response
    normal, with information d about ``b = sd u``, they would be ``m = sd d y / (1 + sd^2 d)`` and
    ``1 / sqrt(1 + sd^2 d)``; so ``f = r h / (1 + r^2 (h - 1))`` and ``s = sqrt(f / r)`` with the
    effect's information h at the centre. Where the data say much that holds b in place and where
    they say little u: it is centred and non-centred at once (Papaspiliopoulos, Roberts and Skoeld,
    2007, Stat. Sci. 22, 59-73).

    Attributes
    ----------
    centre : array, shape (n_x,)
    scale : array, shape (n_x, n_x)
        Lower triangular.
    modes : array, shape (q,)
    slope : array, shape (q, n_x)
    blocks : array, shape (n_levels, k, k)
    inner : array, shape (n_levels k, n_s)
    outer : array, shape (n_s, n_s)
        Upper triangular.
    excess : array, shape (q,)
        ``h - 1``; 0 where the standard deviation has another coordinate than its logarithm.
    log_sd : array of int, shape (q,)
        Where the logarithm of the effect's standard deviation stands in x; n_x if it does not.
    first_bent : int
        Length of beta.
    """

    centre: FloatArray
    scale: FloatArray
    modes: FloatArray
    slope: FloatArray
    blocks: FloatArray
    inner: FloatArray
    outer: FloatArray
    excess: FloatArray
    log_sd: IntArray
    first_bent: int

    @classmethod
    def of(cls, density: MarginalDensity) -> "Whitening":
        """At the mode of the marginal posterior."""
        centre, model = density.centre, density.fit.model
        n_x = len(centre.x)
        if not model.q:
            no_blocks, no_products = np.zeros((0, 1, 1)), np.zeros((0, 0))
            return cls(
                *(centre.x, centre.scale, centre.u, np.zeros((0, n_x)), no_blocks),
                *(no_products, no_products, centre.u, np.zeros(0, np.int64), model.p),
            )
        H, n_local, k = information(density)
        most = max(SHARE * model.n * (model.p + sum(model.term_widths)), FREE)
        blocks, inner, outer, h = whitened_effects(H, n_local, k, most)
        log_sd = places_of_sds(density.coordinates)
        excess = np.where(log_sd < n_x, np.maximum(h - 1.0, 0.0), 0.0)
        slope = sl.solve_triangular(centre.scale.T, slope_of_modes(density).T).T
        # The slope of the modes is that of f, too.
        own = np.flatnonzero(log_sd < n_x)
        of_f = 1.0 - 2.0 * excess[own] / (1.0 + excess[own])
        slope[own, log_sd[own]] -= of_f * centre.u[own]
        parts = (np.ascontiguousarray(slope), blocks, inner, outer, excess, log_sd, model.p)
        return cls(centre.x, centre.scale, centre.u, *parts)

    @property
    def n(self) -> int:
        """Length of z."""
        return len(self.centre) + len(self.modes)

    @property
    def sd_of_log_sds(self) -> float:
        """Largest posterior standard deviation of a log standard deviation, at the centre."""
        places = np.unique(self.log_sd[self.log_sd < len(self.centre)])
        return float(np.linalg.norm(self.scale[places], axis=1).max(initial=0.0))

    def unwhiten(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """x (..., n_x) and u (..., q) of z (..., n)."""
        n_x, n_s = len(self.centre), len(self.outer)
        n_levels, k, _ = self.blocks.shape
        x = self.centre + z[..., :n_x] @ self.scale.T
        grown = np.exp(np.concatenate([x - self.centre, np.zeros_like(x[..., :1])], axis=-1))
        grown = grown[..., self.log_sd]
        ratio = (1.0 + self.excess) / (1.0 + self.excess * grown**2)
        local = z[..., n_x + n_s :].reshape(*z.shape[:-1], n_levels, k)
        local = np.einsum("lac,...lc->...la", self.blocks, local).reshape(*z.shape[:-1], -1)
        noises = np.concatenate([local, z[..., n_x : n_x + n_s] @ self.outer.T], axis=-1)
        moves = x - self.centre
        moves[..., self.first_bent :] = np.tanh(moves[..., self.first_bent :])
        means = self.modes + moves @ self.slope.T
        shared = (grown * np.sqrt(ratio) * noises)[..., n_levels * k :]
        means[..., : n_levels * k] -= shared @ self.inner.T
        return x, grown * ratio * means + np.sqrt(ratio) * noises


def whitened_effects(
    H: sp.csr_array, n_local: int, k: int, most: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """``blocks``, ``inner`` and ``outer`` of `Whitening`, and the information h about each effect.

    Given those of the smaller factors for the first ``n_local`` effects, without the larger one's
    for the others. Products with ``inner`` that are more than ``most`` are left out, and each
    effect is then whitened by itself.
    """
    q, n_s = H.shape[0], H.shape[0] - n_local
    if q * n_s > most:
        h = H.diagonal()
        return 1.0 / np.sqrt(h)[:, None, None], np.zeros((q, 0)), np.zeros((0, 0)), h
    A = blocks_of(H[:n_local, :n_local], k)
    blocks = np.linalg.inv(np.linalg.cholesky(A)).transpose(0, 2, 1)
    cross = H[:n_local, n_local:].toarray()
    inner = np.linalg.solve(A, cross.reshape(n_local // k, k, n_s)).reshape(n_local, n_s)
    schur = H[n_local:, n_local:].toarray() - cross.T @ inner
    outer = sl.solve_triangular(sl.cholesky(schur), np.eye(n_s)) if n_s else schur
    h = np.concatenate([np.diagonal(A, axis1=1, axis2=2).ravel(), np.diag(schur)])
    return np.ascontiguousarray(blocks), inner, np.ascontiguousarray(outer), h


def places_of_sds(coordinates: Coordinates) -> IntArray:
    """Where the log standard deviation of every effect in u stands in x; n_x where it has none.

    Standard deviations whose prior is bounded have other coordinates than their logarithm.
    """
    model, places = coordinates.model, []
    starts = [0, *ends(model)]
    part = 1
    for f, factor in enumerate(model.design.factors):
        priors = coordinates.priors.sds[f]
        is_log = [prior.support == (0.0, np.inf) for prior in priors]
        at = starts[part] + np.arange(len(priors))
        places.append(np.tile(np.where(is_log, at, coordinates.n_x), factor.n_levels))
        part += 1 + len(model.factor_terms[f])
    return np.concatenate(places)


def slope_of_modes(density: MarginalDensity) -> FloatArray:
    """Derivative of the modes of u in z_x, shape (q, n_x), by central differences."""
    centre, objective = density.centre, density.objective
    columns = []
    for direction in centre.scale.T:
        ends = []
        for sign in (1.0, -1.0):
            beta, theta, log_phi = objective.split(
                density.parameters(centre.x + sign * STEP * direction)
            )
            objective.u = centre.u.copy()
            M = objective.finder.scaled_design(theta)
            ends.append(objective.find_mode(beta, theta, M, log_phi).u.copy())
        columns.append((ends[0] - ends[1]) / (2.0 * STEP))
    return np.ascontiguousarray(np.array(columns).T)


def information(density: MarginalDensity) -> tuple[sp.csr_array, int, int]:
    """``H = I + Lambda'Z' D Z Lambda`` at the mode, size and block size of its first factor."""
    centre, objective, model = density.centre, density.objective, density.fit.model
    assert model.structure is not None, "only called with random effects"
    beta, theta, log_phi = objective.split(density.parameters(centre.x))
    finder = objective.finder
    M = finder.scaled_design(theta)
    D = finder.working_information(finder.linear_predictor(beta, centre.u, M), log_phi)
    cols = model.structure.cols
    rows = np.repeat(np.arange(model.n), cols.shape[1])
    design = sp.csr_array((np.ravel(M), (rows, np.ravel(cols))), shape=(model.n, model.q))
    H = design.T @ (design * np.asarray(D)[:, None]) + sp.eye_array(model.q)
    first = model.u_slices[0].stop
    return sp.csr_array(H), first, first // model.design.factors[0].n_levels


def blocks_of(H: sp.csr_array, k: int) -> FloatArray:
    """The diagonal blocks of a block-diagonal matrix, shape (n_levels, k, k)."""
    entries = H.tocoo()
    row, column = entries.coords
    blocks = np.zeros((H.shape[0] // k, k, k))
    blocks[row // k, row % k, column % k] = entries.data
    return blocks
