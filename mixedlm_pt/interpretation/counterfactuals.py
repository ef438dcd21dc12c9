"""Predictions, comparisons and slopes, by row or averaged, in the manner of marginaleffects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design import term_positions
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import Covariance
from mixedlm_pt.interpretation.changes import (
    COMPARISONS,
    Change,
    level_changes,
    requested,
    slope_change,
)
from mixedlm_pt.interpretation.contrasts import TYPES
from mixedlm_pt.interpretation.estimate_table import EstimateTable, normal_quantile, two_sided_p
from mixedlm_pt.interpretation.estimates import Estimates, average_mean, linear_predictor
from mixedlm_pt.interpretation.predictors import effect_names, predictors, source_rows

type Variables = str | Sequence[str] | Mapping[str, Any] | None
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
        return change.combine(points)


def predictions(
    fit: Fit,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    by: By = None,
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimateTable:
    """Predictions with standard errors and limits, by row or averaged.

    Parameters
    ----------
    fit, newdata, type, re_form, by, level, vcov
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        Columns rowid or those of ``by``, estimate, std_error, conf_low, conf_high. Limits are
        symmetric on the link scale.
    """
    setting = prepared(fit, newdata, type, re_form, by, vcov)
    estimates = setting.estimates(setting.rows)
    value, se = estimates.estimate, estimates.se
    half = normal_quantile(level) * se
    limits = value - half, value + half
    if type == "response":
        eta = fit.compiled.forward(value)[0]
        half = half / np.abs(fit.compiled.mean_slope(eta)[0])
        ends = [fit.compiled.mean(eta + sign * half)[0] for sign in (-1.0, 1.0)]
        limits = np.minimum(*ends), np.maximum(*ends)
    numbers = pd.DataFrame(
        {"estimate": value, "std_error": se, "conf_low": limits[0], "conf_high": limits[1]}
    )
    table = pd.concat([setting.labels, numbers], axis=1)
    return reported(setting, "Predictions", table, type)


def avg_predictions(
    fit: Fit,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    by: By = True,
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimateTable:
    """Average predictions: `predictions` with ``by=True`` or by the levels of columns.

    Parameters
    ----------
    fit, newdata, type, re_form, by, level, vcov
        As in `comparisons`.
    """
    return predictions(fit, newdata, type, re_form, by or True, level, vcov)


def comparisons(
    fit: Fit,
    variables: Variables = None,
    newdata: Any = None,
    comparison: str = "difference",
    by: By = None,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimateTable:
    """Comparisons of predictions that differ in one predictor, all others as they are.

    Parameters
    ----------
    fit : Fit
    variables : str, sequence of str or mapping, optional
        Predictors to change, default all. A mapping says how: a step, ``[low, high]``, ``"sd"``,
        ``"2sd"``, ``"iqr"`` or ``"minmax"`` for numeric ones (default +1; 0/1 columns go from 0 to
        1); ``"reference"`` (default), ``"pairwise"``, ``"sequential"`` or ``[low, high]`` for
        factors.
    newdata : data frame or mapping, optional
        Default: the rows of the fit.
    comparison : {"difference", "ratio", "lnratio", "lnor"}
        Of the higher and the lower prediction; of averages where these are wanted, so that an
        average ratio is a ratio of averages.
    by : True, str or sequence of str, optional
        Average over all rows, or over those of every level of some columns.
    type : {"response", "link"}
    re_form : str, optional
        None for the conditional modes of all random effects, ``"~0"`` for none (b = 0), a formula
        for some, or ``"marginal"`` to average over their distribution: population-averaged effects.
        The default is that of marginaleffects for lme4.
    level : float
    vcov : str, DataFrame or array, optional
        Covariance of the coefficients, a type of :func:`vcov` or the matrix itself.

    Returns
    -------
    EstimateTable
        Columns rowid or those of ``by``, term, contrast, estimate, std_error, statistic, p_value,
        conf_low, conf_high. By the delta method with exact derivatives: uncertainty of the fixed
        effects, with ``"marginal"`` of theta, too; modes that are held count as known. Ratios are
        tested against 1.

    Raises
    ------
    ArgumentError
        For unknown predictors, levels and options, and for population averages on the link scale.
    ColumnNotFoundError, DataError
        If ``newdata`` lacks a column or has unknown levels.

    References
    ----------
    .. [1] Arel-Bundock, Greifer and Heiss (2024), J. Stat. Softw. 111(9).
    """
    if comparison not in COMPARISONS:
        raise unknown_name("comparison", comparison, COMPARISONS)
    setting = prepared(fit, newdata, type, re_form, by, vcov)
    known, wanted = predictors(fit), requested_predictors(fit, variables)
    changes = [
        change
        for name, how in wanted.items()
        for change in level_changes(known[name], how, setting.rows, COMPARISONS[comparison])
    ]
    return effects(setting, f"Comparisons ({comparison})", changes, type, level)


def avg_comparisons(
    fit: Fit,
    variables: Variables = None,
    newdata: Any = None,
    comparison: str = "difference",
    by: By = True,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimateTable:
    """Average comparisons: `comparisons` with ``by=True`` or by the levels of columns.

    Parameters
    ----------
    fit, variables, newdata, comparison, by, type, re_form, level, vcov
        As in `comparisons`.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("use ~ age + urban + (1 | district)", mlm.load_contraception())
    >>> found = avg_comparisons(fit, "urban", re_form="marginal").to_frame()
    >>> found[["contrast", "estimate", "std_error"]].round(4).values.tolist()
    [['Y - N', 0.1501, 0.0271]]
    """
    return comparisons(fit, variables, newdata, comparison, by or True, type, re_form, level, vcov)


def slopes(
    fit: Fit,
    variables: Variables = None,
    newdata: Any = None,
    by: By = None,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimateTable:
    """Slopes of predictions in numeric predictors, and differences between levels of factors.

    Parameters
    ----------
    fit : Fit
    variables : str or sequence of str, optional
        Default: all predictors.
    newdata, by, type, re_form, level, vcov
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        As `comparisons`; the contrast of a slope is ``dY/dX``.
    """
    setting = prepared(fit, newdata, type, re_form, by, vcov)
    known, changes = predictors(fit), list[Change]()
    for name, how in requested_predictors(fit, variables).items():
        if known[name].values is None:
            difference = COMPARISONS["difference"]
            changes += level_changes(known[name], how, setting.rows, difference)
        else:
            changes.append(slope_change(known[name], setting.rows))
    return effects(setting, "Slopes", changes, type, level)


def avg_slopes(
    fit: Fit,
    variables: Variables = None,
    newdata: Any = None,
    by: By = True,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimateTable:
    """Average slopes: `slopes` with ``by=True`` or by the levels of columns.

    Parameters
    ----------
    fit, variables, newdata, by, type, re_form, level, vcov
        As in `comparisons`.
    """
    return slopes(fit, variables, newdata, by or True, type, re_form, level, vcov)


def prepared(
    fit: Fit, newdata: Any, type: str, re_form: str | None, by: By, vcov: Covariance
) -> Setting:
    """The rows, how they are predicted and how averaged."""
    if type not in TYPES:
        raise unknown_name("type", type, TYPES)
    is_marginal = isinstance(re_form, str) and re_form.strip() == "marginal"
    if is_marginal and type == "link":
        raise ArgumentError(
            "re_form='marginal' averages means, not linear predictors; use type='response'."
        )
    columns = [by] if isinstance(by, str) else [] if by is None or by is True else list(by or ())
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
    return Setting(fit, rows, predicted, bool(by), labels, codes, note)


def requested_predictors(fit: Fit, variables: Variables) -> dict[str, Any]:
    """Predictors to change with what is asked of each.

    Raises
    ------
    ArgumentError
        For a name that no fixed effect uses.
    """
    names = effect_names(fit)
    wanted = requested(variables)
    if wanted is None:
        return dict.fromkeys(names)
    for name in wanted:
        if name not in names:
            raise unknown_name("predictor", name, names)
    return wanted


def effects(
    setting: Setting, title: str, changes: Sequence[Change], type: str, level: float
) -> EstimateTable:
    """The table of the effects of changes."""
    if not changes:
        raise ArgumentError("the model has no predictor to change.")
    parts = list(effect_rows(setting, changes, level))
    return reported(setting, title, pd.concat(parts, ignore_index=True), type)


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


def reported(setting: Setting, title: str, table: pd.DataFrame, type: str) -> EstimateTable:
    """The table with its heading."""
    keys = (*setting.labels.columns, *(name for name in ("term", "contrast") if name in table))
    heading = f"{'Average ' + title[0].lower() + title[1:] if setting.is_average else title}"
    return EstimateTable(
        (f"{heading}, {type} scale", f" {setting.fit.design.formula.strip()}"),
        table,
        (setting.note,) if setting.note else (),
        keys=keys,
    )
