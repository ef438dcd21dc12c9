"""A summary as text, in lme4's layout."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt.diagnostics import Convergence
from mixedlm_pt.summary.description import Description
from mixedlm_pt.tables import (
    LEGEND,
    WIDTH,
    decimals,
    display_width,
    number,
    numbers,
    p_values,
    padded,
    stars,
    text_table,
)

if TYPE_CHECKING:
    from mixedlm_pt.summary.summary import Summary

# As lme4: with more coefficients their correlations are left out of the text.
MAX_CORRELATION = 12
ABBREVIATION = 6
LABEL_LENGTH = 11
# Rounding error decides about smaller ones.
SMALLEST_GAIN = 1e-9


def summary_text(summary: Summary) -> str:
    """The blocks of a summary."""
    description, varcorr = summary.description, summary.varcorr
    blocks = [heading(description), criteria_line(summary.criteria, 1)]
    if summary.scaled_residuals.notna().all():
        residuals = [f"{value:.4f}" for value in summary.scaled_residuals]
        names = list(summary.scaled_residuals.index)
        blocks.append("Scaled residuals:\n" + text_table(names, [residuals], left=()))
    if varcorr.terms:
        blocks.append(
            f"Random effects:\n{varcorr.text(with_variance=True)}\n"
            f"{counts(description.n, summary.n_groups)}"
        )
    blocks.append(f"{fixed_effects_title(summary)}:\n{coefficient_text(summary.coefficients)}")
    if shows_correlation(summary):
        blocks.append("Correlation of Fixed Effects:\n" + correlation_text(summary.correlation))
    elif summary.shows_correlation is None and len(summary.correlation) > MAX_CORRELATION:
        blocks.append(
            f"Correlation of {len(summary.correlation)} fixed effects not shown; "
            "summary(correlation=True) shows it."
        )
    blocks.append(footer(description, summary))
    return "\n\n".join(block for block in blocks if block)


def fixed_effects_title(summary: Summary) -> str:
    """Heading of the coefficients, with the kind of standard errors if it is not the usual one."""
    errors = summary.standard_errors
    return f"Fixed effects (standard errors: {errors})" if errors else "Fixed effects"


def shows_correlation(summary: Summary) -> bool:
    """Whether the correlations of the fixed effects are printed."""
    p, wanted = len(summary.correlation), summary.shows_correlation
    if p < 2 or summary.correlation.isna().all(axis=None):
        return False
    return p <= MAX_CORRELATION if wanted is None else wanted


def heading(description: Description) -> str:
    """Method, family, formula, data."""
    lines = [
        textwrap.fill(description.method, WIDTH, subsequent_indent="  "),
        f" Family: {description.family}",
        textwrap.fill(
            f"Formula: {description.formula}",
            WIDTH,
            subsequent_indent="         ",
            break_long_words=False,
            break_on_hyphens=False,
        ),
        f"   Data: {description.data}",
    ]
    if description.weights:
        lines.append(f"Weights: {description.weights}")
    if description.priors:
        priors = f" Priors: {description.priors}"
        lines.append(textwrap.fill(priors, WIDTH, subsequent_indent="         "))
    return "\n".join(lines)


def criteria_line(criteria: pd.Series | None, places: int) -> str:
    """AIC and its like under their names; nothing for quasi-families."""
    if criteria is None:
        return ""
    cells = [f"{value:.{places}f}" for value in criteria.to_numpy()[:-1]]
    return text_table(list(criteria.index), [[*cells, f"{criteria.iloc[-1]:.0f}"]], left=())


def columns_of(values: pd.Series) -> str:
    """Numbers under their names, as many on a line as fit."""
    cells = numbers(values.to_numpy())
    width = max((display_width(text) for text in [*map(str, values.index), *cells]), default=0)
    per_line = max(1, (WIDTH + 1) // (width + 1))
    lines = []
    for first in range(0, len(cells), per_line):
        here = slice(first, first + per_line)
        lines.append(" ".join(padded(str(name), width) for name in values.index[here]))
        lines.append(" ".join(padded(cell, width) for cell in cells[here]))
    return "\n".join(lines)


def counts(n: int, n_groups: pd.Series) -> str:
    """lme4's line of the numbers of rows and levels."""
    groups = "; ".join(f"{name}, {size}" for name, size in n_groups.items())
    return f"Number of obs: {n}, groups:  {groups}"


def coefficient_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the coefficients, estimates and standard errors with equal decimals."""
    estimate, se, z, p = (table[name].to_numpy() for name in table)
    places = decimals(np.concatenate([estimate, se]), 4)
    columns = [
        list(map(str, table.index)),
        [number(value, places) for value in estimate],
        [number(value, places) for value in se],
        [number(value, 3) for value in z],
        p_values(p),
        stars(p),
    ]
    return ["", *table.columns, ""], [list(row) for row in zip(*columns, strict=True)]


def coefficient_text(table: pd.DataFrame) -> str:
    """The coefficients with significance codes."""
    if table.empty:
        return "(none)"
    header, rows = coefficient_cells(table)
    legend = f"\n---\n{LEGEND}" if any(row[-1] for row in rows) else ""
    return text_table(header, rows, left=(0, len(header) - 1)) + legend


def correlation_text(correlation: pd.DataFrame) -> str:
    """Lower triangle under abbreviated names, as many columns at a time as fit on a line."""
    names = list(map(str, correlation.index))
    rows, columns = abbreviations(names, LABEL_LENGTH), abbreviations(names, ABBREVIATION)
    # Rounded first, so that nothing prints as -0.000.
    cells = [[number(r, 3) for r in row] for row in np.round(correlation.to_numpy(), 3) + 0.0]
    label_width = max(map(display_width, rows))
    width = max(6, *map(display_width, columns[:-1])) + 1
    per_block = max(1, (WIDTH - label_width) // width)
    blocks = []
    for first in range(0, len(names) - 1, per_block):
        here = range(first, min(first + per_block, len(names) - 1))
        body = [
            [rows[i], *(cells[i][j] if j < i else "" for j in here)]
            for i in range(first + 1, len(names))
        ]
        blocks.append(text_table(["", *(columns[j] for j in here)], body, left=(0,)))
    return "\n".join(blocks)


def abbreviations(names: Sequence[str], length: int = ABBREVIATION) -> list[str]:
    """Names of about so many letters, as R's ``abbreviate``; longer where they would coincide."""
    lengths = [length] * len(names)
    while True:
        short = [abbreviate(name, size) for name, size in zip(names, lengths, strict=True)]
        longer = [
            size + (short.count(s) > 1 and size < len(name))
            for s, name, size in zip(short, names, lengths, strict=True)
        ]
        if longer == lengths:
            return short
        lengths = longer


def abbreviate(name: str, length: int = ABBREVIATION) -> str:
    """The name less its last lower-case vowels, then its last lower-case letters."""
    if name == "(Intercept)":
        return "(Intr)"
    letters = list(name)
    for is_expendable in ("aeiou".__contains__, str.islower):
        for i in reversed(range(1, len(letters))):
            if len(letters) > length and is_expendable(letters[i]):
                del letters[i]
    return "".join(letters)


def footer(description: Description, summary: Summary) -> str:
    """Dispersion, dropped columns and convergence, in words."""
    convergence = summary.convergence
    lines = [description.dispersion, ratio_line(summary)]
    if description.dropped:
        lines.append(f"Dropped, because other columns determine them: {description.dropped}")
    lines += [convergence_line(description, convergence), *convergence.messages]
    return "\n".join(textwrap.fill(line, WIDTH, break_long_words=False) for line in lines if line)


def ratio_line(summary: Summary) -> str:
    """Pearson's dispersion ratio, where the family has no dispersion of its own."""
    found = summary.dispersion_ratio
    if found is None:
        return ""
    p = p_values([found.p_value])[0]
    return (
        f"Pearson's dispersion ratio: {found.ratio:.4g} (chi-squared test against 1: p "
        f"{p if p.startswith('<') else f'= {p}'})"
    )


def convergence_line(description: Description, convergence: Convergence) -> str:
    """One sentence on how the optimisation ended."""
    verdict = "Converged" if convergence.ok else "NOT converged"
    if np.isnan(convergence.decrement):
        return f"{verdict} ({description.optimizer})."
    gain = max(convergence.decrement, SMALLEST_GAIN)
    less = "less than " if gain == SMALLEST_GAIN else ""
    return (
        f"{verdict} ({description.optimizer}): a further step would gain {less}{gain:.0e} in "
        "log-likelihood."
    )
