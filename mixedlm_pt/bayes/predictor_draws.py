"""Linear predictors and means of rows for every draw, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.bayes.averaged_means import averaged_means
from mixedlm_pt.bayes.draws import ParameterDraws
from mixedlm_pt.bayes.pymc_model import term_columns
from mixedlm_pt.compile import CompiledModel
from mixedlm_pt.design import Design, NewDesign
from mixedlm_pt.fit import Fit
from mixedlm_pt.prediction.random_part import own_term

# Rows times draws that are worked on together: about what stays in the processor's caches.
BLOCK = 400_000
# The same where every draw is a call of its own, for the sake of its other costs.
BLOCK_BY_DRAW = 2_000_000


@dataclass(frozen=True, eq=False)
class TermDraws:
    """One term for the rows of a design, by draw.

    Attributes
    ----------
    Z : array, shape (m, k)
    Lambda : array, shape (k, k, S)
    codes : array of int64, shape (m,)
        Level of every row, a position in ``b``; empty for a term that is averaged over.
    b : array, shape (n_levels, k, S)
        Effects of the levels that occur, link scale.
    """

    Z: FloatArray
    Lambda: FloatArray
    codes: IntArray
    b: FloatArray

    def added_to(self, eta: FloatArray, rows: slice) -> None:
        """Add ``Z b`` to the predictors (r, S) of some rows."""
        codes = self.codes[rows]
        for Z, b in zip(self.Z[rows].T, self.b.transpose(1, 0, 2), strict=True):
            eta += b[codes] if (Z == 1.0).all() else Z[:, None] * b[codes]

    def variance(self, rows: slice) -> FloatArray:
        """``z' Lambda Lambda' z`` of some rows, shape (r, S)."""
        scaled = np.einsum("ra,acs->rcs", self.Z[rows], self.Lambda)
        variance: FloatArray = np.einsum("rcs,rcs->rs", scaled, scaled)
        return variance


def effects_at(u: FloatArray, positions: IntArray) -> FloatArray:
    """Effects at some positions, shape (*positions.shape, S), from ``u`` (S, q)."""
    found: FloatArray = np.ascontiguousarray(u[:, positions.ravel()].T)
    return found.reshape(*positions.shape, len(u))


@dataclass(frozen=True, eq=False)
class PredictorDraws:
    """The rows of a design with everything that their predictors depend on.

    Attributes
    ----------
    compiled : CompiledModel
    draws : ParameterDraws
    X : array, shape (m, p)
    offset : array, shape (m,)
    terms : tuple of TermDraws
        Whose effects the predictor contains or, for an average, is averaged over.
    is_marginal : bool
        Whether `mean_blocks` averages over the distribution of the effects.
    """

    compiled: CompiledModel
    draws: ParameterDraws
    X: FloatArray
    offset: FloatArray
    terms: tuple[TermDraws, ...]
    is_marginal: bool = False

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.offset)

    def slices(self, *, by_draw: bool = False) -> Iterator[slice]:
        """Blocks of rows, of bounded size; larger ones for what is done draw by draw."""
        is_known = (self.draws.log_phi == self.draws.log_phi[0]).all()
        block = BLOCK_BY_DRAW if by_draw and not is_known else BLOCK
        size = max(1, block // len(self.draws))
        for start in range(0, self.n, size):
            yield slice(start, min(start + size, self.n))

    def distinct(self) -> tuple[PredictorDraws, IntArray]:
        """The rows that differ in their means, and which of them every row is, shape (m,)."""
        if self.terms and not self.is_marginal:
            return self, np.arange(self.n)
        kinds = np.column_stack([self.X, self.offset, *(term.Z for term in self.terms)])
        _, first, inverse = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
        terms = tuple(replace(term, Z=term.Z[first]) for term in self.terms)
        fewer = replace(self, X=self.X[first], offset=self.offset[first], terms=terms)
        return fewer, inverse.reshape(-1)

    def fixed(self, rows: slice) -> FloatArray:
        """``X beta + offset`` of some rows, shape (r, S)."""
        eta: FloatArray = self.X[rows] @ self.draws.beta.T
        eta += self.offset[rows, None]
        return eta

    def predictor(self, rows: slice) -> FloatArray:
        """Linear predictor of some rows, shape (r, S), with the effects of the terms."""
        eta = self.fixed(rows)
        for term in self.terms:
            term.added_to(eta, rows)
        return eta

    def mean(self, rows: slice) -> FloatArray:
        """Mean of some rows, shape (r, S), response scale; averaged where that is asked for."""
        if self.is_marginal:
            return self.average(rows)
        eta = self.predictor(rows)
        mu: FloatArray = self.compiled.mean(eta.ravel())[0]
        return mu.reshape(eta.shape)

    def average(self, rows: slice) -> FloatArray:
        """Mean averaged over the effects of some rows, shape (r, S)."""
        eta = self.fixed(rows)
        variance = np.zeros_like(eta)
        for term in self.terms:
            variance += term.variance(rows)
        return averaged_means(self.compiled, eta, np.sqrt(variance))


def predictor_draws(
    fit: Fit,
    draws: ParameterDraws,
    design: Design | NewDesign,
    held: Sequence[int],
    drawn: Sequence[int] = (),
    rng: np.random.Generator | None = None,
    *,
    is_marginal: bool = False,
) -> PredictorDraws:
    """The rows of a design for all draws.

    Parameters
    ----------
    fit : Fit
        Whose posterior the draws are of.
    draws : ParameterDraws
    design : Design or NewDesign
        With all columns of the model matrix or without those that were dropped as dependent.
    held, drawn : sequence of int
        Positions of the terms whose effects are those of the draws, levels that the fit has not
        seen apart, and of those that are drawn anew, draw by draw. For an average the latter are
        what is averaged over.
    rng : numpy Generator, optional
        For effects that are drawn.
    """
    X = design.X
    if X.shape[1] != fit.model.p:
        X = X[:, fit.design.specification.kept]
    factors = covariance_factor_draws(fit, draws)
    rng = np.random.default_rng() if rng is None else rng
    terms = [
        term_draws(fit, draws, t, design, factors[t], t in drawn, rng) for t in (*held, *drawn)
    ]
    if is_marginal:
        terms = [average_term(fit, t, design, factors[t]) for t in range(len(factors))]
    return PredictorDraws(fit.compiled, draws, X, design.offset, tuple(terms), is_marginal)


def by_dispersion(
    function: Callable[..., FloatArray], log_phi: FloatArray, *values: FloatArray
) -> FloatArray:
    """``function(phi, *values)`` of arrays (r, S), shape (..., r, S).

    The function takes one number phi and vectors, and returns a vector or several. All draws
    together where the dispersion is known, otherwise one after the other.
    """
    if (log_phi == log_phi[0]).all():
        flat = (part.ravel() for part in values)
        found = function(float(np.exp(log_phi[0])), *flat)
        return found.reshape(*found.shape[:-1], *values[0].shape)
    by_draw = (
        function(float(phi), *(np.ascontiguousarray(part[:, s]) for part in values))
        for s, phi in enumerate(np.exp(log_phi))
    )
    return np.stack(list(by_draw), axis=-1)


def covariance_factor_draws(fit: Fit, draws: ParameterDraws) -> list[FloatArray]:
    """``Lambda`` of every term for every draw, each (k, k, S)."""
    if not fit.design.terms:
        return []
    by_draw = [fit.compiled.covariance_factors(theta) for theta in draws.theta]
    return [np.stack(factors, axis=-1) for factors in zip(*by_draw, strict=True)]


def average_term(fit: Fit, t: int, design: Design | NewDesign, Lambda: FloatArray) -> TermDraws:
    """A term that is averaged over: its levels do not matter."""
    Z = own_term(fit, t, design)[0].Z
    return TermDraws(Z, Lambda, np.empty(0, np.int64), np.empty((0, *Lambda.shape[1:])))


def term_draws(
    fit: Fit,
    draws: ParameterDraws,
    t: int,
    design: Design | NewDesign,
    Lambda: FloatArray,
    is_drawn: bool,
    rng: np.random.Generator,
) -> TermDraws:
    """One term of a design, with the levels that occur in its rows."""
    term, factor = own_term(fit, t, design)
    f = fit.design.terms[t].factor
    width = sum(fit.model.term_widths[other] for other in fit.model.factor_terms[f])
    own = next(columns for other, columns in term_columns(fit.model, f) if other == t)
    levels, codes = np.unique(factor.codes, return_inverse=True)
    is_known = (levels < fit.design.factors[f].n_levels) & (not is_drawn)
    first = fit.model.u_slices[f].start + levels[is_known] * width + own.start
    positions = first[:, None] + np.arange(own.stop - own.start)
    u = np.empty((len(levels), *Lambda.shape[1:]))
    u[is_known] = effects_at(draws.u, positions)
    u[~is_known] = rng.standard_normal((int((~is_known).sum()), *Lambda.shape[1:]))
    return TermDraws(term.Z, Lambda, codes.reshape(-1), scaled_effects(Lambda, u))


def scaled_effects(Lambda: FloatArray, u: FloatArray) -> FloatArray:
    """``b = Lambda u`` of every level and draw, shape (n_levels, k, S)."""
    b: FloatArray = np.einsum("acs,jcs->jas", Lambda, u)
    return b
