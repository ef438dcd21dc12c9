"""A graph run as a list of calls of NumPy and of loops: next to no overhead a call.

PyTensor's ``py`` linker spends 15 microseconds an Op on checks; on the 50 rows of a small data set
NumPy itself needs one. The tape is planned once. What depends on bound arguments alone, such as
``gammaln(y + 1)``, is computed when they are bound, and elementwise results overwrite arguments
that nobody needs any more, which at 100,000 rows saves most of the time for fresh memory.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
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

from mixedlm_pt.compile.fusion import with_loops
from mixedlm_pt.compile.loop_writer import Loop
from mixedlm_pt.compile.program import Program
from mixedlm_pt.compile.program_source import Source
from mixedlm_pt.compile.row_nodes import Node, Spaces
from mixedlm_pt.compile.running_loop import RunningLoop, moving_arguments
from mixedlm_pt.compile.written_out import NotCompilableError
from mixedlm_pt.linalg import Factor, RowInverse, Rows, Solve, SumRows

type Registers = list[Any]
type Known = dict[Hashable, tuple[int, list[Any]]]
type Call = Callable[..., Any]

# With fewer rows than this, optimising a program takes longer than it saves in a hundred fits.
QUICK_BELOW = 2000
# Their results never share memory with an argument.
OwnOp = Factor | RowInverse | Rows | Solve | SumRows
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


type Order = tuple[Call | int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps for a number of bound arguments.

    Attributes
    ----------
    n_bound : int
    first : tuple of (Node, its steps)
        What depends on the bound arguments alone.
    then : tuple of (function or number of a loop, arguments, targets, registers to empty)
    loops : tuple of Loop
    known : frozenset of int
        Registers that are filled when the arguments are bound.
    fresh : frozenset of int
        Registers whose arrays callers or views of them outlive a call.
    copied : frozenset of int
        Outputs that no step of ``then`` computes, and which callers could change.
    """

    n_bound: int
    first: tuple[tuple[Node, list[Step]], ...]
    then: tuple[Order, ...]
    loops: tuple[Loop, ...]
    known: frozenset[int]
    fresh: frozenset[int]
    copied: frozenset[int]


class Tape:
    """A callable like `pytensor.function` of the same graph.

    Parameters
    ----------
    inputs, outputs : sequences of variables
    rewriter : GraphRewriter
        Applied to a copy of the graph.
    loops_from : float
        Compile what works row by row to loops where bound arguments have so many rows.
    program_below : float
        Compile all to one function where they have fewer rows than this, if that is possible.
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        rewriter: GraphRewriter,
        *,
        loops_from: float = np.inf,
        program_below: float = 0,
    ) -> None:
        graph = FunctionGraph(list(inputs), list(outputs), clone=True)
        rewriter.rewrite(graph)
        self.n_inputs, self.loops_from = len(graph.inputs), loops_from
        self.program_below = program_below
        self._registers: Registers = []
        self._constants: dict[Any, int] = {}
        self._place: dict[Variable, int] = {}
        self._spaces = Spaces()
        for variable in graph.inputs:
            self._store(variable)
        # The same Op of the same arguments is computed once.
        done: dict[Any, Apply] = {}
        self._steps: dict[Node, list[Step]] = {}
        for apply in graph.toposort():
            places = tuple(self._argument(variable) for variable in apply.inputs)
            same = done.setdefault((apply.op, places), apply)
            if same is apply:
                self._record(apply, places)
            else:
                for variable, equal in zip(apply.outputs, same.outputs, strict=True):
                    self._place[variable] = self._place[equal]
        self._outputs = tuple(self._argument(variable) for variable in graph.outputs)
        self._plans: dict[tuple[int, bool], Plan] = {}
        self._programs: dict[tuple[int, bool], Program | None] = {}
        self._unbound: Call | None = None

    def __call__(self, *arguments: Any) -> list[Any]:
        """Values of the outputs."""
        if self._unbound is None:
            self._unbound = self.bind()
        outputs: list[Any] = self._unbound(*arguments)
        return outputs

    def bind(self, *arguments: Any, known: Known | None = None) -> Call:
        """A function of the remaining arguments; what the first ones determine is computed now.

        Functions of the same arrays share what they compute if they share ``known``, which is
        empty at first and must not outlive the arrays.
        """
        n_bound, known = len(arguments), {} if known is None else known
        n_rows = max((len(array) for array in arguments if np.ndim(array)), default=0)
        kind = n_bound, n_rows >= self.loops_from
        if kind not in self._plans:
            self._plans[kind] = self._planned(*kind)
        plan = self._plans[kind]
        registers = self._registers.copy()
        registers[:n_bound] = arguments
        names: dict[int, Hashable] = {place: key for key, place in self._constants.items()}
        names |= {place: id(array) for place, array in enumerate(arguments)}
        with np.errstate(all="ignore"):
            for node, steps in plan.first:
                name = (node.op, *(names[i] for i in node.arguments))
                if name not in known:
                    for step in steps:
                        values = [registers[i] for i in step.arguments]
                        registers[step.target] = step.function(*values)
                    known[name] = len(known), [registers[place] for place in node.targets]
                number, results = known[name]
                for k, place in enumerate(node.targets):
                    names[place], registers[place] = (number, k), results[k]
        if n_bound and self.program_below:
            # Of the rows of the data, and those of quadrature.
            longest = max(len(registers[i]) for i in plan.known if np.ndim(registers[i]))
            is_short = longest < self.program_below
            program = self._program(n_bound, longest < QUICK_BELOW) if is_short else None
            if program is not None:
                return program.bind(registers)
        return partial(self._run, plan, registers, [])

    def _run(
        self, plan: Plan, known: Registers, idle: list[list[RunningLoop]], *arguments: Any
    ) -> list[Any]:
        registers = known.copy()
        registers[plan.n_bound : self.n_inputs] = arguments
        # Loops keep memory between calls: one set for every call at the same time.
        try:
            loops = idle.pop()
        except IndexError:
            loops = running_loops(plan, known)
        with np.errstate(all="ignore"):
            for function, places, targets, dead in plan.then:
                values = [registers[i] for i in places]
                if isinstance(function, int):
                    for i, result in zip(targets, loops[function](*values), strict=True):
                        registers[i] = result
                else:
                    registers[targets[0]] = function(*values)
                for i in dead:
                    registers[i] = None
        idle.append(loops)
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
                self._constants[signature] = self._store(variable, variable.data)
            self._place[variable] = self._constants[signature]
        return self._place[variable]

    def _store(self, variable: Variable | None, value: Any = None) -> int:
        self._registers.append(value)
        place = len(self._registers) - 1
        if variable is not None:
            self._place[variable] = place
            self._spaces.add(place, variable)
        return place

    def _record(self, apply: Apply, places: tuple[int, ...]) -> None:
        """The node with the steps that NumPy takes for it."""
        function = call_of(apply)
        steps: list[Step] = []
        targets = tuple(self._store(variable) for variable in apply.outputs)
        node = Node(apply, places, targets)
        self._steps[node] = steps
        self._spaces.follow(node)
        if len(targets) > 1:
            together = self._store(None)
            steps.append(Step(function, places, together, is_view=True))
            for k, target in enumerate(targets):
                steps.append(Step(itemgetter(k), (together,), target, is_view=True))
            return
        if isinstance(function, np.ufunc) and len(places) > function.nin:
            # A sum or product of many terms is taken two by two.
            for k in range(1, len(places) - 1):
                left = self._store(None)
                full = full_dimensions(*apply.inputs[: k + 1])
                steps.append(Step(function, (places[0], places[k]), left, full))
                places = (left, *places[1:])
            places = (places[0], places[-1])
        full = full_dimensions(*apply.outputs) if isinstance(apply.op, Elemwise) else 0
        is_view = not isinstance(apply.op, Elemwise | Sum | Dot | OwnOp)
        steps.append(Step(function, places, targets[0], full, is_view))

    def _program(self, n_bound: int, is_quick: bool) -> Program | None:
        """The function for a number of bound arguments; None if the graph has no code."""
        kind = n_bound, is_quick
        if kind not in self._programs:
            known, _, later = self._divided(n_bound)
            calls = {node: partial(run_steps, self._steps[node]) for node in later}
            given = tuple(range(n_bound, self.n_inputs))
            try:
                order = with_loops(later, self._spaces, self._outputs, min_calls=1)
                source = Source(order, self._spaces, calls, given, known, self._outputs)
                self._programs[kind] = Program(source, is_quick=is_quick)
            except NotCompilableError:
                self._programs[kind] = None
        return self._programs[kind]

    def _divided(self, n_bound: int) -> tuple[set[int], list[tuple[Node, list[Step]]], list[Node]]:
        """Registers known once so many arguments are bound, how they are filled, and the rest."""
        made = {step.target for steps in self._steps.values() for step in steps}
        known = {*range(n_bound), *range(self.n_inputs, len(self._registers))} - made
        first: list[tuple[Node, list[Step]]] = []
        later: list[Node] = []
        for node, steps in self._steps.items():
            if known.issuperset(node.arguments):
                known |= {step.target for step in steps}
                first.append((node, steps))
            else:
                later.append(node)
        return known, first, later

    def _planned(self, n_bound: int, has_loops: bool) -> Plan:
        known, first, later = self._divided(n_bound)
        order = with_loops(later, self._spaces, self._outputs) if has_loops else later
        loops = tuple(item for item in order if isinstance(item, Loop))
        then: list[Step | Loop] = []
        for item in order:
            then += [item] if isinstance(item, Loop) else self._steps[item]
        read = (
            i for step in then if isinstance(step, Step) and step.is_view for i in step.arguments
        )
        kept = frozenset((*self._outputs, *read))
        copied = frozenset(i for i in self._outputs if i in known or i < self.n_inputs)
        orders = tuple(self._orders(then, loops, frozenset(known), kept))
        return Plan(n_bound, tuple(first), orders, loops, frozenset(known), kept, copied)

    def _orders(
        self,
        then: Sequence[Step | Loop],
        loops: tuple[Loop, ...],
        known: frozenset[int],
        kept: frozenset[int],
    ) -> Iterator[Order]:
        """What to call, with registers to overwrite and to empty."""
        computed = {step.target: step for step in then if isinstance(step, Step)}
        emptied = {*computed, *(result.place for loop in loops for result in loop.results)}
        last_use = {i: k for k, step in enumerate(then) for i in step.arguments}
        for k, step in enumerate(then):
            dead = [i for i in dict.fromkeys(step.arguments) if last_use[i] == k and i in emptied]
            if isinstance(step, Loop):
                targets = tuple(result.place for result in step.results)
                places = moving_arguments(step, known)
                yield loops.index(step), places, targets, without(dead, self._outputs)
                continue
            places = step.arguments
            if step.full and isinstance(step.function, np.ufunc):
                free = [
                    i
                    for i in dead
                    if i not in kept and i in computed and computed[i].full == step.full
                ]
                # The third positional argument of a ufunc of two is its output.
                places = (*places, *free[:1])
            yield step.function, places, (step.target,), without(dead, self._outputs)


def run_steps(steps: Sequence[Step], registers: Registers) -> None:
    """Fill the registers of a node."""
    for step in steps:
        registers[step.target] = step.function(*(registers[i] for i in step.arguments))


def running_loops(plan: Plan, registers: Registers) -> list[RunningLoop]:
    """The plan's loops with memory of their own."""
    return [RunningLoop(loop, registers, plan.known, plan.fresh) for loop in plan.loops]


def without(places: Sequence[int], others: Collection[int]) -> tuple[int, ...]:
    """The places that are not among the others."""
    return tuple(i for i in places if i not in others)


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
    if isinstance(scalar_op, ps.Second):
        return fill
    types = {variable.type.dtype for variable in node.inputs}
    is_real = dtype == "float64" and "float64" in types
    if not (is_real or dtype == "bool") or "float32" in types:
        return None
    if isinstance(scalar_op, ps.Pow) and isinstance(node.inputs[1], Constant):
        exponent = np.asarray(node.inputs[1].data)
        if exponent.size == 1 and float(exponent.item()) in POWERS:
            square_or_root = POWERS[float(exponent.item())]
            return lambda x, _: square_or_root(x)
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
