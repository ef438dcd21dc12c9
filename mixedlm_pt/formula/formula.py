"""A model formula taken apart: response, fixed part, offsets and random-effects terms."""

from dataclasses import dataclass
from functools import lru_cache

from mixedlm_pt.formula.algebra import SignedNode, Terms, expand_terms, is_bar, summands
from mixedlm_pt.formula.bars import Bar, expand_bar
from mixedlm_pt.formula.nodes import (
    Binary,
    Call,
    Node,
    Paren,
    children,
    deparse,
    start,
)
from mixedlm_pt.formula.parser import parse_expression
from mixedlm_pt.formula.tokens import syntax_error

# Refits, updates and simulations read the same few formulas again and again.
CACHE_SIZE = 256


@dataclass(frozen=True)
class Formula:
    """A parsed model formula.

    Attributes
    ----------
    text : str
        As the user wrote it.
    response : Node
    response_text : str
        The response as written, ``"incidence / size"``.
    fixed : Terms
    offsets : tuple of Node
        Arguments of the ``offset()`` calls, to be added up.
    bars : tuple of Bar
        Random-effects terms in the order written, ``||``, ``/`` and ``*`` expanded.
    """

    text: str
    response: Node
    response_text: str
    fixed: Terms
    offsets: tuple[Node, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class RightHandSide:
    """The predictors of a formula by their kind; bars as written, not expanded."""

    fixed: Terms
    offsets: tuple[Node, ...]
    bars: tuple[Binary, ...]


def parse_formula(text: str) -> Formula:
    """The parts of a model formula.

    Parameters
    ----------
    text : str
        For example ``"incidence / size ~ period + (1 | herd)"``.

    Raises
    ------
    FormulaError
        When the text is no formula; the message marks the position.
    """
    # What is no text may not be hashable; it gets the parser's message.
    return _parsed(text) if isinstance(text, str) else _parsed.__wrapped__(text)


@lru_cache(maxsize=CACHE_SIZE)
def _parsed(text: str) -> Formula:
    tree = parse_expression(text)
    response, predictors = two_sides(tree, text)
    if is_bar(response):
        raise syntax_error(
            "'|' in the response; write successes / trials or cbind(successes, failures)",
            text,
            response.position,
        )
    parts = right_hand_side(predictors, text)
    return Formula(
        text=text,
        response=response,
        response_text=text[: tree.position].strip(),
        fixed=parts.fixed,
        offsets=parts.offsets,
        bars=tuple(expanded for bar in parts.bars for expanded in expand_bar(bar, text)),
    )


def parse_random(text: str) -> tuple[Bar, ...]:
    """The random-effects terms of a one-sided formula, ``"~ (1 | g)"``; none for ``"~ 0"``.

    Raises
    ------
    FormulaError
        When there is anything but random-effects terms.
    """
    body = text.lstrip().removeprefix("~")
    parts = right_hand_side(parse_expression(body), body)
    if parts.fixed.terms or parts.offsets:
        named = parts.fixed.labels[0] if parts.fixed.terms else "offset()"
        raise syntax_error(
            f"{named} is no random-effects term; this formula takes only terms such as (1 | g)",
            body,
            0,
        )
    return tuple(expanded for bar in parts.bars for expanded in expand_bar(bar, body))


def right_hand_side(node: Node, text: str) -> RightHandSide:
    """The pieces of the predictors sorted by their kind; ``text`` is for messages."""
    fixed: list[SignedNode] = []
    offsets: list[tuple[int, Node]] = []
    bars: list[tuple[int, Binary]] = []
    for sign, piece in summands(node):
        match piece:
            case Paren(inner=Binary() as bar) if is_bar(bar):
                bars.append((sign, bar))
            case Call(function="offset", arguments=(argument,), keywords=()):
                offsets.append((sign, argument))
            case Call(function="offset"):
                raise syntax_error("offset() takes one argument", text, piece.position)
            case _:
                _refuse_bars(piece, text)
                fixed.append((sign, piece))
    return RightHandSide(
        expand_terms(fixed, text), tuple(_remaining(offsets)), tuple(_remaining(bars))
    )


def two_sides(tree: Node, text: str) -> tuple[Node, Node]:
    """The nodes on the left and on the right of the ``~``."""
    match tree:
        case Binary(operator="~", left=Binary(operator="~", position=place)):
            raise syntax_error("a formula has one '~'", text, place)
        case Binary(operator="~", left=left, right=right):
            return left, right
    raise syntax_error(
        "a formula needs a response and a '~': write 'y ~ x + (1 | g)'", text, len(text.rstrip())
    )


def _remaining[T: Node](pieces: list[tuple[int, T]]) -> list[T]:
    """The added pieces less the subtracted ones, as ``. ~ . - (1 | g)`` wants it."""
    kept: list[T] = []
    for sign, piece in pieces:
        if sign > 0:
            kept.append(piece)
        else:
            kept = [other for other in kept if deparse(other) != deparse(piece)]
    return kept


def _refuse_bars(piece: Node, text: str) -> None:
    """Reject bars where no random-effects term can be: loose, in a product or in a call."""
    if is_bar(piece):
        raise syntax_error(
            "'|' outside parentheses; write a random-effects term as (x | g)", text, piece.position
        )
    match piece:
        case Call(function=function, arguments=(Binary() as only,)) if (
            is_bar(only) and function != "I"
        ):
            raise syntax_error(
                f"{function}() is not a known covariance structure; write ({deparse(only)})",
                text,
                piece.position,
            )
        case Call():
            return
        case Paren(inner=Binary() as inner) if is_bar(inner):
            raise syntax_error(
                "a random-effects term can only be added or subtracted", text, start(piece)
            )
    for child in children(piece):
        _refuse_bars(child, text)
