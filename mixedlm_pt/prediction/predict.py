"""Fitted values and predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of, positive_integer, probability
from mixedlm_pt.design import Design, NewDesign, new_design, term_positions
from mixedlm_pt.design.frame import RowArgument
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.prediction.intervals import PredictiveDistribution, confidence_limits, mean_limits
from mixedlm_pt.prediction.joint_covariance import (
    LinearPredictor,
    joint_covariance,
    linear_predictor,
    parameter_covariance,
)
from mixedlm_pt.prediction.marginal import marginal_means, on_link_scale
from mixedlm_pt.prediction.random_part import effect_of_term

TYPES = ("response", "link")
INTERVALS = ("confidence", "prediction")
MARGINAL = "marginal"


def fitted(fit: Fit) -> FloatArray:
    """Conditional means at the modes of the random effects, response scale.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    array, shape (n,)
        In row order; proportions for the binomial. With ``na_action="exclude"`` one value for
        every row of the data, NaN where it was left out.
    """
    return fit.design.pad(fit.mu.copy())


def predict(
    fit: Fit,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    allow_new_levels: bool = False,
    se_fit: bool = False,
    interval: str | None = None,
    level: float = 0.95,
    *,
    weights: RowArgument = None,
    offset: RowArgument = None,
    nsim: int = 1000,
    seed: int | None = None,
) -> FloatArray | pd.DataFrame:
    """Predictions for the fitted rows or for new data, with standard errors and intervals.

    Parameters
    ----------
    fit : Fit
    newdata : pandas or polars data frame, or mapping of columns, optional
        Default: the rows of the fit. Transforms such as ``scale()`` keep what they computed from
        the fitted data. The response is not needed.
    type : {"response", "link"}
        Means, or linear predictors (of marginal means: their link).
    re_form : str, optional
        Random effects to include: None for all; ``"~0"`` or ``"NA"`` for none (b = 0, the typical
        group); a formula such as ``"~ (1 | herd)"`` for these terms of the fit only;
        ``"marginal"`` for the mean averaged over all random effects (the population average).
    allow_new_levels : bool
        Whether ``newdata`` may have levels of a grouping factor that the fit has not seen; their
        random effects are predicted as zero, with the variance of the term.
    se_fit : bool
        Return standard errors, on the scale of ``type``. They contain the uncertainty of all
        parameters and of the random effects, jointly.
    interval : {"confidence", "prediction"}, optional
        Limits for the mean, normal on the link scale; or, by simulation, for a new observation.
        The latter draws the random effects that ``re_form`` leaves out anew, as `simulate` does:
        with ``"~0"`` and ``"marginal"`` it is for an observation of a new group.
    level : float
        Coverage.
    weights, offset : str or array, optional
        For the new data, in place of what was given to the fit. Trials (for intervals of a
        binomial observation) and weights that the new data do not state are 1.
    nsim : int
        Simulations for ``interval="prediction"``.
    seed : int, optional
        For these.

    Returns
    -------
    array, shape (m,), or DataFrame
        In row order; NaN for new rows with missing values. With ``se_fit`` a data frame of columns
        ``fit`` and ``se_fit``, with ``interval`` also ``lower`` and ``upper``; its index is that of
        the data. Standard errors are NaN where the estimates have no covariance (`checkConv`).

    Raises
    ------
    ArgumentError
        If an argument is not one of the above.
    FormulaError
        If ``re_form`` names a term that the fit does not have.
    ColumnNotFoundError, DataError
        If ``newdata`` lacks a column or has unknown levels.
    EstimationError
        If marginal means do not exist (inverse links).

    Notes
    -----
    Variances as `TMB::sdreport` and glmmTMB compute them: the inverse information of the random
    effects given the parameters, plus what the parameters contribute directly and by moving the
    modes. Parameters on the boundary count as known. Under a quasi-family Pearson's dispersion
    multiplies them, new levels excepted.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.predict({"period": ["1", "4"]}, re_form="~0").round(4)
    array([0.198 , 0.0484])
    >>> fit.predict({"period": ["1", "4"]}, re_form="marginal", interval="confidence").round(3)
         fit  se_fit  lower  upper
    0  0.216   0.036  0.153  0.296
    1  0.057   0.023  0.026  0.123
    """
    one_of("type", type, TYPES)
    if interval is not None:
        check_interval(interval, type, level, nsim)
    design, held, drawn, is_marginal = rows_to_predict(
        fit,
        newdata,
        re_form,
        allow_new_levels,
        is_observed=interval == "prediction",
        weights=weights,
        offset=offset,
    )
    index = design.padded_index if isinstance(design, Design) else design.full_index
    if not se_fit and interval is None:
        return design.pad(point_predictions(fit, design, held, is_marginal, type))
    joint = joint_covariance(fit)
    predictor = linear_predictor(fit, design, held, joint)
    prediction = (
        marginal_prediction(fit, design) if is_marginal else conditional_prediction(fit, predictor)
    )
    columns = {"fit": prediction.eta, "se_fit": prediction.se_link}
    limits = confidence_limits(prediction.eta, prediction.se_link, level)
    if type == "response":
        columns = {"fit": prediction.mean, "se_fit": prediction.se_response}
        limits = mean_limits(fit, limits)
    if interval == "prediction":
        distribution = PredictiveDistribution(fit, design, predictor, joint, held, drawn)
        limits = distribution.limits(level, nsim, seed)
    if interval is not None:
        columns |= {"lower": limits[0], "upper": limits[1]}
    return pd.DataFrame({name: design.pad(column) for name, column in columns.items()}, index=index)


def rows_to_predict(
    fit: Fit,
    newdata: Any,
    re_form: str | None,
    allow_new_levels: bool,
    *,
    is_observed: bool,
    weights: RowArgument = None,
    offset: RowArgument = None,
) -> tuple[Design | NewDesign, tuple[int, ...], tuple[int, ...], bool]:
    """The rows that the arguments of `predict` ask for, and what to do with the random effects.

    Parameters
    ----------
    fit, newdata, re_form, allow_new_levels, weights, offset
        As in `predict`.
    is_observed : bool
        Whether new observations are wanted, which need trials and all random effects.

    Returns
    -------
    design : Design or NewDesign
    held, drawn : tuple of int
        Positions of the terms whose effects are those of the fit, and of those that are drawn anew
        or averaged over.
    is_marginal : bool
        Whether the mean is averaged over all random effects.

    Raises
    ------
    ArgumentError, FormulaError, ColumnNotFoundError, DataError
        As `predict`.
    """
    if newdata is None and not (weights is None and offset is None):
        raise ArgumentError("weights and offset belong to newdata; without it they are the fit's.")
    is_marginal = asks_for_average(re_form)
    held = () if is_marginal else chosen_terms(fit.design, re_form)
    others = tuple(t for t in range(len(fit.design.terms)) if t not in held)
    drawn = others if is_marginal or is_observed else ()
    if newdata is None:
        return fit.design, held, drawn, is_marginal
    design = new_design(
        fit.design,
        newdata,
        terms=(*held, *drawn),
        drawn=drawn,
        allow_new_levels=allow_new_levels,
        require_trials=is_observed,
        weights=weights,
        offset=offset,
    )
    return design, held, drawn, is_marginal


def check_interval(interval: str, type: str, level: float, nsim: int) -> None:
    """Refuse intervals that do not exist.

    Raises
    ------
    ArgumentError
    """
    one_of("interval", interval, INTERVALS)
    if interval == "prediction" and type == "link":
        raise ArgumentError(
            "interval='prediction' is for observations, which have no link scale: use "
            "type='response', or interval='confidence'."
        )
    probability("level", level)
    positive_integer("nsim", nsim)


def asks_for_average(re_form: object) -> bool:
    """Whether an argument ``re_form=`` asks for the average over all random effects."""
    return isinstance(re_form, str) and re_form.strip() == MARGINAL


def chosen_terms(design: Design, re_form: str | None) -> tuple[int, ...]:
    """Positions in ``design.terms`` of the terms that ``re_form`` asks for."""
    if not (re_form is None or isinstance(re_form, str)):
        raise ArgumentError(
            f"re_form={re_form!r} is not available; there are None (all random effects), '~0' "
            "(none), a formula of terms of the model such as '~ (1 | g)', and 'marginal'."
        )
    return term_positions(design, re_form)


def point_predictions(
    fit: Fit, design: Design | NewDesign, held: Sequence[int], is_marginal: bool, type: str
) -> FloatArray:
    """Predictions without their uncertainty, shape (m,)."""
    if is_marginal:
        means = marginal_means(fit, design)
        return means.mean if type == "response" else on_link_scale(fit, means)[0]
    eta = design.offset + design.X @ fit.beta
    for t in held:
        eta = eta + effect_of_term(fit, t, design)
    mean: FloatArray = eta if type == "link" else fit.compiled.mean(eta)[0]
    return mean


@dataclass(frozen=True, eq=False)
class Prediction:
    """Linear predictors and means with their standard errors, shape (m,) each."""

    eta: FloatArray
    se_link: FloatArray
    mean: FloatArray
    se_response: FloatArray


def conditional_prediction(fit: Fit, predictor: LinearPredictor) -> Prediction:
    """Predictions with the effects of some terms at their modes."""
    eta, se = predictor.eta, np.sqrt(predictor.variance)
    slope = np.abs(fit.compiled.mean_slope(eta)[0])
    return Prediction(eta, se, fit.compiled.mean(eta)[0], se * slope)


def marginal_prediction(fit: Fit, design: Design | NewDesign) -> Prediction:
    """Means averaged over all random effects, and their link."""
    means, V = marginal_means(fit, design), parameter_covariance(fit)
    eta, gradient = on_link_scale(fit, means)
    se_link, se_response = (
        np.sqrt(((slopes @ V) * slopes).sum(axis=1)) for slopes in (gradient, means.gradient)
    )
    return Prediction(eta, se_link, means.mean, se_response)
