"""Variance functions given as text: a small safe grammar in ``mu``, never ``eval``."""

import ast
from collections.abc import Callable

import pytensor.tensor as pt

from mixedlm_pt._typing import Vector
from mixedlm_pt.errors import ArgumentError

type VarianceFunction = Callable[[Vector], Vector]

OPERATORS: dict[type[ast.operator], Callable[[Vector, Vector], Vector]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
FUNCTIONS: dict[str, VarianceFunction] = {"exp": pt.exp, "log": pt.log, "sqrt": pt.sqrt}


def parse_variance(text: str) -> VarianceFunction:
    """The function of a symbolic mean that ``text`` writes, such as ``"mu^1.5"``.

    The grammar is ``mu``, numbers, ``+ - * / ^ **``, parentheses, ``exp``, ``log`` and ``sqrt``;
    R's ``"constant"`` and ``"mu(1-mu)"`` are understood.

    Raises
    ------
    ArgumentError
        If the text has anything else; the message names the first such piece.
    """
    source = "1" if text.strip() == "constant" else text.strip().replace("^", "**")
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError as problem:
        raise ArgumentError(f"variance_func {text!r} cannot be read: {problem.msg}.") from None
    return _function(tree.body, text, source)


def _function(node: ast.expr, text: str, source: str) -> VarianceFunction:
    """The function written by one node of the syntax tree."""
    match node:
        case ast.Name(id="mu"):
            return lambda mu: mu
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            # Without a dtype 2.0 would be single precision, and so would sqrt(2).
            constant = pt.constant(float(number), dtype="float64")
            return lambda mu: constant
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            apply = OPERATORS[type(operator)]
            a, b = _function(left, text, source), _function(right, text, source)
            return lambda mu: apply(a(mu), b(mu))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _function(operand, text, source)
            return lambda mu: -inner(mu)
        case ast.Call(func=ast.Name(id="mu"), args=[argument], keywords=[]):
            factor = _function(argument, text, source)
            return lambda mu: mu * factor(mu)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            outer, inside = FUNCTIONS[name], _function(argument, text, source)
            return lambda mu: outer(inside(mu))
    piece = ast.get_source_segment(source, node)
    raise ArgumentError(
        f"variance_func {text!r} contains {piece!r}; allowed are mu, numbers, + - * / ^, "
        f"parentheses and {', '.join(FUNCTIONS)}."
    )
