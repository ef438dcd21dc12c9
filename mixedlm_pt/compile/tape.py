"""A graph run as a list of NumPy calls: nothing to compile, and next to no overhead a call.

PyTensor's ``py`` linker spends 15 microseconds an Op on checks; on the 50 rows of a small data set
NumPy itself needs one. The tape is planned once. What depends on bound arguments alone, such as
``gammaln(y + 1)``, is computed when they are bound, and elementwise results overwrite arguments
that nobody needs any more, which at 100,000 rows saves most of the time for fresh memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import pytensor.scalar as ps
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.shape import SpecifyShape
from pytensor.tensor.utils import import_func_from_string

type Registers = list[Any]
type Call = Callable[..., Any]

# Cheaper than a power, and the same to the last bit or better.
POWERS: dict[float, Call] = {2.0: np.square, 0.5: np.sqrt, -1.0: np.reciprocal}


@dataclass(frozen=True, eq=False)
class Step:
    """One call: ``registers[target] = function(*registers[arguments])``.

    Attributes
    ----------
    function : callable
    arguments : tuple of int
    target : int
    full : int
        Number of dimensions of a result that has its own memory and is not broadcast, so that a
        later step may overwrite it; otherwise 0.
    is_view : bool
        Whether the result may share the memory of an argument.
    """

    function: Call
    arguments: tuple[int, ...]
    target: int
    full: int = 0
    is_view: bool = False


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps for a number of bound arguments.

    Attributes
    ----------
    n_bound : int
    first : tuple of Step
        What depends on the bound arguments alone.
    then : tuple of (function, arguments, target, registers to empty)
    copied : frozenset of int
        Outputs that no step of ``then`` computes, and which callers could change.
    """

    n_bound: int
    first: tuple[Step, ...]
    then: tuple[tuple[Call, tuple[int, ...], int, tuple[int, ...]], ...]
    copied: frozenset[int]


class Tape:
    """A callable like `pytensor.function` of the same graph.

    Parameters
    ----------
    inputs, outputs : sequences of variables
    rewriter : GraphRewriter
        Applied to a copy of the graph.
    """

    def __init__(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], rewriter: GraphRewriter
    ) -> None:
        graph = FunctionGraph(list(inputs), list(outputs), clone=True)
        rewriter.rewrite(graph)
        self.n_inputs = len(graph.inputs)
        self._registers: Registers = [None] * self.n_inputs
        self._constants: dict[Any, int] = {}
        self._place = {variable: i for i, variable in enumerate(graph.inputs)}
        self._steps: list[Step] = []
        # The same Op of the same arguments is computed once.
        done: dict[Any, Apply] = {}
        for node in graph.toposort():
            places = tuple(self._argument(variable) for variable in node.inputs)
            same = done.setdefault((node.op, places), node)
            if same is node:
                self._record(node, places)
            else:
                for variable, equal in zip(node.outputs, same.outputs, strict=True):
                    self._place[variable] = self._place[equal]
        self._outputs = tuple(self._argument(variable) for variable in graph.outputs)
        self._plans: dict[int, Plan] = {}
        self._unbound: Call = self.bind()

    def __call__(self, *arguments: Any) -> list[Any]:
        """Values of the outputs."""
        outputs: list[Any] = self._unbound(*arguments)
        return outputs

    def bind(self, *arguments: Any) -> Call:
        """A function of the remaining arguments; what the first ones determine is computed now."""
        n_bound = len(arguments)
        if n_bound not in self._plans:
            self._plans[n_bound] = self._planned(n_bound)
        plan = self._plans[n_bound]
        registers = self._registers.copy()
        registers[:n_bound] = arguments
        with np.errstate(all="ignore"):
            for step in plan.first:
                registers[step.target] = step.function(*[registers[i] for i in step.arguments])
        return partial(self._run, plan, registers)

    def _run(self, plan: Plan, known: Registers, *arguments: Any) -> list[Any]:
        registers = known.copy()
        registers[plan.n_bound : self.n_inputs] = arguments
        with np.errstate(all="ignore"):
            for function, places, target, dead in plan.then:
                registers[target] = function(*[registers[i] for i in places])
                for i in dead:
                    registers[i] = None
        return [
            np.array(registers[i]) if i in plan.copied else np.asarray(registers[i])
            for i in self._outputs
        ]

    def _argument(self, variable: Variable) -> int:
        """Register of a variable that has been computed; constants get one when first used."""
        if variable not in self._place:
            assert isinstance(variable, Constant)
            signature = variable.signature()
            if signature not in self._constants:
                self._constants[signature] = self._store(None, variable.data)
            self._place[variable] = self._constants[signature]
        return self._place[variable]

    def _store(self, variable: Variable | None, value: Any = None) -> int:
        self._registers.append(value)
        place = len(self._registers) - 1
        if variable is not None:
            self._place[variable] = place
        return place

    def _record(self, node: Apply, places: tuple[int, ...]) -> None:
        """The steps of one node."""
        function = call_of(node)
        if len(node.outputs) > 1:
            together = self._store(None)
            self._steps.append(Step(function, places, together, is_view=True))
            for k, variable in enumerate(node.outputs):
                step = Step(itemgetter(k), (together,), self._store(variable), is_view=True)
                self._steps.append(step)
            return
        if isinstance(function, np.ufunc) and len(places) > function.nin:
            # A sum or product of many terms is taken two by two.
            for k in range(1, len(places) - 1):
                left = self._store(None)
                full = full_dimensions(*node.inputs[: k + 1])
                self._steps.append(Step(function, (places[0], places[k]), left, full))
                places = (left, *places[1:])
            places = (places[0], places[-1])
        full = full_dimensions(*node.outputs) if isinstance(node.op, Elemwise) else 0
        is_view = not isinstance(node.op, Elemwise | Sum | Dot)
        self._steps.append(Step(function, places, self._store(node.outputs[0]), full, is_view))

    def _planned(self, n_bound: int) -> Plan:
        known = {*range(n_bound), *range(self.n_inputs, len(self._registers))}
        known -= {step.target for step in self._steps}
        first, then = [], []
        for step in self._steps:
            if known.issuperset(step.arguments):
                known.add(step.target)
                first.append(step)
            else:
                then.append(step)
        computed = {step.target: step for step in then}
        kept = {*self._outputs, *(i for step in then if step.is_view for i in step.arguments)}
        last_use = {i: k for k, step in enumerate(then) for i in step.arguments}
        calls = []
        for k, step in enumerate(then):
            dead = [i for i in dict.fromkeys(step.arguments) if last_use[i] == k and i in computed]
            places = step.arguments
            if step.full and isinstance(step.function, np.ufunc):
                free = (i for i in dead if i not in kept and computed[i].full == step.full)
                # The third positional argument of a ufunc of two is its output.
                places = (*places, *list(free)[:1])
            dead = [i for i in dead if i not in self._outputs]
            calls.append((step.function, places, step.target, tuple(dead)))
        copied = frozenset(i for i in self._outputs if i not in computed)
        return Plan(n_bound, tuple(first), tuple(calls), copied)


def full_dimensions(*variables: Variable) -> int:
    """Dimensions of their elementwise combination if it is real and none is broadcast, else 0."""
    if any(variable.type.dtype != "float64" for variable in variables):
        return 0
    patterns = zip(*(variable.type.broadcastable for variable in variables), strict=True)
    is_broadcast = [all(dimension) for dimension in patterns]
    return 0 if any(is_broadcast) else len(is_broadcast)


def call_of(node: Apply) -> Call:
    """A NumPy function that does what the node does, or the code of its Op."""
    op = node.op
    if isinstance(op, DimShuffle):
        return rearranged(op)
    if isinstance(op, SpecifyShape):
        return unchanged
    if isinstance(op, Sum):
        return partial(np.add.reduce, axis=op.axis)
    if isinstance(op, Dot):
        return np.dot
    kernel = elementwise_kernel(node) if isinstance(op, Elemwise) else None
    return performance(node) if kernel is None else kernel


def elementwise_kernel(node: Apply) -> Call | None:
    """The kernel of an elementwise Op, if NumPy treats its types as PyTensor does."""
    scalar_op, dtype = node.op.scalar_op, node.outputs[0].type.dtype
    types = {variable.type.dtype for variable in node.inputs}
    is_real = dtype == "float64" and "float64" in types
    if not (is_real or dtype == "bool") or "float32" in types:
        return None
    if isinstance(scalar_op, ps.Pow) and isinstance(node.inputs[1], Constant):
        exponent = np.asarray(node.inputs[1].data)
        if exponent.size == 1 and float(exponent.item()) in POWERS:
            square_or_root = POWERS[float(exponent.item())]
            return lambda x, _: square_or_root(x)
    if isinstance(scalar_op, ps.Second):
        return fill
    name, n_arguments, n_results = getattr(node.op, "nfunc_spec", None) or ("", 0, 0)
    is_long = isinstance(scalar_op, ps.Add | ps.Mul) and len(node.inputs) > n_arguments
    if n_results != 1 or not (n_arguments == len(node.inputs) or is_long):
        return None
    kernel: Call = import_func_from_string(name)
    return kernel


def performance(node: Apply) -> Call:
    """What the Op's own Python code does: its output, or the list of them."""
    perform, n_outputs = node.op.perform, len(node.outputs)
    # NumPy's own functions make scalars where an Op expects an array without axes.
    bare = [k for k, x in enumerate(node.inputs) if getattr(x.type, "ndim", None) == 0]

    def call(*arguments: Any) -> Any:
        given = list(arguments)
        for k in bare:
            given[k] = np.asarray(given[k])
        storage: list[list[Any]] = [[None] for _ in range(n_outputs)]
        perform(node, given, storage)
        return storage[0][0] if n_outputs == 1 else [cell[0] for cell in storage]

    return call


def rearranged(op: DimShuffle) -> Call:
    """Axes in another order, then new ones added and the last ones dropped."""
    axes = (*op.shuffle, *op.drop)
    kept = [None if axis == "x" else slice(None) for axis in op.new_order]
    index = (*kept, *(0 for _ in op.drop))
    if axes == tuple(sorted(axes)):
        return lambda x: np.asarray(x)[index]
    return lambda x: x.transpose(axes)[index]


def unchanged(x: Any, *_: Any) -> Any:
    """The first argument."""
    return x


def fill(x: Any, value: Any) -> Any:
    """``value`` in the shape of both."""
    return np.full(np.broadcast_shapes(np.shape(x), np.shape(value)), value)
