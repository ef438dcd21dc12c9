"""Contrasts of estimated means, with p-values and limits for their number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.interpretation.adjustment import Adjustment, FamilyOfTests, chosen_adjustment
from mixedlm_pt.interpretation.contrast_families import METHODS, Rows
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.estimates import Estimates, stacked
from mixedlm_pt.interpretation.means import Means, estimate_columns
from mixedlm_pt.limits import normal_quantile

type Weights = Mapping[str, Sequence[float]] | pd.DataFrame | FloatArray
TYPES = ("link", "response")
SUM_TOL = 1e-8


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Contrasts(EstimateTable):
    """Contrasts of means; ``to_frame()`` has emmeans' columns.

    Attributes
    ----------
    estimates : Estimates
        Of the differences, on the scale of the means; ``.covariance`` (m, m) has all groups.
    """

    estimates: Estimates


def contrast(
    means: Means,
    method: str | Weights = "pairwise",
    adjust: str | None = None,
    type: str | None = None,
    level: float | None = None,
) -> Contrasts:
    """Contrasts of estimated means, within each group of ``by``.

    Parameters
    ----------
    means : Means
        From `emmeans` or `emtrends`.
    method : str, mapping, DataFrame or array
        ``"pairwise"``, ``"revpairwise"``, ``"trt.vs.ctrl"`` (against the first level), ``"eff"``
        (against the average), ``"consec"``, ``"poly"``; or own weights, ``{"name": weights}`` with
        one weight a mean, a DataFrame with one contrast a column, or an array with one a row.
    adjust : {"tukey", "sidak", "bonferroni", "holm", "fdr", "mvt", "none"}, optional
        For the number of contrasts in a group. Default: tukey for pairwise, mvt for trt.vs.ctrl
        and consec, fdr for eff, none otherwise. Limits are adjusted likewise; stepwise methods
        (holm, fdr) have none of their own and give Bonferroni's.
    type : {"link", "response"}, optional
        ``"response"``: ratios (``exp`` of a difference) where the link is logit or log; other links
        have none and stay on the link scale. Default: that of ``means``.
    level : float, optional
        Joint level of the limits. Default: that of ``means``.

    Returns
    -------
    Contrasts
        Columns contrast, those of ``by``, estimate (or odds.ratio, ratio), SE, df, asymp.LCL,
        asymp.UCL, null for ratios, z.ratio, p.value. SE of a ratio by the delta method; its tests
        and limits are those of its logarithm.

    Raises
    ------
    ArgumentError
        For an unknown method, adjustment or type, and for weights of another number of means.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> found = contrast(fit.emmeans("period", type="response"), "trt.vs.ctrl")
    >>> found.to_frame()["odds.ratio"].round(3).tolist()
    [0.371, 0.323, 0.206]
    """
    if not isinstance(means, Means):
        raise ArgumentError(
            f"contrast() and pairs() take means, such as fit.emmeans('x'), not "
            f"{means.__class__.__name__!r}."
        )
    wanted = means.type if type is None else type
    one_of("type", wanted, TYPES)
    level = means.level if level is None else level
    normal_quantile(level)
    is_ratio = wanted == "response" and means.back is not None and means.back.ratio is not None
    default = METHODS[method].adjust if isinstance(method, str) and method in METHODS else "none"
    chosen = adjust or default
    notes: list[str] = []
    if chosen == "tukey" and not (isinstance(method, str) and method.endswith("pairwise")):
        notes.append('adjust = "tukey" holds for all pairwise differences; "sidak" was used.')
        chosen = "sidak"
    adjustment = chosen_adjustment(chosen)
    groups = [means.level_names(rows) for rows in means.by_groups()]
    sign = " / " if is_ratio else " - "
    families = [contrast_rows(method, names, sign) for names in groups]
    sums_to_zero = all(np.abs(C.sum(axis=1)).max(initial=0.0) < SUM_TOL for _, C in families)
    if is_ratio and not sums_to_zero:
        is_ratio = False
        notes.append("Weights that do not sum to zero make no ratio; link scale.")
    elif wanted == "response" and means.back is not None and not is_ratio and nonlinear(means):
        notes.append(f"Differences of the {means.back.link} have no ratio; link scale.")
    parts = [
        tested(means, rows, family, adjustment, level, is_ratio)
        for rows, family in zip(means.by_groups(), families, strict=True)
    ]
    most = max(len(C) for _, C in families)
    if adjustment.name != "none" and most > 1:
        what = "of pairs of" if adjustment.name == "Tukey" else "of"
        count = len(groups[0]) if adjustment.name == "Tukey" else most
        notes.append(
            f"P values and limits adjusted: {adjustment.name} method, family {what} "
            f"{count}{' in each group' if means.by else ''}."
        )
    scale = "ratios" if is_ratio else scale_of(means)
    return Contrasts(
        (f"Contrasts, {scale}", *means.heading[1:]),
        pd.concat([table for table, _ in parts], ignore_index=True),
        (*notes, *means.notes),
        keys=("contrast", *means.by),
        estimates=stacked([estimates for _, estimates in parts]),
    )


def pairs(
    means: Means,
    reverse: bool = False,
    adjust: str | None = None,
    type: str | None = None,
    level: float | None = None,
) -> Contrasts:
    """All pairwise comparisons: ``contrast(means, "pairwise")``.

    Parameters
    ----------
    means : Means
        From `emmeans` or `emtrends`.
    reverse : bool
        Later minus earlier level.
    adjust, type, level
        As in `contrast`.

    Returns
    -------
    Contrasts
        As `contrast`.
    """
    method = "revpairwise" if reverse else "pairwise"
    return contrast(means, method, adjust=adjust, type=type, level=level)


def tested(
    means: Means,
    rows: np.ndarray,
    family: Rows,
    adjustment: Adjustment,
    level: float,
    is_ratio: bool,
) -> tuple[pd.DataFrame, Estimates]:
    """One family of contrasts with tests and limits, and its differences."""
    names, C = family
    found = means.estimates.rows(rows).combined(C)
    value, se = found.estimate, found.se
    # Means that are equal by the model differ by zero without error.
    with np.errstate(invalid="ignore", divide="ignore"):
        z = value / se
        correlation = found.covariance / np.outer(se, se)
    is_pairwise = adjustment.name == "Tukey"
    tests = FamilyOfTests(z, correlation, C.shape[1] if is_pairwise else 0)
    half = adjustment.quantile(tests, level) * se if len(C) > 1 else normal_quantile(level) * se
    p = adjustment.p_values(tests)
    limits = [value - half, value + half]
    name = "estimate"
    if is_ratio and means.back is not None and means.back.ratio is not None:
        name = means.back.ratio
        value, limits = np.exp(value), [np.exp(limit) for limit in limits]
        se = value * se
    labels = {"contrast": names}
    labels |= {key: [means.cells_of[key].iloc[rows[0]]] * len(names) for key in means.by}
    table = pd.concat([pd.DataFrame(labels), estimate_columns(name, value, se, limits)], axis=1)
    null = {"null": 1.0} if is_ratio else {}
    table = table.assign(**null, **{"z.ratio": z, "p.value": p})
    return table, found


def nonlinear(means: Means) -> bool:
    """Whether the means are on the scale of a link that changes them."""
    return means.back is not None and means.back.link != "identity"


def scale_of(means: Means) -> str:
    """The scale of differences in words."""
    if means.back is None:
        return means.type + " scale"
    return "link scale" if nonlinear(means) else "differences of means"


def contrast_rows(method: str | Weights, names: list[str], sign: str) -> Rows:
    """Names and weights of a family of contrasts of k means."""
    k = len(names)
    if isinstance(method, str):
        one_of("method", method, METHODS)
        if k < 2:
            raise ArgumentError(f"contrast() compares means, and here is only one: {names[0]!r}.")
        return METHODS[method].rows(names, sign)
    if isinstance(method, pd.DataFrame):
        labels, C = [str(name) for name in method.columns], numbers(method).T
    elif isinstance(method, Mapping):
        labels = list(method)
        sizes = {label: np.shape(weights) for label, weights in method.items()}
        wrong = [label for label, size in sizes.items() if size != (k,)]
        if wrong:
            raise ArgumentError(
                f"contrast {wrong[0]!r} has weights of shape {sizes[wrong[0]]}; there are {k} "
                f"means: {', '.join(names)}."
            )
        C = numbers([method[label] for label in labels])
    else:
        C = np.atleast_2d(numbers(method))
        labels = [f"C{r}" for r in range(1, len(C) + 1)]
    if C.ndim != 2 or C.shape[1] != k:
        raise ArgumentError(
            f"the weights have shape {C.shape} (contrasts by means); there are {k} means: "
            f"{', '.join(names)}."
        )
    return labels, C


def numbers(weights: object) -> FloatArray:
    """The weights of contrasts as an array."""
    try:
        return np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"the weights of contrasts are {weights!r}; they must be numbers, one a mean."
        ) from None
