"""Rows to predict, on which scale and how averaged, and the tables that come of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import names_of, one_of
from mixedlm_pt.design import term_positions
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import Covariance
from mixedlm_pt.interpretation.changes import Change
from mixedlm_pt.interpretation.contrasts import TYPES
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.estimates import (
    Estimates,
    average_mean,
    inestimable_note,
    linear_predictor,
)
from mixedlm_pt.interpretation.predictors import source_rows
from mixedlm_pt.limits import normal_quantile, two_sided_p
from mixedlm_pt.prediction.predict import asks_for_average

type By = bool | str | Sequence[str] | None

RANDOM_EFFECTS = {
    "held": "Random effects are held at their conditional modes; standard errors have the "
    "uncertainty of the fixed effects.",
    "zero": "Random effects are zero.",
    "marginal": "Averaged over the distribution of the random effects; standard errors have the "
    "uncertainty of all parameters.",
}


@dataclass(frozen=True, eq=False)
class Setting:
    """The rows that are predicted, on which scale, and how they are averaged.

    Attributes
    ----------
    fit : Fit
    rows : DataFrame, m rows
        Source columns and those of ``by``.
    type : str
        Scale of the predictions.
    predicted : callable
        Altered rows to m estimates.
    is_average : bool
    labels : DataFrame
        One row an average, columns of ``by``; for single rows their labels.
    codes : array of int64, shape (m,)
        Which average every row belongs to.
    note : str
        What was done with the random effects.
    """

    fit: Fit
    rows: pd.DataFrame
    type: str
    predicted: Callable[[pd.DataFrame], Estimates]
    is_average: bool
    labels: pd.DataFrame
    codes: IntArray
    note: str

    def estimates(self, rows: pd.DataFrame) -> Estimates:
        """Predictions for altered rows, averaged if that is wanted."""
        found = self.predicted(rows)
        return found.averaged(self.codes, len(self.labels)) if self.is_average else found

    def changed(self, change: Change) -> Estimates:
        """The effect of a change."""
        points = [
            self.estimates(self.rows.assign(**{change.term: column})) for column in change.columns
        ]
        found: Estimates = change.combine(points)
        return found


def prepared(
    fit: Fit, newdata: Any, type: str, re_form: str | None, by: By, vcov: Covariance
) -> Setting:
    """The rows, how they are predicted and how averaged."""
    one_of("type", type, TYPES)
    is_marginal = asks_for_average(re_form)
    if is_marginal and type == "link":
        raise ArgumentError(
            "re_form='marginal' averages means, not linear predictors; use type='response'."
        )
    columns = names_of("by", by) if by and by is not True else []
    terms = term_positions(fit.design, None if is_marginal else re_form)
    rows = source_rows(fit, newdata, terms, columns, is_average=is_marginal)

    def predicted(altered: pd.DataFrame) -> Estimates:
        if is_marginal:
            return average_mean(fit, altered, vcov)
        linear = linear_predictor(fit, altered, terms, vcov)
        if type == "link":
            return linear
        mean: FloatArray = fit.compiled.mean(linear.values)[0]
        return linear.mapped(mean, fit.compiled.mean_slope(linear.values)[0])

    if columns:
        groups = rows.groupby(columns, sort=True, observed=True)
        codes = groups.ngroup().to_numpy().astype(np.int64)
        firsts = np.unique(codes, return_index=True)[1]
        labels = rows[columns].iloc[firsts].reset_index(drop=True)
    elif by:
        codes, labels = np.zeros(len(rows), np.int64), pd.DataFrame(index=range(1))
    else:
        codes, labels = np.arange(len(rows)), pd.DataFrame({"rowid": rows.index})
    state = "marginal" if is_marginal else "held" if terms else "zero"
    note = RANDOM_EFFECTS[state] if fit.design.terms else ""
    return Setting(fit, rows, type, predicted, bool(by), labels, codes, note)


def effects(setting: Setting, title: str, changes: Sequence[Change], level: float) -> EstimateTable:
    """The table of the effects of changes."""
    if not changes:
        raise ArgumentError("the model has no predictor to change.")
    parts = list(effect_rows(setting, changes, level))
    return reported(setting, title, pd.concat(parts, ignore_index=True))


def effect_rows(
    setting: Setting, changes: Sequence[Change], level: float
) -> Iterator[pd.DataFrame]:
    """Estimates with tests against no effect and limits, one frame a change."""
    z = normal_quantile(level)
    for change in changes:
        found = setting.changed(change)
        value, se = found.estimate, found.se
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = (value - change.null) / se
        yield pd.DataFrame(
            {
                **{name: setting.labels[name].to_numpy() for name in setting.labels},
                "term": change.term,
                "contrast": change.label,
                "estimate": value,
                "std_error": se,
                "statistic": statistic,
                "p_value": two_sided_p(statistic),
                "conf_low": value - z * se,
                "conf_high": value + z * se,
            }
        )


def reported(setting: Setting, title: str, table: pd.DataFrame) -> EstimateTable:
    """The table with its heading."""
    keys = (*setting.labels.columns, *(name for name in ("term", "contrast") if name in table))
    inestimable = inestimable_note(setting.fit) if table["estimate"].hasnans else ""
    heading = f"{'Average ' + title[0].lower() + title[1:] if setting.is_average else title}"
    return EstimateTable(
        (f"{heading}, {setting.type} scale", f" {setting.fit.design.formula.strip()}"),
        table,
        tuple(filter(None, [setting.note, inestimable])),
        keys=keys,
    )
