"""Evaluates the calls and expressions of a formula on the columns of a table."""

import difflib
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design.contrasts import ContrastCall
from mixedlm_pt.design.functions import ELEMENTWISE, FACTORS, KNOWN, STATEFUL, State
from mixedlm_pt.design.levels import level_label
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.values import Basis, Factor, Value, as_factor
from mixedlm_pt.errors import DataError, FormulaError, MixedlmError
from mixedlm_pt.formula import deparse
from mixedlm_pt.formula.nodes import (
    Binary,
    Call,
    Logical,
    Name,
    Node,
    Number,
    Paren,
    Text,
    Unary,
)

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "%%": operator.mod,
    "%/%": operator.floordiv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LOGICAL: dict[str, Callable[[Any, Any], Any]] = {
    "&": np.logical_and,
    "&&": np.logical_and,
    "|": np.logical_or,
    "||": np.logical_or,
}
_CONSTANTS = {"pi": np.pi}


class Evaluator:
    """Values of formula pieces on one table.

    Parameters
    ----------
    table : Table
    states : dict
        What the stateful transforms remember, by the text of their call; filled on the fitted
        data, read on new data.
    kinds : dict
        Whether a column was read as ``"factor"`` or ``"numeric"``; filled and read likewise.
    """

    def __init__(self, table: Table, states: dict[str, State], kinds: dict[str, str]) -> None:
        self.table = table
        self.states = states
        self.kinds = kinds
        self._values: dict[Node, Value] = {}

    def value(self, node: Node) -> Value:
        """The value of a node on all rows; missing entries are NaN, or code -1."""
        if node not in self._values:
            # log(-1) and 1 / 0 are reported by check_finite, with their row.
            with np.errstate(all="ignore"):
                self._values[node] = self._evaluate(node)
        return self._values[node]

    def factor(self, node: Node) -> Factor:
        """A node as a factor, whatever the type of its column."""
        if isinstance(node, Name):
            return self.table.factor(node.name)
        return as_factor(self.value(node))

    def numbers(self, node: Node, role: str) -> FloatArray:
        """A node as one number a row, shape (n,).

        Raises
        ------
        DataError
            When it is a factor or has several columns; ``role`` says what it was needed for.
        """
        value = self.value(node)
        if isinstance(value, Factor | Basis | str | list):
            raise DataError(
                f"{role} {deparse(node)!r} is not numeric; convert the column to numbers first."
            )
        array = np.asarray(value, dtype=np.float64)
        return array if array.ndim else np.broadcast_to(array, (self.table.n,))

    def _evaluate(self, node: Node) -> Value:
        match node:
            case Number(value=number):
                return number
            case Text(value=text):
                return text
            case Logical(value=truth):
                return truth
            case Name(name=name):
                return self._column(name)
            case Paren(inner=inner):
                return self.value(inner)
            case Unary(operator="!", operand=operand):
                return np.asarray(np.logical_not(self._operand(operand)))
            case Unary(operator=sign, operand=operand):
                return np.asarray(self._operand(operand) * (-1.0 if sign == "-" else 1.0))
            case Binary(operator=symbol, left=left, right=right):
                return self._binary(symbol, left, right)
            case Call():
                return self._call(node)
        raise TypeError(f"not a formula node: {node!r}")

    def _column(self, name: str) -> Value:
        if name in _CONSTANTS and name not in self.table:
            return _CONSTANTS[name]
        kind = self.kinds.get(name)
        if kind == "factor":
            return self.table.factor(name)
        value = self.table.value(name)
        if kind is None:
            self.kinds[name] = "factor" if isinstance(value, Factor) else "numeric"
        elif isinstance(value, Factor):
            raise DataError(
                f"column {name!r} was numeric in the fit and is categorical in the new data; "
                "convert it to numbers"
            )
        return value

    def _operand(self, node: Node) -> Any:
        value = self.value(node)
        if isinstance(value, Factor | Basis | str | list):
            raise DataError(
                f"{deparse(node)!r} is not numeric, so no arithmetic can be done on it. Convert it "
                "to numbers first, or use it as it is."
            )
        return value

    def _binary(self, symbol: str, left: Node, right: Node) -> Value:
        if symbol in _ARITHMETIC:
            # float: R's arithmetic on truth values counts them.
            a, b = (np.asarray(self._operand(side), dtype=np.float64) for side in (left, right))
            return np.asarray(_ARITHMETIC[symbol](a, b))
        if symbol in _LOGICAL:
            return np.asarray(_LOGICAL[symbol](self._operand(left), self._operand(right)))
        if symbol in ("==", "!="):
            same = self._equal(self.value(left), self.value(right))
            return np.asarray(same if symbol == "==" else np.logical_not(same))
        if symbol == "%in%":
            value, items = self.value(left), self.value(right)
            choices = items if isinstance(items, list) else [items]
            return np.asarray(np.logical_or.reduce([self._equal(value, item) for item in choices]))
        raise FormulaError(f"{symbol!r} cannot be used inside a function call or a response")

    def _equal(self, a: Value, b: Value) -> Any:
        if isinstance(b, Factor) and not isinstance(a, Factor):
            a, b = b, a
        if isinstance(a, Factor) and isinstance(b, Factor):
            mapped = np.array([*(a.labels.index(x) if x in a.labels else -2 for x in b.labels), -1])
            return a.codes == mapped[b.codes]
        if isinstance(a, Factor):
            wanted = level_label(b)
            return np.array([*(label == wanted for label in a.labels), False])[a.codes]
        return np.asarray(a == b)

    def _call(self, node: Call) -> Value:
        name = node.function.removeprefix("np.").removeprefix("numpy.")
        if name == "I" and len(node.arguments) == 1:
            return self.value(node.arguments[0])
        if name == "c":
            return [_constant(self.value(item), node) for item in node.arguments]
        if name in FACTORS:
            return self._factor_call(name, node)
        if name == "cbind":
            columns = [self.numbers(item, "the argument of cbind()") for item in node.arguments]
            return Basis(np.column_stack(columns), tuple(deparse(item) for item in node.arguments))
        keywords = {key: self.value(item) for key, item in node.keywords}
        arguments = [self.value(item) for item in node.arguments]
        try:
            if name in STATEFUL:
                return self._stateful(name, node, arguments, keywords)
            if name in ELEMENTWISE:
                return np.asarray(
                    ELEMENTWISE[name](*map(self._operand, node.arguments), **keywords)
                )
        except MixedlmError:
            raise
        except (TypeError, ValueError) as error:
            raise FormulaError(f"{deparse(node)} cannot be evaluated: {error}") from error
        if name == "offset":
            raise FormulaError(
                f"{deparse(node)} cannot be used here; an offset is a term of its own, added to "
                "the predictors: y ~ x + offset(z) + (1 | g)"
            )
        near = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f" Did you mean {near[0]}()?" if near else ""
        raise FormulaError(
            f"a formula cannot call {node.function}(); known: {', '.join(KNOWN)}. Compute other "
            f"columns first.{hint}"
        )

    def _stateful(self, name: str, node: Call, values: list[Value], keywords: Any) -> Value:
        x = self.numbers(node.arguments[0], f"the argument of {name}()")
        present = ~np.isnan(x)
        state = self.states.setdefault(deparse(node), {})
        result = STATEFUL[name](x[present], state, *values[1:], **keywords)
        columns = result.values if isinstance(result, Basis) else result
        full = np.full((len(x), *columns.shape[1:]), np.nan)
        full[present] = columns
        return replace(result, values=full) if isinstance(result, Basis) else full

    def _factor_call(self, name: str, node: Call) -> Factor:
        factor = self.factor(node.arguments[0])
        contrast: object = None
        options = dict(node.keywords)
        if name == "C":
            wanted = node.arguments[1] if len(node.arguments) > 1 else options.get("contr")
            if wanted is not None:
                contrast = self._contrast(wanted)
            return replace(factor, contrast=contrast)
        levels = options.get("levels", node.arguments[1] if len(node.arguments) > 1 else None)
        if levels is not None:
            factor = _relevelled(factor, self.value(levels), node)
        return replace(factor, is_ordered=True) if name == "ordered" else factor

    def _contrast(self, node: Node) -> object:
        match node:
            case Name(name=name) | Text(value=name):
                return ContrastCall(name)
            case Call(function=name, arguments=arguments, keywords=keywords):
                # contr.treatment(4, base = 2) counts the levels first, Treatment("b") does not.
                given = dict(keywords).get("base")
                constants = [self.value(item) for item in arguments]
                texts = [item for item in constants if isinstance(item, str)]
                base = self.value(given) if given is not None else next(iter(texts), None)
                return ContrastCall(name, base)
        raise FormulaError(f"{deparse(node)!r} is not a contrast")


def _constant(value: Value, node: Node) -> float | str | bool:
    if isinstance(value, float | str | bool):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return float(value)
    raise FormulaError(f"{deparse(node)} holds something that is not a constant")


def _relevelled(factor: Factor, levels: Value, node: Node) -> Factor:
    """The factor with its levels in the order that ``factor(f, levels = c(...))`` gives."""
    wanted = levels if isinstance(levels, list) else [_constant(levels, node)]
    order = [level_label(level) for level in wanted]
    strays = [label for label in factor.labels if label not in order]
    if strays:
        raise DataError(f"{deparse(node)} leaves out the level {strays[0]!r} of the data")
    places = sorted(range(len(factor.levels)), key=lambda place: order.index(factor.labels[place]))
    renumbered = np.append(np.argsort(places), -1).astype(np.int64)
    return replace(factor, codes=renumbered[factor.codes], levels=factor.levels[places])
