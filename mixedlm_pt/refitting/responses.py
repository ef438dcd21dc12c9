"""The same model fitted to other responses: one of them, or a table with one a column."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design import Design, replace_response, subset
from mixedlm_pt.design.response import refuse_constant
from mixedlm_pt.diagnostics import (
    findings,
    natural_errors,
    natural_values,
    with_warnings,
)
from mixedlm_pt.errors import ArgumentError, DataError, MixedlmError
from mixedlm_pt.estimation.batch import chunk_size
from mixedlm_pt.fit import Fit, refitted, refitted_together
from mixedlm_pt.limits import two_sided_p
from mixedlm_pt.model import GLMM
from mixedlm_pt.result_table import Printed, ResultMapping, ResultTable
from mixedlm_pt.tasks import interruption, run_batches

# Of a long table of responses, so many are printed.
SHOWN = 20


@dataclass(frozen=True, eq=False, repr=False)
class Refits[AnyFit: Fit](Printed, ResultMapping[Any, AnyFit]):
    """Fits of one model to m responses; ``refits[name]`` is a fit, made again when it is asked for.

    Attributes
    ----------
    estimates, se : DataFrames, one row a response
        All parameters on the scales of `confint` (sds, correlations, dispersion, coefficients on
        the link scale) and their standard errors; NaN where the response could not be fitted.
    logLik : Series
        Maximised log-likelihoods.
    converged, singular : Series of bool
    messages : Series of str
        What `glmer` would have warned of.
    failures : Series of str
        Why responses could not be fitted; only those.
    """

    estimates: pd.DataFrame
    se: pd.DataFrame
    logLik: pd.Series
    converged: pd.Series
    singular: pd.Series
    messages: pd.Series
    failures: pd.Series
    fit: AnyFit = field(repr=False)
    responses: pd.DataFrame = field(repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it; the responses that were finished are here."""
        return len(self.estimates) < len(self.responses.columns)

    def __getitem__(self, name: Any) -> AnyFit:
        return one_refit(self.fit, self.responses[name])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.estimates.index[~self.estimates.index.isin(self.failures.index)])

    def __len__(self) -> int:
        return len(self.estimates) - len(self.failures)

    def to_frame(self) -> pd.DataFrame:
        """One row a response and parameter.

        ``z`` and ``Pr(>|z|)`` are Wald's tests of coefficients that are zero; other parameters have
        none.
        """
        long = pd.DataFrame(
            {
                "estimate": self.estimates.stack(future_stack=True),
                "se": self.se.stack(future_stack=True),
            }
        )
        long.index.names = ["response", "parameter"]
        long = long.reset_index()
        is_fixed = long["parameter"].isin(self.fit.design.coef_names)
        long["z"] = (long["estimate"] / long["se"]).where(is_fixed)
        long["Pr(>|z|)"] = two_sided_p(long["z"].to_numpy())
        return long

    def printed(self) -> ResultTable:
        """The first responses, with what the reader has to know."""
        m = len(self.estimates)
        heading = f"{m:,} responses fitted to one model: {self.fit.design.formula}"
        table = self.estimates.assign(logLik=self.logLik).iloc[:SHOWN]
        notes = [f"... and {m - SHOWN:,} more: to_frame()."] if m > SHOWN else []
        n_bad = int((~self.converged).sum()) - len(self.failures)
        n_singular = int(self.singular.sum())
        notes += [f"{n_bad:,} did not converge: see messages."] if n_bad else []
        notes += [f"{n_singular:,} fits are singular."] if n_singular else []
        notes += [f"{name} failed: {reason}" for name, reason in self.failures[:SHOWN].items()]
        if len(self.failures) > SHOWN:
            notes.append(f"{len(self.failures):,} failed in all: see failures.")
        notes += interruption(m, len(self.responses.columns), "responses")
        return ResultTable((heading,), table, tuple(notes))


def refit[AnyFit: Fit](
    fit: AnyFit, newresp: Any, *, n_jobs: int | None = None, progress: bool = False
) -> AnyFit | Refits[AnyFit]:
    """The same model fitted to another response, or to each of many.

    Parameters
    ----------
    fit : Fit
    newresp : array or Series, shape (n,); or data frame, mapping or array, shape (n, m)
        One response, or one a column: genes, voxels, columns of `simulate`. On the scale of the
        model's response, so proportions where there are trials, which stay those of the fit; the
        two levels of a categorical response. One value a row of the fit or of its data; rows
        without a value are left out.
    n_jobs : int, optional
        Processes for many responses; see `tasks.run_tasks`.
    progress : bool
        Show a bar.

    Returns
    -------
    Fit or Refits
        Each the same as of `glmer`. Many are fitted together, beginning at the estimates of
        ``fit``, and none depends on the others. For many, failures (constant responses,
        values outside the support) are recorded, not raised; after a KeyboardInterrupt with the
        responses that were finished.

    Raises
    ------
    DataError
        For a response that is constant or outside the family's support, such as counts for a model
        of zeros and ones.
    ArgumentError
        For another number of rows.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning
        For a single response.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> refits = fit.refit(fit.simulate(nsim=3, seed=1))
    >>> refits.estimates.shape
    (3, 5)
    >>> refits["sim_2"].logLik()
    'log Lik.' -81.89584 (df=5)
    """
    responses = response_columns(newresp)
    if responses is None:
        return with_warnings(one_refit(fit, newresp))
    if len(responses) not in (fit.design.n, len(fit.design.omitted)):
        raise ArgumentError(
            f"the new responses have {len(responses):,} rows; the model has {fit.design.n:,}. Give "
            "one response a column."
        )
    columns = [responses.iloc[:, j] for j in range(responses.shape[1])]
    records = run_batches(
        partial(refit_records, fit),
        columns,
        chunk_size(fit.model, fit.approximation),
        label="refits",
        n_jobs=n_jobs,
        progress=progress,
    )
    names = responses.columns[: len(records)]
    parameters = list(natural_values(fit))
    nothing = np.full(len(parameters), np.nan)

    def series(attribute: str) -> pd.Series:
        return pd.Series([getattr(record, attribute) for record in records], index=names)

    def frame(attribute: str) -> pd.DataFrame:
        rows = [nothing if record.failure else getattr(record, attribute) for record in records]
        return pd.DataFrame(np.array(rows), index=names, columns=pd.Index(parameters))

    failures = series("failure").astype("str")
    return Refits(
        estimates=frame("estimates"),
        se=frame("se"),
        logLik=series("loglik"),
        converged=series("converged"),
        singular=series("singular"),
        messages=series("messages").astype("str"),
        failures=failures[failures != ""],
        fit=fit,
        responses=responses,
    )


def response_columns(newresp: Any) -> pd.DataFrame | None:
    """Many responses as a data frame; None for one."""
    if isinstance(newresp, pd.DataFrame):
        return newresp
    if isinstance(newresp, Mapping):
        try:
            return pd.DataFrame(newresp)
        except ValueError as error:
            raise ArgumentError(f"the new responses do not make a table: {error}") from error
    import narwhals as nw

    table = nw.from_native(newresp, eager_only=True, pass_through=True)
    if isinstance(table, nw.DataFrame):
        return table.to_pandas()
    if isinstance(newresp, np.ndarray) and newresp.ndim == 2:
        return pd.DataFrame(newresp)
    return None


def one_refit[AnyFit: Fit](fit: AnyFit, newresp: Any) -> AnyFit:
    """The fit of one other response, from `glmer`'s own starting values."""
    return refitted(fit, response_model(fit, newresp))


def response_model(fit: Fit, newresp: Any) -> GLMM:
    """The model of another response, on the rows where it has a value."""
    design = without_missing(fit.design, pd.Series(newresp))
    refuse_constant(design.response)
    has_all_rows = design.n == fit.model.n
    return fit.model.with_design(design) if has_all_rows else replace(fit.model, design=design)


def without_missing(design: Design, values: pd.Series) -> Design:
    """The design with another response, without the rows where it has no value."""
    if len(values) == len(design.omitted):
        values = values[~design.omitted]
    missing = values.isna().to_numpy()
    if not missing.any() or len(values) != design.n:
        return replace_response(design, values)
    if design.na_action == "fail":
        raise DataError(
            f"the new response has {missing.sum():,} missing values, which na_action='fail' "
            "forbids. Fit the model with na_action='omit' or 'exclude' to leave out these rows."
        )
    if missing.all():
        raise DataError(f"the new response has no values: all {design.n:,} are missing.")
    omitted = design.omitted.copy()
    omitted[~design.omitted] = missing
    rest = replace(subset(design, ~missing), full_index=design.full_index, omitted=omitted)
    return replace_response(rest, values[~missing])


@dataclass(frozen=True, eq=False)
class Record:
    """What is kept of one refit."""

    estimates: FloatArray = field(default_factory=lambda: np.empty(0))
    se: FloatArray = field(default_factory=lambda: np.empty(0))
    loglik: float = np.nan
    converged: bool = False
    singular: bool = False
    messages: str = ""
    failure: str = ""


def refit_records(fit: Fit, columns: Sequence[pd.Series]) -> Iterator[Record]:
    """Refits, failures included; those on all rows of the fit together."""
    models = [model_or_failure(fit, column) for column in columns]
    whole = [m for m in models if isinstance(m, GLMM) and m.n == fit.model.n]
    responses = [model.design.response for model in whole]
    together = refitted_together(fit, fit.model, responses, start=fit.restart)
    for model in models:
        if isinstance(model, MixedlmError):
            yield Record(failure=str(model))
        elif model.n == fit.model.n:
            yield refit_record(next(together))
        else:
            yield refit_record(fit_or_failure(fit, model))


def model_or_failure(fit: Fit, newresp: pd.Series) -> GLMM | MixedlmError:
    """`response_model`, or why there is none."""
    try:
        return response_model(fit, newresp)
    except MixedlmError as error:
        return error


def fit_or_failure(fit: Fit, model: GLMM) -> Fit | MixedlmError:
    """`refitted`, or why it failed."""
    try:
        return refitted(fit, model)
    except MixedlmError as error:
        return error


def refit_record(again: Fit | MixedlmError) -> Record:
    """What is kept of a refit, or of its failure."""
    if isinstance(again, MixedlmError):
        return Record(failure=str(again))
    problems, singular = findings(again)
    return Record(
        np.array(list(natural_values(again).values())),
        natural_errors(again),
        again.estimate.loglik,
        not problems,
        bool(singular),
        " ".join((*problems, *singular)),
    )
