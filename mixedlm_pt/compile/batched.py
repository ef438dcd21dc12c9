"""A model's graphs for R responses at once, derived from those for one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.rewriting.basic import MergeOptimizer
from pytensor.graph.traversal import toposort
from pytensor.tensor.math import Sum
from pytensor.tensor.shape import Shape
from pytensor.tensor.subtensor import (
    AdvancedIncSubtensor,
    IncSubtensor,
    indices_from_subtensor,
)

from mixedlm_pt._typing import Scalar, Vector
from mixedlm_pt.compile.backends import Function
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.tape import Tape
from mixedlm_pt.families.density import derivatives
from mixedlm_pt.graph import GLMMGraph, scaled_design
from mixedlm_pt.linalg import BATCHED, LastSums, batched_positions


def batched(
    inputs: Sequence[Variable], outputs: Sequence[Variable], replace: Mapping[Variable, Variable]
) -> Function:
    """The function of R replicates that belongs to a graph of one.

    Parameters
    ----------
    inputs, outputs : sequences of variables
        The graph of one replicate.
    replace : mapping
        Inputs that differ between replicates and their counterparts with a leading dimension;
        the others are shared.

    Returns
    -------
    Function
        Its outputs have a leading dimension.
    """
    # Canonicalised first: the gradient's own shape arithmetic is gone then.
    graph = FunctionGraph(list(inputs), list(outputs), clone=True)
    NUMPY.optimizer.rewrite(graph)
    counterpart = dict(zip(graph.inputs, (replace.get(x, x) for x in inputs), strict=True))
    for node in toposort(graph.outputs, blockers=graph.inputs):
        arguments = [counterpart.get(x, x) for x in node.inputs]
        pairs = zip(arguments, node.inputs, strict=True)
        is_shared = all(new.type.ndim == old.type.ndim for new, old in pairs)
        if is_shared:
            made: Sequence[Variable] = node.clone_with_new_inputs(arguments).outputs
        else:
            made = batched_outputs(node, arguments)
        counterpart |= zip(node.outputs, made, strict=True)
    results = [counterpart[x] for x in graph.outputs]
    return Tape([counterpart[x] for x in graph.inputs], results, MergeOptimizer())


def batched_outputs(node: Apply, arguments: list[Variable]) -> Sequence[Variable]:
    """What a node computes of arguments some of which have a leading dimension."""
    op: Any = node.op
    if type(op) in BATCHED:
        batched_op: Any = BATCHED[type(op)](op)
        return list(batched_op(*arguments, return_list=True))
    if isinstance(op, Shape):
        # Every replicate has the same shape.
        return [arguments[0].shape[1:]]
    if isinstance(op, Sum) and op.axis == (1,) and node.inputs[0].type.ndim == 2:
        return [LastSums()(arguments[0])]
    if isinstance(op, IncSubtensor | AdvancedIncSubtensor):
        return [batched_update(node, arguments)]
    pairs = zip(node.inputs, arguments, strict=True)
    return list(vectorize_graph(node.outputs, {old: new for old, new in pairs if old is not new}))


def batched_update(node: Apply, arguments: list[Variable]) -> Variable:
    """``x[index] = y`` or ``x[index] += y`` in every replicate; the index is shared."""
    op: Any = node.op
    x, y, *index = arguments
    if x.type.ndim == node.inputs[0].type.ndim:
        one = y[(slice(None), *(0 for _ in range(y.type.ndim - 1)))]
        x = pt.second(one.dimshuffle(0, *("x" for _ in range(x.type.ndim))), x)
    where = indices_from_subtensor(index, op.idx_list)
    part = x[(slice(None), *where)]
    change = part.set if op.set_instead_of_inc else part.inc
    return change(y)


@dataclass(frozen=True, eq=False)
class BatchedFunctions:
    """A model's functions for R responses, each with its own parameters and mode.

    Attributes
    ----------
    graph : GLMMGraph
        Of one response.
    criterion : tuple
        Its log-likelihood and gradient at the mode.
    """

    graph: GLMMGraph
    criterion: tuple[Scalar, Vector]

    @cached_property
    def replace(self) -> dict[Variable, Variable]:
        """What differs between responses, with its counterpart."""
        graph = self.graph
        inputs = [graph.y, graph.beta, graph.theta, graph.log_phi, graph.u]
        if graph.layout is not None:
            inputs += [graph.index[i] for i in sorted(batched_positions(graph.layout))]
        return {x: pt.tensor(x.name, dtype=x.dtype, shape=(None, *x.type.shape)) for x in inputs}

    @cached_property
    def density(self) -> Function:
        """``(y, w, eta, log_phi) -> (log density, score, observed information)``, each (R, n)."""
        graph, eta = self.graph, pt.dvector("eta")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        replace = self.replace | {eta: pt.dmatrix("eta")}
        inputs = [graph.y, graph.w, eta, graph.log_phi]
        return batched(inputs, [d.logp, d.score, d.observed], replace)

    @cached_property
    def scaled_design(self) -> Function:
        """``(*Z, theta) -> M`` (R, n, K)."""
        graph = self.graph
        return batched([*graph.Z, graph.theta], [scaled_design(graph)], self.replace)

    @cached_property
    def value_and_gradient(self) -> Function:
        """``(*data, beta, theta, log_phi, u) -> (log-likelihood (R,), gradient (R, n_par))``.

        y (R, n) and the index arrays (`linalg.batched_index`) are batched, other data shared.
        """
        graph = self.graph
        return batched([*graph.data, *graph.parameters, graph.u], self.criterion, self.replace)
