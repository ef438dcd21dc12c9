"""The log density of all rows with its derivatives, as one loop of machine code."""

from dataclasses import dataclass

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile.arithmetic import Double
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.row_loop import RowLoop
from mixedlm_pt.compile.written_out import as_objects, evaluate, rewritten
from mixedlm_pt.families import Family
from mixedlm_pt.families.density import log_density


@dataclass(frozen=True, eq=False)
class DensityLoop:
    """Code of the loop, and the part of its work that depends on the data alone.

    The loop takes a table of addresses: that of log phi, the columns of `columns` (n, m), eta (n,);
    then those of its results, the score ``d logp / d eta`` (n,) and two totals, the log density and
    its derivative in log phi.

    Attributes
    ----------
    text : str
    columns_of : callable
        ``(y, w) -> columns``, each (n,).
    """

    text: str
    columns_of: pytensor.compile.Function

    def columns(self, y: FloatArray, w: FloatArray) -> FloatArray:
        """What the loop reads of the data, shape (n, m)."""
        columns = [np.broadcast_to(column, y.shape) for column in self.columns_of(y, w)]
        return np.ascontiguousarray(np.stack(columns, axis=1), np.float64)


def density_loop(family: Family) -> DensityLoop:
    """The loop of a family.

    Raises
    ------
    NotCompilableError
        If the density needs a function for which there are no instructions.
    """
    # Rows are independent: with a log phi of its own for each row, all derivatives are by row.
    y, w, eta, log_phi = (pt.dvector(name) for name in ("y", "w", "eta", "log_phi"))
    logp = log_density(family, y, w, eta, pt.exp(log_phi))
    slopes = grad(logp.sum(), [eta, log_phi], disconnected_inputs="ignore")
    graph = rewritten([y, w, eta, log_phi], [logp, *slopes])
    data, moving = graph.inputs[:2], graph.inputs[2:]
    known = known_columns(graph, data)
    code = RowLoop()
    table, predictor = code.new_operand(), code.new_operand()
    values: dict[Variable, np.ndarray] = {
        variable: one(column if variable.type.dtype != "bool" else column.compare("une", 0.0))
        for variable, column in zip(known, code.doubles(table, len(known)), strict=True)
    }
    values |= {moving[0]: one(code.doubles(predictor, 1)[0]), moving[1]: one(code.number())}
    total, score, slope = (as_objects(v).ravel()[0] for v in evaluate(graph.outputs, values))
    code.store(code.new_result(), [score])
    totals = code.new_result()
    for k, value in enumerate((total, slope)):
        code.total(totals, k, value if isinstance(value, Double) else constant(code, value))
    columns_of = pytensor.function(data, known, mode=NUMPY, on_unused_input="ignore")
    return DensityLoop(code.text(), columns_of)


def constant(code: RowLoop, value: float) -> Double:
    """A register with a number."""
    return code.number() * 0.0 + float(value)


def one(value: object) -> np.ndarray:
    """The one entry of an array that stands for a row."""
    array = np.empty(1, object)
    array[0] = value
    return array


def known_columns(graph: FunctionGraph, data: list[Variable]) -> list[Variable]:
    """What the rest of the graph reads of the variables that depend on the data alone."""
    known = set(data)
    for node in graph.toposort():
        if all(v in known or isinstance(v, Constant) for v in node.inputs):
            known |= set(node.outputs)
    read = [v for node in graph.toposort() if node.outputs[0] not in known for v in node.inputs]
    return list(dict.fromkeys(v for v in [*read, *graph.outputs] if v in known))
