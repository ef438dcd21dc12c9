"""Joint Wald tests of linear hypotheses on the coefficients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.errors import ArgumentError, FormulaError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import Node, deparse, parse_expression
from mixedlm_pt.formula.nodes import Binary, Name, Number, Paren, Unary
from mixedlm_pt.formula.tokens import syntax_error, tokenize
from mixedlm_pt.inference.estimates import Covariance, chosen_vcov
from mixedlm_pt.limits import wald_columns
from mixedlm_pt.result_table import ResultTable

type Weights = Mapping[str, float]
type Hypotheses = str | Sequence[str] | Weights | Mapping[str, Weights] | pd.DataFrame | FloatArray


@dataclass(frozen=True, eq=False)
class Linear:
    """``weights'beta + constant``, weights of shape (p,)."""

    weights: FloatArray
    constant: float = 0.0

    def scaled(self, factor: float) -> "Linear":
        return Linear(factor * self.weights, factor * self.constant)

    def plus(self, other: "Linear") -> "Linear":
        return Linear(self.weights + other.weights, self.constant + other.constant)


@dataclass(frozen=True, eq=False)
class System:
    """``K beta = m`` with a name a row: K of shape (r, p), m of shape (r,)."""

    names: list[str]
    K: FloatArray
    m: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearHypothesis(ResultTable):
    """A joint Wald test; ``table`` has one row with Chisq, Df and ``Pr(>Chisq)``.

    Attributes
    ----------
    estimates : ResultTable
        Every single hypothesis: Estimate of its left minus its right side, link scale, with
        Std. Error, z value and ``Pr(>|z|)``, not adjusted for their number.
    K, m : arrays, shapes (r, p), (r,)
        The hypothesis ``K beta = m``.
    """

    estimates: ResultTable
    K: FloatArray
    m: FloatArray

    def __str__(self) -> str:
        return f"{super().__str__()}\n\n{self.estimates}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return super()._repr_html_() + self.estimates._repr_html_()


def linear_hypothesis(
    fit: Fit,
    hypotheses: Hypotheses,
    rhs: float | Sequence[float] | None = None,
    vcov: Covariance = None,
) -> LinearHypothesis:
    """Joint Wald test of linear hypotheses on the fixed effects.

    Parameters
    ----------
    fit : Fit
    hypotheses : str, sequence of str, mapping, DataFrame or array
        Equations such as ``"period2 = period3"`` or ``"2 * period2 - period3 = 0.5"``; without a
        right side zero is meant. A term's label (``"period"``) stands for all its coefficients.
        Names that are no formula go in backticks: ``"`poly(x, 2)1` = 0"``. Or weights by
        coefficient (``{"period2": 1, "period3": -1}``), several of these by name, or a matrix with
        one hypothesis a row and one coefficient a column.
    rhs : float or sequence of float, optional
        Right sides, for hypotheses that state none.
    vcov : str, DataFrame or array, optional
        Covariance of the coefficients, a type of :func:`vcov` or the matrix itself.

    Returns
    -------
    LinearHypothesis
        ``.table`` with Chisq, Df and ``Pr(>Chisq)``; ``.estimates`` with every hypothesis alone.

    Raises
    ------
    FormulaError
        For text that is no linear equation of coefficients.
    ArgumentError
        For unknown coefficients, shapes that do not fit, and hypotheses that contain another one.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.linear_hypothesis("period").to_frame().round(3)
            Chisq  Df  Pr(>Chisq)
    joint  24.949   3         0.0
    """
    system = with_right_sides(hypothesis_system(fit, hypotheses), rhs)
    V, K = chosen_vcov(fit, vcov), system.K
    rank = int(np.linalg.matrix_rank(K))
    if rank < len(K):
        raise ArgumentError(
            f"{len(K)} hypotheses make only {rank} independent ones; leave out those that follow "
            "from others."
        )
    difference, covariance = K @ fit.beta - system.m, K @ V @ K.T
    statistic = float(difference @ np.linalg.solve(covariance, difference))
    joint = {"Chisq": [statistic], "Df": [rank], "Pr(>Chisq)": [float(chdtrc(rank, statistic))]}
    se = np.sqrt(np.diag(covariance))
    single = pd.DataFrame(wald_columns(difference, se), index=pd.Index(system.names))
    return LinearHypothesis(
        ("Joint Wald test of linear hypotheses", f" {fit.design.formula.strip()}"),
        pd.DataFrame(joint, index=pd.Index(["joint"])),
        estimates=ResultTable(("Single hypotheses, left minus right side",), single),
        K=K,
        m=system.m,
    )


def hypothesis_system(fit: Fit, hypotheses: Hypotheses) -> System:
    """``K beta = m`` from whatever form the hypotheses have."""
    names = list(fit.design.coef_names)
    if isinstance(hypotheses, str):
        return parsed_system(fit, [hypotheses])
    if isinstance(hypotheses, Mapping):
        nested = all(isinstance(weights, Mapping) for weights in hypotheses.values())
        rows: Mapping[str, Weights] = hypotheses if nested else {"": hypotheses}  # type: ignore[dict-item,assignment]
        K = np.array([weights_row(names, weights) for weights in rows.values()])
        labels = [label or equation(names, row) for label, row in zip(rows, K, strict=True)]
        return System(labels, K, np.zeros(len(K)))
    if isinstance(hypotheses, pd.DataFrame):
        K = np.array([weights_row(names, row) for _, row in hypotheses.iterrows()])
        return System([str(label) for label in hypotheses.index], K, np.zeros(len(K)))
    if not isinstance(hypotheses, Iterable):
        raise ArgumentError(
            f"hypotheses is {hypotheses!r}; it must be equations such as 'x = 0', weights by "
            "coefficient, or a matrix."
        )
    if all(isinstance(text, str) for text in hypotheses):
        return parsed_system(fit, [str(text) for text in hypotheses])
    K = np.atleast_2d(np.asarray(hypotheses, dtype=np.float64))
    if K.ndim != 2 or K.shape[1] != len(names):
        raise ArgumentError(
            f"the matrix of hypotheses has shape {K.shape}; it needs one column for each of the "
            f"{len(names)} coefficients: {', '.join(names)}."
        )
    return System([equation(names, row) for row in K], K, np.zeros(len(K)))


def with_right_sides(system: System, rhs: float | Sequence[float] | None) -> System:
    """The system with the argument ``rhs``."""
    if rhs is None:
        return system
    if system.m.any():
        raise ArgumentError("give the right side in the hypotheses or as rhs=, not in both.")
    m = np.asarray(rhs, dtype=np.float64)
    if m.shape not in ((), system.m.shape):
        raise ArgumentError(f"rhs has shape {m.shape}; there are {len(system.m)} hypotheses.")
    return System(system.names, system.K, np.broadcast_to(m, system.m.shape).copy())


def weights_row(names: Sequence[str], weights: Weights | pd.Series) -> FloatArray:
    """One row of K from weights by coefficient."""
    row = np.zeros(len(names))
    for name, weight in weights.items():
        one_of("coefficient", name, names)
        row[names.index(str(name))] = weight
    return row


def equation(names: Sequence[str], row: FloatArray) -> str:
    """A row of K as text: ``period2 - 2*period3``."""
    text = ""
    for name, weight in zip(names, row, strict=True):
        if weight:
            size = "" if abs(weight) == 1.0 else f"{abs(weight):g}*"
            sign = ("-" if weight < 0 else "") if not text else (" - " if weight < 0 else " + ")
            text += f"{sign}{size}{name}"
    return text or "0"


def parsed_system(fit: Fit, texts: Sequence[str]) -> System:
    """``K beta = m`` from equations and labels of terms."""
    design = fit.design
    labels: list[str] = []
    rows: list[Linear] = []
    for text in texts:
        stripped = text.strip()
        if stripped in design.term_labels and stripped not in design.coef_names:
            of_term = np.flatnonzero(design.assign == design.term_labels.index(stripped) + 1)
            labels += [design.coef_names[k] for k in of_term]
            rows += [Linear(np.eye(design.p)[k]) for k in of_term]
        else:
            rows.append(parsed_equation(design.coef_names, stripped))
            labels.append(stripped)
    if not rows:
        raise ArgumentError("there is no hypothesis to test.")
    K = np.array([row.weights for row in rows])
    for label, row in zip(labels, K, strict=True):
        if not row.any():
            raise ArgumentError(f"the hypothesis {label!r} has no coefficient in it.")
    return System(labels, K, -np.array([row.constant for row in rows]))


def parsed_equation(names: Sequence[str], text: str) -> Linear:
    """Left minus right side of one equation."""
    if text in names:
        return Linear(np.eye(len(names))[names.index(text)])
    equals = [token for token in tokenize(text) if token.text in ("=", "==")]
    if len(equals) > 1:
        raise syntax_error("a hypothesis has one '='", text, equals[1].position)
    if not equals:
        return linear_form(parse_expression(text), names, text)
    place, sign = equals[0].position, equals[0].text
    if not text[:place].strip() or not text[place + len(sign) :].strip():
        raise syntax_error("a hypothesis needs something on both sides of '='", text, place)
    # Blanks keep the positions of the right side for messages.
    right = " " * (place + len(sign)) + text[place + len(sign) :]
    sides = [linear_form(parse_expression(side), names, text) for side in (text[:place], right)]
    return sides[0].plus(sides[1].scaled(-1.0))


def linear_form(node: Node, names: Sequence[str], text: str) -> Linear:
    """An expression as a linear function of the coefficients.

    A piece is a coefficient if it reads like one, so that ``x:period2`` and ``I(x^2)`` need no
    backticks.
    """
    name = node.name if isinstance(node, Name) else deparse(node)
    if name in names:
        return Linear(np.eye(len(names))[names.index(name)])
    zero = np.zeros(len(names))
    match node:
        case Number(value=value):
            return Linear(zero, value)
        case Paren(inner=inner):
            return linear_form(inner, names, text)
        case Unary(operator="-", operand=operand):
            return linear_form(operand, names, text).scaled(-1.0)
        case Unary(operator="+", operand=operand):
            return linear_form(operand, names, text)
        case Binary(operator="+" | "-" as sign, left=left, right=right):
            other = linear_form(right, names, text)
            sum_of = linear_form(left, names, text)
            return sum_of.plus(other if sign == "+" else other.scaled(-1.0))
        case Binary(operator="*" | "/" as sign, left=left, right=right):
            a, b = linear_form(left, names, text), linear_form(right, names, text)
            if sign == "*" and not a.weights.any():
                return b.scaled(a.constant)
            if not b.weights.any() and (sign == "*" or b.constant):
                return a.scaled(b.constant if sign == "*" else 1.0 / b.constant)
            raise syntax_error("a hypothesis is linear in the coefficients", text, node.position)
        case Name():
            raise FormulaError(str(unknown_name("coefficient", name, names)))
    raise syntax_error(f"{name} is no coefficient", text, node.position)
