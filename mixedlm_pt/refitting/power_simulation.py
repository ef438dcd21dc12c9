"""Power by simulation: how often a study like this one would find an effect."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedlm_pt._typing import IntArray
from mixedlm_pt.arguments import finite_number, names_of, one_of, positive_integer, probability
from mixedlm_pt.design import Design, GroupingFactor, subset
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.estimation import Start
from mixedlm_pt.estimation.batch import chunk_size
from mixedlm_pt.fit import Fit
from mixedlm_pt.limits import binomial_interval
from mixedlm_pt.model import GLMM
from mixedlm_pt.prediction import draw
from mixedlm_pt.refitting.bootstrap import attempted, drawn_response, fits_of
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import Seed, interruption, recorded_seed, run_batches, spawn_seeds

METHODS = ("Wald", "LRT")


@dataclass(frozen=True, eq=False, repr=False)
class Power(Printed):
    """How often a test rejects.

    Attributes
    ----------
    table : DataFrame, one row a size of the study
        ``levels`` of the extended grouping factor, ``rows``; ``power``, the share of all
        simulations whose test rejects, with Clopper-Pearson limits ``lower`` and ``upper`` (level
        0.95); ``estimate``, the mean estimate of a single coefficient; ``simulations`` and
        ``failures``, which count as not rejecting.
    replicates : DataFrame
        One row a simulation: size, statistic, df, p; estimate and its standard error for the test
        of a single coefficient (Wald).
    failures : mapping
        Why simulations failed, with how many times.
    seed
        Gives the same simulations again.
    asked : int
        Simulations asked for, of all sizes together.
    """

    table: pd.DataFrame
    replicates: pd.DataFrame
    failures: Mapping[str, int]
    seed: Any
    asked: int
    heading: tuple[str, ...] = field(repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; the power is that of the simulations that were finished."""
        return len(self.replicates) < self.asked

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def printed(self) -> ResultTable:
        """The table with what the reader has to know."""
        notes = [f"{n:,} simulations failed: {reason}" for reason, n in self.failures.items()]
        notes += interruption(len(self.replicates), self.asked, "simulations")
        return ResultTable(self.heading, self.table, tuple(notes))


def power(
    fit: Fit,
    test: str | Sequence[str] | None = None,
    effect: Mapping[str, float] | None = None,
    nsim: int = 200,
    extend: Mapping[str, int | Sequence[int]] | None = None,
    seed: Seed = None,
    *,
    method: str = "Wald",
    alpha: float = 0.05,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Power:
    """Power of a test, by simulation from the fit with the effects that are of interest.

    Parameters
    ----------
    fit : Fit
    test : str or sequence of str, optional
        Coefficients or fixed-effects terms that are zero under the null hypothesis; several are
        tested together. Default: those of ``effect``.
    effect : mapping, optional
        Coefficient to true value, link scale. Others keep their estimates: a pilot study's own
        estimate of the effect is no basis for a plan.
    nsim : int
        Simulations for each size.
    extend : mapping, optional
        ``{"herd": 60}``: a study with so many levels of a grouping factor, or with each of several
        numbers. The rows of its levels are repeated in turn, with those of all factors nested in
        it as new levels; crossed factors keep theirs.
    seed : int, optional
        A simulation depends on its own seed only, not on ``nsim`` or ``n_jobs``.
    method : {"Wald", "LRT"}
        Wald's test from the observed information, or the likelihood-ratio test.
    alpha : float
    n_jobs : int, optional
        Processes; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    Power
        After a KeyboardInterrupt with the simulations that were finished.

    Raises
    ------
    ArgumentError
        For an unknown coefficient, grouping factor or method; for a family without a distribution.

    References
    ----------
    .. [1] Green and MacLeod (2016), Methods in Ecology and Evolution 7, 493-498 (R package simr).

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> power = fit.power("period4", {"period4": -0.8}, nsim=20, extend={"herd": 30}, seed=1)
    >>> power.table["rows"].to_list()
    [112]
    """
    one_of("method", method, METHODS)
    alpha = probability("alpha", alpha)
    nsim = positive_integer("nsim", nsim)
    truth = with_effects(fit, effect or {})
    columns = tested_columns(fit.design, list(effect or {}) if test is None else test)
    designs = extended_designs(fit.design, extend)
    # Whether the family can be simulated at all is seen here, not nsim times.
    draw(fit, np.random.default_rng(0), range(len(fit.design.terms)))
    seed = recorded_seed(seed)
    seeds = [spawn_seeds(size, nsim) for size in spawn_seeds(seed, len(designs))]
    models = [replace(fit.model, design=design) for _, design in designs]
    tasks = [(s, j) for s in range(len(designs)) for j in range(nsim)]
    work = partial(tested, truth=truth, models=models, seeds=seeds, columns=columns, method=method)
    size = max(chunk_size(model, fit.approximation) for model in models)
    outcomes = run_batches(work, tasks, size, label="power", n_jobs=n_jobs, progress=progress)
    replicates = pd.DataFrame([vars(outcome) for outcome in outcomes])
    replicates.insert(0, "size", [s for s, _ in tasks[: len(outcomes)]])
    rows = []
    for s, (levels, design) in enumerate(designs):
        own = replicates[replicates["size"] == s]
        if len(own):
            rows.append({**levels, "rows": design.n, **rejections(own, alpha)})
    names = [fit.design.coef_names[j] for j in columns]
    truths = ", ".join(
        f"{name} = {truth.beta[j]:.4g}" for name, j in zip(names, columns, strict=True)
    )
    failed = Counter(reason for reason in replicates["failure"] if reason)
    return Power(
        table=pd.DataFrame(rows),
        replicates=replicates,
        failures=dict(failed),
        seed=seed,
        asked=len(tasks),
        heading=(f"Power of the {method} test at alpha = {alpha:g}", f"Truth: {truths}"),
    )


def with_effects[AnyFit: Fit](fit: AnyFit, effect: Mapping[str, float]) -> AnyFit:
    """The fit with some coefficients set, to simulate from."""
    if not isinstance(effect, Mapping):
        raise ArgumentError(
            f"effect is {effect!r}; it must be a mapping from coefficients to their true values, "
            "such as {'x': 0.5}."
        )
    beta, names = fit.beta.copy(), fit.design.coef_names
    for name, value in effect.items():
        one_of("coefficient in effect", name, names)
        beta[names.index(name)] = finite_number(f"effect[{name!r}]", value)
    return fit.replace(estimate=replace(fit.estimate, beta=beta))


def tested_columns(design: Design, test: str | Sequence[str]) -> list[int]:
    """Columns of X that the test sets to zero."""
    names = names_of("test", test)
    if not names:
        raise ArgumentError("give test=, a coefficient or a term, or effect=.")
    columns: list[int] = []
    for name in names:
        if name in design.coef_names:
            columns.append(design.coef_names.index(name))
        elif name in design.term_labels:
            columns += np.flatnonzero(design.assign == design.term_labels.index(name) + 1).tolist()
        else:
            known = dict.fromkeys([*design.coef_names, *design.term_labels])
            raise unknown_name("coefficient or term in test", name, known)
    return sorted(set(columns))


def extended_designs(
    design: Design, extend: Mapping[str, int | Sequence[int]] | None
) -> list[tuple[dict[str, int], Design]]:
    """The designs to simulate, each with the number of levels of the factor extended."""
    if not extend:
        return [({}, design)]
    if len(extend) > 1:
        raise ArgumentError(f"extend names {len(extend)} grouping factors; extend one at a time.")
    ((name, sizes),) = extend.items()
    known = [factor.name for factor in design.factors]
    one_of("grouping factor in extend", name, known)
    counts = [sizes] if isinstance(sizes, int | np.integer) else list(sizes)
    levels = [positive_integer(f"extend[{name!r}]", count, least=2) for count in counts]
    return [({"levels": n}, extended(design, known.index(name), n)) for n in levels]


def extended(design: Design, f: int, n_levels: int) -> Design:
    """The design with ``n_levels`` levels of factor f: its rows by level, repeated in turn."""
    grouping = design.factors[f]
    members = [np.flatnonzero(grouping.codes == level) for level in range(grouping.n_levels)]
    chosen = [members[j % len(members)] for j in range(n_levels)]
    rows = np.concatenate(chosen)
    copy = np.repeat(np.arange(n_levels), [len(part) for part in chosen])
    cycle = copy // grouping.n_levels
    factors = [
        repeated(other, rows, cycle if is_nested(other, grouping) else np.zeros_like(cycle))
        for other in design.factors
    ]
    longer = subset(design, rows)
    index = pd.RangeIndex(len(rows))
    return replace(longer, factors=tuple(factors), index=index, full_index=index)


def is_nested(inner: GroupingFactor, outer: GroupingFactor) -> bool:
    """Whether every level of one factor occurs within one level of the other; itself counts."""
    pairs = np.unique(inner.codes * outer.n_levels + outer.codes)
    return len(pairs) == inner.n_levels


def repeated(factor: GroupingFactor, rows: IntArray, cycle: IntArray) -> GroupingFactor:
    """The factor of repeated rows, with new levels in every cycle."""
    used, codes = np.unique(cycle * factor.n_levels + factor.codes[rows], return_inverse=True)
    old, round_ = factor.levels[used % factor.n_levels], used // factor.n_levels
    names = [f"{level}.{k + 1}" if k else str(level) for level, k in zip(old, round_, strict=True)]
    return GroupingFactor(factor.name, pd.Index(names), codes.astype(np.int64))


@dataclass(frozen=True, eq=False)
class Tested:
    """The test in one simulated study; ``failure`` says why there is none."""

    statistic: float = np.nan
    df: int = 0
    p: float = np.nan
    estimate: float = np.nan
    se: float = np.nan
    failure: str = ""


def tested(
    tasks: Sequence[tuple[int, int]],
    *,
    truth: Fit,
    models: Sequence[GLMM],
    seeds: Sequence[Sequence[np.random.SeedSequence]],
    columns: Sequence[int],
    method: str,
) -> Iterator[Tested]:
    """Simulated studies, each of which depends on its seed alone."""
    for size, together in groupby(tasks, itemgetter(0)):
        model, start = models[size], start_at(truth, models[size])
        draws = partial(drawn_response, truth, model, ())
        responses = [attempted(draws, seeds[size][j]) for _, j in together]
        is_wald = method == "Wald"
        full = fits_of(truth, model, responses, start=start, has_covariance=is_wald)
        if is_wald:
            yield from (outcome_of(partial(wald_test, columns=columns), fit) for fit in full)
            continue
        fits = list(full)
        null = model.with_design(without(model.design, columns))
        rest = None if start is None else start_without(start, columns)
        smaller = fits_of(truth, null, responses, start=rest, has_covariance=False)
        for fit, small in zip(fits, smaller, strict=True):
            if isinstance(small, Exception):
                yield failed(small)
            else:
                yield outcome_of(partial(ratio_test, small=small, columns=columns), fit)


def outcome_of(test: Callable[[Fit], Tested], fit: Fit | Exception) -> Tested:
    """The test of a fit, or why there is none."""
    value = fit if isinstance(fit, Exception) else attempted(test, fit)
    if isinstance(value, Exception):
        return failed(value)
    if np.isnan(value.statistic):
        return Tested(failure="the fit has no standard errors")
    return value


def failed(error: Exception) -> Tested:
    """A study without a test."""
    return Tested(failure=f"{type(error).__name__}: {error}")


def wald_test(fit: Fit, columns: Sequence[int]) -> Tested:
    """Wald's test of some coefficients, with the estimate and standard error of a single one."""
    estimate, V = fit.beta[columns], fit.estimate.covariance[np.ix_(columns, columns)]
    statistic, k = float(estimate @ np.linalg.solve(V, estimate)), len(columns)
    single = (float(estimate[0]), float(np.sqrt(V[0, 0]))) if k == 1 else (np.nan, np.nan)
    return Tested(statistic, k, float(chdtrc(k, max(statistic, 0.0))), *single)


def ratio_test(fit: Fit, small: Fit, columns: Sequence[int]) -> Tested:
    """The likelihood-ratio test of some coefficients, which ``small`` does without."""
    statistic, k = 2.0 * (fit.estimate.loglik - small.estimate.loglik), len(columns)
    estimate = float(fit.beta[columns[0]]) if k == 1 else np.nan
    return Tested(statistic, k, float(chdtrc(k, max(statistic, 0.0))), estimate)


def start_at(truth: Fit, model: GLMM) -> Start | None:
    """Starting values at the truth for a study of another size."""
    start = truth.restart
    # With nAGQ = 0 beta is no parameter of the search.
    if start is None or truth.approximation.nAGQ == 0:
        return None
    par = np.concatenate([truth.beta, start.par[len(truth.beta) :]])
    scale = start.scale * np.sqrt(truth.model.n / model.n)
    return Start(par, scale, start.bend, truth.beta, np.zeros(model.q))


def start_without(start: Start, columns: Sequence[int]) -> Start:
    """Starting values without some coefficients."""
    kept = np.setdiff1d(np.arange(len(start.par)), columns)
    covariance = (start.scale @ start.scale.T)[np.ix_(kept, kept)]
    scale = np.linalg.cholesky(covariance)
    beta = np.delete(start.beta, columns)
    return Start(start.par[kept], scale, start.bend[kept], beta, start.u)


def without(design: Design, columns: Sequence[int]) -> Design:
    """The design without some columns of X."""
    kept = np.setdiff1d(np.arange(design.p), columns)
    return replace(
        design,
        X=np.ascontiguousarray(design.X[:, kept]),
        coef_names=tuple(design.coef_names[j] for j in kept),
        assign=design.assign[kept],
    )


def rejections(replicates: pd.DataFrame, alpha: float) -> dict[str, float]:
    """Power with its limits, and what else is counted."""
    n, k = len(replicates), int((replicates["p"] < alpha).sum())
    lower, upper = binomial_interval(k, n)
    return {
        "power": k / n,
        "lower": lower,
        "upper": upper,
        "estimate": float(replicates["estimate"].mean()),
        "simulations": n,
        "failures": int((replicates["failure"] != "").sum()),
    }
