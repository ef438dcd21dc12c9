"""A function of loops over arrays, written in Python, as LLVM code.

The functions are a small part of Python: assignments to numbers and to single elements of arrays,
``for`` over ``range``, ``while``, ``if``, arithmetic, comparisons, ``len``, ``x.shape[0]``,
``float``, ``min``, ``max``, ``np.sqrt``, ``np.log`` and calls of other such functions. Integers
are 64 bits wide, indices are not negative, arrays are C-contiguous and do not overlap. A variable
keeps the type that it has first. The same source runs in Python and through numba, which supports
all this and much more, but takes a second to import and compile where this takes some ten
milliseconds.
"""

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir

INT, FLOAT, BOOL = ir.IntType(64), ir.DoubleType(), ir.IntType(1)
# Products may be fused with sums, and the terms of a sum taken in another order.
FREE = ("contract", "reassoc")
INT_OPERATIONS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.FloorDiv: "sdiv",
    ast.Mod: "srem",
}
FLOAT_OPERATIONS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
COMPARISONS = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
RETURNS = {"float": FLOAT, "int": INT, "None": ir.VoidType()}


@dataclass(frozen=True)
class ArrayType:
    """An array argument: its element type, and the dimensions that are part of the type.

    Attributes
    ----------
    is_float : bool
    dims : tuple of int
        Known sizes; -1 where the size is an argument.
    """

    is_float: bool
    dims: tuple[int, ...]


type ArgumentType = ArrayType | type[int] | type[float]


@dataclass(frozen=True)
class Array:
    """An array inside a function."""

    type: ArrayType
    pointer: Any
    dims: tuple[Any, ...]


def argument_types(kind: ArgumentType) -> list[ir.Type]:
    """LLVM types of one Python argument: an array is its address and all its sizes."""
    if isinstance(kind, ArrayType):
        element = FLOAT if kind.is_float else INT
        return [element.as_pointer(), *[INT] * len(kind.dims)]
    return [FLOAT if kind is float else INT]


@cache
def definition(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function."""
    # As `inspect.getsource` does, but without a look at every module of the process.
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    source = "".join(inspect.getblock(lines[code.co_firstlineno - 1 :]))
    tree = ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


class Translation:
    """One function of a module.

    Parameters
    ----------
    module : ir.Module
    function : callable
    kinds : sequence of ArgumentType
    name : str
    source_of : callable
        Gives the Python function behind a global that is another function of loops.
    """

    def __init__(
        self,
        module: ir.Module,
        function: FunctionType,
        kinds: Sequence[ArgumentType],
        name: str,
        source_of: Callable[[Any], FunctionType],
    ) -> None:
        self.module, self.function, self.source_of = module, function, source_of
        tree = definition(function)
        returns = RETURNS[ast.unparse(tree.returns) if tree.returns is not None else "None"]
        types = [t for kind in kinds for t in argument_types(kind)]
        self.code = ir.Function(module, ir.FunctionType(returns, types), name)
        self.entry = self.code.append_basic_block("entry")
        self.builder = ir.IRBuilder(self.code.append_basic_block("body"))
        self.names: dict[str, Any] = {}
        given = iter(self.code.args)
        for argument, kind in zip(tree.args.args, kinds, strict=True):
            if isinstance(kind, ArrayType):
                pointer = next(given)
                pointer.add_attribute("noalias")
                sizes = [next(given) for _ in kind.dims]
                dims = tuple(INT(d) if d >= 0 else s for d, s in zip(kind.dims, sizes, strict=True))
                self.names[argument.arg] = Array(kind, pointer, dims)
            else:
                self.assign(argument.arg, next(given))
        self.run(tree.body)
        if not self.builder.block.is_terminated:
            self.builder.ret_void()
        ir.IRBuilder(self.entry).branch(self.code.blocks[1])

    def run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            getattr(self, f"do_{type(statement).__name__.lower()}")(statement)

    def assign(self, name: str, value: ir.Value) -> None:
        """Store a number in a variable, which is made at its first assignment."""
        if name not in self.names:
            self.names[name] = ir.IRBuilder(self.entry).alloca(value.type, name=name)
        slot = self.names[name]
        self.builder.store(self.as_type(value, slot.type.pointee), slot)

    def as_type(self, value: ir.Value, wanted: ir.Type) -> ir.Value:
        if value.type == wanted:
            return value
        if value.type == INT and wanted == FLOAT:
            return self.builder.sitofp(value, FLOAT)
        raise TypeError(f"{self.function.__name__}: {value.type} where {wanted} is wanted")

    # Statements

    def do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def do_assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Tuple):
                assert isinstance(node.value, ast.Tuple)
                values = [self.value(v) for v in node.value.elts]
                for part, value in zip(target.elts, values, strict=True):
                    self.store(part, value)
            else:
                self.store(target, self.value(node.value))

    def do_augassign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Subscript):
            place, element = self.element(node.target)
            value = self.binary(node.op, self.builder.load(place), self.value(node.value))
            self.builder.store(self.as_type(value, element), place)
        else:
            assert isinstance(node.target, ast.Name)
            before = self.builder.load(self.names[node.target.id])
            self.assign(node.target.id, self.binary(node.op, before, self.value(node.value)))

    def store(self, target: ast.expr, value: ir.Value) -> None:
        if isinstance(target, ast.Name):
            self.assign(target.id, value)
        else:
            place, element = self.element(target)
            self.builder.store(self.as_type(value, element), place)

    def do_for(self, node: ast.For) -> None:
        assert isinstance(node.target, ast.Name)
        assert isinstance(node.iter, ast.Call)
        given = [self.value(argument) for argument in node.iter.args]
        start, stop = (INT(0), given[0]) if len(given) == 1 else given[:2]
        step = given[2] if len(given) == 3 else INT(1)
        is_upward = getattr(step, "constant", 1) > 0
        self.assign(node.target.id, start)
        slot = self.names[node.target.id]

        def goes_on() -> ir.Value:
            sign = "<" if is_upward else ">"
            return self.builder.icmp_signed(sign, self.builder.load(slot), stop)

        def body() -> None:
            self.run(node.body)
            after = self.builder.add(self.builder.load(slot), step, flags=("nsw",))
            self.builder.store(after, slot)

        self.repeat(goes_on, body)

    def do_while(self, node: ast.While) -> None:
        self.repeat(lambda: self.value(node.test), lambda: self.run(node.body))

    def repeat(self, goes_on: Callable[[], ir.Value], body: Callable[[], None]) -> None:
        test, inside, after = (self.code.append_basic_block() for _ in range(3))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(goes_on(), inside, after)
        self.builder.position_at_end(inside)
        body()
        if not self.builder.block.is_terminated:
            self.builder.branch(test)
        self.builder.position_at_end(after)

    def do_if(self, node: ast.If) -> None:
        inside, otherwise, after = (self.code.append_basic_block() for _ in range(3))
        self.builder.cbranch(self.value(node.test), inside, otherwise)
        for block, statements in ((inside, node.body), (otherwise, node.orelse)):
            self.builder.position_at_end(block)
            self.run(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)

    def do_return(self, node: ast.Return) -> None:
        wanted = self.code.function_type.return_type
        if node.value is None:
            self.builder.ret_void()
        else:
            self.builder.ret(self.as_type(self.value(node.value), wanted))

    # Expressions

    def value(self, node: ast.expr) -> Any:
        return getattr(self, f"of_{type(node).__name__.lower()}")(node)

    def of_constant(self, node: ast.Constant) -> ir.Value:
        return (FLOAT if isinstance(node.value, float) else INT)(node.value)

    def of_name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            found = self.names[node.id]
            return found if isinstance(found, Array) else self.builder.load(found)
        constant = self.function.__globals__[node.id]
        return (FLOAT if isinstance(constant, float) else INT)(constant)

    def of_attribute(self, node: ast.Attribute) -> ir.Value:
        return FLOAT(getattr(np, node.attr))

    def of_subscript(self, node: ast.Subscript) -> ir.Value:
        if isinstance(node.value, ast.Attribute):
            assert node.value.attr == "shape"
            assert isinstance(node.slice, ast.Constant)
            return self.value(node.value.value).dims[node.slice.value]
        return self.builder.load(self.element(node)[0])

    def element(self, node: ast.expr) -> tuple[ir.Value, ir.Type]:
        """Address of one element of an array, and its type."""
        assert isinstance(node, ast.Subscript)
        array = self.value(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        flat = None
        for part, size in zip(parts, array.dims, strict=True):
            here = self.value(part)
            if flat is not None:
                row = self.builder.mul(flat, size, flags=("nsw",))
                here = self.builder.add(row, here, flags=("nsw",))
            flat = here
        element = FLOAT if array.type.is_float else INT
        place = self.builder.gep(array.pointer, [flat], inbounds=True, source_etype=element)
        return place, element

    def of_binop(self, node: ast.BinOp) -> ir.Value:
        if isinstance(node.op, ast.Pow):
            assert isinstance(node.right, ast.Constant)
            assert node.right.value == 2
            base = self.value(node.left)
            return self.binary(ast.Mult(), base, base)
        return self.binary(node.op, self.value(node.left), self.value(node.right))

    def binary(self, operation: ast.operator, left: ir.Value, right: ir.Value) -> ir.Value:
        if left.type == INT and right.type == INT and not isinstance(operation, ast.Div):
            name = INT_OPERATIONS[type(operation)]
            flags = () if name in ("sdiv", "srem") else ("nsw",)
            return getattr(self.builder, name)(left, right, flags=flags)
        left, right = self.as_type(left, FLOAT), self.as_type(right, FLOAT)
        name = FLOAT_OPERATIONS[type(operation)]
        return getattr(self.builder, name)(left, right, flags=FREE)

    def of_unaryop(self, node: ast.UnaryOp) -> ir.Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return self.builder.not_(value)
        assert isinstance(node.op, ast.USub)
        if getattr(value, "constant", None) is not None:
            return value.type(-value.constant)
        return self.builder.neg(value) if value.type == INT else self.builder.fneg(value)

    def of_compare(self, node: ast.Compare) -> ir.Value:
        left, right = self.value(node.left), self.value(node.comparators[0])
        sign = COMPARISONS[type(node.ops[0])]
        if left.type == INT and right.type == INT:
            return self.builder.icmp_signed(sign, left, right)
        left, right = self.as_type(left, FLOAT), self.as_type(right, FLOAT)
        compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return compare(sign, left, right)

    def of_boolop(self, node: ast.BoolOp) -> ir.Value:
        """The later conditions are not looked at where an earlier one decides."""
        decided = isinstance(node.op, ast.Or)
        after = self.code.append_basic_block()
        known = []
        for condition in node.values[:-1]:
            value, following = self.value(condition), self.code.append_basic_block()
            known.append((BOOL(int(decided)), self.builder.block))
            self.builder.cbranch(value, *((after, following) if decided else (following, after)))
            self.builder.position_at_end(following)
        known.append((self.value(node.values[-1]), self.builder.block))
        self.builder.branch(after)
        self.builder.position_at_end(after)
        result = self.builder.phi(BOOL)
        for value, block in known:
            result.add_incoming(value, block)
        return result

    def of_call(self, node: ast.Call) -> Any:
        arguments = [self.value(argument) for argument in node.args]
        if isinstance(node.func, ast.Attribute):
            intrinsic = self.module.declare_intrinsic(f"llvm.{node.func.attr}", [FLOAT])
            return self.builder.call(intrinsic, [self.as_type(arguments[0], FLOAT)])
        assert isinstance(node.func, ast.Name)
        if node.func.id == "len":
            return arguments[0].dims[0]
        if node.func.id == "float":
            return self.as_type(arguments[0], FLOAT)
        if node.func.id in ("min", "max"):
            left, right = arguments
            sign = "<" if node.func.id == "min" else ">"
            return self.builder.select(self.builder.icmp_signed(sign, left, right), left, right)
        return self.call(self.source_of(self.function.__globals__[node.func.id]), arguments)

    def call(self, function: FunctionType, arguments: Sequence[Any]) -> Any:
        """Call another function of loops, translated into the same module."""
        kinds: list[ArgumentType] = []
        flat: list[ir.Value] = []
        for argument in arguments:
            if isinstance(argument, Array):
                kinds.append(argument.type)
                flat += [argument.pointer, *argument.dims]
            else:
                kinds.append(float if argument.type == FLOAT else int)
                flat.append(argument)
        name = f"{function.__name__}.{len(self.module.globals)}"
        inner = Translation(self.module, function, kinds, name, self.source_of).code
        inner.linkage = "internal"
        inner.attributes.add("alwaysinline")
        return self.builder.call(inner, flat)
