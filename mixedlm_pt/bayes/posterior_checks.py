"""Posterior predictive checks: the data beside responses simulated from the posterior."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import checked_seed, one_of
from mixedlm_pt.design.response import has_trials
from mixedlm_pt.diagnostics import Groups, SimulatedResiduals, row_groups
from mixedlm_pt.diagnostics.simulated_residuals import ranks
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.on_demand import on_demand
from mixedlm_pt.result_table import Printed, ResultTable

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult

type Statistic = Callable[[FloatArray], float]
# Of responses (n,) or (n, nsim), without their first axis.
type Reduction = Callable[[FloatArray], FloatArray]
type Statistics = str | Statistic | Sequence[str | Statistic] | Mapping[str, Statistic]

LEVEL = 0.95
MOST_NAMED = 8
# Of more groups only those outside their limits are printed.
MOST_ROWS = 30

plotting = on_demand("mixedlm_pt.plotting")


@np.errstate(invalid="ignore")
def dispersion(y: FloatArray) -> FloatArray:
    """Variance over mean; NaN where all are zero."""
    ratio: FloatArray = y.var(axis=0) / y.mean(axis=0)
    return ratio


def sd(y: FloatArray) -> FloatArray:
    """Standard deviation; NaN of a single row."""
    if len(y) == 1:
        return np.full(y.shape[1:], np.nan)
    spread: FloatArray = y.std(axis=0, ddof=1)
    return spread


STATISTICS: dict[str, Reduction] = {
    "mean": lambda y: y.mean(axis=0),
    "sd": sd,
    "min": lambda y: y.min(axis=0),
    "max": lambda y: y.max(axis=0),
    "zeros": lambda y: (y == 0.0).mean(axis=0),
    "dispersion": dispersion,
}
CONTINUOUS, COUNTS, BINARY = (
    ("mean", "sd", "min", "max"),
    ("mean", "sd", "zeros", "max", "dispersion"),
    ("mean",),
)


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorCheck(Printed):
    """Statistics of the responses beside those of responses simulated from the posterior.

    Attributes
    ----------
    table : DataFrame
        One row a statistic, or a group: ``observed``, ``predicted`` (mean of the simulations),
        their limits (95 %) and ``P(sim >= obs)``, the posterior predictive p-value.
    values : dict of arrays, each (nsim,)
        The simulated statistics by row of the table.
    residuals : SimulatedResiduals
        The simulations themselves, with the place of every response among them.
    formula : str
    groups : str or None
        What the rows of the table are groups of.
    """

    table: pd.DataFrame
    values: Mapping[str, FloatArray]
    residuals: SimulatedResiduals
    formula: str
    groups: str | None

    plot = plotting.plot_posterior_check

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    @property
    def surprising(self) -> pd.DataFrame:
        """The rows whose observed value lies outside the limits."""
        values, (lower, upper) = self.table["observed"], self.table.columns[2:4]
        return self.table[(values < self.table[lower]) | (values > self.table[upper])]

    def verdicts(self) -> list[str]:
        """What the statistics say, in words."""
        found, n = self.surprising, len(self.table)
        if self.groups is None:
            lines = [
                f"{name}: {y:.4g} is {'less' if y < lower else 'more'} than the model predicts, "
                f"{lower:.4g} to {upper:.4g}."
                for name, (y, _, lower, upper, _) in zip(found.index, found.to_numpy(), strict=True)
            ]
            return lines or ["The model reproduces these statistics."]
        expected = (1.0 - LEVEL) * n
        names = ", ".join(map(str, found.index[:MOST_NAMED]))
        more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
        which = f": {names}{more}" if len(found) else ""
        return [
            f"{len(found):,} of {n:,} groups of {self.groups} lie outside their limits (about "
            f"{expected:.0f} would by chance){which}."
        ]

    def printed(self) -> ResultTable:
        """The table, with what it says."""
        how = "keep their random effects" if self.residuals.is_conditional else "have new effects"
        heading = (
            "Posterior predictive check",
            f"Formula: {self.formula}",
            f"{self.residuals.nsim:,} simulated responses; groups {how}",
        )
        is_long = len(self.table) > MOST_ROWS
        table = self.surprising.head(MOST_ROWS) if is_long else self.table
        return ResultTable(heading, table, tuple(self.verdicts()))


def check(
    posterior: PosteriorResult,
    statistic: Statistics | None = None,
    groups: Groups | None = None,
    nsim: int = 1000,
    conditional: bool = True,
    seed: int | None = None,
) -> PosteriorCheck:
    """Whether data simulated from the posterior look like the data.

    Parameters
    ----------
    posterior : PosteriorResult
    statistic : str, callable, sequence of these, or mapping from names to callables, optional
        ``"mean"``, ``"sd"``, ``"min"``, ``"max"``, ``"zeros"`` (their share), ``"dispersion"``
        (variance over mean), or functions of the responses (n,) to a number. Default: those that
        suit the family. Numbers of successes for the binomial.
    groups : str, or one label a row, optional
        Compute one statistic (default the mean) in every group of rows.
    nsim : int
        Number of simulated responses, each from another draw.
    conditional : bool
        Whether groups keep their random effects, or every simulation has new ones. With effects of
        their own the means of groups are always reproduced; with new ones they test the
        distribution of the effects.
    seed : int, optional

    Returns
    -------
    PosteriorCheck
        Prints in words; ``.plot()`` draws distribution, PIT and statistics.

    Raises
    ------
    ArgumentError
        For an unknown statistic, several of them for groups, and bad groups.

    References
    ----------
    .. [1] Gelman, Meng and Stern (1996), Statistica Sinica 6, 733-807.
    """
    found = simulate_residuals(posterior, nsim, conditional, seed)
    chosen = chosen_statistics(statistic, found, groups is not None)
    name, samples = None, {}
    if groups is None:
        samples = {key: (found.observed, found.simulations, one) for key, one in chosen.items()}
    else:
        (one,) = chosen.values()
        codes, levels = row_groups(posterior.fit, groups)
        name = f"{groups if isinstance(groups, str) else 'rows'} ({next(iter(chosen))})"
        for j, level in enumerate(levels):
            rows = np.flatnonzero(codes == j)
            samples[str(level)] = found.observed[rows], found.simulations[rows], one
    observed = {key: float(one(y)) for key, (y, _, one) in samples.items()}
    values = {key: one(simulated) for key, (_, simulated, one) in samples.items()}
    return PosteriorCheck(
        compared(observed, values), values, found, posterior.model.design.formula, name
    )


def chosen_statistics(
    statistic: Statistics | None, found: SimulatedResiduals, is_grouped: bool
) -> dict[str, Reduction]:
    """Statistics by name."""
    if statistic is None:
        is_binary = found.is_discrete and found.observed.max() <= 1.0
        names = BINARY if is_binary else COUNTS if found.is_discrete else CONTINUOUS
        statistic = names[:1] if is_grouped else names
    if isinstance(statistic, Mapping):
        chosen = {name: by_column(one) for name, one in statistic.items()}
    else:
        several = [statistic] if isinstance(statistic, str) or callable(statistic) else statistic
        if not isinstance(several, Iterable):
            raise ArgumentError(
                f"statistic is {statistic!r}; it must be a name ({', '.join(STATISTICS)}), a "
                "function of a response, or several of them."
            )
        chosen = {}
        for one in several:
            if callable(one):
                chosen[getattr(one, "__name__", "statistic")] = by_column(one)
            else:
                one_of("statistic", one, STATISTICS)
                chosen[one] = STATISTICS[one]
    if is_grouped and len(chosen) != 1:
        raise ArgumentError(f"groups= takes one statistic, not {len(chosen)}: {', '.join(chosen)}.")
    return chosen


def by_column(statistic: Statistic) -> Reduction:
    """A user's function of one response for many."""

    def number(y: FloatArray) -> float:
        value = statistic(y)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"statistic returned {value!r}; it must return one number for a response."
            ) from None

    return lambda y: np.apply_along_axis(number, 0, y)


def compared(observed: Mapping[str, float], values: Mapping[str, FloatArray]) -> pd.DataFrame:
    """The observed statistics beside the simulated ones."""
    tail = 50.0 * (1.0 - LEVEL)
    rows = {}
    for name, simulated in values.items():
        # A statistic may not exist for some simulations, as the dispersion of nothing but zeros.
        known = simulated[np.isfinite(simulated)]
        rows[name] = [observed[name], *np.full(4, np.nan)]
        if len(known):
            limits = np.percentile(known, [tail, 100.0 - tail])
            share = (known >= observed[name]).mean()
            rows[name] = [observed[name], known.mean(), *limits, share]
    names = ["observed", "predicted", f"{tail:g} %", f"{100.0 - tail:g} %", "P(sim >= obs)"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=pd.Index(names))


def simulate_residuals(
    posterior: PosteriorResult,
    nsim: int = 1000,
    conditional: bool | None = None,
    seed: int | None = None,
    groups: Groups | None = None,
) -> SimulatedResiduals:
    """Where every response lies among responses simulated from the posterior.

    Parameters
    ----------
    posterior : PosteriorResult
    nsim : int
        Number of simulated responses, each from another draw, evenly spaced.
    conditional, seed, groups
        As in the `simulate_residuals` of a fit: ``conditional`` keeps the random effects.

    Returns
    -------
    SimulatedResiduals
        With the tests that the residuals of a fit have; ``fitted`` are means of the simulations.

    Raises
    ------
    ArgumentError
        For fewer simulations than chains, and bad groups.
    """
    design, family = posterior.model.design, posterior.model.family
    conditional = groups is None if conditional is None else conditional
    draws, ties = np.random.SeedSequence(checked_seed(seed)).spawn(2)
    drawn = posterior.predict_draws(
        re_form=None if conditional else "NA",
        observations=True,
        nsim=nsim,
        seed=int(draws.generate_state(1)[0]),
    )
    y = drawn.to_numpy().reshape(-1, drawn.shape[-1]).T
    if len(y) != design.n:
        y = y[~design.omitted]
    size = design.response.weights if has_trials(family) else np.ones(design.n)
    observed, simulations = size * design.response.y, size[:, None] * y
    is_discrete = family.support.is_discrete
    if is_discrete:
        # Proportions times trials are whole numbers but for rounding.
        observed, simulations = np.rint(observed), np.rint(simulations)
    found = SimulatedResiduals(
        ranks(observed, simulations, ties),
        observed,
        simulations.mean(axis=1),
        simulations,
        design.index,
        is_discrete,
        conditional,
        ties,
    )
    return found if groups is None else found.grouped(*row_groups(posterior.fit, groups))
