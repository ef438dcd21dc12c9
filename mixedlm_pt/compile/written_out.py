"""A graph of small arrays written out as instructions, number by number.

The shapes are known and the arrays short: parameters, priors, covariance factors. The graph is run
once on NumPy arrays whose entries are registers, so what NumPy does to places (indexing, joining,
transposing) needs no code of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.scalar as ps
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import Alloc, Join, MakeVector
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.subtensor import AdvancedIncSubtensor, IncSubtensor

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile.arithmetic import Code, Double, name_of
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.scalar_code import Instructions, instructions

# Constants that stand in formulas whatever the data are.
COMMON = [*range(-8, 9), -1.5, -0.5, 0.5, 1.5]
# Ops whose first argument is an array that they change in places.
Changed = IncSubtensor | AdvancedIncSubtensor


class NotCompilableError(Exception):
    """An Op for which there are no instructions."""


def rewritten(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> FunctionGraph:
    """A copy of the graph, simplified."""
    graph = FunctionGraph(list(inputs), list(outputs), clone=True)
    NUMPY.optimizer.rewrite(graph)
    return graph


def instructions_of(node: Apply) -> Instructions:
    """What an elementwise node does, for registers and numbers alike.

    Raises
    ------
    NotCompilableError
    """
    found = instructions(node)
    if found is None:
        raise NotCompilableError(str(node.op))
    code, scalar_op = found, node.op.scalar_op

    def apply(*values: Any) -> Any:
        if isinstance(scalar_op, ps.Second):
            return values[1]
        if isinstance(scalar_op, ps.Switch) and isinstance(values[0], bool | np.bool_):
            return values[1] if values[0] else values[2]
        if any(isinstance(value, Double) or hasattr(value, "code") for value in values):
            return code(*values)
        return scalar_op.impl(*values)

    return apply


def evaluate(
    outputs: Sequence[Variable],
    values: Mapping[Variable, Any],
    constant: Callable[[Any], Any] = lambda data: data,
) -> list[Any]:
    """The outputs as arrays of registers and numbers.

    Parameters
    ----------
    outputs : sequence of variables
    values : mapping
        What they are computed from: arrays of dtype object.
    constant : callable
        From the value of a constant to what stands for it.

    Raises
    ------
    NotCompilableError
    """
    known: dict[Variable, Any] = dict(values)

    def value(variable: Variable) -> Any:
        return constant(variable.data) if isinstance(variable, Constant) else known[variable]

    for node in toposort(outputs, blockers=list(values)):
        results = outputs_of(node, [value(variable) for variable in node.inputs])
        known |= dict(zip(node.outputs, results, strict=True))
    return [value(variable) for variable in outputs]


def outputs_of(node: Apply, arguments: list[Any]) -> list[Any]:
    """What one node yields."""
    op = node.op
    if isinstance(op, Elemwise):
        return [elementwise(instructions_of(node), arguments)]
    if isinstance(op, Sum):
        axes = op.axis if op.axis is None else tuple(op.axis)
        return [np.asarray(np.add.reduce(as_objects(arguments[0]), axis=axes), object)]
    if isinstance(op, MakeVector):
        return [stacked(arguments)]
    if isinstance(op, Join):
        return [np.concatenate([as_objects(part) for part in arguments], axis=op.axis)]
    if isinstance(op, Alloc):
        sizes = tuple(int(size) for size in arguments[1:])
        return [np.array(np.broadcast_to(arguments[0], sizes), object)]
    if isinstance(op, OpFromGraph):
        inner = op.fgraph
        return evaluate(inner.outputs, dict(zip(inner.inputs, arguments, strict=True)))
    if isinstance(op, Changed):
        arguments[0] = as_objects(arguments[0])
        if not np.ndim(arguments[1]):
            # NumPy would add the array that holds the register.
            arguments[1] = as_objects(arguments[1]).item()
    boxes: list[list[Any]] = [[None] for _ in node.outputs]
    try:
        op.perform(node, arguments, boxes)
    except (AttributeError, TypeError, ValueError) as reason:
        # It works on numbers, where there are registers.
        raise NotCompilableError(str(op)) from reason
    return [box[0] for box in boxes]


def as_objects(values: Any) -> np.ndarray[Any, Any]:
    """The array with entries of any type, so that sums start with the first of them."""
    return np.asarray(values, object)


def stacked(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """A vector of numbers given one by one."""
    vector = np.empty(len(values), object)
    vector[:] = [np.asarray(value, object).item() for value in values]
    return vector


def elementwise(apply: Callable[..., Any], arguments: Sequence[Any]) -> np.ndarray[Any, Any]:
    """The function of every entry, broadcast as NumPy does."""
    broadcast = np.broadcast(*(as_objects(argument) for argument in arguments))
    result = np.empty(broadcast.shape, object)
    result.reshape(-1)[:] = [apply(*entries) for entries in broadcast]
    return result


def vector_function(
    name: str, inputs: Sequence[Variable], outputs: Sequence[Variable]
) -> tuple[str, FloatArray]:
    """Text of a function ``name(input addresses, address of numbers, output address)``.

    The inputs are vectors of known length; the outputs, of known shapes, are written one after the
    other.

    Returns
    -------
    text : str
    numbers : array
        What the function takes as its numbers: the constants that are not part of every formula, so
        that equal formulas of other data are equal texts.

    Raises
    ------
    NotCompilableError
    """
    graph, code = rewritten(inputs, outputs), Code("%s")
    numbers: list[float] = []

    def loaded(array: str, i: int) -> Double:
        place = code.emit(f"getelementptr double, ptr %{array}, i64 {i}")
        return Double(code, code.emit(f"load double, ptr {place}"))

    def constant(data: Any) -> Any:
        data = np.asarray(data)
        if data.dtype.kind != "f" or np.isin(data, COMMON).all():
            return data
        entries = np.empty(data.shape, object)
        for place, number in np.ndenumerate(data):
            entries[place] = loaded("numbers", len(numbers))
            numbers.append(float(number))
        return entries

    values: dict[Variable, Any] = {}
    for k, variable in enumerate(graph.inputs):
        values[variable] = stacked([loaded(f"in{k}", i) for i in range(variable.type.shape[0])])
    results = evaluate(graph.outputs, values, constant)
    written = [number for result in results for number in as_objects(result).ravel()]
    for i, entry in enumerate(written):
        register = entry if isinstance(entry, Double) else 0.0 + float(entry)
        place = code.emit(f"getelementptr double, ptr %out, i64 {i}")
        code.lines.append(f"store double {name_of(register)}, ptr {place}")
    addresses = [*(f"in{k}" for k in range(len(inputs))), "numbers", "out"]
    arguments = ", ".join(f"ptr noalias %{address}" for address in addresses)
    body = "\n".join(code.lines)
    text = f"define internal void @{name}({arguments}) {{\n{body}\nret void\n}}\n"
    # An array of its own address, also without numbers.
    return text, np.array([*numbers, 0.0])
