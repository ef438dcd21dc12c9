"""What each fixed-effects term is worth: the model refitted without it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt.arguments import finite_number, names_of, one_of
from mixedlm_pt.design import without_terms
from mixedlm_pt.errors import ArgumentError, DataError, unknown_name
from mixedlm_pt.fit import Fit, refitted
from mixedlm_pt.formula import Terms, deparse, parse_formula
from mixedlm_pt.inference.likelihood import CRITERIA, require_maximum
from mixedlm_pt.inference.likelihood_ratio import SHORTFALL, chi_square_tail
from mixedlm_pt.inference.nesting import spans
from mixedlm_pt.result_table import ResultTable

TESTS = ("Chisq", "none")


def drop1(
    fit: Fit,
    data: Any = None,
    scope: str | Sequence[str] | None = None,
    test: str = "Chisq",
    k: float = 2.0,
    criterion: str = "AIC",
    sorted: bool = False,
) -> ResultTable:
    """Single term deletions: the likelihood ratio test and the AIC of leaving out each term.

    Parameters
    ----------
    fit : Fit
    data : data frame, optional
        The data that the model was fitted to; by default those that it remembers.
    scope : str or sequence of str, optional
        Terms to leave out in turn, as a formula ``"~ x + f:x"`` or as labels. Default: all
        fixed-effects terms that are not contained in another one (``x`` stays where there is
        ``f:x``). ``"~ ."`` means all, contained or not.
    test : {"Chisq", "none"}
    k : float
        Penalty of the AIC by parameter; ``log(n)`` gives the BIC under lme4's column name.
    criterion : {"AIC", "AICc", "BIC"}
    sorted : bool
        Order the rows by the criterion.

    Returns
    -------
    ResultTable
        lme4's: row ``<none>`` for the fit, then a row a term, labelled as in R, with ``npar``
        (parameters it costs), the criterion of the model without it, and for ``"Chisq"`` the
        statistic ``LRT`` and ``Pr(Chi)``. All models have the rows of the fit, also those of which
        a dropped variable is missing elsewhere.

    Raises
    ------
    ArgumentError
        For a term that the model does not have, and for families without a likelihood.
    DataError
        If ``data`` are not those of the fit.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.drop1()
    Single term deletions
    Model: incidence / size ~ period + (1 | herd)
           npar    AIC   LRT  Pr(Chi)
    <none>      194.05
    period    3 213.66 25.61 1.15e-05 ***
    ---
    Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1
    """  # noqa: RUF002
    require_maximum(fit, "drop1()")
    one_of("test", test, TESTS)
    one_of("criterion", criterion, CRITERIA)
    if finite_number("k", k) != 2.0 and criterion != "AIC":
        raise ArgumentError(f"k is the penalty of the AIC; {criterion} has its own. Leave k out.")
    labels = droppable(fit, scope)
    smaller = [deletion(fit, data, label) for label in labels]
    values = [CRITERIA[criterion](model) + (k - 2.0) * model.n_par for model in (fit, *smaller)]
    df = [fit.n_par - model.n_par for model in smaller]
    statistics = [2.0 * (fit.estimate.loglik - model.estimate.loglik) for model in smaller]
    index = pd.Index(["<none>", *labels])
    table = pd.DataFrame({"npar": [np.nan, *df], criterion: values}, index=index)
    if test == "Chisq":
        # A term whose columns were all dropped as dependent has nothing to test.
        p = [
            chi_square_tail(value, d) if d else np.nan
            for value, d in zip(statistics, df, strict=True)
        ]
        table["LRT"], table["Pr(Chi)"] = [np.nan, *statistics], [np.nan, *p]
    if sorted:
        table = table.sort_values(criterion, kind="stable")
    notes = tuple(
        f"Without {label} the log-likelihood is higher by {-0.5 * value:.3g}, so the fit has not "
        "reached its maximum; see checkConv()."
        for label, value in zip(labels, statistics, strict=True)
        if value < -2.0 * SHORTFALL
    )
    return ResultTable(("Single term deletions", f"Model: {fit.design.formula}"), table, notes)


def deletion[AnyFit: Fit](fit: AnyFit, data: Any, label: str) -> AnyFit:
    """The fit without one of its fixed-effects terms, on the same rows.

    Raises
    ------
    DataError
        If the columns of the data are no longer those that the model was fitted to.
    """
    data = fit.call.data if data is None else data
    design = without_terms(fit.design, data, [label])
    if not spans(fit.design.X, design.X):
        raise DataError(
            "the columns of the data have changed since the model was fitted; give drop1() the "
            "data that it was fitted to."
        )
    return refitted(fit, fit.model.with_design(design), has_covariance=False)


def droppable(fit: Fit, scope: str | Sequence[str] | None) -> list[str]:
    """Labels of the terms to leave out in turn, in the order of the model.

    Raises
    ------
    ArgumentError
    """
    design = fit.design
    variables = term_variables(design.specification.formula.fixed)
    known = dict(zip(variables, design.term_labels, strict=True))
    if scope is None:
        return [known[own] for own in variables if not any(own < other for other in variables)]
    if isinstance(scope, str) and scope.replace(" ", "") == "~.":
        return list(design.term_labels)
    listed = names_of("scope", scope)
    wanted: dict[frozenset[str], str] = {}
    for text in listed:
        right = text.lstrip().removeprefix("~")
        terms = parse_formula(f"y ~ {right}").fixed
        wanted |= dict(zip(term_variables(terms), terms.labels, strict=True))
    for own, label in wanted.items():
        if own not in known:
            raise unknown_name("term in scope", label, design.term_labels)
    return [label for own, label in known.items() if own in wanted]


def term_variables(terms: Terms) -> list[frozenset[str]]:
    """The variables of every term, by R name: ``x:f`` and ``f:x`` are the same."""
    return [frozenset(deparse(atom) for atom in term) for term in terms.terms]
