"""R's ``update``: a formula in which a dot stands for what was there before."""

from dataclasses import replace

from mixedlm_pt.formula.formula import parse_formula, right_hand_side, two_sides
from mixedlm_pt.formula.nodes import Binary, Call, Name, Node, Paren, Unary, deparse
from mixedlm_pt.formula.parser import parse_expression


def update_formula(old: str, new: str) -> str:
    """The formula ``old`` changed as ``new`` says.

    Parameters
    ----------
    old : str
    new : str
        A dot stands for the old response or the old predictors: ``". ~ . + z - (1 | g)"``. Without
        a left-hand side the response stays.

    Raises
    ------
    FormulaError
        When one of them cannot be read.

    Examples
    --------
    >>> update_formula("y ~ x + (1 | g)", ". ~ . + z - x")
    'y ~ z + (1 | g)'
    """
    if new.lstrip().startswith("~"):
        new = f". {new.lstrip()}"
    response, predictors = two_sides(parse_expression(old), old)
    new_response, new_predictors = two_sides(parse_expression(new), new)
    left = _without_dot(new_response, response)
    right = _without_dot(new_predictors, Paren(0, predictors))
    text = f"{deparse(left)} ~ {deparse(right)}"
    parts = right_hand_side(right, text)
    pieces = [] if parts.fixed.intercept else ["0"]
    pieces += parts.fixed.labels
    if not pieces:
        pieces = ["1"]
    pieces += [f"offset({deparse(offset)})" for offset in parts.offsets]
    pieces += [f"({deparse(bar)})" for bar in parts.bars]
    is_unchanged = isinstance(new_response, Name) and new_response.name == "."
    kept = parse_formula(old).response_text if is_unchanged else deparse(left)
    return f"{kept} ~ {' + '.join(pieces)}"


def _without_dot(node: Node, previous: Node) -> Node:
    match node:
        case Name(name="."):
            return previous
        case Binary(left=left, right=right):
            return replace(
                node, left=_without_dot(left, previous), right=_without_dot(right, previous)
            )
        case Unary(operand=operand):
            return replace(node, operand=_without_dot(operand, previous))
        case Paren(inner=inner):
            return replace(node, inner=_without_dot(inner, previous))
        case Call(arguments=arguments):
            return replace(
                node, arguments=tuple(_without_dot(item, previous) for item in arguments)
            )
    return node
