"""Scalar Ops of PyTensor as instructions."""

from collections.abc import Callable
from functools import cache, reduce
from operator import add, and_, ge, gt, invert, le, lt, mul, neg, or_, sub, truediv
from typing import Any

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.elemwise import DimShuffle, Elemwise

from mixedlm_pt.compile import arithmetic
from mixedlm_pt.compile.arithmetic import Double, Truth
from mixedlm_pt.families.scalar import LogNdtr, Mills, SpecialFunction

type Value = Double | Truth
type Instructions = Callable[..., Value]


def chain(function: Callable[[Any, Any], Any]) -> Instructions:
    """A function of two values applied to any number of them, from the left."""
    return lambda *values: reduce(function, values)


INSTRUCTIONS: dict[type, Instructions] = {
    ps.Add: chain(add),
    ps.Mul: chain(mul),
    ps.Sub: sub,
    ps.TrueDiv: truediv,
    ps.Neg: neg,
    ps.Abs: abs,
    ps.Sqr: lambda x: x * x,
    ps.Sqrt: lambda x: x.intrinsic("sqrt"),
    ps.Reciprocal: lambda x: 1.0 / x,
    ps.Exp: arithmetic.exp,
    ps.Expm1: arithmetic.expm1,
    ps.Log: arithmetic.log,
    ps.Log1p: arithmetic.log1p,
    ps.Tanh: arithmetic.tanh,
    ps.Sigmoid: arithmetic.sigmoid,
    ps.Softplus: arithmetic.softplus,
    ps.Log1mexp: arithmetic.log1mexp,
    ps.Erfcx: arithmetic.erfcx,
    LogNdtr: arithmetic.log_ndtr,
    Mills: arithmetic.mills,
    ps.Maximum: chain(Double.maximum),
    ps.Minimum: chain(Double.minimum),
    ps.Switch: Truth.select,
    ps.Second: lambda _, value: value,
    ps.LT: lt,
    ps.LE: le,
    ps.GT: gt,
    ps.GE: ge,
    ps.EQ: lambda x, y: x.compare("oeq", y),
    ps.NEQ: lambda x, y: x.compare("une", y),
    ps.AND: chain(and_),
    ps.OR: chain(or_),
    ps.Invert: invert,
}


def instructions(node: Apply) -> Instructions | None:
    """What an elementwise node does to each element; None if that needs a library function."""
    scalar_op = node.op.scalar_op
    types = {variable.type.dtype for variable in node.inputs if not is_single(variable)}
    if not types <= {"float64", "bool", "int8", "int64"}:
        return None
    if node.outputs[0].type.dtype == "bool":
        known = (ps.LT, ps.LE, ps.GT, ps.GE, ps.EQ, ps.NEQ, ps.AND, ps.OR, ps.Invert)
        return INSTRUCTIONS[type(scalar_op)] if isinstance(scalar_op, known) else None
    if node.outputs[0].type.dtype != "float64":
        return None
    if isinstance(scalar_op, ps.Pow):
        return constant_power(node.inputs[1])
    if isinstance(scalar_op, SpecialFunction) and type(scalar_op) not in INSTRUCTIONS:
        return expansion(scalar_op)
    return INSTRUCTIONS.get(type(scalar_op))


def is_single(variable: Variable) -> bool:
    """Whether it is one real number; PyTensor keeps constants in the shortest exact type."""
    return all(variable.type.broadcastable) and variable.type.dtype.startswith(("float", "int"))


def constant(variable: Variable) -> float | None:
    """The value of a constant of one number, in whatever shape; None of another variable."""
    while variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        variable = variable.owner.inputs[0]
    if isinstance(variable, Constant) and getattr(variable.data, "size", 0) == 1:
        return float(variable.data.item())
    return None


def constant_power(exponent: Variable) -> Instructions | None:
    """A power whose exponent is a constant that needs no logarithm."""
    number = constant(exponent)
    if number is None:
        return None
    is_simple = number == 0.5 or (number == int(number) and 0 < abs(number) <= 16)
    return (lambda x, _: arithmetic.power(x, number)) if is_simple else None


@cache
def expansion(function: SpecialFunction) -> Instructions | None:
    """A special function by its own expansion in standard Ops."""
    x = pt.dvector()
    result = function.expand(x)
    if result is None:
        return None
    nodes = [node for node in toposort([result]) if constant(node.outputs[0]) is None]
    steps = [
        (node, instructions(node) if isinstance(node.op, Elemwise) else None) for node in nodes
    ]
    if any(step is None for _, step in steps):
        return None

    def apply(value: Double) -> Value:
        known: dict[Variable, Any] = {x: value}
        for node, step in steps:
            assert step is not None
            arguments = [known[v] if v in known else constant(v) for v in node.inputs]
            known[node.outputs[0]] = step(*arguments)
        found: Value = known[result]
        return found

    return apply
