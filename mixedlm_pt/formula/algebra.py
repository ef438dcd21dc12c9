"""Expands ``a * b - a`` and its like into terms, in R's order and with R's labels."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from mixedlm_pt.formula.nodes import Binary, Node, Number, Paren, Unary, deparse, start
from mixedlm_pt.formula.tokens import syntax_error

_ALGEBRA = frozenset({"+", "-", "*", "/", ":", "^", "%in%"})

type SignedNode = tuple[int, Node]


@dataclass(frozen=True)
class Terms:
    """The terms of a linear predictor.

    Attributes
    ----------
    intercept : bool
    terms : tuple of tuples of Node
        Variables of every term; main effects first, then interactions by their order.
    """

    intercept: bool
    terms: tuple[tuple[Node, ...], ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """R's labels of the terms, without the intercept: ``("x", "f", "x:f")``."""
        return tuple(":".join(deparse(atom) for atom in term) for term in self.terms)

    @cached_property
    def atoms(self) -> Mapping[str, Node]:
        """Every variable of the terms by its R name."""
        return {deparse(atom): atom for term in self.terms for atom in term}


def summands(node: Node, sign: int = 1) -> Iterator[SignedNode]:
    """The pieces of a sum with their signs, parentheses around sums opened."""
    match node:
        case Binary(operator="+", left=left, right=right):
            yield from summands(left, sign)
            yield from summands(right, sign)
        case Binary(operator="-", left=left, right=right):
            yield from summands(left, sign)
            yield from summands(right, -sign)
        case Unary(operator="+", operand=operand):
            yield from summands(operand, sign)
        case Unary(operator="-", operand=operand):
            yield from summands(operand, -sign)
        case Paren(inner=inner) if not is_bar(inner):
            yield from summands(inner, sign)
        case _:
            yield sign, node


def expand_terms(pieces: list[SignedNode], text: str) -> Terms:
    """The terms of a signed sum; formulaic does the algebra of ``* / : ^ %in%`` and ``-``.

    Parameters
    ----------
    pieces : list of (sign, node)
    text : str
        The formula, for messages.

    Raises
    ------
    FormulaError
        For a number other than 0 and 1 as a term, and for an exponent that is no positive integer.
    """
    intercept = True
    # formulaic sees aliases v0, v1, ... only: R's names and calls are not always Python's.
    aliases: dict[str, int] = {}
    atoms: list[Node] = []

    def alias(node: Node) -> str:
        number = aliases.setdefault(deparse(node), len(atoms))
        if number == len(atoms):
            atoms.append(node)
        return f"v{number}"

    def translate(node: Node) -> str:
        match node:
            case Binary(operator="^", left=left, right=Number(value=power)) if is_count(power):
                return f"({translate(left)})**{power:.0f}"
            case Binary(operator="^", right=right):
                raise syntax_error("a term's exponent is a positive integer", text, start(right))
            case Binary(operator="%in%", left=left, right=right):
                # R's a %in% b is the interaction with all variables of b, without their effects.
                terms, cells = translate(left), re.findall(r"v\d+", translate(right))
                return f"({terms}):{':'.join(dict.fromkeys(cells))}"
            case Binary(operator=operator, left=left, right=right) if operator in _ALGEBRA:
                return f"(({translate(left)}){operator}({translate(right)}))"
            case Paren(inner=inner):
                return translate(inner)
            case Number(value=value):
                raise syntax_error(
                    f"{value:g} is not a term; 0 and 1 stand alone, for the intercept",
                    text,
                    node.position,
                )
        return alias(node)

    translated = []
    for sign, node in pieces:
        if isinstance(node, Number) and node.value in (0, 1):
            intercept = bool(node.value) == (sign > 0)
        else:
            translated.append(f"{'+' if sign > 0 else '-'} ({translate(node)})")
    # A sum of variables is its own expansion: most models need not wait for formulaic's import.
    is_sum = all(re.fullmatch(r"\+ \(v\d+\)", piece) for piece in translated)
    ranks = [(rank,) for rank in range(len(atoms))] if is_sum else _expanded(translated)
    unique = sorted(dict.fromkeys(ranks), key=len)
    return Terms(intercept, tuple(tuple(atoms[rank] for rank in term) for term in unique))


def _expanded(translated: list[str]) -> list[tuple[int, ...]]:
    """The variables of every term, by their numbers."""
    # The leading 0 gives a formula that starts with "-" something to be taken from.
    terms = _parser().get_terms(" ".join(["0", *translated]))
    return [
        tuple(sorted(int(factor.expr[1:]) for factor in term.factors))
        for term in getattr(terms, "root", terms)
    ]


@cache
def _parser() -> Any:
    """formulaic's parser; its import takes longer than many a fit."""
    from formulaic.parser import DefaultFormulaParser

    return DefaultFormulaParser(include_intercept=False)


def is_count(power: float) -> bool:
    """Whether a number is a positive integer."""
    return power >= 1 and power == int(power)


def is_bar(node: Node) -> bool:
    """Whether a node is the inside of a random-effects term."""
    return isinstance(node, Binary) and node.operator in ("|", "||")
