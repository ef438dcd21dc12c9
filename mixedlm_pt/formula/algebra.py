"""Expands ``a * b - a`` and its like into terms, in R's order and with R's labels."""

from collections.abc import Iterator
from dataclasses import dataclass

from formulaic.parser import DefaultFormulaParser

from mixedlm_pt.formula.nodes import Binary, Node, Number, Paren, Unary, deparse, start
from mixedlm_pt.formula.tokens import syntax_error

_ALGEBRA = frozenset({"+", "-", "*", "/", ":", "^", "%in%"})
_PARSER = DefaultFormulaParser(include_intercept=False)

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

    @property
    def labels(self) -> tuple[str, ...]:
        """R's labels of the terms, without the intercept: ``("x", "f", "x:f")``."""
        return tuple(":".join(deparse(atom) for atom in term) for term in self.terms)

    @property
    def atoms(self) -> dict[str, Node]:
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
        For a number other than 0 and 1 as a term, and for an operator that builds no terms.
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
            case Binary(operator="^", left=left, right=Number(value=power)) if power >= 1:
                return f"({translate(left)})**{power:.0f}"
            case Binary(operator="^", right=right):
                raise syntax_error("a term's exponent is a positive integer", text, start(right))
            case Binary(operator="%in%", left=left, right=right):
                # R's a %in% b is the interaction alone, formulaic's has the main effect of b too.
                return f"({translate(left)}):({translate(right)})"
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
    # The leading 0 gives a formula that starts with "-" something to be taken from.
    expanded = _PARSER.get_terms(" ".join(["0", *translated])) if translated else ()
    ranks = [
        tuple(sorted(int(factor.expr[1:]) for factor in term.factors))
        for term in getattr(expanded, "root", expanded)
    ]
    unique = sorted(dict.fromkeys(ranks), key=len)
    return Terms(intercept, tuple(tuple(atoms[rank] for rank in term) for term in unique))


def is_bar(node: Node) -> bool:
    """Whether a node is the inside of a random-effects term."""
    return isinstance(node, Binary) and node.operator in ("|", "||")
