"""Scalar functions that links and families need, exact in both tails, derivatives included.

Each is a PyTensor scalar Op with three faces: a vectorised NumPy kernel (``nfunc_spec``), which the
``py`` linker runs at array speed; ``derivative``, written so that it neither cancels nor overflows
where the function itself does not; and ``expand``, the same value in standard Ops, which replaces
the Op in every compiled backend, so that none needs a dispatch of its own.
"""

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any, ClassVar

import pytensor.scalar as ps
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.utils import import_func_from_string

from mixedlm_pt._typing import Vector
from mixedlm_pt.families.kernels import (
    CLOGLOG_SERIES_BELOW,
    CLOGLOG_SLOPE_FROM,
    STIRLING_FROM,
    bend_series,
    stirling_below,
    stirling_series,
)

KERNELS = bend_series.__module__


class SpecialFunction(ps.UnaryScalarOp):
    """A function of one real variable; the module's docstring tells its three faces."""

    nfunc_spec: tuple[str, int, int]

    def __init__(self) -> None:
        super().__init__(ps.upgrade_to_float_no_complex, name=type(self).__name__)

    def impl(self, x: float) -> Any:
        return import_func_from_string(self.nfunc_spec[0])(x)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        """Scalar graph of the derivative at ``x``, where the function has ``value``."""
        raise NotImplementedError(f"{self.name} has no further derivative")

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        return [cotangents[0] * self.derivative(inputs[0], outputs[0])]

    def expand(self, x: Vector) -> Vector | None:
        """The value in standard Ops; None where every backend knows ``nfunc_spec`` by itself."""
        return None


def expand_special_functions(fgraph: FunctionGraph, node: Apply[Elemwise]) -> list[Variable] | None:
    """Replace special functions by standard Ops, once no derivative is taken any more."""
    op = node.op.scalar_op
    expanded = op.expand(*node.inputs) if isinstance(op, SpecialFunction) else None
    return None if expanded is None else [expanded]


# Not in fast_compile, where the `py` linker runs the NumPy kernels. Just before specialize (2),
# which then simplifies what the expansion wrote.
optdb.register(
    "expand_special_functions",
    dfs_rewriter(node_rewriter([Elemwise])(expand_special_functions)),
    "fast_run",
    position=1.9,
)


class Sigmoid(SpecialFunction):
    """``1 / (1 + exp(-x))``; PyTensor's own has the derivative ``s (1 - s)``, zero from 37 on."""

    nfunc_spec = (f"{KERNELS}.sigmoid", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _logistic_density(x)

    def expand(self, x: Vector) -> Vector:
        return pt.sigmoid(x)


class SigmoidComplement(SpecialFunction):
    """``1 / (1 + exp(x))``; an Op of its own, so that all derivatives share one argument."""

    nfunc_spec = (f"{KERNELS}.sigmoid_complement", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return -_logistic_density(x)

    def expand(self, x: Vector) -> Vector:
        return pt.sigmoid(-x)


class LogisticDensity(SpecialFunction):
    """``s(x) s(-x)`` with the sigmoid s: the derivative of `Sigmoid`."""

    nfunc_spec = (f"{KERNELS}.logistic_density", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return -value * ps.tanh(0.5 * x)

    def expand(self, x: Vector) -> Vector:
        return pt.sigmoid(x) * pt.sigmoid(-x)


class LogSigmoid(SpecialFunction):
    """``-log(1 + exp(-x))``."""

    nfunc_spec = (f"{KERNELS}.log_sigmoid", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _sigmoid_complement(x)

    def expand(self, x: Vector) -> Vector:
        return -pt.softplus(-x)


class Softplus(SpecialFunction):
    """``log(1 + exp(x))``."""

    nfunc_spec = (f"{KERNELS}.softplus", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _sigmoid(x)

    def expand(self, x: Vector) -> Vector:
        return pt.softplus(x)


class Log1mExp(SpecialFunction):
    """``log(1 - exp(x))`` for ``x < 0``; Machler (2012), eq. 7."""

    nfunc_spec = (f"{KERNELS}.log1m_exp", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return -_exp_odds(x)

    def expand(self, x: Vector) -> Vector:
        return pt.log1mexp(x)


class ExpOdds(SpecialFunction):
    """``exp(x) / (1 - exp(x))``: the odds of a probability ``exp(x)``, ``x < 0``."""

    nfunc_spec = (f"{KERNELS}.exp_odds", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return value * (1.0 + value)

    def expand(self, x: Vector) -> Vector:
        return pt.reciprocal(pt.expm1(-x))


class LogNdtr(SpecialFunction):
    """Logarithm of the standard normal distribution function."""

    nfunc_spec = ("scipy.special.log_ndtr", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _mills(x)


class Mills(SpecialFunction):
    """Normal density over distribution function, the derivative of `LogNdtr`."""

    nfunc_spec = (f"{KERNELS}.mills", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return -value * (x + value)

    def expand(self, x: Vector) -> Vector:
        return sqrt(2 / pi) / pt.erfcx(-sqrt(0.5) * x)


class CloglogLogMean(SpecialFunction):
    """``log(1 - exp(-t))``, ``t = exp(x)``: log mean of the complementary log-log link."""

    nfunc_spec = (f"{KERNELS}.cloglog_log_mean", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _cloglog_slope(x)

    def expand(self, x: Vector) -> Vector:
        return pt.log1mexp(-pt.exp(x))


class CloglogSlope(SpecialFunction):
    """``t / expm1(t)``, ``t = exp(x)``: the derivative of `CloglogLogMean`."""

    nfunc_spec = (f"{KERNELS}.cloglog_slope", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return value * _cloglog_bend(x)

    def expand(self, x: Vector) -> Vector:
        t = pt.exp(pt.maximum(x, CLOGLOG_SLOPE_FROM))
        return t / pt.expm1(t)


class CloglogBend(SpecialFunction):
    """``1 - t - t / expm1(t)``, ``t = exp(x)``: the logarithmic derivative of `CloglogSlope`."""

    nfunc_spec = (f"{KERNELS}.cloglog_bend", 1, 1)

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return -(ps.exp(x) + _cloglog_slope(x) * value)

    def expand(self, x: Vector) -> Vector:
        t = pt.exp(x)
        low, high = pt.minimum(t, CLOGLOG_SERIES_BELOW), pt.maximum(t, CLOGLOG_SERIES_BELOW)
        return pt.switch(
            t < CLOGLOG_SERIES_BELOW, bend_series(low), 1.0 - high - high / pt.expm1(high)
        )


class StirlingError(SpecialFunction):
    """``log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2``.

    Differences of log-gamma functions lose ten digits at 1e10; written with this they lose none.
    Loader (2000), Fast and accurate computation of binomial probabilities, section 3.
    """

    nfunc_spec = (f"{KERNELS}.stirling_error", 1, 1)
    order: ClassVar[int] = 0

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _stirling_slope(x)

    def expand(self, x: Vector) -> Vector:
        low, high = pt.minimum(x, STIRLING_FROM), pt.maximum(x, STIRLING_FROM)
        return pt.switch(
            x < STIRLING_FROM,
            stirling_below(low, self.order, pt.log),
            stirling_series(high, self.order),
        )


class StirlingSlope(StirlingError):
    """First derivative of `StirlingError`."""

    nfunc_spec = (f"{KERNELS}.stirling_slope", 1, 1)
    order = 1

    def derivative(self, x: Variable, value: Variable) -> Variable:
        return _stirling_curvature(x)


class StirlingCurvature(StirlingError):
    """Second derivative of `StirlingError`, the last one: no criterion needs the third."""

    nfunc_spec = (f"{KERNELS}.stirling_curvature", 1, 1)
    order = 2
    derivative = SpecialFunction.derivative


_sigmoid, _sigmoid_complement = Sigmoid(), SigmoidComplement()
_logistic_density = LogisticDensity()
_mills, _exp_odds = Mills(), ExpOdds()
_cloglog_slope, _cloglog_bend = CloglogSlope(), CloglogBend()
_stirling_slope, _stirling_curvature = StirlingSlope(), StirlingCurvature()

sigmoid = Elemwise(_sigmoid)
log_sigmoid = Elemwise(LogSigmoid())
softplus = Elemwise(Softplus())
log1m_exp = Elemwise(Log1mExp())
log_ndtr = Elemwise(LogNdtr())
cloglog_log_mean = Elemwise(CloglogLogMean())
stirling_error = Elemwise(StirlingError())
