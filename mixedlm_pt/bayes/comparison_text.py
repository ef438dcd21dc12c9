"""Columns in groups, a group a result: as text in blocks that fit a terminal, and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mixedlm_pt.tables import CAPTION_STYLE, CELL_STYLE, TABLE_STYLE, display_width, padded

WIDTH = 100
GAP = "   "


@dataclass(frozen=True)
class Group:
    """Columns of one result.

    Attributes
    ----------
    label : str
    header : tuple of str
    rows : tuple of tuples of str
        The cells, a tuple a row.
    """

    label: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self) -> list[str]:
        """Label, header and rows, all equally wide."""
        table = (self.header, *self.rows)
        widths = [max(map(display_width, column)) for column in zip(*table, strict=True)]
        lines = [" ".join(map(padded, row, widths)) for row in table]
        width = max(display_width(self.label), *map(display_width, lines[:1]))
        return [padded(self.label, width, to_left=True), *(padded(line, width) for line in lines)]


def blocks(names: Sequence[str], groups: Sequence[Group], width: int = WIDTH) -> list[list[Group]]:
    """Groups side by side as far as the width goes, then a new block."""
    found: list[list[Group]] = []
    first, used = max(map(display_width, names)), width + 1
    for group in groups:
        needed = len(GAP) + display_width(group.lines()[0])
        if used + needed > width:
            found.append([])
            used = first
        found[-1].append(group)
        used += needed
    return found


def text_block(names: Sequence[str], groups: Sequence[Group]) -> str:
    """One block of groups, the rows' names at its left."""
    first = max(map(display_width, names))
    left = [padded(name, first, to_left=True) for name in ("", "", *names)]
    columns = zip(left, *(group.lines() for group in groups), strict=True)
    return "\n".join(GAP.join(cells).rstrip() for cells in columns)


def html_block(names: Sequence[str], groups: Sequence[Group], caption: str = "") -> str:
    """The groups in a table with two lines of headers, without colours of its own."""
    side = f"text-align: right; {CELL_STYLE}"
    top = "".join(
        f'<th scope="colgroup" colspan="{len(group.header)}" '
        f'style="text-align: center; {CELL_STYLE}">{escape(group.label)}</th>'
        for group in groups
    )
    header = "".join(
        f'<th scope="col" style="{side}">{escape(cell)}</th>'
        for group in groups
        for cell in group.header
    )
    body = "".join(
        f'<tr><th scope="row" style="text-align: left; {CELL_STYLE}">{escape(name)}</th>'
        + "".join(
            f'<td style="{side}; white-space: nowrap">{escape(cell)}</td>'
            for group in groups
            for cell in group.rows[i]
        )
        + "</tr>"
        for i, name in enumerate(names)
    )
    title = caption and f'<caption style="{CAPTION_STYLE}">{escape(caption)}</caption>'
    return (
        f'<table class="dataframe" style="{TABLE_STYLE}">{title}'
        f"<thead><tr><th></th>{top}</tr><tr><th></th>{header}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
