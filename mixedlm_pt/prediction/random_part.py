"""The random part of the linear predictor, for the rows of any design and any choice of terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design import Design, GroupingFactor, NewDesign, RandomTerm
from mixedlm_pt.fit import Fit


@dataclass(frozen=True, eq=False)
class RandomPart:
    """``Z Lambda u`` of m rows, with the chosen terms only.

    Attributes
    ----------
    M : array, shape (m, K)
        Scaled design ``Z Lambda``; zero in the columns of terms that are not chosen.
    cols : array of int64, shape (m, K)
        Positions in u. Those from q on are of levels that the fit has not seen, whose u is zero
        with variance one and independent of everything else.
    slopes : array, shape (m, n_theta)
        Derivative of ``M u`` in theta, the fit's u held.
    levels : array of int64, shape (m, n_factors)
        Level of every factor of the fit, -1 where no chosen term has it or it is a new one.
    effect : array, shape (m,)
        ``M u`` at the mode.
    """

    M: FloatArray
    cols: IntArray
    slopes: FloatArray
    levels: IntArray
    effect: FloatArray


def own_term(fit: Fit, t: int, design: Design | NewDesign) -> tuple[RandomTerm, GroupingFactor]:
    """The fit's term t in a design, with its grouping factor there."""
    label = fit.design.terms[t].label
    term = next(term for term in design.terms if term.label == label)
    return term, design.factors[term.factor]


def effect_of_term(fit: Fit, t: int, design: Design | NewDesign) -> FloatArray:
    """``Z b`` of the fit's term t for the rows of a design, shape (m,); zero for new levels."""
    term, factor = own_term(fit, t, design)
    new = np.zeros((factor.n_levels - len(fit.b[t]), fit.b[t].shape[1]))
    effect: FloatArray = (term.Z * np.concatenate([fit.b[t], new])[factor.codes]).sum(axis=1)
    return effect


def random_part(fit: Fit, design: Design | NewDesign, positions: Sequence[int]) -> RandomPart:
    """The random part of a design's rows.

    Parameters
    ----------
    fit : Fit
    design : Design or NewDesign
        Has the terms asked for.
    positions : sequence of int
        Positions in ``fit.design.terms``.
    """
    model, m = fit.model, design.n
    K = sum(model.term_widths)
    M, cols = np.zeros((m, K)), np.zeros((m, K), np.int64)
    slopes = np.zeros((m, model.n_theta))
    levels = np.full((m, len(model.factor_terms)), -1, np.int64)
    effect, n_effects = np.zeros(m), model.q
    for f, terms in enumerate(model.factor_terms):
        chosen = [t for t in terms if t in positions]
        if not chosen:
            continue
        _, factor = own_term(fit, chosen[0], design)
        n_known, codes = fit.design.factors[f].n_levels, factor.codes
        is_known = codes < n_known
        levels[is_known, f] = codes[is_known]
        first, width = model.column_slices[terms[0]].start, sum(model.term_widths[t] for t in terms)
        known = model.u_slices[f].start + codes * width
        new = n_effects + (codes - n_known) * width
        cols[:, first : first + width] = np.where(is_known, known, new)[:, None] + np.arange(width)
        n_effects += (factor.n_levels - n_known) * width
        for t in chosen:
            columns = model.column_slices[t]
            u = np.zeros((m, model.term_widths[t]))
            u[is_known] = fit.u[cols[is_known, columns]]
            Z = own_term(fit, t, design)[0].Z
            M[:, columns] = Z @ fit.Lambda[t]
            effect += effect_of_term(fit, t, design)
            for j in range(*model.theta_slices[t].indices(model.n_theta)):
                slopes[:, j] = ((Z @ fit.d_Lambda[t][:, :, j]) * u).sum(axis=1)
    return RandomPart(M, cols, slopes, levels, effect)


def random_variance(
    fit: Fit, design: Design | NewDesign, positions: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Prior variance of the random part, ``z'Lambda Lambda'z`` summed over the chosen terms.

    Returns
    -------
    variance : array, shape (m,)
        Link scale.
    slopes : array, shape (m, n_theta)
        Its derivative in theta.
    """
    variance, slopes = np.zeros(design.n), np.zeros((design.n, fit.model.n_theta))
    for t in positions:
        Z = own_term(fit, t, design)[0].Z
        scaled = Z @ fit.Lambda[t]
        variance += (scaled**2).sum(axis=1)
        for j in range(*fit.model.theta_slices[t].indices(fit.model.n_theta)):
            slopes[:, j] = 2.0 * ((Z @ fit.d_Lambda[t][:, :, j]) * scaled).sum(axis=1)
    return variance, slopes
