"""The page docs/errors.md, made from the catalogue."""

import textwrap
from collections.abc import Iterable
from pathlib import Path

from tests.errors.case import ANYTHING, Case
from tests.errors.catalogue import AREAS, FAULTS
from tests.errors.setting import SAMPLED, SETTING

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

HEAD = Path(__file__).with_name("head.md")


def page() -> str:
    """The text of the page."""
    n_cases = sum(map(len, AREAS.values())) + len(FAULTS)
    head = HEAD.read_text().replace("{n_cases}", str(n_cases))
    parts = [head.replace("{setting}", SETTING + SAMPLED)]
    for title, cases in AREAS.items():
        parts += [f"### {title}\n", table(case_row(case) for case in cases)]
    rows = [f"* - {fault.what}\n  - {fault.seen}" for fault in FAULTS]
    parts += ["### Surroundings\n", table(rows, "What happens")]
    return "\n".join(parts)


def table(rows: Iterable[str], first: str = "You typed") -> str:
    """Rows of two cells as a table of MyST."""
    head = "````{list-table}\n:header-rows: 1\n:widths: 42 58\n:class: catalogue\n"
    return "\n".join([head, f"* - {first}\n  - You see", *rows, "````\n"])


def case_row(case: Case) -> str:
    """What was typed, under what is wrong with it; and class, message and what to do instead."""
    typed = f"{capital(case.what)}\n\n{block('python', case.typed)}"
    seen = message(case)
    if case.instead:
        seen += f"\n\nInstead:\n\n{block('python', case.instead)}"
    return f"* - {cell(typed)}\n  - {cell(seen)}"


def message(case: Case) -> str:
    """Class and message."""
    shown = case.message.replace(ANYTHING, "…")
    return f"`{case.error.__name__}`\n\n{block('text', shown)}"


def block(language: str, text: str) -> str:
    """A block of code; no line ends in blanks."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join([f"```{language}", *lines, "```"])


def cell(text: str) -> str:
    """The text indented as the contents of a cell, but for its first line."""
    return textwrap.indent(text, " " * 4, lambda line: bool(line.strip())).lstrip()


def capital(text: str) -> str:
    """The text as the beginning of a line."""
    return text[0].upper() + text[1:]
