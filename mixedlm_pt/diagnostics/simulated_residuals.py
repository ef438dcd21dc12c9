"""Residuals by simulation from the fitted model, and what they test."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtri

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.arguments import one_of, positive_integer
from mixedlm_pt.design.response import has_trials
from mixedlm_pt.diagnostics.row_groups import Groups, row_groups
from mixedlm_pt.fit import Fit
from mixedlm_pt.prediction import draw
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import spawn_seeds

ALTERNATIVES = ("two-sided", "greater", "less")

type Statistic = Callable[[FloatArray], float]


@dataclass(frozen=True, eq=False)
class SimulationTest:
    """A statistic of the data beside its values in data simulated from the model.

    Attributes
    ----------
    name : str
        What is tested.
    statistic : float
    p_value : float
    alternative : str
    detail : str
        What the statistic is.
    """

    name: str
    statistic: float
    p_value: float
    alternative: str
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.detail} = {self.statistic:.4g}, p-value = {self.p_value:.4g} "
            f"({self.alternative})"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>"


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedResiduals(Printed):
    """Where every response lies among responses simulated from the fit, as DHARMa has it.

    Attributes
    ----------
    residuals : array, shape (n,)
        Share of the simulations below the response, in [0, 1]; ties are broken at random, which
        is what discrete responses need. Uniform if the model is right.
    observed, fitted : arrays, shape (n,)
        Responses and their means. Numbers of successes for the binomial; sums where rows were
        grouped.
    simulations : array, shape (n, nsim)
    index : pandas.Index, length n
        Row labels, or levels of the groups.
    is_discrete, is_conditional : bool
        Whether responses are counts, and whether the random effects were held at their modes.
    seed : numpy SeedSequence
        Of the random breaking of ties.
    """

    residuals: FloatArray
    observed: FloatArray
    fitted: FloatArray
    simulations: FloatArray
    index: pd.Index
    is_discrete: bool
    is_conditional: bool
    seed: np.random.SeedSequence = field(repr=False)

    @property
    def nsim(self) -> int:
        """Number of simulations."""
        return int(self.simulations.shape[1])

    def to_frame(self) -> pd.DataFrame:
        """Residuals with responses and means, by row."""
        columns = {"residual": self.residuals, "observed": self.observed, "fitted": self.fitted}
        return pd.DataFrame(columns, index=self.index)

    def quantiles(self) -> FloatArray:
        """The residuals as standard normal quantiles, shape (n,); infinite for outliers."""
        normal: FloatArray = ndtri(self.residuals)
        return normal

    def test_uniformity(self) -> SimulationTest:
        """Kolmogorov-Smirnov test of the residuals against the uniform distribution."""
        from scipy import stats

        found = stats.kstest(self.residuals, "uniform")
        return SimulationTest("uniformity", float(found.statistic), float(found.pvalue), *KS)

    def test_statistic(
        self,
        statistic: Statistic,
        alternative: str = "two-sided",
        name: str = "statistic",
        detail: str = "observed / mean of simulated",
    ) -> SimulationTest:
        """Any statistic of a response against its values in the simulated responses.

        Parameters
        ----------
        statistic : callable ``(n,) -> float``
        alternative : {"two-sided", "greater", "less"}
        name, detail : str
            For print.

        Returns
        -------
        SimulationTest
            Its statistic is the observed value over the mean of the simulated ones.
        """
        one_of("alternative", alternative, ALTERNATIVES)
        observed = float(statistic(self.observed))
        simulated = np.array([statistic(y) for y in self.simulations.T], np.float64)
        return self.compared(observed, simulated, alternative, name, detail)

    def compared(
        self, observed: float, simulated: FloatArray, alternative: str, name: str, detail: str
    ) -> SimulationTest:
        """A statistic beside its simulated values; these count the observed one as one more."""
        # The observed value is one of nsim + 1 draws under the model, so that p is never zero
        # (Davison and Hinkley 1997, section 4.2.2).
        n = len(simulated) + 1
        upper = (1 + int((simulated >= observed).sum())) / n
        lower = (1 + int((simulated <= observed).sum())) / n
        p = {"greater": upper, "less": lower, "two-sided": min(1.0, 2.0 * min(upper, lower))}
        mean = float(simulated.mean())
        ratio = observed / mean if mean else (1.0 if observed == mean else np.inf)
        return SimulationTest(name, ratio, p[alternative], alternative, detail)

    def test_dispersion(self, alternative: str = "two-sided") -> SimulationTest:
        """Variance of the responses about their means against that of the simulations.

        Above one is overdispersion. Conditional simulations know the modes of the random effects,
        which were fitted to the responses themselves: their ratio is a little below one even for
        the right model, the more so the fewer rows a group has.
        """

        def spread(y: FloatArray) -> float:
            return float(np.var(y - self.fitted, ddof=1))

        detail = "variance, observed / simulated"
        return self.test_statistic(spread, alternative, "dispersion", detail)

    def test_zero_inflation(self, alternative: str = "two-sided") -> SimulationTest:
        """Number of zeros against that in the simulations."""

        def zeros(y: FloatArray) -> float:
            return float((y == 0.0).sum())

        detail = "zeros, observed / simulated"
        return self.test_statistic(zeros, alternative, "zero inflation", detail)

    def test_outliers(self) -> SimulationTest:
        """Number of responses outside all their simulations.

        For continuous responses that number is binomial with probability ``2 / (nsim + 1)``.
        Ties make it rarer for discrete ones: there it is compared with the number that each
        simulation has outside all others.
        """
        outside = int(self.is_outlier.sum())
        if not self.is_discrete:
            from scipy import stats

            expected = 2.0 / (self.nsim + 1)
            p = stats.binomtest(outside, len(self.observed), expected).pvalue
            ratio = outside / (len(self.observed) * expected)
            return SimulationTest("outliers", ratio, float(p), "two-sided", OUTLIERS)
        ordered = np.sort(self.simulations, axis=1)
        lone_high = (self.simulations == ordered[:, -1:]) & (ordered[:, -1:] > ordered[:, -2:-1])
        lone_low = (self.simulations == ordered[:, :1]) & (ordered[:, :1] < ordered[:, 1:2])
        simulated = (lone_high | lone_low).sum(axis=0).astype(np.float64)
        return self.compared(float(outside), simulated, "two-sided", "outliers", OUTLIERS)

    @property
    def is_outlier(self) -> BoolArray:
        """Responses outside all their simulations, shape (n,)."""
        low, high = self.simulations.min(axis=1), self.simulations.max(axis=1)
        outside: BoolArray = (self.observed < low) | (self.observed > high)
        return outside

    def uniform_band(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Pointwise limits of the sorted residuals under the model, each (n,)."""
        i, n = np.arange(1.0, len(self.residuals) + 1.0), len(self.residuals)
        tail = 0.5 * (1.0 - level)
        return betaincinv(i, n + 1.0 - i, tail), betaincinv(i, n + 1.0 - i, 1.0 - tail)

    @cached_property
    def results(self) -> tuple[SimulationTest, ...]:
        """All tests that apply: uniformity, dispersion, outliers and, for counts, zeros."""
        found = [self.test_uniformity(), self.test_dispersion(), self.test_outliers()]
        if self.is_discrete:
            found.append(self.test_zero_inflation())
        return tuple(found)

    def printed(self) -> ResultTable:
        """All tests in one table."""
        found = self.results
        table = pd.DataFrame(
            {
                "statistic": [test.statistic for test in found],
                "what": [test.detail for test in found],
                "Pr(two-sided)": [test.p_value for test in found],
            },
            index=pd.Index([test.name for test in found]),
        )
        how = "conditional on the random effects" if self.is_conditional else "unconditional"
        heading = (
            "Residuals by simulation",
            f"{len(self.observed):,} residuals, {self.nsim} simulations, {how}",
        )
        return ResultTable(heading, table)

    def grouped(self, codes: IntArray, levels: pd.Index) -> Self:
        """Residuals of the sums of the responses in groups of rows."""
        n = len(levels)
        observed = np.bincount(codes, self.observed, n)
        simulations = np.stack([np.bincount(codes, y, n) for y in self.simulations.T], axis=1)
        return replace(
            self,
            residuals=ranks(observed, simulations, self.seed),
            observed=observed,
            fitted=np.bincount(codes, self.fitted, n),
            simulations=simulations,
            index=levels,
        )


KS = ("two-sided", "Kolmogorov-Smirnov D")
OUTLIERS = "rows outside all simulations, observed / expected"


def simulate_residuals(
    fit: Fit,
    nsim: int = 250,
    conditional: bool | None = None,
    seed: int | None = None,
    groups: Groups | None = None,
) -> SimulatedResiduals:
    """Scaled residuals by simulation, and their tests, as DHARMa's ``simulateResiduals``.

    Parameters
    ----------
    fit : Fit
    nsim : int
        Number of simulated responses.
    conditional : bool, optional
        Hold the random effects at their conditional modes (True, DHARMa's default from 0.5 on) or
        draw them anew (False). Conditional residuals test the distribution of the rows given the
        random effects and are independent under the model; unconditional ones also see random
        effects that are not normal, but share them within a group. Default: True for rows, False
        for groups, whose sums the modes were fitted to and reproduce too well.
    seed : int, optional
    groups : str, or one label a row, optional
        Sums over groups of rows before residuals are computed: the name of a grouping factor or
        of a column of the data. DHARMa's ``recalculateResiduals``; for binary responses it is what
        gives the tests power.

    Returns
    -------
    SimulatedResiduals
        ``.residuals`` are uniform on [0, 1] if the model is right. Printing shows all tests, and
        ``.plot()`` draws DHARMa's panels. Rows left out because of missing values are absent.

    Raises
    ------
    ArgumentError
        For fewer than two simulations, and if the family cannot be simulated (quasi-families).

    References
    ----------
    .. [1] Hartig (2024), DHARMa: residual diagnostics for hierarchical regression models.
    .. [2] Dunn and Smyth (1996), J. Comput. Graph. Stat. 5, 236-244.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> found = fit.simulate_residuals(seed=1)
    >>> found.test_uniformity().p_value > 0.05
    True
    """
    nsim = positive_integer("nsim", nsim, least=2)
    conditional = groups is None if conditional is None else conditional
    held = range(len(fit.design.terms)) if conditional else ()
    *children, ties = spawn_seeds(seed, nsim + 1)
    draws = [draw(fit, np.random.default_rng(child), held) for child in children]
    response, is_discrete = fit.design.response, fit.family.support.is_discrete
    size = response.weights if has_trials(fit.family) else np.ones(fit.model.n)
    observed, simulations = size * response.y, size[:, None] * np.stack(draws, axis=1)
    if is_discrete:
        # Proportions times trials are whole numbers but for rounding.
        observed, simulations = np.rint(observed), np.rint(simulations)
    found = SimulatedResiduals(
        ranks(observed, simulations, ties),
        observed,
        size * (fit.mu if conditional else means_at_zero(fit)),
        simulations,
        fit.design.index,
        is_discrete,
        conditional,
        ties,
    )
    return found if groups is None else found.grouped(*row_groups(fit, groups))


def means_at_zero(fit: Fit) -> FloatArray:
    """Means where all random effects are zero, shape (n,), response scale."""
    mu: FloatArray = fit.compiled.mean(fit.design.offset + fit.design.X @ fit.beta)[0]
    return mu


def ranks(
    observed: FloatArray, simulations: FloatArray, seed: np.random.SeedSequence
) -> FloatArray:
    """Share of the simulations below every response, ties broken at random, shape (n,)."""
    below = (simulations < observed[:, None]).mean(axis=1)
    tied = (simulations == observed[:, None]).mean(axis=1)
    residuals: FloatArray = below + tied * np.random.default_rng(seed).random(len(observed))
    return residuals
