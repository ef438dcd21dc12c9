"""Likelihood ratio tests between fits, and Wald tests of the terms of one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedlm_pt._typing import BoolArray
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import deparse
from mixedlm_pt.inference.estimates import vcov
from mixedlm_pt.inference.likelihood import AIC, BIC, require_likelihood
from mixedlm_pt.inference.nesting import nesting
from mixedlm_pt.result_table import ResultTable

P_NAIVE, P_MIXTURE = "Pr(>Chisq)", "Pr(>Chibarsq)"


def anova(*fits: Fit) -> ResultTable:
    """Likelihood ratio tests of nested fits; for a single fit, Wald tests of its terms.

    Parameters
    ----------
    *fits : Fit
        Several: they are sorted by their number of parameters and each is tested against the one
        before, if that is nested in it. One: every fixed-effects term is tested after all terms
        that do not contain it (type II), by ``b' V^-1 b`` with V from ``vcov(fit)``.

    Returns
    -------
    ResultTable
        Columns npar, AIC, BIC, logLik, ``-2*log(L)``, Chisq, Df, ``Pr(>Chisq)``; for one fit the
        last three. Where a test adds one variance, that is zero under the null, on the boundary:
        the statistic is then a mixture, half chi-square with Df - 1 and half with Df degrees of
        freedom [1]_, and ``Pr(>Chibarsq)`` has its p-value; the usual one is too large.

    Raises
    ------
    ArgumentError
        If the fits do not have the same response, rows, weights, family, link, and approximation
        of the likelihood, or have no likelihood.

    References
    ----------
    .. [1] Stram and Lee (1994), Biometrics 50, 1171-1177, cases 1 to 3; Self and Liang (1987).

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> data = mlm.load_cbpp()
    >>> small, large = (
    ...     mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", data) for x in ("1", "period")
    ... )
    >>> mlm.anova(small, large).to_frame()["Chisq"].round(4).tolist()
    [nan, 25.6101]
    """
    if not fits:
        raise ArgumentError("anova() needs at least one fit.")
    strangers = [other for other in fits if not isinstance(other, Fit)]
    if strangers:
        raise ArgumentError(f"anova() compares fits; it got {type(strangers[0]).__name__!r}.")
    return wald_tests(fits[0]) if len(fits) == 1 else likelihood_ratio_tests(fits)


def likelihood_ratio_tests(fits: Sequence[Fit]) -> ResultTable:
    """Each fit against the next smaller one."""
    for fit in fits:
        require_likelihood(fit, "anova() of several fits")
        refuse_incomparable(fits[0], fit)
    fits = sorted(fits, key=lambda fit: fit.n_par)
    names = [f"m{i}" for i in range(1, len(fits) + 1)]
    table = pd.DataFrame(
        {
            "npar": [fit.n_par for fit in fits],
            "AIC": [AIC(fit) for fit in fits],
            "BIC": [BIC(fit) for fit in fits],
            "logLik": [fit.estimate.loglik for fit in fits],
            "-2*log(L)": [-2.0 * fit.estimate.loglik for fit in fits],
        },
        index=pd.Index(names),
    )
    table[["Chisq", "Df", P_NAIVE, P_MIXTURE]] = np.nan
    notes = []
    for i in range(1, len(fits)):
        small, large = fits[i - 1], fits[i]
        df = large.n_par - small.n_par
        relation = nesting(small.design, large.design)
        pair = f"{names[i]} against {names[i - 1]}"
        if df == 0 or relation.obstacle:
            reason = relation.obstacle or f"has as many parameters as {names[i - 1]}"
            notes.append(f"{pair}: no test, the models are not nested ({names[i]} {reason}).")
            continue
        statistic = 2.0 * (large.estimate.loglik - small.estimate.loglik)
        p = chi_square_tail(statistic, df)
        table.loc[names[i], ["Chisq", "Df", P_NAIVE]] = [statistic, df, p]
        if relation.n_variances == 1:
            table.loc[names[i], P_MIXTURE] = 0.5 * (p + chi_square_tail(statistic, df - 1))
            notes.append(
                f"{pair}: the variance added is on the boundary under the null; {P_MIXTURE} is "
                f"from half chi-square({df - 1}) and half chi-square({df})."
            )
        elif relation.n_variances:
            notes.append(
                f"{pair}: {relation.n_variances} variances are on the boundary under the null, so "
                f"{P_NAIVE} is too large (conservative); simulate for an exact one."
            )
    if table[P_MIXTURE].isna().all():
        table = table.drop(columns=P_MIXTURE)
    models = [f" {name}: {fit.design.formula}" for name, fit in zip(names, fits, strict=True)]
    heading = ("Likelihood ratio tests", "Models:", *models)
    return ResultTable(heading, table, tuple(notes))


def chi_square_tail(statistic: float, df: int) -> float:
    """``P(chi2_df > statistic)``; with df = 0 a point mass at zero."""
    if df == 0:
        return float(statistic <= 0.0)
    return float(chdtrc(df, max(statistic, 0.0)))


def refuse_incomparable(first: Fit, other: Fit) -> None:
    """Refuse fits whose log-likelihoods do not compare.

    Raises
    ------
    ArgumentError
    """
    a, b = first.design.response, other.design.response
    rows = first.model.n, other.model.n
    # The rows come first: without equal rows nothing else can be compared.
    same_rows = rows[0] == rows[1]
    checks = [
        ("numbers of rows", rows, same_rows),
        ("responses", (a.name, b.name), same_rows and np.array_equal(a.y, b.y)),
        ("prior weights", ("", ""), same_rows and np.array_equal(a.weights, b.weights)),
        ("families", (first.family, other.family), first.family == other.family),
    ]
    # Without random effects every approximation gives the same, exact likelihood.
    if first.model.q and other.model.q:
        nodes = first.approximation.nAGQ, other.approximation.nAGQ
        kinds = first.approximation.laplace_weights, other.approximation.laplace_weights
        checks += [
            ("numbers of quadrature nodes (nAGQ)", nodes, nodes[0] == nodes[1]),
            ("laplace_weights", kinds, nodes[0] > 1 or kinds[0] == kinds[1]),
        ]
    for what, (mine, others), is_same in checks:
        if not is_same:
            values = f" ({mine} and {others})" if str(mine) != str(others) else ""
            raise ArgumentError(
                f"anova() cannot compare these fits: they have different {what}{values}, so the "
                f"likelihood ratio has no meaning.{ADVICE.get(what, '')}"
            )


ADVICE = {
    "numbers of rows": " Missing values may differ: fit both to the same complete rows.",
    "families": " Compare AIC() if the responses are the same.",
    "responses": " (Responses of equal name may still hold different values.)",
}


def wald_tests(fit: Fit) -> ResultTable:
    """Type II tests of the fixed-effects terms."""
    design = fit.design
    terms = design.specification.formula.fixed.terms
    atoms = [frozenset(deparse(atom) for atom in term) for term in terms]
    rows = {}
    for t, label in enumerate(design.term_labels):
        own = design.assign == t + 1
        if not own.any():
            continue
        containing = [s + 1 for s, other in enumerate(atoms) if other > atoms[t]]
        relatives = np.isin(design.assign, containing)
        statistic = wald_statistic(fit, own | relatives) - wald_statistic(fit, relatives)
        df = int(own.sum())
        rows[label] = [statistic, df, float(chdtrc(df, statistic))]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["Chisq", "Df", P_NAIVE])
    heading = ("Wald chi-square tests of the fixed-effects terms (type II)", f" {design.formula}")
    return ResultTable(heading, table)


def wald_statistic(fit: Fit, chosen: BoolArray) -> float:
    """``b' V^-1 b`` for some of the coefficients; 0 for none."""
    b, V = fit.beta[chosen], vcov(fit).to_numpy()[np.ix_(chosen, chosen)]
    return float(b @ np.linalg.solve(V, b)) if chosen.any() else 0.0
