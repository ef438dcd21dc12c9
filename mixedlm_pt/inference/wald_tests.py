"""Wald tests of the fixed-effects terms of one fit: type II and type III tables."""

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import deparse
from mixedlm_pt.inference.estimates import Covariance, chosen_vcov
from mixedlm_pt.result_table import ResultTable

TYPES = {2: 2, 3: 3, "2": 2, "3": 3, "II": 2, "III": 3}
# A coding sums to zero over the levels up to rounding error.
SUM_TOL = 1e-8


def wald_tests(fit: Fit, type: int | str = 2, vcov: Covariance = None) -> ResultTable:
    """Joint tests of the coefficients of every fixed-effects term, as ``car::Anova``.

    Parameters
    ----------
    fit : Fit
    type : {2, 3}
        II: every term after all terms that do not contain it. III: every term after all others,
        and the intercept; for terms that are part of an interaction this depends on the contrasts
        and has a meaning where they sum to zero.
    vcov : str, DataFrame or array, optional
        Covariance of the coefficients, a type of :func:`vcov` or the matrix itself.

    Returns
    -------
    ResultTable
        Columns Chisq, Df, ``Pr(>Chisq)``; the statistic is ``b' V^-1 b``.

    Raises
    ------
    ArgumentError
        For another type, and for a covariance of other coefficients.
    """
    if type not in TYPES:
        raise ArgumentError(f"type is {type!r}; Wald tables are of type 2 or 3.")
    design, V = fit.design, chosen_vcov(fit, vcov)
    is_second = TYPES[type] == 2
    terms = term_atoms(fit)
    labels = [None, *design.term_labels]
    rows: dict[str, list[float]] = {}
    for t, label in enumerate(labels):
        own = design.assign == t
        if not own.any() or (is_second and label is None):
            continue
        relatives = np.zeros_like(own)
        if is_second:
            containing = [s + 1 for s, other in enumerate(terms) if other > terms[t - 1]]
            relatives = np.isin(design.assign, containing)
        statistic = wald_statistic(fit.beta, V, own | relatives)
        statistic -= wald_statistic(fit.beta, V, relatives)
        df = int(own.sum())
        rows[label or "(Intercept)"] = [statistic, df, float(chdtrc(df, statistic))]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["Chisq", "Df", "Pr(>Chisq)"])
    numeral = "II" if is_second else "III"
    title = f"Wald chi-square tests of the fixed-effects terms (type {numeral})"
    notes = () if is_second else contrast_notes(fit)
    return ResultTable((title, f" {design.formula.strip()}"), table, notes)


def term_atoms(fit: Fit) -> list[frozenset[str]]:
    """The variables of every fixed-effects term, by their R names."""
    terms = fit.design.specification.formula.fixed.terms
    return [frozenset(deparse(atom) for atom in term) for term in terms]


def contrast_notes(fit: Fit) -> tuple[str, ...]:
    """A warning where a type III test of a lower term tests at one level of a factor."""
    in_interaction = {name for atoms in term_atoms(fit) if len(atoms) > 1 for name in atoms}
    contrasts = fit.design.specification.contrasts
    names = [
        name
        for name, contrast in contrasts.items()
        if name in in_interaction and np.abs(contrast.matrix.sum(axis=0)).max() > SUM_TOL
    ]
    if not names:
        return ()
    wanted = ", ".join(f"{name!r}: 'sum'" for name in names)
    return (
        f"Contrasts of {', '.join(names)} do not sum to zero: tests of terms that interact with "
        f"them hold at their reference level. Refit with contrasts={{{wanted}}} for tests of "
        "averages over the levels.",
    )


def wald_statistic(beta: FloatArray, V: FloatArray, chosen: BoolArray) -> float:
    """``b' V^-1 b`` for some of the coefficients; 0 for none."""
    b = beta[chosen]
    return float(b @ np.linalg.solve(V[np.ix_(chosen, chosen)], b)) if chosen.any() else 0.0
