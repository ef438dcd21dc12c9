"""Z, Lambda and the random effects in lme4's order: term after term, level after level."""

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import scipy.sparse as sp

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design import Design, GroupingFactor, RandomTerm
from mixedlm_pt.fit import Fit


def term_keys(design: Design) -> tuple[str, ...]:
    """lme4's name of every term: its group, ``"herd.1"`` for a second term of the same group."""
    keys: list[str] = []
    groups: list[str] = []
    for _, group in terms_with_groups(design):
        n_before = groups.count(group.name)
        keys.append(f"{group.name}.{n_before}" if n_before else group.name)
        groups.append(group.name)
    return tuple(keys)


def terms_with_groups(design: Design) -> Iterator[tuple[RandomTerm, GroupingFactor]]:
    """Every term with its grouping factor."""
    for term in design.terms:
        yield term, design.factors[term.factor]


def relative_scale(fit: Fit) -> float:
    """What divides our Lambda into lme4's: ``sqrt(phi)`` where phi is an estimated scale."""
    family = fit.family
    is_scale = family.estimates_phi and family.phi_scales_variance
    return float(np.sqrt(fit.estimate.phi)) if is_scale else 1.0


def relative_factors(fit: Fit) -> list[FloatArray]:
    """lme4's relative Lambda of one level of every term, each (k, k)."""
    return [Lambda / relative_scale(fit) for Lambda in fit.Lambda]


def block_starts(design: Design) -> IntArray:
    """lme4's Gp: where each term's effects start in b, and their number; length k + 1."""
    sizes = [len(term.columns) * group.n_levels for term, group in terms_with_groups(design)]
    return np.cumsum([0, *sizes], dtype=np.int64)


def effect_names(design: Design) -> pd.MultiIndex:
    """Group, level and effect of every entry of b, shape (q,)."""
    names = [
        (group.name, level, column)
        for term, group in terms_with_groups(design)
        for level in group.levels
        for column in term.columns
    ]
    return pd.MultiIndex.from_tuples(names, names=["group", "level", "effect"])


def indicator_product(codes: IntArray, Z: FloatArray, n_levels: int) -> sp.csc_array:
    """Rows of Z spread to the columns of their level, shape (n, n_levels k), zeros kept."""
    n, k = Z.shape
    cols = codes[:, None] * k + np.arange(k)
    rows = np.repeat(np.arange(n), k)
    return sp.coo_array((Z.ravel(), (rows, cols.ravel())), shape=(n, n_levels * k)).tocsc()


def random_matrix(fit: Fit) -> sp.csc_array:
    """Z, shape (n, q)."""
    blocks = [
        indicator_product(group.codes, term.Z, group.n_levels)
        for term, group in terms_with_groups(fit.design)
    ]
    return hstack(blocks, fit.model.n)


def transposed_columns(fit: Fit) -> dict[str, sp.csc_array]:
    """Z' of every column of every term, each (n_levels, n), by ``"herd.(Intercept)"``."""
    return {
        f"{key}.{name}": indicator_product(group.codes, term.Z[:, [j]], group.n_levels).T.tocsc()
        for key, (term, group) in zip(
            term_keys(fit.design), terms_with_groups(fit.design), strict=True
        )
        for j, name in enumerate(term.columns)
    }


def hstack(blocks: list[sp.csc_array], n: int) -> sp.csc_array:
    """Matrices of n rows side by side; (n, 0) for none."""
    return sp.csc_array(sp.hstack(blocks, format="csc")) if blocks else sp.csc_array((n, 0))


def theta_index(fit: Fit) -> IntArray:
    """lme4's Lind, counted from 0: ``Lambdat.data == theta[Lind]``."""
    parts, first = [], 0
    for term, group in terms_with_groups(fit.design):
        k = len(term.columns)
        # theta runs down the columns of Lambda's triangle, the data of Lambda' along its rows.
        place = np.zeros((k, k), np.int64)
        place[np.triu_indices(k)[::-1]] = np.arange(k * (k + 1) // 2)
        parts.append(np.tile(first + place[np.tril_indices(k)], group.n_levels))
        first += k * (k + 1) // 2
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def relative_theta(fit: Fit) -> FloatArray:
    """lme4's theta: the triangles of the relative Lambda column by column."""
    triangles = [L.T[np.triu_indices(len(L))] for L in relative_factors(fit)]
    return np.concatenate(triangles) if triangles else np.empty(0)


def theta_names(fit: Fit) -> tuple[str, ...]:
    """lme4's names of the entries of theta, column by column of Lambda."""
    parts = terms_with_groups(fit.design)
    return tuple(name for term, group in parts for name in term_theta_names(term, group))


def term_theta_names(term: RandomTerm, group: GroupingFactor) -> list[str]:
    """`theta_names` of one term."""
    return [
        f"{group.name}.{a}" if a == b else f"{group.name}.{b}.{a}"
        for a, b in combinations_with_replacement(term.columns, 2)
    ]


def relative_factor(fit: Fit) -> sp.csc_array:
    """lme4's Lambda, shape (q, q), block diagonal; entries that are estimated as zero are kept."""
    starts = block_starts(fit.design)
    rows, counts = [np.empty(0, np.int64)], [np.zeros(1, np.int64)]
    for (term, group), first in zip(terms_with_groups(fit.design), starts[:-1], strict=True):
        k = len(term.columns)
        # Column j of an upper triangle has the rows 0 to j.
        rows += [first + k * level + np.tril_indices(k)[1] for level in range(group.n_levels)]
        counts.append(np.tile(np.arange(1, k + 1), group.n_levels))
    data = relative_theta(fit)[theta_index(fit)]
    pointers = np.cumsum(np.concatenate(counts))
    q = int(starts[-1])
    transposed = sp.csc_array((data, np.concatenate(rows), pointers), shape=(q, q))
    return transposed.T.tocsc()


def spherical_effects(fit: Fit) -> FloatArray:
    """lme4's u, shape (q,): ``b = Lambda u`` with the relative Lambda, so of variance sigma^2."""
    u = np.concatenate([*(u.ravel() for u in fit.u_by_term), np.empty(0)])
    return relative_scale(fit) * u


def conditional_modes(fit: Fit) -> FloatArray:
    """b in lme4's order, shape (q,), link scale."""
    return np.concatenate([*(b.ravel() for b in fit.b), np.empty(0)])
