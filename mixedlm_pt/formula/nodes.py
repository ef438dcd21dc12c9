"""The syntax tree of a formula, and R's way of writing it back."""

from collections.abc import Iterator
from dataclasses import dataclass, field

# R's precedences, low to high; everything in a formula, at any depth, is read with this one table.
PRECEDENCE = {
    "~": 1,
    "|": 2,
    "||": 2,
    "&": 3,
    "&&": 3,
    "==": 5,
    "!=": 5,
    "<": 5,
    "<=": 5,
    ">": 5,
    ">=": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "%in%": 8,
    "%%": 8,
    "%/%": 8,
    ":": 9,
    "^": 11,
}
UNARY_PRECEDENCE = {"!": 4, "+": 10, "-": 10}
ATOM_PRECEDENCE = 12

# deparse() of R writes these without blanks.
TIGHT = frozenset({"/", ":", "^", "%%", "%/%"})


@dataclass(frozen=True)
class Node:
    """A piece of a formula and the place in the text where it starts."""

    position: int = field(compare=False, repr=False)


@dataclass(frozen=True)
class Name(Node):
    """A column, or a constant such as ``pi``."""

    name: str


@dataclass(frozen=True)
class Number(Node):
    """A numeric literal."""

    value: float


@dataclass(frozen=True)
class Text(Node):
    """A string literal."""

    value: str


@dataclass(frozen=True)
class Logical(Node):
    """``TRUE`` or ``FALSE``."""

    value: bool


@dataclass(frozen=True)
class Unary(Node):
    """``-x``, ``+x`` or ``!x``."""

    operator: str
    operand: Node


@dataclass(frozen=True)
class Binary(Node):
    """Two operands and the operator between them; ``position`` is the operator's."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Paren(Node):
    """A parenthesised expression."""

    inner: Node


@dataclass(frozen=True)
class Call(Node):
    """A function call; ``keywords`` pairs names with values."""

    function: str
    arguments: tuple[Node, ...]
    keywords: tuple[tuple[str, Node], ...] = ()


def deparse(node: Node) -> str:
    """The text of a node as R's ``deparse`` writes it: ``I(age^2)``, ``poly(x, 2)``."""
    match node:
        case Name(name=name):
            return name if _is_syntactic(name) else f"`{name}`"
        case Number(value=value):
            return f"{value:.15g}"
        case Text(value=value):
            return f'"{value}"'
        case Logical(value=value):
            return "TRUE" if value else "FALSE"
        case Paren(inner=inner):
            return f"({deparse(inner)})"
        case Unary(operator=operator, operand=operand):
            return operator + _wrapped(operand, UNARY_PRECEDENCE[operator])
        case Binary(operator=operator, left=left, right=right):
            level = PRECEDENCE[operator]
            # "^" groups to the right, everything else to the left.
            left_level, right_level = (level + 1, level) if operator == "^" else (level, level + 1)
            between = operator if operator in TIGHT else f" {operator} "
            return f"{_wrapped(left, left_level)}{between}{_wrapped(right, right_level)}"
        case Call(function=function, arguments=arguments, keywords=keywords):
            inside = [deparse(argument) for argument in arguments]
            inside += [f"{key} = {deparse(value)}" for key, value in keywords]
            return f"{function}({', '.join(inside)})"
    raise TypeError(f"not a formula node: {node!r}")


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below a node, left to right."""
    match node:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Paren(inner=inner):
            return (inner,)
        case Call(arguments=arguments, keywords=keywords):
            return (*arguments, *(value for _, value in keywords))
    return ()


def variables(node: Node) -> Iterator[Name]:
    """The names in a node that may be columns, left to right, with repetitions."""
    if isinstance(node, Name):
        yield node
    elif isinstance(node, Call) and node.function == "C":
        # C(f, sum): what follows the factor names a contrast, not a column.
        yield from variables(node.arguments[0])
    else:
        for child in children(node):
            yield from variables(child)


def start(node: Node) -> int:
    """The position of the first character of a node."""
    return start(node.left) if isinstance(node, Binary) else node.position


def _precedence(node: Node) -> int:
    match node:
        case Binary(operator=operator):
            return PRECEDENCE[operator]
        case Unary(operator=operator):
            return UNARY_PRECEDENCE[operator]
    return ATOM_PRECEDENCE


def _wrapped(node: Node, level: int) -> str:
    text = deparse(node)
    return f"({text})" if _precedence(node) < level else text


def _is_syntactic(name: str) -> bool:
    return name.replace(".", "_").isidentifier() and name[:1] != "_"
