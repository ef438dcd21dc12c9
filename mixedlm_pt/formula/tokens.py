"""Splits the text of a formula into tokens that know their position."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mixedlm_pt.errors import FormulaError

_PATTERN = re.compile(
    r"""
      (?P<blank>\s+)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>(?:[^\W\d]|\.)[\w.]*)
    | (?P<quoted>`[^`]*`)
    | (?P<string>"[^"]*"|'[^']*')
    | (?P<operator>%in%|%%|%/%|\*\*|\|\||&&|==|!=|<=|>=|[-~+*/^:|&<>!(),=])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of text; ``kind`` is number, name, string, operator or end."""

    kind: str
    text: str
    position: int


def syntax_error(message: str, text: str, position: int) -> FormulaError:
    """A FormulaError that shows the formula with a caret below the offending character."""
    line = re.sub(r"\s", " ", text)
    return FormulaError(f"{message}\n    {line}\n    {' ' * position}^")


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of a formula, the last of kind ``"end"``.

    Raises
    ------
    FormulaError
        For a character that starts no token, and for a quote that is not closed.
    """
    position = 0
    while position < len(text):
        found = _PATTERN.match(text, position)
        if found is None:
            raise syntax_error(_complaint(text[position]), text, position)
        kind, piece = str(found.lastgroup), found.group()
        if kind == "quoted":
            if piece == "``":
                raise syntax_error("empty name between backticks", text, position)
            yield Token("name", piece[1:-1], position)
        elif piece == "**":
            # R's parser, too, turns ** into ^.
            yield Token("operator", "^", position)
        elif kind != "blank":
            yield Token(kind, piece, position)
        position = found.end()
    yield Token("end", "", len(text.rstrip()))


def _complaint(character: str) -> str:
    if character in "`\"'":
        return f"the quote {character} is not closed"
    if character in "[]{}$@":
        return (
            f"{character!r} cannot be used in a formula; compute the column first and "
            "name it, or quote an unusual name with backticks"
        )
    return f"unexpected character {character!r}"
