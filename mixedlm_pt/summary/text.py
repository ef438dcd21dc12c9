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
    number,
    numbers,
    p_values,
    stars,
    text_table,
)

if TYPE_CHECKING:
    from mixedlm_pt.summary.summary import Summary

# As lme4: with more coefficients their correlations are left out of the text.
MAX_CORRELATION = 12
ABBREVIATION = 6
# Rounding error decides about smaller ones.
SMALLEST_GAIN = 1e-9


def summary_text(summary: Summary) -> str:
    """The blocks of a summary."""
    description, varcorr = summary.description, summary.varcorr
    blocks = [heading(description), criteria_line(summary.criteria, 1)]
    residuals = [f"{value:.4f}" for value in summary.scaled_residuals]
    names = list(summary.scaled_residuals.index)
    blocks.append("Scaled residuals:\n" + text_table(names, [residuals], left=()))
    if varcorr.terms:
        blocks.append(
            f"Random effects:\n{varcorr.text(with_variance=True)}\n"
            f"{counts(description.n, summary.n_groups)}"
        )
    blocks.append("Fixed effects:\n" + coefficient_text(summary.coefficients))
    if 1 < len(summary.correlation) <= MAX_CORRELATION and not summary.correlation.isna().all(
        axis=None
    ):
        blocks.append("Correlation of Fixed Effects:\n" + correlation_text(summary.correlation))
    blocks.append(footer(description, summary.convergence))
    return "\n\n".join(block for block in blocks if block)


def heading(description: Description) -> str:
    """Method, family, formula, data."""
    lines = [
        textwrap.fill(description.method, WIDTH, subsequent_indent="  "),
        f" Family: {description.family}",
        f"Formula: {description.formula}",
        f"   Data: {description.data}",
    ]
    if description.weights:
        lines.append(f"Weights: {description.weights}")
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
    width = max(len(text) for text in [*map(str, values.index), *cells])
    per_line = max(1, (WIDTH + 1) // (width + 1))
    lines = []
    for first in range(0, len(cells), per_line):
        here = slice(first, first + per_line)
        lines.append(" ".join(str(name).rjust(width) for name in values.index[here]))
        lines.append(" ".join(cell.rjust(width) for cell in cells[here]))
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
    """Lower triangle, with abbreviated names above the columns."""
    names = list(map(str, correlation.index))
    short = abbreviations(names)[:-1]
    values = correlation.to_numpy()
    rows = [
        [name, *(number(r, 3) for r in values[i, :i]), *[""] * (len(short) - i)]
        for i, name in enumerate(names)
        if i
    ]
    return text_table(["", *short], rows, left=(0,))


def abbreviations(names: Sequence[str]) -> list[str]:
    """Names of about six letters, as R's ``abbreviate``; long ones where they would coincide."""
    short = [abbreviate(name) for name in names]
    return [s if short.count(s) == 1 else name for s, name in zip(short, names, strict=True)]


def abbreviate(name: str) -> str:
    """The name less its last lower-case vowels, then its last lower-case letters."""
    if name == "(Intercept)":
        return "(Intr)"
    letters = list(name)
    for is_expendable in ("aeiou".__contains__, str.islower):
        for i in reversed(range(1, len(letters))):
            if len(letters) > ABBREVIATION and is_expendable(letters[i]):
                del letters[i]
    return "".join(letters)


def footer(description: Description, convergence: Convergence) -> str:
    """Dispersion, dropped columns and convergence, in words."""
    lines = [description.dispersion]
    if description.dropped:
        lines.append(f"Dropped, because other columns determine them: {description.dropped}")
    lines += [convergence_line(description, convergence), *convergence.messages]
    return "\n".join(textwrap.fill(line, WIDTH) for line in lines if line)


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
