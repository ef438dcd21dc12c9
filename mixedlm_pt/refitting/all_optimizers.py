"""The same model by every optimiser, and whether they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import pandas as pd

from mixedlm_pt.arguments import names_of, one_of
from mixedlm_pt.diagnostics import checkConv, natural_parameters, natural_standard_errors
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.estimation import OPTIMIZERS
from mixedlm_pt.fit import Call, Fit, refitted
from mixedlm_pt.refitting.from_call import fit_call
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import interruption, run_tasks

# Estimates within this many standard errors of the best fit's are the same for all purposes, and
# so are log-likelihoods within this distance: half the squared one, at the most.
AGREE_SE = 0.01
AGREE_LOGLIK = 0.5 * AGREE_SE**2


@dataclass(frozen=True, eq=False, repr=False)
class AllFit[AnyFit: Fit](Printed):
    """Fits of one model by every optimiser.

    Attributes
    ----------
    fits : mapping
        Optimiser to fit.
    table : DataFrame, one row an optimiser, the best log-likelihood first
        ``logLik``; ``gap`` to the best one, in log-likelihood plus log prior; ``max_diff``, the
        largest distance of a parameter from the best fit's in the standard errors of that fit;
        ``evaluations`` of the criterion, without those of the information; ``time`` in seconds;
        ``ok``, what `checkConv` says; and the ``message`` of the optimiser, or why it failed.
    estimates : DataFrame
        All parameters on the scales of `confint`, one row an optimiser.
    asked : int
        Optimisers asked for.
    """

    fits: Mapping[str, AnyFit]
    table: pd.DataFrame
    estimates: pd.DataFrame
    asked: int

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; the optimisers that were finished are here."""
        return len(self.table) < self.asked

    @property
    def best(self) -> AnyFit:
        """The fit with the highest log-likelihood."""
        return self.fits[self.table.index[0]]

    @property
    def agree(self) -> bool:
        """Whether all optimisers that finished found the same maximum."""
        return not self.others

    @property
    def others(self) -> list[str]:
        """Optimisers that ended elsewhere than the best."""
        done = self.table.loc[list(self.fits)]
        apart = (done["gap"] > AGREE_LOGLIK) | (done["max_diff"] > AGREE_SE)
        return [name for name in self.table.index if name in done.index[apart]]

    @property
    def verdict(self) -> str:
        """Whether they agree, in words."""
        done = self.table.loc[list(self.fits)]
        gap, distance = done["gap"].max(), done["max_diff"].max()
        measured = (
            f"log-likelihoods differ by {gap:.1e} at most, estimates by {distance:.1e} standard "
            "errors"
        )
        if self.agree:
            return f"All {len(done)} optimisers agree: {measured}."
        return (
            f"{', '.join(self.others)} stopped elsewhere than {self.table.index[0]}: {measured}. "
            "Where most agree on the highest log-likelihood, use that; the others stopped early."
        )

    def to_frame(self) -> pd.DataFrame:
        """The table with the estimates beside it."""
        return pd.concat([self.table, self.estimates], axis=1)

    def printed(self) -> ResultTable:
        """The table with the verdict."""
        failed = self.table.loc[~self.table.index.isin(self.fits), "message"]
        notes = [self.verdict, *(f"{name} failed: {reason}" for name, reason in failed.items())]
        notes += interruption(len(self.table), self.asked, "optimisers")
        heading = f"All optimisers: {self.best.design.formula}"
        columns = ["logLik", "gap", "max_diff", "evaluations", "time", "ok"]
        table = self.table[columns].astype({"evaluations": "Int64"})
        parts = [table, self.estimates.reindex(table.index)]
        return ResultTable((heading,), pd.concat(parts, axis=1), tuple(notes))


def allFit[AnyFit: Fit](
    fit: AnyFit,
    data: Any = None,
    optimizers: str | Sequence[str] | None = None,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> AllFit[AnyFit]:
    """The model fitted by every optimiser, from the same starting values.

    All share one compiled function. That they start afresh, not at the estimates as in lme4, makes
    their agreement say something. Every fit ends with a Newton step that uses the exact
    information, as `glmer` does.

    Parameters
    ----------
    fit : Fit
    data : data frame, optional
        The data are remembered; others are fitted in their place.
    optimizers : str or sequence of str, optional
        Names from `GlmerControl`, default all.
    n_jobs : int, optional
        Processes; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    AllFit
        After a KeyboardInterrupt with the optimisers that were finished.

    Raises
    ------
    ArgumentError
        If an optimiser is unknown.
    EstimationError
        If all of them fail.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.allFit(optimizers=["BFGS", "L-BFGS-B", "SLSQP"]).agree
    True
    """
    chosen = list(OPTIMIZERS) if optimizers is None else names_of("optimizers", optimizers)
    for name in chosen:
        one_of("optimizer", name, OPTIMIZERS)
    if not chosen:
        raise ArgumentError(f"optimizers is empty; known: {', '.join(OPTIMIZERS)}.")
    if data is not None and data is not fit.call.data:
        fit = fit_call(fit.replace, Call(fit.call.formula, data, fit.call.arguments))
    attempts = run_tasks(
        partial(attempt, fit), chosen, label="optimisers", n_jobs=n_jobs, progress=progress
    )
    results = dict(zip(chosen, attempts, strict=False))
    fits = {name: result.fit for name, result in results.items() if result.fit is not None}
    if not fits:
        reasons = "; ".join(f"{name}: {result.message}" for name, result in results.items())
        raise EstimationError(f"every optimiser failed. {reasons}")
    estimates = pd.DataFrame({name: natural_parameters(found) for name, found in fits.items()}).T
    loglik = pd.Series({name: found.estimate.loglik for name, found in fits.items()})
    value = pd.Series({name: found.estimate.value for name, found in fits.items()})
    best = str(value.idxmax())
    distance = (estimates - estimates.loc[best]).abs() / natural_standard_errors(fits[best])
    evaluations = {name: found.outcome.n_evaluations for name, found in fits.items()}
    table = pd.DataFrame(
        {
            "logLik": loglik,
            "gap": value[best] - value,
            "max_diff": distance.max(axis=1).fillna(0.0),
            "evaluations": pd.Series(evaluations, dtype="Int64"),
            "time": pd.Series({name: result.seconds for name, result in results.items()}),
            "ok": pd.Series({name: result.ok for name, result in results.items()}),
            "message": pd.Series({name: result.message for name, result in results.items()}),
        },
        index=pd.Index(list(results)),
    ).sort_values("gap", kind="stable")
    return AllFit(fits, table, estimates.reindex(table.index), len(chosen))


@dataclass(frozen=True, eq=False)
class Attempt[AnyFit: Fit]:
    """One optimiser's fit, None if it failed; its time; whether it converged; its last words."""

    fit: AnyFit | None
    seconds: float
    ok: bool
    message: str


def attempt[AnyFit: Fit](fit: AnyFit, optimizer: str) -> Attempt[AnyFit]:
    """The model fitted by one optimiser."""
    control = replace(fit.control, optimizer=optimizer)
    arguments = {**fit.call.arguments, "control": control}
    call = Call(fit.call.formula, fit.call.data, arguments)
    begin = perf_counter()
    try:
        found = refitted(fit.replace(control=control, call=call), fit.model)
    except EstimationError as error:
        return Attempt(None, perf_counter() - begin, False, str(error))
    seconds = perf_counter() - begin
    convergence = checkConv(found)
    found = found.replace(messages=convergence.messages)
    return Attempt(found, seconds, convergence.ok, found.outcome.message)
