"""Numbers and tables as text and as HTML, aligned whatever the names are."""

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

# Of lines of prose.
WIDTH = 80
# Small numbers beside large ones: beyond this many decimals a column changes to exponents.
MAX_DECIMALS = 7
# R prints smaller p-values with an exponent, and "< 2e-16" below the machine precision.
P_FIXED = 1e-4
P_SMALLEST = 2.2e-16

LEGEND = "Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1"  # noqa: RUF001
# Inherited, because tables of pages without a document type have black text of their own.
TABLE_STYLE = "color: inherit; font-size: inherit; margin: 0.8em 0"
CELL_STYLE = "padding: 0.15em 0.5em"
CAPTION_STYLE = "caption-side: top; text-align: left; color: inherit"
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))


def decimals(values: Iterable[float], digits: int) -> int | None:
    """Decimals at which the smallest number has ``digits`` significant ones; None if too many."""
    sizes = np.abs(np.asarray(list(values), np.float64))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0.0)]
    if not sizes.size:
        return digits
    needed = max(0, digits - 1 - int(np.floor(np.log10(sizes.min()))))
    return needed if needed <= MAX_DECIMALS and sizes.max() < 10.0**MAX_DECIMALS else None


def numbers(values: Iterable[float], digits: int = 4) -> list[str]:
    """Numbers with common decimals, as R's ``format(x, digits)``."""
    values = [float(value) for value in values]
    places = decimals(values, digits)
    return [number(value, places, digits) for value in values]


def number(value: float, places: int | None, digits: int = 4) -> str:
    """One number with so many decimals, or with an exponent for None."""
    if np.isnan(value):
        return "NaN"
    if places is None:
        return f"{value:.{digits - 1}e}" if value else "0"
    return f"{value:.{places}f}"


def p_values(values: Iterable[float], digits: int = 3) -> list[str]:
    """P-values as R prints them."""
    values = [float(value) for value in values]
    places = decimals([value for value in values if value >= P_FIXED], digits)
    return [p_value(value, digits if places is None else places, digits) for value in values]


def p_value(value: float, places: int, digits: int) -> str:
    """One p-value with so many decimals."""
    if not value < P_FIXED:
        return number(value, places)
    return f"{value:.{digits - 1}e}" if value >= P_SMALLEST else "< 2e-16"


def stars(values: Iterable[float]) -> list[str]:
    """R's significance codes."""
    return [next((mark for limit, mark in STARS if value < limit), "") for value in values]


def display_width(text: str) -> int:
    """Columns that a text takes in a terminal: two for wide letters, none for combining ones."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def padded(text: str, width: int, to_left: bool = False) -> str:
    """A text filled with spaces to a display width, aligned to the right or to the left."""
    spaces = " " * (width - display_width(text))
    return f"{text}{spaces}" if to_left else f"{spaces}{text}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Iterable[int]) -> str:
    """Columns aligned to the right, those in ``left`` to the left."""
    widths = [max(map(display_width, column)) for column in zip(header, *rows, strict=True)]
    to_left = set(left)
    lines = [
        " ".join(
            padded(cell, width, j in to_left)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join(lines)


def html_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Iterable[int],
    caption: str = "",
    row_headers: bool = True,
) -> str:
    """A table in HTML without colours of its own, so that it suits dark and light pages."""
    to_left = set(left)

    def cell(j: int, content: str, scope: str = "") -> str:
        side = "left" if j in to_left else "right"
        start, end = (f'th scope="{scope}"', "th") if scope else ("td", "td")
        return f'<{start} style="text-align: {side}; {CELL_STYLE}">{escape(content)}</{end}>'

    def line(cells: Sequence[str], scopes: Sequence[str]) -> str:
        filled = map(cell, range(len(cells)), cells, scopes)
        return f"<tr>{''.join(filled)}</tr>"

    columns, others = ["col"] * len(header), [""] * len(header)
    scopes = ["row", *others[1:]] if row_headers else others
    body = "".join(line(row, scopes) for row in rows)
    title = caption and f'<caption style="{CAPTION_STYLE}">{escape(caption)}</caption>'
    return (
        f'<table class="dataframe" style="{TABLE_STYLE}">{title}'
        f"<thead>{line(header, columns)}</thead><tbody>{body}</tbody></table>"
    )
