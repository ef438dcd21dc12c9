"""Predictions, comparisons and slopes, by row or averaged, in the manner of marginaleffects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt.arguments import names_of, one_of
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import Covariance
from mixedlm_pt.interpretation.changes import COMPARISONS, Change, level_changes, slope_change
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.predictors import effect_names, predictors
from mixedlm_pt.interpretation.setting import By, effects, prepared, reported
from mixedlm_pt.limits import normal_quantile

type Variables = str | Sequence[str] | Mapping[str, Any] | None


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
    return reported(setting, "Predictions", table)


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

    Returns
    -------
    EstimateTable
        As `predictions`; one row, or one a level of ``by``.
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
    one_of("comparison", comparison, COMPARISONS)
    setting = prepared(fit, newdata, type, re_form, by, vcov)
    changes = compared_changes(fit, variables, setting.rows, comparison)
    return effects(setting, f"Comparisons ({comparison})", changes, level)


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

    Returns
    -------
    EstimateTable
        As `comparisons`; one row a change, or one for every level of ``by``.

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
    return effects(setting, "Slopes", slope_changes(fit, variables, setting.rows), level)


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

    Returns
    -------
    EstimateTable
        As `slopes`; one row a predictor, or one for every level of ``by``.
    """
    return slopes(fit, variables, newdata, by or True, type, re_form, level, vcov)


def compared_changes(
    fit: Fit, variables: Variables, rows: pd.DataFrame, comparison: str
) -> list[Change]:
    """The changes of `comparisons`."""
    known = predictors(fit)
    return [
        change
        for name, how in requested_predictors(fit, variables).items()
        for change in level_changes(known[name], how, rows, COMPARISONS[comparison])
    ]


def slope_changes(fit: Fit, variables: Variables, rows: pd.DataFrame) -> list[Change]:
    """The changes of `slopes`."""
    known, changes = predictors(fit), list[Change]()
    for name, how in requested_predictors(fit, variables).items():
        if known[name].values is None:
            changes += level_changes(known[name], how, rows, COMPARISONS["difference"])
        else:
            changes.append(slope_change(known[name], rows))
    return changes


def requested_predictors(fit: Fit, variables: Variables) -> dict[str, Any]:
    """Predictors to change with what is asked of each, None for the default.

    Raises
    ------
    ArgumentError
        For a name that no fixed effect uses.
    """
    known = effect_names(fit)
    if variables is None:
        return dict.fromkeys(known)
    wanted: dict[str, Any] = (
        dict(variables)
        if isinstance(variables, Mapping)
        else dict.fromkeys(names_of("variables", variables))
    )
    for name in wanted:
        one_of("predictor", name, known)
    return wanted
