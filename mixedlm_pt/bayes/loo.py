"""Leave-one-out cross-validation of posteriors, by row or by group, and their comparison."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from mixedlm_pt.bayes.pointwise import Units, with_log_likelihood
from mixedlm_pt.diagnostics import Groups
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.inference.comparability import refuse_other_data
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tables import WIDTH, html_table, text_table

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult
    from mixedlm_pt.fit import Fit

# Units with a large Pareto k that are named, worst first.
MOST_NAMED = 10
VERY_BAD = 1.0
# Sivula, Magnusson, Matamoros and Vehtari (2025): below this a difference in elpd is small, and its
# standard error too optimistic; so is that of fewer units than this.
SMALL_DIFFERENCE = 4.0
FEW_UNITS = 100
# Standard errors from which on a difference is called one.
CLEAR = 2.0


@dataclass(frozen=True, eq=False, repr=False)
class Loo(Printed):
    """Leave-one-out cross-validation by Pareto-smoothed importance sampling.

    Attributes
    ----------
    table : DataFrame
        Rows ``elpd_loo``, ``p_loo`` and ``looic``; columns ``Estimate`` and ``Std. Error``.
    pointwise : DataFrame
        One row a unit: ``elpd``, ``p_loo`` and ``pareto_k``.
    by : str
        What is left out: ``"observation"``, or the name of the groups.
    arviz : arviz_stats ELPDData
        What ``az.loo`` returned, for ``az.compare`` and ArviZ's plots.
    """

    table: pd.DataFrame
    pointwise: pd.DataFrame
    by: str
    arviz: Any
    fit: Fit = field(repr=False)
    units: Units = field(repr=False)

    @property
    def elpd(self) -> float:
        """Sum over the units of the log predictive density given all other units."""
        return float(self.arviz.elpd)

    @property
    def se(self) -> float:
        """Standard error of `elpd`."""
        return float(self.arviz.se)

    @property
    def good_k(self) -> float:
        """Largest Pareto k at which the estimate of a unit is reliable with these draws."""
        return float(self.arviz.good_k)

    @property
    def what(self) -> str:
        """What is left out, in the plural."""
        return "observations" if self.units.is_rows else f"groups of {self.by}"

    def bad(self) -> pd.DataFrame:
        """The units whose Pareto k is too large, worst first."""
        too_large = ~(self.pointwise["pareto_k"] <= self.good_k)
        return self.pointwise[too_large].sort_values("pareto_k", ascending=False)

    def to_frame(self) -> pd.DataFrame:
        """`pointwise`: one row a unit."""
        return self.pointwise.copy()

    def k_counts(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the table of Pareto k: how many are good, bad and very bad."""
        k, good = self.pointwise["pareto_k"].to_numpy(), self.good_k
        n_bad, n_very_bad = int((~(k <= good)).sum()), int((~(k <= VERY_BAD)).sum())
        counts = [len(k) - n_bad, n_bad - n_very_bad, n_very_bad]
        ranges = [
            f"good, k <= {good:.2f}",
            f"bad, k <= {VERY_BAD:g}",
            f"very bad, k > {VERY_BAD:g}",
        ]
        rows = zip(ranges, counts, strict=True)
        shares = [[name, f"{n:,}", f"{100.0 * n / len(k):.1f} %"] for name, n in rows]
        return ["Pareto k", self.what, ""], shares

    def advice(self) -> tuple[str, ...]:
        """What the Pareto k say, and what to do."""
        bad = self.bad()
        if not len(bad):
            return (f"All Pareto k are good (up to {self.good_k:.2f}): elpd_loo is reliable.",)
        named = [f"{label} ({k:.2f})" for label, k in bad["pareto_k"].head(MOST_NAMED).items()]
        more = f" and {len(bad) - MOST_NAMED:,} more" if len(bad) > MOST_NAMED else ""
        first = (
            f"The posterior without {', '.join(named)}{more} differs so much from the one that was "
            f"sampled (Pareto k above {self.good_k:.2f}) that elpd_loo is not reliable there, and "
            "mostly too optimistic."
        )
        if self.units.is_rows and self.fit.design.factors:
            outermost = self.fit.design.factors[-1].name
            then = (
                "Rows that all but determine their own random effect do that. Leave out groups, "
                f"loo(by={outermost!r}), or fit without each fold: fit.cross_validate()."
            )
        else:
            then = (
                "Look at these data first. More draws help if k is close to the limit; otherwise "
                "fit without each fold: fit.cross_validate()."
            )
        return first, then

    def printed(self) -> ResultTable:
        """The estimates."""
        how = "conditional on the random effects"
        if not self.units.is_rows:
            how = "their own random effects integrated out"
        heading = (
            "Leave-one-out cross-validation by importance sampling (PSIS)",
            f"Formula: {self.fit.design.formula}",
            f"{len(self.pointwise):,} {self.what}, {how}; {self.arviz.n_samples:,} draws",
        )
        return ResultTable(heading, self.table)

    def __str__(self) -> str:
        advice = (textwrap.fill(line, WIDTH) for line in self.advice())
        counts = text_table(*self.k_counts(), left=(0,))
        return "\n".join([str(self.printed()), "", counts, "", *advice])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        counts = html_table(*self.k_counts(), left=(0,))
        advice = "".join(f"<p>{escape(line)}</p>" for line in self.advice())
        return f"<div>{self.printed()._repr_html_()}{counts}{advice}</div>"


def loo(posterior: PosteriorResult, by: Groups = "observation", nAGQ: int | None = None) -> Loo:
    """How well the model predicts each row, or each group, from all the others.

    Parameters
    ----------
    posterior : PosteriorResult
    by : str, or one label a row
        What is left out: ``"observation"``, whose group stays; ``"cluster"`` (the coarsest
        grouping factor), a grouping factor or a column of the data, or labels: then all rows of a
        group together, predicted as those of a new group.
    nAGQ : int, optional
        As in `log_likelihood`.

    Returns
    -------
    Loo
        Prints the sum of the log predictive densities (``elpd_loo``), the effective number of
        parameters and, by Pareto's k, how far they can be trusted.

    Raises
    ------
    ArgumentError, ColumnNotFoundError, EstimationError
        As `log_likelihood`.

    References
    ----------
    .. [1] Vehtari, Gelman and Gabry (2017), Statistics and Computing 27, 1413-1432.
    .. [2] Vehtari, Simpson, Gelman, Yao and Gabry (2024), J. Mach. Learn. Res. 25(72).
    .. [3] Merkle, Furr and Rabe-Hesketh (2019), Psychometrika 84, 802-829: groups.
    """
    import arviz as az

    units = Units.of(posterior, by)
    data = with_log_likelihood(posterior, by, nAGQ).data
    with warnings.catch_warnings():
        # `Loo` says so itself, and names the units.
        warnings.filterwarnings("ignore", message="Estimated shape parameter", category=UserWarning)
        found = az.loo(data, pointwise=True, var_name=units.variable)
    loglik = data["log_likelihood"][units.variable].to_numpy().reshape(found.n_samples, -1)
    elpd = found.elpd_i.to_numpy()
    p = logsumexp(loglik, axis=0) - np.log(found.n_samples) - elpd
    pointwise = pd.DataFrame(
        {"elpd": elpd, "p_loo": p, "pareto_k": found.pareto_k.to_numpy()},
        index=units.labels.rename(None if units.is_rows else units.name),
    )
    n, values = len(elpd), {"elpd_loo": elpd, "p_loo": p, "looic": -2.0 * elpd}
    estimates = {name: (v.sum(), np.sqrt(n * v.var(ddof=1))) for name, v in values.items()}
    columns = pd.Index(["Estimate", "Std. Error"])
    table = pd.DataFrame.from_dict(estimates, orient="index", columns=columns)
    return Loo(table, pointwise, units.name, found, posterior.fit, units)


def loo_compare(
    *posteriors: PosteriorResult | Loo | Mapping[str, PosteriorResult | Loo],
    by: Groups = "observation",
    nAGQ: int | None = None,
    **named: PosteriorResult | Loo,
) -> LooComparison:
    """Posteriors of the same data by their leave-one-out predictions, the best first.

    Parameters
    ----------
    *posteriors : PosteriorResult or Loo
        Called m1, m2, ... in their order; or one mapping from names to them. What `loo` returned
        is not computed again.
    by, nAGQ
        As in `loo`, for the posteriors.
    **named : PosteriorResult or Loo
        With names of their own.

    Returns
    -------
    LooComparison

    Raises
    ------
    ArgumentError
        For fewer than two posteriors, and if their data, or what is left out, differ.

    References
    ----------
    .. [1] Vehtari, Gelman and Gabry (2017), Statistics and Computing 27, 1413-1432, section 5.
    .. [2] Yao, Vehtari, Simpson and Gelman (2018), Bayesian Analysis 13, 917-1007: the weights.
    .. [3] Sivula, Magnusson, Matamoros and Vehtari (2025), Bayesian Analysis: when the standard
       error of a difference is too small.
    """
    import arviz as az

    results = {
        name: one if isinstance(one, Loo) else loo(one, by, nAGQ)
        for name, one in named_posteriors(posteriors, named).items()
    }
    first, *others = results.values()
    for other in others:
        refuse_other_data(first.fit, other.fit, "loo_compare()", same_family=False)
        if first.by != other.by or not np.array_equal(first.units.codes, other.units.codes):
            raise ArgumentError(
                f"loo_compare() cannot compare these results: they leave out {first.what} and "
                f"{other.what}, and not the same rows together. Give all of them the same by=."
            )
    elpds: Any = {name: result.arviz for name, result in results.items()}
    found = az.compare(elpds, method="stacking", round_to="none")
    columns = {
        "elpd_diff": found["elpd_diff"],
        "SE(diff)": found["dse"],
        "elpd_loo": found["elpd"],
        "Std. Error": found["se"],
        "p_loo": found["p"],
        "weight": found["weight"],
    }
    table = pd.DataFrame(columns).astype(np.float64).rename_axis(index=None)
    return LooComparison(table, {name: results[name] for name in table.index})


def named_posteriors(
    posteriors: Sequence[Any], named: Mapping[str, PosteriorResult | Loo]
) -> dict[str, PosteriorResult | Loo]:
    """The arguments of `loo_compare` by name."""
    if len(posteriors) == 1 and isinstance(posteriors[0], Mapping):
        everything = {str(name): one for name, one in posteriors[0].items()}
    else:
        everything = {f"m{i}": one for i, one in enumerate(posteriors, start=1)}
    twice = everything.keys() & named.keys()
    if twice:
        raise ArgumentError(f"two posteriors are named {min(twice)!r}; give them other names.")
    everything |= named
    for name, one in everything.items():
        if not (isinstance(one, Loo) or hasattr(type(one), "parameter_draws")):
            raise ArgumentError(
                "loo_compare() takes posteriors, from fit.sample(), or what loo() returned; "
                f"{name} is {type(one).__name__!r}."
            )
    if len(everything) < 2:
        raise ArgumentError(f"loo_compare() takes at least two posteriors, not {len(everything)}.")
    return everything


@dataclass(frozen=True, eq=False, repr=False)
class LooComparison(Printed):
    """Posteriors by their leave-one-out predictions, the best first.

    Attributes
    ----------
    table : DataFrame
        One row a posterior. ``elpd_diff`` and ``SE(diff)``: its elpd minus the best one's, and the
        standard error of that over the units; ``elpd_loo``, ``Std. Error``, ``p_loo``; ``weight``:
        in the mixture of all that predicts best (stacking).
    results : mapping
        Name to `Loo`, in the order of the table.
    """

    table: pd.DataFrame
    results: Mapping[str, Loo]

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    def verdicts(self) -> list[str]:
        """What the differences say."""
        best, *others = self.table.index
        lines = []
        for name in others:
            diff, se = 0.0 - self.table.loc[name, "elpd_diff"], self.table.loc[name, "SE(diff)"]
            if diff < SMALL_DIFFERENCE:
                lines.append(f"{name} predicts about as well as {best}: {diff:.1f} +- {se:.1f}.")
            elif diff < CLEAR * se:
                lines.append(f"{name} may predict worse than {best}: {diff:.1f} +- {se:.1f}.")
            else:
                lines.append(f"{name} predicts worse than {best}: {diff:.1f} +- {se:.1f}.")
        n = len(self.results[best].pointwise)
        if n < FEW_UNITS:
            what = self.results[best].what
            lines.append(f"Standard errors over {n} {what} are rough, and mostly too small.")
        for name, result in self.results.items():
            count = len(result.bad())
            if count:
                lines.append(
                    f"{name}: {count} Pareto k above {result.good_k:.2f}; its elpd is mostly too "
                    "optimistic. Print its loo()."
                )
        return lines

    def printed(self) -> ResultTable:
        """The table, with what it says."""
        first = next(iter(self.results.values()))
        formulas = [f" {name}: {one.fit.design.formula}" for name, one in self.results.items()]
        title = f"Leave-one-out comparison: {len(first.pointwise):,} {first.what} left out in turn"
        return ResultTable((title, *formulas), self.table, tuple(self.verdicts()))
