"""Influence of rows and of groups of rows on the estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design.rank import independent_columns
from mixedlm_pt.diagnostics.convergence import checkConv
from mixedlm_pt.diagnostics.natural_parameters import natural_parameters
from mixedlm_pt.diagnostics.one_step import Deletion, blocks, one_step, without_rows
from mixedlm_pt.diagnostics.row_groups import Groups, row_groups
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.fit import Fit, refitted
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import interruption, run_tasks

# Rows of the printed table.
SHOWN = 10
# A share of X that rests on the deleted rows alone: the rest is then rounding error.
FULL_LEVERAGE = 1.0 - 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Printed):
    """What leaving out each row, or each group of rows, does to the estimates.

    Attributes
    ----------
    what : str
        ``"row"``, or the name of the grouping.
    is_exact : bool
        Whether the model was refitted, or one Newton step taken.
    estimates : Series
        Of the fit: sds, correlations, dispersion and fixed effects, named as by `confint`.
    changes : DataFrame
        One row a deletion: estimates without these rows less those with them. NaN where the
        deletion failed.
    standard_errors : DataFrame
        Of the fixed effects without these rows.
    vcov : DataFrame, shape (p, p)
        Of the fixed effects of the fit.
    covratio : Series
        Determinant of the covariance of beta without the rows over that with them.
    failures : mapping
        Deletion to the reason why it has no estimates.
    asked : int
        Deletions asked for.
    """

    what: str
    is_exact: bool
    estimates: pd.Series
    changes: pd.DataFrame
    standard_errors: pd.DataFrame
    vcov: pd.DataFrame
    covratio: pd.Series
    failures: Mapping[object, str]
    asked: int

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; the deletions that were finished are here."""
        return len(self.changes) < self.asked

    @property
    def dfbeta(self) -> pd.DataFrame:
        """Changes of the fixed effects: without the rows less with them, as lme4."""
        return self.changes[list(self.vcov.columns)]

    @property
    def dfbetas(self) -> pd.DataFrame:
        """``dfbeta`` in standard errors of the fit without the rows."""
        return self.dfbeta / self.standard_errors

    @cached_property
    def cooks_distance(self) -> pd.Series:
        """``d' V^-1 d / p`` with d a row of ``dfbeta`` and V the covariance of the fit.

        NaN without fixed effects.
        """
        d = self.dfbeta.to_numpy()
        if not d.shape[1]:
            return pd.Series(np.nan, index=self.changes.index, name="cooks_distance")
        solved = np.linalg.solve(self.vcov.to_numpy(), d.T)
        distance = np.einsum("np,pn->n", d, solved) / d.shape[1]
        return pd.Series(distance, index=self.changes.index, name="cooks_distance")

    def to_frame(self) -> pd.DataFrame:
        """Cook's distance, covariance ratio and all changes, one row a deletion."""
        frame = self.changes.add_prefix("change.")
        frame.insert(0, "covratio", self.covratio)
        frame.insert(0, "cooks_distance", self.cooks_distance)
        return frame

    def printed(self) -> ResultTable:
        """The deletions with the largest Cook's distances."""
        frame = self.dfbetas.add_prefix("dfbetas.")
        frame.insert(0, "covratio", self.covratio)
        frame.insert(0, "cooks", self.cooks_distance)
        shown = frame.sort_values("cooks", ascending=False).loc[
            lambda rows: rows["covratio"].notna()
        ]
        shown = shown.head(SHOWN)
        how = "by refitting" if self.is_exact else "by one Newton step; exact=True refits"
        heading = (
            f"Influence on the fixed effects, {self.what} by {self.what}",
            f"{len(frame):,} deletions {how}; the {len(shown)} with the largest Cook's distances:",
        )
        notes = [f"Without {label}: {why}." for label, why in list(self.failures.items())[:SHOWN]]
        if len(self.failures) > SHOWN:
            notes.append(f"{len(self.failures) - SHOWN:,} more failed: see .failures.")
        notes += interruption(len(self.changes), self.asked, "deletions")
        return ResultTable(heading, shown, tuple(notes))


def influence(
    fit: Fit,
    groups: Groups | None = None,
    exact: bool = False,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Influence:
    """DFBETA, DFBETAS, Cook's distance and changes of the variances, by row or by group.

    Parameters
    ----------
    fit : Fit
    groups : str, or one label a row, optional
        Leave out whole groups: a grouping factor of the model or a column of the data. Default:
        one row at a time.
    exact : bool
        Refit without the rows; otherwise one Newton step from the estimates of all rows with the
        exact gradient of the reduced data, which takes a fraction of the time and tends to
        understate large changes of variances.
    n_jobs : int, optional
        Processes; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    Influence
        Prints the most influential deletions; ``.dfbeta``, ``.dfbetas``, ``.cooks_distance``,
        ``.changes`` (sds and correlations, too), ``.covratio``, ``.failures``. After a
        KeyboardInterrupt with the deletions that were finished.

    Raises
    ------
    ArgumentError
        For a grouping that does not exist or has one level, and for a one-step deletion of a fit
        without a covariance of its estimates.

    Notes
    -----
    A deletion that leaves a coefficient undetermined, or a fit that does not converge, is recorded
    in ``failures`` by name. lme4 multiplies Cook's distance by ``(n - p) / n`` with n the number
    of deletions; this is Cook's own definition.

    References
    ----------
    .. [1] Cook (1977), Technometrics 19, 15-18. Pregibon (1981), Ann. Stat. 9, 705-724 (one step).
    .. [2] Belsley, Kuh and Welsch (1980), Regression diagnostics, section 2.1.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> influence(fit, "herd", exact=True).cooks_distance.idxmax()
    '11'
    """
    if groups is None:
        index, deletions = fit.design.index, [np.array([i]) for i in range(fit.model.n)]
    else:
        codes, index = row_groups(fit, groups)
        if len(index) < 2:
            raise ArgumentError(f"groups has one level, {index[0]!r}: leaving it out leaves none.")
        order = np.argsort(codes, kind="stable")
        deletions = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    problems = undetermined(fit, deletions)
    possible = [i for i in range(len(deletions)) if i not in problems]
    found: dict[int, Deletion] = {}
    kept = [deletions[i] for i in possible]
    if exact:
        refit = partial(without, fit)
        label = "Refitting without each group" if groups is not None else "Refitting"
        outcomes = run_tasks(refit, kept, label=label, n_jobs=n_jobs, progress=progress)
        found = dict(zip(possible, outcomes, strict=False))
    else:
        step = partial(one_step, fit, precision_of(fit))
        tasks = blocks(fit, kept)
        parts = run_tasks(step, tasks, label="One step", n_jobs=n_jobs, progress=progress)
        found = {possible[i]: deletion for part in parts for i, deletion in part}
    what = "row" if groups is None else groups if isinstance(groups, str) else "group"
    return collected(fit, what, exact, index, problems, found)


def collected(
    fit: Fit,
    what: str,
    is_exact: bool,
    index: pd.Index,
    problems: Mapping[int, str],
    found: Mapping[int, Deletion],
) -> Influence:
    """The deletions that were finished, as tables."""
    estimates, p = natural_parameters(fit), fit.model.p
    scale = fit.phi if fit.family.has_pearson_dispersion else 1.0
    V = scale * fit.estimate.covariance[:p, :p]
    names = pd.Index(fit.design.coef_names)
    done = sorted({*problems, *found})
    changes, se = np.full((len(done), len(estimates)), np.nan), np.full((len(done), p), np.nan)
    covratio, failures = np.full(len(done), np.nan), {}
    for row, i in enumerate(done):
        deletion = found.get(i)
        why = problems[i] if deletion is None else deletion.problem
        if deletion is None or deletion.fit is None:
            failures[index[i]] = why
            continue
        changes[row] = (natural_parameters(deletion.fit) - estimates).to_numpy()
        se[row] = np.sqrt(scale * np.diag(deletion.covariance))
        covratio[row] = np.linalg.det(scale * deletion.covariance) / np.linalg.det(V)
    labels = index[done]
    return Influence(
        what=what,
        is_exact=is_exact,
        estimates=estimates,
        changes=pd.DataFrame(changes, index=labels, columns=estimates.index),
        standard_errors=pd.DataFrame(se, index=labels, columns=names),
        vcov=pd.DataFrame(V, index=names, columns=names),
        covratio=pd.Series(covratio, index=labels, name="covratio"),
        failures=failures,
        asked=len(index),
    )


def without(fit: Fit, rows: IntArray) -> Deletion:
    """The model refitted without some rows."""
    p = fit.model.p
    nothing = np.full((p, p), np.nan)
    model = fit.model.with_design(without_rows(fit.design, rows))
    try:
        refit = refitted(fit, model, start=fit.restart)
    except EstimationError as error:
        return Deletion(None, nothing, str(error).rstrip("."))
    found = checkConv(refit)
    if not found.ok:
        return Deletion(None, nothing, " ".join(found.problems).rstrip("."))
    # The design of the fit itself: a task must not send all data back.
    light = fit.replace(estimate=refit.estimate)
    return Deletion(light, refit.estimate.covariance[:p, :p])


def undetermined(fit: Fit, deletions: Sequence[IntArray]) -> dict[int, str]:
    """Deletions that leave some coefficient undetermined, with its name."""
    X, w = fit.design.X, fit.design.response.weights
    used = X * (w > 0.0)[:, None]
    Q = np.linalg.qr(used)[0]
    problems = {}
    for i, rows in enumerate(deletions):
        lost = Q[rows].T @ Q[rows] if len(rows) > Q.shape[1] else Q[rows] @ Q[rows].T
        if np.linalg.eigvalsh(lost).max(initial=0.0) < FULL_LEVERAGE:
            continue
        rest = used.copy()
        rest[rows] = 0.0
        kept = independent_columns(rest)
        names = [n for j, n in enumerate(fit.design.coef_names) if j not in kept]
        problems[i] = f"no other rows determine {', '.join(names)}"
    return problems


def precision_of(fit: Fit) -> FloatArray:
    """Observed information of all parameters, zero for those on the boundary.

    Raises
    ------
    ArgumentError
        If the fit has no covariance of its estimates.
    """
    free = np.isfinite(np.diag(fit.estimate.covariance))
    if not free.any():
        raise ArgumentError(
            "the fit has no covariance of its estimates, from which a one-step deletion starts; "
            "use influence(exact=True)."
        )
    precision = np.zeros((fit.model.n_par,) * 2)
    inside = np.ix_(free, free)
    precision[inside] = np.linalg.inv(fit.estimate.covariance[inside])
    return precision
