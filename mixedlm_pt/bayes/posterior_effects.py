"""Predictions, comparisons and slopes, evaluated for every draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.bayes.credible import described
from mixedlm_pt.bayes.predictor_draws import PredictorDraws, predictor_draws
from mixedlm_pt.design import term_positions
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.interpretation.changes import COMPARISONS, Change
from mixedlm_pt.interpretation.counterfactuals import Variables, compared_changes, slope_changes
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.estimates import Comparing, design_of_rows
from mixedlm_pt.interpretation.setting import By, Setting, prepared, reported
from mixedlm_pt.prediction.predict import asks_for_average

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult

COLUMNS = ("estimate", "std_error", "conf_low", "conf_high")
NOTES = {
    "held": "With the random effects of every draw.",
    "zero": "Random effects are zero.",
    "marginal": "Averaged over the distribution of the random effects in every draw.",
}


@dataclass(frozen=True, eq=False)
class QuantityDraws:
    """Draws of m quantities: what `Estimates` are for a fit.

    Attributes
    ----------
    values : array, shape (m, S)
    """

    values: FloatArray

    def compared(self, other: QuantityDraws, function: Comparing) -> QuantityDraws:
        """A function of each pair."""
        return QuantityDraws(function(self.values, other.values)[0])

    @classmethod
    def weighted_sum(
        cls, parts: Sequence[QuantityDraws], weights: Sequence[float]
    ) -> QuantityDraws:
        """Sum with weights."""
        pairs = zip(parts, weights, strict=True)
        total: FloatArray = np.sum([weight * part.values for part, weight in pairs], axis=0)
        return cls(total)


@dataclass(frozen=True, eq=False)
class DrawnSetting:
    """The rows of a `Setting`, predicted for every draw.

    Attributes
    ----------
    posterior : PosteriorResult
    setting : Setting
    terms : tuple of int
        Whose random effects are included or, for an average, averaged over.
    is_marginal : bool
    """

    posterior: PosteriorResult
    setting: Setting
    terms: tuple[int, ...]
    is_marginal: bool

    def source(self, rows: pd.DataFrame) -> PredictorDraws:
        """The predictors of altered rows."""
        fit, draws = self.posterior.fit, self.posterior.parameter_draws
        new = design_of_rows(fit, rows, self.terms, allow_new_levels=self.is_marginal)
        held = () if self.is_marginal else self.terms
        return predictor_draws(fit, draws, new, held, is_marginal=self.is_marginal)

    def quantities(
        self, versions: Sequence[pd.DataFrame]
    ) -> Iterator[tuple[slice, list[QuantityDraws]]]:
        """Predictions of several versions of the rows: averages, or block after block."""
        sources = [self.source(rows) for rows in versions]
        if not self.setting.is_average:
            for rows in sources[0].slices():
                yield rows, [QuantityDraws(self.values(source, rows)) for source in sources]
            return
        n = len(self.setting.labels)
        yield slice(0, n), [QuantityDraws(self.averaged(source, n)) for source in sources]

    def values(self, source: PredictorDraws, rows: slice) -> FloatArray:
        """Predictions of a block of rows, shape (r, S)."""
        return source.mean(rows) if self.setting.type == "response" else source.predictor(rows)

    def averaged(self, source: PredictorDraws, n: int) -> FloatArray:
        """Averages over the rows of every label, shape (n, S)."""
        source, which = source.distinct()
        codes: IntArray = self.setting.codes
        W = np.zeros((n, source.n))
        np.add.at(W, (codes, which), 1.0)
        W /= np.bincount(codes, minlength=n)[:, None]
        total = np.zeros((n, len(source.draws)))
        for rows in source.slices():
            total += W[:, rows] @ self.values(source, rows)
        return total

    def effect(self, change: Change, level: float, kind: str) -> pd.DataFrame:
        """The effect of a change: one row a label."""
        rows, columns = self.setting.rows, np.empty((4, len(self.setting.labels)))
        versions = [rows.assign(**{change.term: column}) for column in change.columns]
        for block, points in self.quantities(versions):
            columns[:, block] = described(change.combine(points).values, level, kind)
        if self.posterior.fit.design.dropped:
            # What the data do not determine is so for every draw: the fit knows it.
            columns[:, ~self.setting.changed(change).estimable] = np.nan
        numbers = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
        labels = self.setting.labels.assign(term=change.term, contrast=change.label)
        return pd.concat([labels, numbers], axis=1)

    def table(self, title: str, parts: Sequence[pd.DataFrame]) -> EstimateTable:
        """The rows with their heading."""
        if not parts:
            raise ArgumentError("the model has no predictor to change.")
        found = reported(self.setting, title, pd.concat(parts, ignore_index=True))
        title, *rest = found.heading
        return replace(found, heading=(f"Posterior: {title[0].lower()}{title[1:]}", *rest))


def drawn_setting(
    posterior: PosteriorResult, newdata: Any, type: str, re_form: str | None, by: By
) -> DrawnSetting:
    """The rows that the arguments ask for."""
    fit = posterior.fit
    setting = prepared(fit, newdata, type, re_form, by, None)
    is_marginal = asks_for_average(re_form)
    terms = term_positions(fit.design, None if is_marginal else re_form)
    state = "marginal" if is_marginal else "held" if terms else "zero"
    note = NOTES[state] if fit.design.terms else ""
    return DrawnSetting(posterior, replace(setting, note=note), terms, is_marginal)


def predictions(
    posterior: PosteriorResult,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    by: By = None,
    level: float = 0.95,
    kind: str = "eti",
) -> EstimateTable:
    """Posterior predictions, by row or averaged.

    Parameters
    ----------
    posterior, newdata, type, re_form, by, level, kind
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        Columns rowid or those of ``by``, estimate, std_error, conf_low, conf_high.
    """
    drawn = drawn_setting(posterior, newdata, type, re_form, by)
    columns = np.empty((4, len(drawn.setting.labels)))
    for block, (found,) in drawn.quantities([drawn.setting.rows]):
        columns[:, block] = described(found.values, level, kind)
    if posterior.fit.design.dropped:
        columns[:, ~drawn.setting.estimates(drawn.setting.rows).estimable] = np.nan
    numbers = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    return drawn.table("Predictions", [pd.concat([drawn.setting.labels, numbers], axis=1)])


def avg_predictions(
    posterior: PosteriorResult,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    by: By = True,
    level: float = 0.95,
    kind: str = "eti",
) -> EstimateTable:
    """Average predictions: `predictions` with ``by=True`` or by the levels of columns.

    Parameters
    ----------
    posterior, newdata, type, re_form, by, level, kind
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        As `predictions`.
    """
    return predictions(posterior, newdata, type, re_form, by or True, level, kind)


def comparisons(
    posterior: PosteriorResult,
    variables: Variables = None,
    newdata: Any = None,
    comparison: str = "difference",
    by: By = None,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    kind: str = "eti",
) -> EstimateTable:
    """Comparisons of predictions that differ in one predictor, for every draw.

    Parameters
    ----------
    posterior : PosteriorResult
    variables, newdata, comparison, by, type
        As in the `comparisons` of a fit.
    re_form : str, optional
        None for the random effects of every draw, ``"~0"`` for none (b = 0), a formula for some, or
        ``"marginal"`` to average over their distribution in every draw: population-averaged
        effects.
    level : float
        Posterior probability of the limits.
    kind : {"eti", "hdi"}
        Equal-tailed or highest-density limits.

    Returns
    -------
    EstimateTable
        Columns as those of a fit but for statistic and p_value: estimate is the posterior mean,
        std_error the posterior standard deviation.

    Raises
    ------
    ArgumentError, ColumnNotFoundError, DataError
        As the `comparisons` of a fit.
    """
    one_of("comparison", comparison, COMPARISONS)
    drawn = drawn_setting(posterior, newdata, type, re_form, by)
    changes = compared_changes(posterior.fit, variables, drawn.setting.rows, comparison)
    parts = [drawn.effect(change, level, kind) for change in changes]
    return drawn.table(f"Comparisons ({comparison})", parts)


def avg_comparisons(
    posterior: PosteriorResult,
    variables: Variables = None,
    newdata: Any = None,
    comparison: str = "difference",
    by: By = True,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    kind: str = "eti",
) -> EstimateTable:
    """Average comparisons: `comparisons` with ``by=True`` or by the levels of columns.

    Parameters
    ----------
    posterior, variables, newdata, comparison, by, type, re_form, level, kind
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        As `comparisons`.
    """
    arguments = (variables, newdata, comparison, by or True, type, re_form, level, kind)
    return comparisons(posterior, *arguments)


def slopes(
    posterior: PosteriorResult,
    variables: Variables = None,
    newdata: Any = None,
    by: By = None,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    kind: str = "eti",
) -> EstimateTable:
    """Slopes of predictions in numeric predictors, and differences between levels of factors.

    Parameters
    ----------
    posterior, variables, newdata, by, type, re_form, level, kind
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        As `comparisons`; the contrast of a slope is ``dY/dX``.
    """
    drawn = drawn_setting(posterior, newdata, type, re_form, by)
    changes = slope_changes(posterior.fit, variables, drawn.setting.rows)
    return drawn.table("Slopes", [drawn.effect(change, level, kind) for change in changes])


def avg_slopes(
    posterior: PosteriorResult,
    variables: Variables = None,
    newdata: Any = None,
    by: By = True,
    type: str = "response",
    re_form: str | None = None,
    level: float = 0.95,
    kind: str = "eti",
) -> EstimateTable:
    """Average slopes: `slopes` with ``by=True`` or by the levels of columns.

    Parameters
    ----------
    posterior, variables, newdata, by, type, re_form, level, kind
        As in `comparisons`.

    Returns
    -------
    EstimateTable
        As `slopes`.
    """
    return slopes(posterior, variables, newdata, by or True, type, re_form, level, kind)
