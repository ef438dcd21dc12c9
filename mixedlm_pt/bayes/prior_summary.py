"""The table of the priors, in rstanarm's vocabulary."""

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.prior_choice import PriorsArgument, chosen_priors
from mixedlm_pt.bayes.priors import (
    effect_names,
    has_correlations,
    intercept_of,
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
        A posterior and a penalised fit know their own priors.
    priors : Priors, str or mapping, optional
        As in `to_pymc`.

    Returns
    -------
    PriorSummary
    """
    model = model_of(fit_or_model)
    own = chosen_priors(fit_or_model, priors)
    intercept, dispersion = intercept_of(model), Dispersion.of(model)
    rows, notes = [], []
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
        for column, sd in zip(columns, sds, strict=True):
            unit = f", times {dispersion.name}" if dispersion and sd.is_relative else ""
            rows.append((kind, column, f"{sd}{unit}"))
        if is_correlated:
            rows.append((f"Correlations by {factor.name}", "matrix", str(correlation)))
    if any(sd.width > 1 for sds in own.sds for sd in sds):
        notes.append("decov: a joint prior of the standard deviations of a term, see Decov.")
    if dispersion is not None:
        rows.append(("Auxiliary", dispersion.name, str(own.dispersion)))
        if dispersion.power < 0.0:
            notes.append(f"{dispersion.name} is the reciprocal dispersion, 1 / phi.")
    return PriorSummary(model.design.formula, tuple(rows), tuple(notes))
