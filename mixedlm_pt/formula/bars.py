"""Random-effects terms: ``(x || g)`` and ``(1 | a/b)`` written out as lme4 understands them."""

from collections.abc import Iterator
from dataclasses import dataclass

from mixedlm_pt.formula.algebra import Terms, expand_terms, is_bar, summands
from mixedlm_pt.formula.nodes import (
    Binary,
    Call,
    Name,
    Node,
    Paren,
    Unary,
    deparse,
    start,
)
from mixedlm_pt.formula.tokens import syntax_error


@dataclass(frozen=True)
class Group:
    """A grouping factor as the formula names it.

    Attributes
    ----------
    name : str
        lme4's name: ``"herd"``, ``"period:herd"``, ``"c:(b:a)"`` for the last of ``a/b/c``.
    parts : tuple of Node
        The factors whose combinations are the levels, the slowest first.
    """

    name: str
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Bar:
    """One ``(expr | group)`` term after expansion; ``label`` is ``"0 + x | g"``."""

    label: str
    terms: Terms
    group: Group


def expand_bar(bar: Binary, text: str) -> Iterator[Bar]:
    """The terms that one bar stands for: ``||`` splits the left side, ``/`` and ``*`` the right.

    Raises
    ------
    FormulaError
        For a grouping factor that is neither a column, a call nor a combination of such.
    """
    pieces = list(summands(bar.left))
    for _, piece in pieces:
        if is_bar(piece.inner if isinstance(piece, Paren) else piece):
            raise syntax_error(
                "a random-effects term has one '|'; add terms up, (1 | g) + (1 | h)",
                text,
                start(piece),
            )
    terms = expand_terms(pieces, text)
    sides = [(deparse(bar.left), terms)] if bar.operator == "|" else list(_uncorrelated(terms))
    if not terms.intercept and not terms.terms:
        raise syntax_error(
            "the random-effects term has no effects; write (1 | g) or (0 + x | g)",
            text,
            start(bar.left),
        )
    for group in _expand_group(bar.right, text):
        for side, side_terms in sides:
            yield Bar(f"{side} | {group.name}", side_terms, group)


def _uncorrelated(terms: Terms) -> Iterator[tuple[str, Terms]]:
    if terms.intercept:
        yield "1", Terms(True, ())
    for label, term in zip(terms.labels, terms.terms, strict=True):
        yield f"0 + {label}", Terms(False, (term,))


def _expand_group(node: Node, text: str) -> list[Group]:
    return [_group(expanded) for expanded in _expand_nesting(node, text)]


def _expand_nesting(node: Node, text: str) -> list[Node]:
    """The grouping factors of ``a/b`` (lme4's ``b:a`` before ``a``), ``a*b`` and ``a:b``."""
    match node:
        case Paren(inner=inner):
            return _expand_nesting(inner, text)
        case Binary(operator="/", left=left, right=right, position=place):
            outer = _expand_nesting(left, text)
            inside = _expand_nesting(right, text)
            return [Binary(place, ":", factor, outer[0]) for factor in inside] + outer
        case Binary(operator="*", left=left, right=right, position=place):
            first, second = _expand_nesting(left, text), _expand_nesting(right, text)
            both = [Binary(place, ":", a, b) for a in first for b in second]
            return first + second + both
        case Binary(operator=":", left=left, right=right, position=place):
            return [
                Binary(place, ":", a, b)
                for a in _expand_nesting(left, text)
                for b in _expand_nesting(right, text)
            ]
        case Name() | Call():
            return [node]
    is_sum = isinstance(node, Binary | Unary)
    hint = "; write one term for each factor" if is_sum else "; name a column"
    raise syntax_error(f"{deparse(node)} is not a grouping factor{hint}", text, start(node))


def _group(node: Node) -> Group:
    # lme4 names a group by its bare symbol, without the backticks of an expression.
    name = node.name if isinstance(node, Name) else deparse(node)
    return Group(name, tuple(_parts(node)))


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, Binary):
        yield from _parts(node.left)
        yield from _parts(node.right)
    else:
        yield node
