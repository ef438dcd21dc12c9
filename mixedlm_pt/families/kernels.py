"""NumPy kernels of the special functions in `scalar`, and the formulas both modules share."""

from collections.abc import Callable, Sequence
from functools import reduce, wraps
from math import factorial, log, pi, sqrt
from operator import add, mul
from typing import Any

import numpy as np
from scipy import special

from mixedlm_pt._typing import FloatArray

type Kernel = Callable[[FloatArray], FloatArray]

# 64 KB, so that the handful of temporaries of a kernel fits the second-level cache.
BLOCK = 8192
# B_2, B_4, ..., B_16; scipy.special.bernoulli has them to eleven digits only.
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]
# From 10 on, eight terms of Stirling's series are exact to rounding: the ninth is 0.18 x^-17.
# NumPy's floats here and below, because PyTensor would store a Python float in single precision.
STIRLING_FROM = np.float64(10.0)
STIRLING_STEPS = 10
# B_2k / (2k (2k - 1)), Abramowitz and Stegun (1964), 6.1.40.
STIRLING_COEFFICIENTS = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, start=1)]
# Below 0.3, five terms of the series for 1 - t - t / expm1(t) leave a relative error of 1e-15.
CLOGLOG_SERIES_BELOW = np.float64(0.3)
# B_2k / (2k)!: the even Taylor coefficients of t / expm1(t).
CLOGLOG_COEFFICIENTS = [b / factorial(2 * k) for k, b in enumerate(BERNOULLI[:5], start=1)]
# exp(x) is zero a little further left, and t / expm1(t) at t = exp(x) has long been 1.
CLOGLOG_SLOPE_FROM = np.float64(-700.0)


def blocked(kernel: Kernel) -> Kernel:
    """The kernel applied block by block: its temporaries stay in cache, three times faster."""

    @wraps(kernel)
    def apply(x: FloatArray) -> FloatArray:
        x = np.asarray(x, dtype=float)
        if x.size <= BLOCK:
            return kernel(x)
        out = np.empty(x.shape)
        source, target = x.ravel(), out.ravel()
        for start in range(0, x.size, BLOCK):
            target[start : start + BLOCK] = kernel(source[start : start + BLOCK])
        return out

    return apply


@blocked
def sigmoid(x: FloatArray) -> FloatArray:
    """``1 / (1 + exp(-x))``."""
    return np.reciprocal(1.0 + np.exp(-x))


@blocked
def sigmoid_complement(x: FloatArray) -> FloatArray:
    """``1 / (1 + exp(x))``."""
    return np.reciprocal(1.0 + np.exp(x))


@blocked
def logistic_density(x: FloatArray) -> FloatArray:
    """``exp(x) / (1 + exp(x))^2``."""
    e = np.exp(-np.abs(x))
    return e / np.square(1.0 + e)


@blocked
def log_sigmoid(x: FloatArray) -> FloatArray:
    """``-log(1 + exp(-x))``."""
    return np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))


@blocked
def softplus(x: FloatArray) -> FloatArray:
    """``log(1 + exp(x))``."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


@blocked
def log1m_exp(x: FloatArray) -> FloatArray:
    """``log(1 - exp(x))`` by the form that keeps the digits; Machler (2012), eq. 7."""
    return np.where(x < -log(2), np.log1p(-np.exp(x)), np.log(-np.expm1(x)))


@blocked
def exp_odds(x: FloatArray) -> FloatArray:
    """``exp(x) / (1 - exp(x))``."""
    return 1.0 / np.expm1(-x)


@blocked
def mills(x: FloatArray) -> FloatArray:
    """Standard normal density over distribution function."""
    return sqrt(2 / pi) / special.erfcx(-sqrt(0.5) * x)


@blocked
def cloglog_log_mean(x: FloatArray) -> FloatArray:
    """``log(1 - exp(-exp(x)))``."""
    return log1m_exp(-np.exp(x))


@blocked
def cloglog_slope(x: FloatArray) -> FloatArray:
    """``t / expm1(t)`` at ``t = exp(x)``."""
    return np.reciprocal(special.exprel(np.exp(x)))


@blocked
def cloglog_bend(x: FloatArray) -> FloatArray:
    """``1 - t - t / expm1(t)`` at ``t = exp(x)``."""
    t = np.exp(x)
    series = bend_series(np.minimum(t, CLOGLOG_SERIES_BELOW))
    return np.where(t < CLOGLOG_SERIES_BELOW, series, 1.0 - t - 1.0 / special.exprel(t))


def _horner(coefficients: Sequence[float], x: Any) -> Any:
    total: Any = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def bend_series(t: Any) -> Any:
    """Series of ``1 - t - t / expm1(t)`` for small t, numerical or symbolic."""
    square = t * t
    return -t / 2 - square * _horner(CLOGLOG_COEFFICIENTS, square)


def stirling_series(x: Any, order: int) -> Any:
    """Derivative of the given order of Stirling's series, numerical or symbolic."""
    coefficients = STIRLING_COEFFICIENTS
    for d in range(order):
        coefficients = [c * (1 - 2 * k - d) for k, c in enumerate(coefficients, start=1)]
    r = 1.0 / x
    return _horner(coefficients, r * r) * r ** (order + 1)


def stirling_below(x: Any, order: int, log: Callable[[Any], Any]) -> Any:
    """The same for small x, where the series does not hold, numerical or symbolic.

    Ten steps of ``Gamma(x + 1) = x Gamma(x)`` lead from x to where it does.
    """
    y = x + STIRLING_STEPS
    steps = [x + float(k) for k in range(STIRLING_STEPS)]
    if order == 0:
        ratio = y**STIRLING_STEPS / reduce(mul, steps)
        return stirling_series(y, 0) + (x - 0.5) * log(y / x) + log(ratio) - STIRLING_STEPS
    reciprocals = [1.0 / step for step in steps]
    if order == 1:
        return stirling_series(y, 1) + log(y / x) - 0.5 / y + 0.5 / x - reduce(add, reciprocals)
    squares = reduce(add, [r * r for r in reciprocals])
    rest = 1.0 / y + 0.5 / (y * y) - 1.0 / x - 0.5 / (x * x)
    return stirling_series(y, 2) + rest + squares


def _stirling(x: FloatArray, order: int) -> FloatArray:
    value = np.asarray(stirling_series(np.maximum(x, STIRLING_FROM), order))
    small = x < STIRLING_FROM
    value[small] = stirling_below(x[small], order, np.log)
    return value


@blocked
def stirling_error(x: FloatArray) -> FloatArray:
    """The error of Stirling's formula for log-gamma."""
    return _stirling(x, 0)


@blocked
def stirling_slope(x: FloatArray) -> FloatArray:
    """Derivative of `stirling_error`."""
    return _stirling(x, 1)


@blocked
def stirling_curvature(x: FloatArray) -> FloatArray:
    """Second derivative of `stirling_error`."""
    return _stirling(x, 2)
