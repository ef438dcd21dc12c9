"""Parametric bootstrap: fits of responses simulated from a fit."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of, one_of, positive_integer
from mixedlm_pt.design import Response, replace_response, term_positions
from mixedlm_pt.design.response import refuse_constant
from mixedlm_pt.diagnostics import isSingular, natural_values
from mixedlm_pt.errors import ArgumentError, EstimationError, MixedlmError
from mixedlm_pt.estimation import Start
from mixedlm_pt.estimation.batch import chunk_size
from mixedlm_pt.fit import Fit, refitted_together
from mixedlm_pt.limits import tail_names, tails
from mixedlm_pt.model import GLMM
from mixedlm_pt.prediction import draw
from mixedlm_pt.result_table import Printed, ResultTable
from mixedlm_pt.tasks import Seed, interruption, recorded_seed, run_batches, spawn_seeds

TYPES = ("perc", "basic", "norm")
# What a fit, or a function of one, may raise on unlucky data; anything else is a programming error.
FAILURES = (MixedlmError, ArithmeticError, ValueError)

type Statistic = Callable[[Any], Any]
type Replicates = Callable[[Iterator[Any]], Iterator[Replicate]]


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap(Printed):
    """Replicates of a statistic.

    Attributes
    ----------
    t0 : Series
        The statistic of the fit itself.
    t : DataFrame
        One row a replicate that succeeded, by its number from 1 to ``nsim``.
    failures : mapping
        Why the others failed, with how many times.
    singular : int
        Successful replicates whose fit is singular; they count like all others.
    nsim : int
        Replicates asked for.
    seed
        Gives the same replicates again.
    """

    t0: pd.Series
    t: pd.DataFrame
    failures: Mapping[str, int]
    singular: int
    nsim: int
    seed: Any

    @property
    def finished(self) -> int:
        """Replicates that were finished, those that failed among them."""
        return len(self.t) + sum(self.failures.values())

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; ``t`` then has the replicates that were finished."""
        return self.finished < self.nsim

    @property
    def bias(self) -> pd.Series:
        """Mean of the replicates minus the statistic of the fit."""
        return self.t.mean() - self.t0

    @property
    def se(self) -> pd.Series:
        """Standard deviation of the replicates."""
        return self.t.std()

    def confint(
        self, level: float = 0.95, type: str = "perc", parm: str | list[str] | None = None
    ) -> pd.DataFrame:
        """Confidence limits, the same as R's ``boot.ci`` makes of these replicates.

        Parameters
        ----------
        level : float
        type : {"perc", "basic", "norm"}
            Quantiles of the replicates; these reflected at the statistic of the fit; a normal
            distribution with the replicates' standard deviation, shifted by their bias.
        parm : str or list of str, optional
            Rows wanted.

        Returns
        -------
        DataFrame
            Columns ``"2.5 %"`` and ``"97.5 %"`` (for level 0.95). Undefined replicates, such as
            the correlation with an effect that does not vary, are left out.

        Raises
        ------
        ArgumentError
            For an unknown type or parameter, and a level outside (0, 1).

        References
        ----------
        .. [1] Davison and Hinkley (1997), Bootstrap Methods and their Application, chapter 5.
        """
        one_of("type", type, TYPES)
        wanted = np.array(tails(level))
        t0 = self.t0.to_numpy()[:, None]
        if type == "norm":
            half_width = self.se.to_numpy()[:, None] * ndtri(wanted)
            limits = t0 - self.bias.to_numpy()[:, None] + half_width
        else:
            limits = np.stack([quantiles(self.t[name].to_numpy(), wanted) for name in self.t])
            limits = limits if type == "perc" else 2.0 * t0 - limits[:, ::-1]
        table = pd.DataFrame(limits, index=self.t0.index, columns=pd.Index(tail_names(level)))
        names = list(table.index) if parm is None else names_of("parm", parm)
        for name in names:
            one_of("parm", name, table.index)
        return table.loc[names]

    def to_frame(self) -> pd.DataFrame:
        """One row a parameter: original, bias, std. error and percentile limits."""
        columns = {"original": self.t0, "bias": self.bias, "std. error": self.se}
        return pd.concat([pd.DataFrame(columns), self.confint()], axis=1)

    def printed(self) -> ResultTable:
        """The table with what the reader has to know."""
        heading = f"Parametric bootstrap: {len(self.t):,} replicates, seed {self.seed}"
        notes = [f"{self.singular:,} of them are singular fits."] if self.singular else []
        notes += [f"{n:,} replicates failed: {reason}" for reason, n in self.failures.items()]
        n_undefined = self.t.isna().sum()
        notes += [
            f"{name}: {n:,} replicates are undefined." for name, n in n_undefined.items() if n
        ]
        notes += interruption(self.finished, self.nsim, "replicates")
        return ResultTable((heading,), self.to_frame(), tuple(notes))


def bootMer(
    fit: Fit,
    FUN: Statistic | None = None,
    nsim: int = 500,
    seed: Seed = None,
    use_u: bool = False,
    re_form: str | None = "NA",
    *,
    has_covariance: bool = False,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Bootstrap:
    """Parametric bootstrap: simulate from the fit, fit again, and compute a statistic.

    Parameters
    ----------
    fit : Fit
    FUN : callable, optional
        Of a fit, returns a number, an array, a mapping or a Series. Default: all parameters on
        the scales of `confint` (sds, correlations, dispersion, coefficients).
    nsim : int
    seed : int, optional
        Replicate j of a seed is the same whatever ``nsim`` and ``n_jobs`` are.
    use_u : bool
        Hold all random effects at their modes, as lme4's ``use.u``; otherwise they are drawn
        anew.
    re_form : str, optional
        As in `simulate`: the random effects to hold, where some are held and others are not.
    has_covariance : bool
        Whether the refits have standard errors, which takes twice the time; ``FUN`` may need them.
    n_jobs : int, optional
        Processes; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    Bootstrap
        After a KeyboardInterrupt with the replicates that were finished.

    Raises
    ------
    ArgumentError
        If the family has no distribution (quasi-families), or ``FUN`` does not return numbers.
    EstimationError
        If every replicate fails.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> boot = fit.bootMer(nsim=20, seed=1)
    >>> boot.t.shape
    (20, 5)
    """
    nsim = positive_integer("nsim", nsim)
    if FUN is not None and not callable(FUN):
        raise ArgumentError(f"FUN is {FUN!r}; it must be a function of a fit, such as mlm.fixef.")
    if use_u and re_form != "NA":
        raise ArgumentError("give use_u=True, which holds all random effects, or re_form=.")
    statistic = natural_values if FUN is None else FUN
    return bootstrap(
        fit,
        partial(map, partial(replicate, statistic)),
        statistic(fit),
        nsim=nsim,
        seed=seed,
        held=term_positions(fit.design, None if use_u else re_form),
        has_covariance=has_covariance,
        n_jobs=n_jobs,
        progress=progress,
    )


def bootstrap(
    fit: Fit,
    replicates: Replicates,
    original: Any,
    *,
    nsim: int,
    seed: Seed,
    held: tuple[int, ...] = (),
    has_covariance: bool = False,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Bootstrap:
    """`bootMer` with a statistic that many fits have together.

    Parameters
    ----------
    replicates : callable
        Of fits, an iterator over them or the exceptions in their places; iterates over their
        replicates.
    original : Any
        The statistic of the fit itself.
    held : tuple of int
        Positions of the terms whose random effects stay at their modes.
    """
    t0 = as_series(original)
    # Whether the family can be simulated at all is seen here, not nsim times.
    draw(fit, np.random.default_rng(0), range(len(fit.design.terms)))
    work = partial(
        simulated_fits, fit=fit, replicates=replicates, held=held, has_covariance=has_covariance
    )
    seed, size = recorded_seed(seed), chunk_size(fit.model, fit.approximation)
    outcomes = run_batches(
        work, spawn_seeds(seed, nsim), size, label="bootstrap", n_jobs=n_jobs, progress=progress
    )
    done = {j: outcome for j, outcome in enumerate(outcomes, start=1) if not outcome.failure}
    failures = Counter(outcome.failure for outcome in outcomes if outcome.failure)
    if not done:
        reasons = "; ".join(f"{n} times: {reason}" for reason, n in failures.items())
        raise EstimationError(f"every replicate of the bootstrap failed. {reasons}")
    for j, outcome in done.items():
        if len(outcome.values) != len(t0):
            raise ArgumentError(
                f"FUN returned {len(t0)} numbers for the fit and {len(outcome.values)} for "
                f"replicate {j}; it must always return the same ones."
            )
    t = pd.DataFrame(
        np.array([outcome.values for outcome in done.values()]).reshape(len(done), len(t0)),
        index=pd.Index(done, name="replicate", dtype="int64"),
        columns=t0.index,
    )
    n_singular = sum(outcome.is_singular for outcome in done.values())
    return Bootstrap(t0, t, dict(failures), n_singular, nsim, seed)


@dataclass(frozen=True, eq=False)
class Replicate:
    """Values of the statistic, or why there are none."""

    values: FloatArray = field(default_factory=lambda: np.empty(0))
    is_singular: bool = False
    failure: str = ""


def replicate(statistic: Statistic, again: Fit | Exception) -> Replicate:
    """One replicate of a statistic of fits."""
    value = again if isinstance(again, Exception) else attempted(statistic, again)
    if isinstance(again, Exception) or isinstance(value, Exception):
        return Replicate(failure=f"{type(value).__name__}: {value}")
    return Replicate(as_numbers(value), isSingular(again))


def simulated_fits(
    seeds: Sequence[np.random.SeedSequence],
    *,
    fit: Fit,
    replicates: Replicates,
    held: tuple[int, ...],
    has_covariance: bool,
) -> Iterator[Replicate]:
    """Replicates, each of which depends on its seed alone."""
    drawn = [attempted(partial(drawn_response, fit, fit.model, held), seed) for seed in seeds]
    fits = fits_of(fit, fit.model, drawn, start=fit.restart, has_covariance=has_covariance)
    return replicates(fits)


def attempted[Argument, Value](
    function: Callable[[Argument], Value], argument: Argument
) -> Value | Exception:
    """The function's value, or the failure that unlucky data led to."""
    try:
        return function(argument)
    except FAILURES as error:
        return error


def drawn_response(
    fit: Fit, model: GLMM, held: tuple[int, ...], seed: np.random.SeedSequence
) -> Response:
    """A response simulated from a fit on the rows of a model with the same terms.

    Raises
    ------
    MixedlmError
        If it cannot be drawn, or is constant.
    """
    y = draw(fit, np.random.default_rng(seed), held, model.design)
    response = replace_response(model.design, y).response
    refuse_constant(response)
    return response


def fits_of[AnyFit: Fit](
    fit: AnyFit,
    model: GLMM,
    responses: Sequence[Response | Exception],
    *,
    start: Start | None,
    has_covariance: bool,
) -> Iterator[AnyFit | Exception]:
    """Fits of a model to responses, in their order, failures in their places."""
    good = [response for response in responses if isinstance(response, Response)]
    fits = refitted_together(fit, model, good, start=start, has_covariance=has_covariance)
    for response in responses:
        yield response if isinstance(response, Exception) else next(fits)


def as_series(value: Any) -> pd.Series:
    """What a statistic returned as numbers with names, ``t1``, ... where it gives none."""
    if isinstance(value, pd.Series | Mapping):
        return pd.Series(as_numbers(value), index=pd.Index(list(value.keys())))
    numbers = as_numbers(value)
    return pd.Series(numbers, index=pd.Index([f"t{j}" for j in range(1, len(numbers) + 1)]))


def as_numbers(value: Any) -> FloatArray:
    """The numbers alone, in a vector.

    Raises
    ------
    ArgumentError
        If they are no numbers.
    """
    plain = list(value.values()) if isinstance(value, Mapping) else value
    try:
        if plain is None:
            raise TypeError
        return np.ravel(np.asarray(plain, np.float64))
    except (TypeError, ValueError):
        raise ArgumentError(
            f"FUN returned {value!r}; it must return a number, an array, a mapping or a Series of "
            "numbers."
        ) from None


def quantiles(t: FloatArray, wanted: FloatArray) -> FloatArray:
    """Quantiles of replicates, interpolated on the normal scale as in ``boot.ci``, shape (2,).

    Davison and Hinkley (1997), equation 5.8.
    """
    t = np.sort(t[np.isfinite(t)])
    if not t.size:
        return np.full(len(wanted), np.nan)
    limits: FloatArray = np.interp(ndtri(wanted), ndtri(np.arange(1, t.size + 1) / (t.size + 1)), t)
    return limits
