"""Whether Laplace's approximation is good enough for a fit."""

import textwrap
from dataclasses import dataclass, replace
from html import escape

import numpy as np
import pandas as pd

from mixedlm_pt._typing import IntArray
from mixedlm_pt.diagnostics.laplace_error import NODES, Block, LaplaceError
from mixedlm_pt.diagnostics.parameter_names import parameter_names
from mixedlm_pt.diagnostics.pareto_smoothing import MAX_KHAT
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.linalg.threads import on_one_thread
from mixedlm_pt.tables import WIDTH, html_table, numbers, text_table

# A shift of an estimate, in standard errors, from which the approximation matters: with 0.2 a
# 95 % interval still covers in 94.5 % of all samples.
MAX_SHIFT = 0.2
# From here on a Newton step starts too far away to tell how far an estimate would move.
FAR = 3.0
MIN_DRAWS = 100
# Groups that are named.
N_WORST = 5


@dataclass(frozen=True, eq=False)
class LaplaceCheck:
    """Laplace's approximation beside the exact likelihood; prints its conclusion first.

    Attributes
    ----------
    groups : DataFrame
        Also ``to_frame()``. Rows by (factor, level): ``k_hat``, the Pareto shape of the importance
        weights of the group's random effects (above 0.7 they are far from normal); ``difference``,
        exact minus Laplace's part of the log-likelihood, and ``se``, its Monte-Carlo error;
        ``n``, rows of data.
    log_likelihoods : DataFrame
        Rows ``Laplace``, ``nAGQ = 25`` for one scalar term, ``importance sampling``; columns
        ``logLik`` and ``se``.
    shifts : Series
        By parameter: how far a Newton step would move the estimate if the likelihood were exact,
        in standard errors; above 3 it says "far", not how far. NaN for parameters on the boundary.
    joint_k_hat : float
        Of all random effects together; NaN where they cannot be drawn together.
    draws : int
    conclusion : str
    """

    groups: pd.DataFrame
    log_likelihoods: pd.DataFrame
    shifts: pd.Series
    joint_k_hat: float
    draws: int
    conclusion: str

    @property
    def is_good(self) -> bool:
        """Whether neither estimates nor groups call for more than Laplace."""
        return self.largest_shift <= MAX_SHIFT and not self.bad_groups.any()

    @property
    def largest_shift(self) -> float:
        """In standard errors; 0 where no parameter has one."""
        return float(self.shifts.abs().max()) if self.shifts.notna().any() else 0.0

    @property
    def bad_groups(self) -> pd.Series:
        """Which groups have a k-hat above 0.7."""
        return self.groups["k_hat"] > MAX_KHAT

    def to_frame(self) -> pd.DataFrame:
        """The groups, unrounded."""
        return self.groups.copy()

    def worst(self) -> pd.DataFrame:
        """Groups with the largest k-hat or difference, the worst first."""
        badness = np.maximum(self.groups["k_hat"] / MAX_KHAT, 0.0)
        badness += self.groups["difference"].abs() / self.groups["difference"].abs().max()
        order = np.argsort(-badness.to_numpy(), kind="stable")
        return self.groups.iloc[order[:N_WORST]]

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Captions, headers and rows of the three tables."""
        values = self.log_likelihoods
        likelihoods = [
            [str(name), f"{loglik:.3f}", "" if np.isnan(se) else f"{se:.3f}"]
            for name, loglik, se in zip(values.index, values["logLik"], values["se"], strict=True)
        ]
        shifts = [[str(name), f"{value:+.3f}"] for name, value in self.shifts.items()]
        worst = self.worst()
        groups = zip(
            (f"{factor} {level}" for factor, level in worst.index),
            (f"{k:.2f}" for k in worst["k_hat"]),
            numbers(worst["difference"], 3),
            numbers(worst["se"], 2),
            (str(n) for n in worst["n"]),
            strict=True,
        )
        return [
            ("Log-likelihood at the estimates", ["", "logLik", "MC error"], likelihoods),
            ("Shift of the estimates, were it exact", ["", "standard errors"], shifts),
            (
                "Groups that are least normal",
                ["", "k-hat", "exact - Laplace", "MC error", "rows"],
                [list(row) for row in groups],
            ),
        ]

    @property
    def method(self) -> str:
        """How it was computed."""
        joint = "" if np.isnan(self.joint_k_hat) else f"; joint k-hat {self.joint_k_hat:.2f}"
        doubt = ""
        if self.bad_groups.any() or self.joint_k_hat > MAX_KHAT:
            doubt = (
                f" Where k-hat is above {MAX_KHAT}, Monte-Carlo errors are larger than they say."
            )
        if self.largest_shift > FAR:
            doubt += (
                f" Shifts are one Newton step: above {FAR:g} they say that an estimate is far off, "
                "not how far."
            )
        return f"{self.draws} draws of the random effects at the estimates{joint}.{doubt}"

    def __str__(self) -> str:
        lines = ["Is Laplace's approximation good enough?"]
        lines += [textwrap.fill(self.conclusion, WIDTH)]
        for caption, header, rows in self.tables():
            lines += ["", f"{caption}:", text_table(header, rows, left=(0,))]
        return "\n".join([*lines, "", textwrap.fill(self.method, WIDTH)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = "".join(html_table(h, rows, (0,), title) for title, h, rows in self.tables())
        return (
            "<div><p><strong>Is Laplace's approximation good enough?</strong><br>"
            f"{escape(self.conclusion)}</p>{tables}<p>{escape(self.method)}</p></div>"
        )


@on_one_thread
def check_laplace(fit: Fit, draws: int = 1000, random_seed: int | None = None) -> LaplaceCheck:
    """Whether Laplace's approximation is good enough, from importance sampling at the estimates.

    The random effects are drawn from the normal distribution that Laplace's approximation puts in
    the place of theirs; the weights that correct the draws give the exact log-likelihood, and
    their tails tell how wrong the normal distribution is (k-hat, Pareto-smoothed importance
    sampling). The same sampling next to the estimates tells how far they would move.

    Groups are the levels of the factor in which all others are nested. With crossed factors they
    are the levels of every factor, with the other factors' effects held at their mode, and all
    effects together have one k-hat.

    Parameters
    ----------
    fit : Fit
    draws : int
        Of the random effects.
    random_seed : int, optional

    Returns
    -------
    LaplaceCheck

    Raises
    ------
    ArgumentError
        If the model has no random effects or the draws are few.
    EstimationError
        If the approximation does not exist next to the estimates.

    References
    ----------
    .. [1] Vehtari, Simpson, Gelman, Yao and Gabry (2024), J. Mach. Learn. Res. 25(72), 1-58.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> check_laplace(fit, random_seed=1).is_good
    True
    """
    if fit.model.structure is None:
        raise ArgumentError("the model has no random effects, so nothing was approximated.")
    if draws < MIN_DRAWS:
        raise ArgumentError(f"draws is {draws}; k-hat takes at least {MIN_DRAWS}.")
    error = LaplaceError(fit, draws, random_seed)
    found = [error.errors(block) for block in error.blocks]
    groups = pd.concat(
        [
            pd.DataFrame(
                {"k_hat": e.k_hat, "difference": e.difference, "se": e.se, "n": counts(block)},
                index=labels(block),
            )
            for block, e in zip(error.blocks, found, strict=True)
        ]
    )
    total, joint_k_hat = found[0], float("nan")
    if error.joint is not None and error.joint is not error.blocks[0]:
        total = error.errors(error.joint)
        joint_k_hat = float(total.k_hat[0])
    laplace = error.objective(1)(fit.par).loglik
    rows = {"Laplace": (laplace, np.nan)}
    if error.is_scalar:
        quadrature = error.objective(error.n_nodes)(fit.par).loglik
        rows[f"nAGQ = {error.n_nodes}"] = (quadrature, np.nan)
    if error.joint is not None:
        se = float(np.sqrt((total.se**2).sum()))
        rows["importance sampling"] = (laplace + float(total.difference.sum()), se)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["logLik", "se"])
    shifts = pd.Series(error.shifts(), index=pd.Index(parameter_names(fit)), name="shift")
    check = LaplaceCheck(groups, table, shifts, joint_k_hat, error.draws, "")
    remedy = "sample the posterior, fit.sample()"
    if error.is_scalar:
        own = fit.approximation.nAGQ
        remedy = f"keep nAGQ = {own}" if own > 1 else f"use nAGQ = {NODES}"
    return replace(check, conclusion=conclude(check, remedy))


def labels(block: Block) -> pd.MultiIndex:
    """Factor and level of every cluster."""
    factor = block.effects.model.design.factors[-1]
    return pd.MultiIndex.from_product([[factor.name], factor.levels], names=["factor", "level"])


def counts(block: Block) -> IntArray:
    """Rows of every cluster."""
    return np.bincount(block.effects.cluster_of_row, minlength=block.effects.n_clusters)


def conclude(check: LaplaceCheck, remedy: str) -> str:
    """What to do, and the worst groups by name."""
    shift = check.largest_shift
    bad = check.groups[check.bad_groups].sort_values("k_hat", ascending=False)
    moves = f"the exact likelihood would move no estimate by more than {shift:.2f} standard errors"
    if check.is_good:
        return f"Laplace is good enough: {moves}, and every group's k-hat is at most {MAX_KHAT}."
    if shift <= MAX_SHIFT:
        return (
            f"Laplace is good enough for the estimates: {moves}. But the random effects of "
            f"{named(bad)} are not normal (k-hat above {MAX_KHAT}): for intervals of these, sample "
            "the posterior, fit.sample()."
        )
    worst, name = bad if len(bad) else check.worst(), check.shifts.abs().idxmax()
    far = "several" if shift > FAR else f"about {shift:.2f}"
    return (
        f"Laplace is not good enough, {remedy}: the exact likelihood would move {name} by {far} "
        f"standard errors. The approximation is worst for {named(worst)}."
    )


def named(groups: pd.DataFrame) -> str:
    """Groups by name, the first few of many."""
    shown = [f"{factor} {level}" for factor, level in groups.index[:N_WORST]]
    rest = len(groups) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more groups"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
