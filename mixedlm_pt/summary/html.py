"""A summary as HTML: plain tables without colours of their own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from mixedlm_pt.summary.text import (
    coefficient_cells,
    convergence_line,
    counts,
    fixed_effects_title,
    ratio_line,
)
from mixedlm_pt.tables import html_table

if TYPE_CHECKING:
    from mixedlm_pt.summary.summary import Summary


def summary_html(summary: Summary) -> str:
    """The blocks of a summary, less the correlations of the fixed effects."""
    description, convergence = summary.description, summary.convergence
    parts = [
        f"<p><strong>{escape(description.method)}</strong><br>"
        f"Family: {escape(description.family)}<br>"
        f"Formula: <code>{escape(description.formula)}</code><br>"
        f"Data: {escape(description.data)}</p>"
    ]
    header, rows = coefficient_cells(summary.coefficients)
    title = fixed_effects_title(summary)
    parts.append(html_table(header, rows, left=(0, len(header) - 1), caption=title))
    if summary.varcorr.terms:
        parts.append(summary.varcorr.html(caption="Random effects"))
        parts.append(paragraphs([counts(description.n, summary.n_groups)]))
    if summary.criteria is not None:
        values = [f"{value:.1f}" for value in summary.criteria.to_numpy()[:-1]]
        values.append(f"{summary.criteria.iloc[-1]:.0f}")
        parts.append(html_table(list(summary.criteria.index), [values], (), row_headers=False))
    dropped = description.dropped and f"Dropped (others determine them): {description.dropped}"
    ended = convergence_line(description, convergence)
    priors = description.priors and f"Priors: {description.priors}"
    lines = [priors, description.dispersion, ratio_line(summary), dropped, ended]
    parts.append(paragraphs([*lines, *convergence.messages]))
    return f'<div class="mixedlm-pt">{"".join(parts)}</div>'


def paragraphs(lines: Sequence[str]) -> str:
    """One paragraph a line, empty lines left out."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)
