"""Cross-validation: how well the model predicts rows, or whole groups, that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import names_of, one_of, positive_integer
from mixedlm_pt.design import Design, subset
from mixedlm_pt.design.rank import independent_columns
from mixedlm_pt.design.response import has_trials, refuse_constant
from mixedlm_pt.diagnostics import Groups, row_groups
from mixedlm_pt.errors import ArgumentError, DataError, EstimationError, MixedlmError
from mixedlm_pt.fit import Fit, refitted
from mixedlm_pt.prediction.normal_average import normal_average
from mixedlm_pt.refitting.predictive_density import (
    joint_log_density,
    log_densities,
    new_predictor,
    rows_beside,
)
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import Seed, interruption, recorded_seed, run_tasks

# Those that are averaged over rows; elpd is a sum.
MEANS = ("deviance", "Brier", "RMSE", "MAE")


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Printed):
    """What the model predicts of rows that were left out.

    Attributes
    ----------
    totals : DataFrame
        One row a metric: ``Estimate`` and ``Std. Error``.
    folds : DataFrame
        One row a fold: rows and units left out, and the metrics.
    units : DataFrame
        One row a unit (a row, or a group of rows left out together): its fold, number of rows and
        ``elpd``. The difference of two models' elpd has the standard error of the differences of
        these.
    rows : DataFrame
        One row a row that was predicted: fold, response, prediction (response scale).
    failures : mapping
        Why folds failed; the totals are without them.
    seed
        Gives the same folds again.
    asked : int
        Folds asked for.
    """

    totals: pd.DataFrame
    folds: pd.DataFrame
    units: pd.DataFrame
    rows: pd.DataFrame
    failures: Mapping[int, str]
    seed: Any
    asked: int
    heading: tuple[str, ...] = field(repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; the folds that were finished are here."""
        return len(self.folds) + len(self.failures) < self.asked

    def to_frame(self) -> pd.DataFrame:
        """One row a fold, the totals last."""
        total = self.totals["Estimate"].to_frame().T
        counts = self.folds[["rows", "units"]].sum()
        total = total.assign(**counts).reindex(columns=self.folds.columns)
        table = pd.concat([self.folds, total.rename(index={"Estimate": "total"})])
        return table.astype({"rows": "int64", "units": "int64"})

    def printed(self) -> ResultTable:
        """The totals, with what the reader has to know."""
        notes = [f"Fold {fold} failed: {reason}" for fold, reason in self.failures.items()]
        notes += interruption(len(self.folds) + len(self.failures), self.asked, "folds")
        return ResultTable(self.heading, self.totals, tuple(notes))


def cross_validate(
    fit: Fit,
    folds: int = 10,
    groups: Groups | None = None,
    metrics: str | Sequence[str] | None = None,
    seed: Seed = None,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> CrossValidation:
    """The model fitted without each fold in turn, and what it then predicts of the fold.

    Parameters
    ----------
    fit : Fit
    folds : int
        Number of parts, at most the number of units: rows, or groups.
    groups : str, or one label a row, optional
        Leave out whole groups: a grouping factor, a column of the data, or labels. Without it rows
        are left out, whose groups stay in.
    metrics : str or sequence of str, optional
        Some of ``"elpd"``, ``"deviance"``, ``"Brier"``, ``"RMSE"``, ``"MAE"``; default all that the
        family has. ``["elpd"]`` alone needs no predicted means, which the inverse link has not.
    seed : int, optional
        Decides which units make a fold.
    n_jobs : int, optional
        Processes; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    CrossValidation
        ``elpd`` is the sum over units of the log predictive density at the estimates of the other
        folds: of a row given the rows that are left, its random effects integrated out; of a group
        that of all its rows together, by the fit's own approximation. Predictions are means over
        what is not known of the random effects: for new groups they are population-averaged.
        ``deviance`` and ``Brier`` are means a row and a trial; RMSE and MAE are on the scale of the
        response. After a KeyboardInterrupt with the folds that were finished.

    Raises
    ------
    ArgumentError
        For a bad number of folds, and a metric that the family does not have.
    EstimationError
        If all folds fail.

    References
    ----------
    .. [1] Vehtari, Gelman and Gabry (2017), Statistics and Computing 27, 1413-1432: elpd and its
       standard error.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> cv = fit.cross_validate(folds=5, groups="herd", seed=1)
    >>> cv.totals.index.to_list()
    ['elpd', 'deviance', 'Brier', 'RMSE', 'MAE']
    """
    chosen = chosen_metrics(fit, metrics)
    if groups is None:
        unit, labels = np.arange(fit.model.n), fit.design.index
    else:
        unit, labels = row_groups(fit, groups)
    n_units = len(labels)
    n_folds = min(positive_integer("folds", folds), n_units)
    if n_folds < 2:
        raise ArgumentError(f"folds is {folds!r}; there must be at least 2, of {n_units} units.")
    seed = recorded_seed(seed)
    fold_of = np.random.default_rng(seed).permutation(n_units) % n_folds
    work = partial(
        validated,
        fit=fit,
        unit=unit,
        fold_of=fold_of,
        is_joint=groups is not None,
        has_means=any(name in MEANS for name in chosen),
    )
    outcomes = run_tasks(
        work, range(n_folds), label="cross-validation", n_jobs=n_jobs, progress=progress
    )
    done = {k: outcome for k, outcome in enumerate(outcomes, 1) if not isinstance(outcome, str)}
    failures = {k: outcome for k, outcome in enumerate(outcomes, 1) if isinstance(outcome, str)}
    if not done:
        raise EstimationError(f"every fold failed, the first because: {failures[1]}")
    rows = pd.concat([pair[0].assign(fold=k) for k, pair in done.items()]).sort_index()
    units = pd.concat([pair[1].assign(fold=k) for k, pair in done.items()]).sort_index()
    totals = summaries(rows, units, chosen)
    parts = {k: summaries(*pair, chosen)["Estimate"] for k, pair in done.items()}
    counts = {k: pd.Series({"rows": len(r), "units": len(u)}) for k, (r, u) in done.items()}
    table = pd.DataFrame({k: pd.concat([counts[k], parts[k]]) for k in done}).T
    table = table.astype({"rows": "int64", "units": "int64"})
    named = groups if isinstance(groups, str) else "rows"
    left_out = "rows" if groups is None else f"groups of {named}"
    heading = (
        f"Cross-validation: {n_units:,} {left_out} in {n_folds} folds",
        f"Formula: {fit.design.formula}",
    )
    units.index = labels[units.index]
    rows.index = fit.design.index[rows.index]
    rows = rows[["fold", "response", "prediction"]]
    return CrossValidation(
        totals=totals,
        folds=table.rename_axis(index="fold"),
        units=units,
        rows=rows,
        failures=failures,
        seed=seed,
        asked=n_folds,
        heading=heading,
    )


def chosen_metrics(fit: Fit, metrics: str | Sequence[str] | None) -> list[str]:
    """The metrics asked for, of those that the family has."""
    known = [name for name in ("elpd", *MEANS) if name != "elpd" or fit.family.has_likelihood]
    if not has_trials(fit.family):
        known.remove("Brier")
    wanted = known if metrics is None else names_of("metrics", metrics)
    for name in wanted:
        one_of("metric", name, known)
    return [name for name in known if name in wanted]


def validated(
    fold: int, *, fit: Fit, unit: IntArray, fold_of: IntArray, is_joint: bool, has_means: bool
) -> tuple[pd.DataFrame, pd.DataFrame] | str:
    """Predictions of one fold's rows and the scores of its units, or why there are none."""
    is_out = fold_of[unit] == fold
    left, out = np.flatnonzero(~is_out), np.flatnonzero(is_out)
    try:
        trained = trained_fit(fit, left)
        design = rows_beside(fit.design, out, left)
        predictor = new_predictor(trained, design)
        mean = np.full(len(out), np.nan)
        if has_means:
            mean, _, _ = normal_average(trained.compiled, predictor.eta, predictor.sd)
    except MixedlmError as error:
        return str(error)
    rows = row_scores(trained, design, mean)
    rows.index, rows["unit"] = pd.Index(out), unit[out]
    codes = np.unique(unit[out])
    units = pd.DataFrame({"rows": rows.groupby("unit").size()}, index=pd.Index(codes))
    if not fit.family.has_likelihood:
        return rows, units
    if is_joint:
        members = (out[unit[out] == code] for code in codes)
        elpd = [joint_log_density(trained, fit.design, member, left) for member in members]
        units["elpd"] = elpd
    else:
        units["elpd"] = log_densities(trained, design, predictor)
    return rows, units


def trained_fit[AnyFit: Fit](fit: AnyFit, left: IntArray) -> AnyFit:
    """The fit of the rows that are left.

    Raises
    ------
    DataError
        If they do not determine all coefficients, or have a constant response.
    EstimationError
    """
    design = subset(fit.design, left)
    refuse_constant(design.response)
    kept = independent_columns(design.X)
    if len(kept) < design.p:
        lost = [name for j, name in enumerate(design.coef_names) if j not in kept]
        raise DataError(f"the other folds do not determine the coefficients {', '.join(lost)}.")
    model = replace(fit.model, design=design)
    # Other rows have other random effects; the search for them begins at zero.
    start = None if fit.restart is None else replace(fit.restart, u=np.zeros(model.q))
    return refitted(fit, model, start=start, has_covariance=False)


def row_scores(fit: Fit, design: Design, mean: FloatArray) -> pd.DataFrame:
    """Response, prediction and what the metrics average, one row a row."""
    y, w = design.response.y, design.response.weights
    eta = fit.compiled.forward(mean)[0]
    unit_deviance = fit.compiled.unit_deviance(y, eta, np.asarray(fit.phi))[0]
    scores = {
        "response": y,
        "prediction": mean,
        "deviance": w * unit_deviance,
        "RMSE": (y - mean) ** 2,
        "MAE": np.abs(y - mean),
    }
    if has_trials(fit.family):
        # Of every trial: a share y of them are successes.
        scores["Brier"] = w * (y * (1.0 - mean) ** 2 + (1.0 - y) * mean**2)
        scores["trials"] = w
    return pd.DataFrame(scores)


def summaries(rows: pd.DataFrame, units: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Every metric with its standard error, which takes units as independent."""
    table = {}
    for name in metrics:
        if name == "elpd":
            spread = units["elpd"].std() if len(units) > 1 else np.nan
            table[name] = (units["elpd"].sum(), np.sqrt(len(units)) * spread)
            continue
        size = rows["trials"] if name == "Brier" else pd.Series(1.0, index=rows.index)
        mean, se = ratio(rows[name], size, rows["unit"])
        if name == "RMSE":
            mean, se = np.sqrt(mean), se / (2.0 * np.sqrt(mean))
        table[name] = (mean, se)
    return pd.DataFrame(table, index=pd.Index(["Estimate", "Std. Error"])).T


def ratio(value: pd.Series, size: pd.Series, unit: pd.Series) -> tuple[float, float]:
    """Sum of values by sum of sizes, and its standard error over units (linearised)."""
    sums, sizes = value.groupby(unit).sum(), size.groupby(unit).sum()
    total, m = float(sizes.sum()), len(sums)
    mean = float(sums.sum()) / total
    if m < 2:
        return mean, np.nan
    squares = float(((sums - mean * sizes) ** 2).sum())
    return mean, float(np.sqrt(squares * m / (m - 1))) / total
