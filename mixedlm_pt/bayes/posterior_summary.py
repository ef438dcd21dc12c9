"""A posterior in one table, and as data frames with the columns of R's broom.mixed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of, one_of, probability
from mixedlm_pt.bayes.credible import KINDS, credible_limits
from mixedlm_pt.bayes.posterior_tables import (
    coef,
    natural_draws,
    ranef,
)
from mixedlm_pt.design.table import Table
from mixedlm_pt.diagnostics import dispersion_name
from mixedlm_pt.limits import tail_names
from mixedlm_pt.summary.tidy import EFFECTS, LIMITS, broom_name, coefficient_rows
from mixedlm_pt.tables import html_table, numbers, text_table

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult


# Of what is said about the sampling.
WIDTH = 100


@dataclass(frozen=True, eq=False)
class PosteriorSummary:
    """All parameters of a posterior, one a row.

    Attributes
    ----------
    title : str
        Formula, family and link.
    sampling : tuple of str
        How it was sampled and whether the chains agree.
    table : DataFrame
        ArviZ's summary, also ``to_frame()``: rows as in ``confint``; columns mean, sd, two limits
        (``eti95_lb``), ess_bulk, ess_tail, r_hat, mcse_mean, mcse_sd.
    n_random : int
        How many of the first rows are standard deviations and correlations.
    p : int
        How many of the last rows are coefficients.
    groups : str
        Numbers of rows and of levels.
    level : float
        Posterior probability of the limits.
    """

    title: str
    sampling: tuple[str, ...]
    table: pd.DataFrame
    n_random: int
    p: int
    groups: str
    level: float

    @property
    def coefficients(self) -> pd.DataFrame:
        """The coefficients: Estimate, Std. Error (the posterior's), two limits, R-hat and ESS."""
        names = ["Estimate", "Std. Error", *tail_names(self.level), "R-hat", "ESS"]
        limits = list(self.table.columns[2:4])
        rows = self.table.iloc[len(self.table) - self.p :]
        return rows[["mean", "sd", *limits, "r_hat", "ess_bulk"]].set_axis(names, axis=1)

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the printed table: decimals by row, which differ in unit."""
        lower, upper = tail_names(self.level)
        rows = []
        for name, row in self.table.iterrows():
            values = numbers(row.iloc[:4], 3)
            rows.append([str(name), *values, f"{row['r_hat']:.3f}", f"{row['ess_bulk']:.0f}"])
        return ["", "Mean", "SD", lower, upper, "R-hat", "ESS"], rows

    def blocks(self) -> list[tuple[str, list[list[str]]]]:
        """Titles with the rows below them."""
        rows, first = self.cells()[1], len(self.table) - self.p
        parts = [("Random effects", rows[: self.n_random]), ("Fixed effects", rows[first:])]
        parts.insert(1, ("Dispersion", rows[self.n_random : first]))
        return [(title, part) for title, part in parts if part]

    def __str__(self) -> str:
        header, rows = self.cells()
        lines = text_table(header, rows, left=(0,)).splitlines()
        shown, place = [lines[0]], 1
        for title, part in self.blocks():
            shown += [f"{title}:", *lines[place : place + len(part)]]
            place += len(part)
        note = "Priors: prior_summary()."
        told = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in self.sampling]
        return "\n".join([self.title, *told, "", *shown, "", self.groups, note])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lines = "<br>".join(escape(line) for line in self.sampling)
        table = html_table(*self.cells(), left=(0,))
        return (
            f'<div class="mixedlm-pt"><p><strong>{escape(self.title)}</strong><br>{lines}</p>'
            f"{table}<p>{escape(self.groups)}</p></div>"
        )


def summary(
    posterior: PosteriorResult, ci_prob: float = 0.95, kind: str = "eti"
) -> PosteriorSummary:
    """Means, standard deviations, credible limits and convergence of all parameters.

    Parameters
    ----------
    posterior : PosteriorResult
    ci_prob : float
        Posterior probability of the interval.
    kind : {"eti", "hdi"}
        Equal-tailed or highest-density interval.

    Returns
    -------
    PosteriorSummary
        Prints; ``.table`` and ``.coefficients`` are the numbers.

    Raises
    ------
    ArgumentError
        For a bad probability or kind.
    """
    probability("ci_prob", ci_prob)
    design, family = posterior.model.design, posterior.model.family
    values = np.array([draws.ravel() for draws in posterior.draws.values()])
    lower, upper = credible_limits(values, ci_prob, kind)
    table = posterior.convergence.copy()
    prefix = f"{kind}{100.0 * ci_prob:g}"
    table.insert(2, f"{prefix}_lb", lower)
    table.insert(3, f"{prefix}_ub", upper)
    levels = [f"{factor.name}, {factor.n_levels:,}" for factor in design.factors]
    groups = f"Number of obs: {posterior.fit.n_obs:,}"
    return PosteriorSummary(
        title=f"Posterior of {design.formula.strip()}, {family.name} ( {family.link.name} )",
        sampling=posterior.diagnosis(),
        table=table,
        n_random=posterior.n_random,
        p=posterior.model.p,
        groups="; ".join([f"{groups}, groups: {levels[0]}", *levels[1:]]) if levels else groups,
        level=ci_prob,
    )


def convergence(posterior: PosteriorResult) -> pd.DataFrame:
    """ArviZ's mean, sd, effective sample sizes, R-hat and Monte-Carlo errors of all parameters."""
    import arviz as az

    data = az.from_dict({"posterior": dict(posterior.draws)})
    found = pd.DataFrame(az.summary(data, kind="all", ci_kind="eti", round_to="none"))
    return found[["mean", "sd", "ess_bulk", "ess_tail", "r_hat", "mcse_mean", "mcse_sd"]]


def tidy(
    posterior: PosteriorResult,
    effects: str | Sequence[str] = ("fixed", "ran_pars"),
    conf_int: bool = False,
    conf_level: float = 0.95,
    conf_method: str = "eti",
    exponentiate: bool = False,
) -> pd.DataFrame:
    """The estimates, one a row, with the columns of R's ``broom.mixed::tidy``.

    Parameters
    ----------
    posterior : PosteriorResult
    effects, conf_int, conf_level
        As in the `tidy` of a fit.
    conf_method : {"eti", "hdi"}
        Kind of the limits.
    exponentiate : bool
        Fixed effects as ``exp``, draw by draw: odds ratios, rate ratios.

    Returns
    -------
    DataFrame
        Columns effect, group, level (for single levels only), term, estimate (posterior mean),
        std_error (posterior sd) and the limits. A posterior has no statistics and p-values.

    Raises
    ------
    ArgumentError
        For an unknown effect or kind of limits.
    """
    chosen = names_of("effects", effects)
    for effect in chosen:
        one_of("effect", effect, EFFECTS)
    one_of("conf_method", conf_method, KINDS)
    probability("conf_level", conf_level)
    p, dispersion = posterior.model.p, dispersion_name(posterior.fit)
    draws = natural_draws(posterior)
    fixed, random = list(draws)[len(draws) - p :], list(draws)[: len(draws) - p]
    names = {name: broom_name(name, dispersion) for name in random}

    def rows(effect: str) -> pd.DataFrame:
        if effect == "ran_vals":
            return effect_rows(posterior, conf_level, conf_method)
        if effect == "ran_coefs":
            return coefficient_rows(coef(posterior))
        is_fixed = effect == "fixed"
        terms = fixed if is_fixed else random
        values = np.empty((len(terms), posterior.n_chains * posterior.n_draws))
        for row, name in zip(values, terms, strict=True):
            row[:] = draws[name].ravel()
        return labelled(
            effect,
            [None if is_fixed else names[name][0] for name in terms],
            [name if is_fixed else names[name][1] for name in terms],
            np.exp(values) if is_fixed and exponentiate else values,
            conf_level,
            conf_method,
        )

    parts = [rows(effect) for effect in EFFECTS if effect in chosen]
    filled = [part for part in parts if len(part)] or parts[:1]
    present = {name for part in parts for name in part}
    columns = ["effect", "group", "level", "term", "estimate", "std_error"]
    columns += LIMITS if conf_int else ()
    wanted = [name for name in columns if name in present]
    return pd.concat(filled, ignore_index=True).reindex(columns=pd.Index(wanted))


def labelled(
    effect: str,
    groups: Sequence[str | None],
    terms: Sequence[str],
    values: FloatArray,
    level: float,
    kind: str,
) -> pd.DataFrame:
    """Rows of `tidy` for draws (m, S)."""
    limits = credible_limits(values, level, kind)
    return pd.DataFrame(
        {
            "effect": effect,
            "group": pd.Series(list[Any](groups), dtype=object),
            "term": pd.Series(terms, dtype=object),
            "estimate": values.mean(axis=1),
            "std_error": values.std(axis=1, ddof=1),
            **dict(zip(LIMITS, limits, strict=True)),
        }
    )


def effect_rows(posterior: PosteriorResult, level: float, kind: str) -> pd.DataFrame:
    """The random effects of every level."""
    names = ["group", "term", "level", "estimate", "std_error", *LIMITS]
    frame = ranef(posterior).limits(level, kind).set_axis(names, axis=1)
    return frame.assign(effect="ran_vals")


def glance(posterior: PosteriorResult) -> pd.DataFrame:
    """One row on the posterior as a whole.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    DataFrame, one row
        nobs, npar and sigma (posterior mean; 1 without a scale) as for a fit; sampler, target,
        chains, draws (all chains), divergences, max_r_hat and min_ess.
    """
    draws, agreement = natural_draws(posterior), posterior.convergence
    return pd.DataFrame(
        {
            "nobs": [posterior.fit.n_obs],
            "npar": [posterior.fit.n_par],
            "sigma": [float(draws["sigma"].mean()) if posterior.fit.has_scale else 1.0],
            "sampler": [posterior.sampler],
            "target": [posterior.target],
            "chains": [posterior.n_chains],
            "draws": [posterior.n_chains * posterior.n_draws],
            "divergences": [posterior.n_divergences],
            "max_r_hat": [float(agreement["r_hat"].max())],
            "min_ess": [float(agreement[["ess_bulk", "ess_tail"]].to_numpy().min())],
        }
    )


def augment(posterior: PosteriorResult) -> pd.DataFrame:
    """The data with fitted values and residuals, as the `augment` of a fit.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    DataFrame
        The rows that were used (all rows with ``na_action="exclude"``) and every column of the
        data, then posterior means ``.fitted`` (linear predictor) and ``.fixed`` (without the random
        effects), link scale, ``.mu`` (mean, response scale) with its posterior sd ``.se_mu``, and
        ``.resid`` (deviance residuals).
    """
    design, table = posterior.model.design, Table(posterior.fit.call.data)
    used = ~design.omitted if design.na_action != "exclude" else np.ones(table.n, np.bool_)
    columns = {name: table.series(name).array.copy() for name in table.names}
    rows = pd.DataFrame(columns, index=table.index)[used]
    means = pd.DataFrame(posterior.predict(se_fit=True))
    return rows.assign(
        **{
            ".fitted": np.asarray(posterior.predict(type="link")),
            ".fixed": np.asarray(posterior.predict(type="link", re_form="~0")),
            ".mu": means["fit"].to_numpy(),
            ".se_mu": means["se_fit"].to_numpy(),
            ".resid": posterior.residuals("deviance"),
        }
    )
