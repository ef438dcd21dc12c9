"""The table of the priors, in rstanarm's vocabulary."""

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.priors import (
    PriorsArgument,
    effect_names,
    has_correlations,
    intercept_of,
    make_priors,
    model_of,
)
from mixedlm_pt.tables import html_table


@dataclass(frozen=True, eq=False)
class PriorSummary:
    """Table of the priors in rstanarm's vocabulary; prints as text and as HTML.

    Attributes
    ----------
    formula : str
    rows : tuple of (class, parameter, prior) texts
    notes : tuple of str
    """

    formula: str
    rows: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Columns class, parameter, prior; one row a parameter."""
        return pd.DataFrame(list(self.rows), columns=["class", "parameter", "prior"])

    def __str__(self) -> str:
        lines = [f"Priors of {self.formula}"]
        width = max(len(parameter) for _, parameter, _ in self.rows)
        heading = ""
        for kind, parameter, prior in self.rows:
            if kind != heading:
                lines += ["", kind]
                heading = kind
            lines.append(f"  {parameter:<{width}}  ~ {prior}")
        return "\n".join([*lines, "", *self.notes]).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        header = ["Parameters", "", "Prior"]
        table = html_table(header, [list(row) for row in self.rows], left=(0, 1, 2))
        return f"<p>Priors of <code>{escape(self.formula)}</code></p>{table}{notes}"


def prior_summary(fit_or_model: Any, priors: PriorsArgument = None) -> PriorSummary:
    """Which prior every parameter has.

    Parameters
    ----------
    fit_or_model : Fit, GLMM or PosteriorResult
        A posterior knows its own priors.
    priors : Priors, str or mapping, optional
        As in `to_pymc`.

    Returns
    -------
    PriorSummary
    """
    model = model_of(fit_or_model)
    if priors is None:
        priors = getattr(fit_or_model, "priors", None)
    own = make_priors(model, priors)
    intercept, rows, notes = intercept_of(model), [], []
    for j, (name, prior) in enumerate(zip(model.design.coef_names, own.coefficients, strict=True)):
        is_intercept = j == intercept
        kind = "Intercept (after predictors centered)" if is_intercept else "Coefficients"
        rows.append((kind, name, str(prior)))
    groups = zip(
        model.design.factors,
        effect_names(model),
        has_correlations(model),
        own.sds,
        own.correlations,
        strict=True,
    )
    for factor, columns, is_correlated, sds, correlation in groups:
        kind = f"Standard deviations by {factor.name}"
        rows += [(kind, column, str(sd)) for column, sd in zip(columns, sds, strict=True)]
        if is_correlated:
            rows.append((f"Correlations by {factor.name}", "matrix", str(correlation)))
    dispersion = Dispersion.of(model)
    if dispersion is not None:
        rows.append(("Auxiliary", dispersion.name, str(own.dispersion)))
        if dispersion.power < 0.0:
            notes.append(f"{dispersion.name} is the reciprocal dispersion, 1 / phi.")
    return PriorSummary(model.design.formula, tuple(rows), tuple(notes))
