"""The table that `compare` returns, and how it prints."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from mixedlm_pt.bayes.comparison_columns import Reporting, Result, is_penalized
from mixedlm_pt.bayes.comparison_text import WIDTH, Group, blocks, html_block, text_block
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.inference import Profile
from mixedlm_pt.result_table import index_label
from mixedlm_pt.tables import decimals, number

# Characters side by side in a browser.
HTML_WIDTH = 150
# Of a table of random effects or predictions; `to_frame` has them all.
MAX_ROWS = 20
TITLES = {
    "parameters": "Comparison of",
    "ranef": "Random effects of",
    "predictions": "Predictions of",
}
# Of optima, in standard errors: below it a part of a shift is zero.
PART_TOL = 5e-3
WORDS = {"shift_prior": "Prior", "shift_approximation": "Approx."}


@dataclass(frozen=True, eq=False)
class ComparisonTable:
    """Results beside each other, one parameter (random effect, prediction) a row.

    Attributes
    ----------
    table : DataFrame
        Also ``to_frame()``. Columns (result, statistic). Of every result ``estimate``, ``se``,
        ``lower``, ``upper``: of a posterior its mean (or median), its standard deviation and its
        credible limits. Standard deviations, correlations and the dispersion are on their own
        scales, coefficients and random effects on the link scale.

        Of every result but the reference: ``shift``, its estimate minus that of the reference in
        standard errors of the reference; ``overlap`` of the two intervals, their intersection as
        a share of their union; ``se_ratio``, its standard error as a multiple of the reference's.

        Of parameters also: ``mode``, of the marginal posterior (or likelihood) by the result's own
        approximation; ``shift_prior``, ``shift_approximation`` and ``shift_mean``, whose sum is the
        shift; ``overlap_density``, the overlapping coefficient of the density of the posterior
        and that behind Wald's limits; and of posteriors ``r_hat`` and ``ess`` (bulk).
    results : mapping
        Name to fit or posterior.
    reference : str
        The result that the others are measured from.
    what : {"parameters", "ranef", "predictions"}
    reporting : Reporting
    heading : tuple of str
        Where each result comes from.
    sentences : tuple of str
        What differs, and why.
    profiles : mapping
        Profile likelihoods of the fits that have been profiled.
    """

    table: pd.DataFrame
    results: Mapping[str, Result] = field(repr=False)
    reference: str
    what: str
    reporting: Reporting
    heading: tuple[str, ...]
    sentences: tuple[str, ...]
    profiles: Mapping[str, Profile] = field(repr=False, default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    def of(self, name: str) -> pd.DataFrame:
        """The columns of one result."""
        return pd.DataFrame(self.table[name])

    @property
    def formula(self) -> str:
        """Formula of the model."""
        return self.results[self.reference].model.design.formula.strip()

    def shown(self) -> pd.DataFrame:
        """The rows that are printed: where there are too many, those with the largest shifts."""
        if self.what == "parameters" or len(self.table) <= MAX_ROWS:
            return self.table
        shifts = self.table.xs("shift", axis=1, level="statistic").to_numpy(np.float64)
        # Rows without a shift are no larger than any other.
        size = np.fmax.reduce(np.abs(shifts), axis=1, initial=0.0)
        largest = np.argsort(-size, kind="stable")[:MAX_ROWS]
        return self.table.iloc[np.sort(largest)]

    def sections(self, width: int = WIDTH) -> tuple[list[str], list[list[Group]]]:
        """Names of the rows, and groups of columns: estimates, then differences."""
        shown = self.shown()
        names = [index_label(label) for label in shown.index]
        estimates = [estimate_group(self, name, shown) for name in self.results]
        both = blocks(names, estimates, width)
        if len(both) > 1:
            numbers = [replace_columns(group, slice(0, 2)) for group in estimates]
            intervals = [replace_columns(group, slice(2, 3)) for group in estimates]
            both = [*blocks(names, numbers, width), *blocks(names, intervals, width)]
        others = [name for name in self.results if name != self.reference]
        differences = [difference_group(self, name, shown) for name in others]
        return names, [*both, *blocks(names, differences, width)]

    def __str__(self) -> str:
        names, sections = self.sections()
        title = f"{TITLES[self.what]} {self.formula}"
        lines = [textwrap.fill(title, WIDTH, subsequent_indent="  ")]
        lines += [textwrap.fill(line, WIDTH, subsequent_indent="    ") for line in self.heading]
        for groups in sections:
            lines += ["", text_block(names, groups)]
        told = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in self.sentences]
        lines += ["", *self.cut(), *told, ""]
        return "\n".join([*lines, *(textwrap.fill(line, WIDTH) for line in legend(self))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        names, sections = self.sections(HTML_WIDTH)
        title = f"<strong>{TITLES[self.what]} <code>{escape(self.formula)}</code></strong>"
        heading = "<br>".join([title, *map(escape, self.heading)])
        told = "<br>".join(map(escape, (*self.cut(), *self.sentences)))
        meaning = "<br>".join(map(escape, legend(self)))
        tables = "".join(html_block(names, groups) for groups in sections)
        return f"<div><p>{heading}</p>{tables}<p>{told}</p><p><small>{meaning}</small></p></div>"

    def cut(self) -> list[str]:
        """How many rows are not printed."""
        n = len(self.table)
        if self.what == "parameters" or n <= MAX_ROWS:
            return []
        return [f"{MAX_ROWS} of {n:,} rows, those with the largest shifts; to_frame() has all."]


def replace_columns(group: Group, chosen: slice) -> Group:
    """Some columns of a group."""
    return Group(group.label, group.header[chosen], tuple(row[chosen] for row in group.rows))


def row_decimals(comparison: ComparisonTable, shown: pd.DataFrame) -> list[int | None]:
    """Decimals of every row: three digits of its smallest standard error."""
    se = shown.xs("se", axis=1, level="statistic")
    estimate = shown.xs("estimate", axis=1, level="statistic")
    found = []
    for i in range(len(shown)):
        errors = se.iloc[i].to_numpy(np.float64)
        has_errors = bool(np.isfinite(errors).any())
        found.append(decimals(errors if has_errors else estimate.iloc[i].to_numpy(), 3))
    return found


def filled(value: float, places: int | None) -> str:
    """A number, without the sign of a zero; nothing where there is none."""
    if np.isnan(value):
        return ""
    cell = number(value, places, 3)
    return cell if float(cell) else cell.removeprefix("-")


def estimate_group(comparison: ComparisonTable, name: str, shown: pd.DataFrame) -> Group:
    """Estimate, standard error and interval of one result."""
    own, reporting = shown[name], comparison.reporting
    is_posterior = isinstance(comparison.results[name], PosteriorResult)
    centre = reporting.center.capitalize() if is_posterior else "Estimate"
    header = (centre, "SD" if is_posterior else "SE", f"{100.0 * reporting.level:g} % interval")
    rows = []
    for i, places in enumerate(row_decimals(comparison, shown)):
        row = own.iloc[i]
        cells = [filled(row[key], places) for key in ("estimate", "se", "lower", "upper")]
        interval = f"{cells[2]} to {cells[3]}" if cells[2] or cells[3] else ""
        rows.append((cells[0], cells[1], interval))
    return Group(name, header, tuple(rows))


def difference_group(comparison: ComparisonTable, name: str, shown: pd.DataFrame) -> Group:
    """Shift with its parts, overlap and ratio of the standard errors; R-hat and ESS."""
    own = shown[name]
    is_posterior = isinstance(comparison.results[name], PosteriorResult)
    columns = [("shift", "Shift", 2)]
    parts = [(key, word, 2) for key, word in WORDS.items() if key in own and has_part(own[key])]
    if is_posterior and "shift_mean" in own:
        parts.append(("shift_mean", f"{comparison.reporting.center.capitalize()}-mode", 2))
    signs = ["= ", *["+ "] * len(parts)]
    # One part that is the whole shift says nothing.
    if len(parts) > 1 or is_posterior:
        columns += [
            (key, sign + word, 2) for sign, (key, word, _) in zip(signs, parts, strict=False)
        ]
    columns.append(("overlap", "Overlap", 2))
    if is_posterior and "overlap_density" in own:
        columns.append(("overlap_density", "OVL", 2))
    columns.append(("se_ratio", f"{'SD' if is_posterior else 'SE'}/SE", 2))
    if is_posterior and "r_hat" in own:
        columns += [("r_hat", "R-hat", 3), ("ess", "ESS", 0)]
    cells = [[filled(value, places) for value in own[key]] for key, _, places in columns]
    header = tuple(word for _, word, _ in columns)
    return Group(f"{name} against {comparison.reference}", header, tuple(zip(*cells, strict=True)))


def has_part(values: pd.Series) -> bool:
    """Whether a part of a shift is there, beyond the precision of the optima."""
    return bool((values.abs() > PART_TOL).any())


def legend(comparison: ComparisonTable) -> tuple[str, ...]:
    """What the columns mean."""
    reporting, reference = comparison.reporting, comparison.reference
    results = comparison.results.values()
    posteriors = [result for result in results if isinstance(result, PosteriorResult)]
    fits = len(posteriors) < len(results)
    kinds = []
    if fits and comparison.what == "parameters":
        limits = "profile likelihood" if comparison.profiles else "Wald"
        kinds.append(f"of fits by {limits}")
    elif fits:
        kinds.append("of fits normal")
    if posteriors:
        words = {"eti": "equal-tailed", "hdi": "the shortest"}
        kinds.append(f"of posteriors {words[reporting.credible]}")
    lines = [
        f"Intervals: {', '.join(kinds)}.",
        f"Shift: from the estimate of {reference}, in its standard errors.",
    ]
    if comparison.what == "parameters" and (posteriors or any(map(is_penalized, results))):
        lines[1] += " Prior: from there to the mode of the marginal posterior."
        others = [comparison.of(name) for name in comparison.results if name != reference]
        if any(has_part(frame["shift_approximation"]) for frame in others):
            lines[1] += " Approx.: on to that mode by a better approximation of the integral."
    if comparison.what == "parameters" and posteriors:
        lines[1] += (
            f" {reporting.center.capitalize()}-mode: on to the {reporting.center}, the skewness of "
            "the posterior."
        )
    overlap = "Overlap: of the intervals, intersection as a share of the union."
    if comparison.what == "parameters" and posteriors:
        overlap += " OVL: of the densities, area below both."
    return (*lines, overlap)
