"""Double precision arithmetic written as LLVM instructions: operators, exp, log and their like.

A `Double` stands for a register of the code being written, so formulas read as they would for
numbers. Nothing branches: LLVM then turns a loop over rows into vector instructions, which no call
of a mathematical library would allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import pi, sqrt
from struct import pack

# Adding it rounds to an integer, which then stands in the lowest bits of the sum.
ROUNDER = 1.5 * 2.0**52
LOG2_E = 1.4426950408889634
# log 2 in two parts; products of the first with an exponent are exact.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LN2 = 0.6931471805599453
# exp is zero below and infinite above.
EXP_FROM, EXP_TO = -746.0, 710.0
# 1/2!, ..., 1/13!: the next term of the series is below rounding for |r| < log(2) / 2.
EXP_SERIES = [reduce(lambda c, i: c / i, range(1, k + 1), 1.0) for k in range(2, 14)]
# Minimax polynomial of (log((1 + s) / (1 - s)) - 2 s) / s in s^2 from FreeBSD's e_log.c (Ng 1993).
LOG_SERIES = [
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
]
# erfcx(x) (4 + x) / 4 as a polynomial of s = (4 - x) / (4 + x), x >= 0: its Chebyshev series in
# powers of s, error 6e-16.
ERFCX_SERIES = [
    0.27399891525012277, 0.2441371822702205, 0.19330217556630921, 0.1352134578283091,
    0.08271289696950566, 0.043502734309969135, 0.019095378727295876, 0.006592513335374279,
    0.0015280139139034826, 7.023971319329564e-05, -0.00011376316786006397,
    -4.4203184100111976e-05, -9.088216036154213e-07, 4.715138421832986e-06,
    1.1737384001287099e-06, -3.558308522476147e-07, -2.1193007068995737e-07,
    1.8519316117986032e-08, 3.169590993573733e-08, 1.486684247780591e-10,
    -4.524226433658983e-09, -2.2640489956526939e-10, 5.705708276830148e-10,
    3.732605426229163e-11, -4.478756880522945e-11, -2.9110013414190896e-12,
]  # fmt: skip
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
EXPONENT_BITS = 0xFFF0000000000000
SMALLEST_NORMAL = 2.0**-1022

type Number = Double | float


@dataclass(eq=False)
class Code:
    """Instructions in order; their registers are numbered through after a prefix."""

    prefix: str = "%r"
    lines: list[str] = field(default_factory=list)
    n_registers: int = 0

    def emit(self, instruction: str) -> str:
        """Append an instruction; the register with its result."""
        self.n_registers += 1
        register = f"{self.prefix}{self.n_registers}"
        self.lines.append(f"{register} = {instruction}")
        return register


def literal(value: float) -> str:
    """A double as LLVM writes it without loss."""
    return f"0x{pack('>d', value).hex().upper()}"


@dataclass(frozen=True, eq=False)
class Bits:
    """A 64-bit integer register; shifts to the right fill with zeros."""

    code: Code
    name: str

    def apply(self, operation: str, other: "Bits | int") -> "Bits":
        """``operation self, other``."""
        right = other.name if isinstance(other, Bits) else str(signed(other))
        return Bits(self.code, self.code.emit(f"{operation} i64 {self.name}, {right}"))

    def __add__(self, other: "Bits | int") -> "Bits":
        return self.apply("add", other)

    def __sub__(self, other: "Bits | int") -> "Bits":
        return self.apply("sub", other)

    def __rsub__(self, other: int) -> "Bits":
        return Bits(self.code, self.code.emit(f"sub i64 {other}, {self.name}"))

    def __and__(self, other: "Bits | int") -> "Bits":
        return self.apply("and", other)

    def __lshift__(self, n: int) -> "Bits":
        return self.apply("shl", n)

    def __rshift__(self, n: int) -> "Bits":
        return self.apply("lshr", n)

    @property
    def double(self) -> "Double":
        """The double with these bits."""
        return Double(self.code, self.code.emit(f"bitcast i64 {self.name} to double"))


def signed(bits: int) -> int:
    """The 64-bit pattern as a signed integer."""
    return bits - (1 << 64) if bits >> 63 else bits


@dataclass(frozen=True, eq=False)
class Truth:
    """A register that holds a truth value."""

    code: Code
    name: str

    def __and__(self, other: "Truth") -> "Truth":
        return Truth(self.code, self.code.emit(f"and i1 {self.name}, {other.name}"))

    def __or__(self, other: "Truth") -> "Truth":
        return Truth(self.code, self.code.emit(f"or i1 {self.name}, {other.name}"))

    def __invert__(self) -> "Truth":
        return Truth(self.code, self.code.emit(f"xor i1 {self.name}, true"))

    def select(self, yes: Number, no: Number) -> "Double":
        """``yes`` where true, else ``no``."""
        pair = ", ".join(f"double {name_of(value)}" for value in (yes, no))
        return Double(self.code, self.code.emit(f"select i1 {self.name}, {pair}"))


def name_of(value: Number) -> str:
    """Register or literal."""
    return value.name if isinstance(value, Double) else literal(value)


@dataclass(frozen=True, eq=False)
class Double:
    """A double precision register."""

    code: Code
    name: str

    def _apply(self, operation: str, left: Number, right: Number) -> "Double":
        text = f"{operation} double {name_of(left)}, {name_of(right)}"
        return Double(self.code, self.code.emit(text))

    def __add__(self, other: Number) -> "Double":
        return self._apply("fadd", self, other)

    def __radd__(self, other: float) -> "Double":
        return self._apply("fadd", other, self)

    def __sub__(self, other: Number) -> "Double":
        return self._apply("fsub", self, other)

    def __rsub__(self, other: float) -> "Double":
        return self._apply("fsub", other, self)

    def __mul__(self, other: Number) -> "Double":
        return self._apply("fmul", self, other)

    def __rmul__(self, other: float) -> "Double":
        return self._apply("fmul", other, self)

    def __truediv__(self, other: Number) -> "Double":
        return self._apply("fdiv", self, other)

    def __rtruediv__(self, other: float) -> "Double":
        return self._apply("fdiv", other, self)

    def __neg__(self) -> "Double":
        return Double(self.code, self.code.emit(f"fneg double {self.name}"))

    def __abs__(self) -> "Double":
        return self.intrinsic("fabs")

    def compare(self, condition: str, other: Number) -> Truth:
        """``self condition other`` for LLVM's ordered or unordered condition."""
        text = f"fcmp {condition} double {self.name}, {name_of(other)}"
        return Truth(self.code, self.code.emit(text))

    def __lt__(self, other: Number) -> Truth:
        return self.compare("olt", other)

    def __gt__(self, other: Number) -> Truth:
        return self.compare("ogt", other)

    def __le__(self, other: Number) -> Truth:
        return self.compare("ole", other)

    def __ge__(self, other: Number) -> Truth:
        return self.compare("oge", other)

    def intrinsic(self, name: str, *others: Number) -> "Double":
        """LLVM's own function of this name."""
        arguments = ", ".join(f"double {name_of(value)}" for value in (self, *others))
        return Double(self.code, self.code.emit(f"call double @llvm.{name}.f64({arguments})"))

    def fma(self, factor: Number, summand: Number) -> "Double":
        """``self * factor + summand``, rounded once where the processor can."""
        return self.intrinsic("fmuladd", factor, summand)

    @property
    def bits(self) -> Bits:
        """The bits of the double."""
        return Bits(self.code, self.code.emit(f"bitcast double {self.name} to i64"))

    def maximum(self, other: Number) -> "Double":
        """The larger one, NaN if either is NaN, as NumPy's."""
        return (self.compare("uge", other) | self.compare("une", self)).select(self, other)

    def minimum(self, other: Number) -> "Double":
        """The smaller one, NaN if either is NaN, as NumPy's."""
        return (self.compare("ule", other) | self.compare("une", self)).select(self, other)


def polynomial(x: Double, coefficients: Sequence[float]) -> Double:
    """Horner's scheme, the constant coefficient first."""
    first: Number = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        first = x.fma(first, c)
    assert isinstance(first, Double)
    return first


def reduced(x: Double) -> tuple[Double, Bits]:
    """``(r, k)`` with ``x = k log 2 + r``, ``|r| <= log(2) / 2``, k plus 2046 so that k > 0."""
    inside = (x > EXP_TO).select(EXP_TO, (x < EXP_FROM).select(EXP_FROM, x))
    shifted = inside.fma(LOG2_E, ROUNDER)
    k = shifted - ROUNDER
    r = k.fma(-LN2_LOW, k.fma(-LN2_HIGH, inside))
    return r, shifted.bits - (int.from_bytes(pack(">d", ROUNDER)) - 2046)


def powers(k: Bits) -> tuple[Bits, Bits]:
    """Exponent fields of two powers of two whose product is ``2^(k - 2046)``."""
    half = k >> 1
    return half, k - half


def exp(x: Double) -> Double:
    """Exponential function, subnormal results included."""
    r, k = reduced(x)
    one, other = powers(k)
    small = (r * r).fma(polynomial(r, EXP_SERIES), r) + 1.0
    return small * (one << 52).double * (other << 52).double


def expm1(x: Double) -> Double:
    """``exp(x) - 1``."""
    r, k = reduced(x)
    one, other = powers(k)
    small = (r * r).fma(polynomial(r, EXP_SERIES), r)
    # 2^k small + (2^k - 1), with 2^k = power * rest.
    power, rest = (one << 52).double, (other << 52).double
    return small.fma(power, power - ((2046 - other) << 52).double) * rest


def log(x: Double) -> Double:
    """Natural logarithm, error below one unit in the last place (Ng 1993, e_log.c)."""
    is_tiny = x < SMALLEST_NORMAL
    bits = is_tiny.select(x * 2.0**54, x).bits
    offset = bits - SQRT_HALF_BITS
    mantissa = (bits - (offset & EXPONENT_BITS)).double
    # The exponent as a double by way of the rounder's lowest bits.
    exponent = ((offset + (1536 << 52)) >> 52) + (int.from_bytes(pack(">d", ROUNDER)) - 1536)
    k = exponent.double - is_tiny.select(ROUNDER + 54.0, ROUNDER)
    f = mantissa - 1.0
    s = f / (f + 2.0)
    z = s * s
    half = 0.5 * f * f
    rest = s.fma(half + z * polynomial(z, LOG_SERIES), k * LN2_LOW)
    finite = k.fma(LN2_HIGH, f - (half - rest))
    special = (x <= 0.0).select((x < 0.0).select(float("nan"), float("-inf")), x)
    return ((x > 0.0) & (x < float("inf"))).select(finite, special)


def log1p(x: Double) -> Double:
    """``log(1 + x)``: what the rounding of ``1 + x`` lost is put back."""
    u = x + 1.0
    corrected = log(u) + (x - (u - 1.0)) / u
    return ((x > -1.0) & (x < float("inf"))).select(corrected, log(u))


def tanh(x: Double) -> Double:
    """Hyperbolic tangent."""
    t = expm1(-2.0 * abs(x))
    return (-t / (t + 2.0)).intrinsic("copysign", x)


def sigmoid(x: Double) -> Double:
    """``1 / (1 + exp(-x))``; the exponential is that of `softplus`, so both take one."""
    e = exp(-abs(x))
    larger = 1.0 / (e + 1.0)
    return (x >= 0.0).select(larger, e * larger)


def softplus(x: Double) -> Double:
    """``log(1 + exp(x))``."""
    return x.maximum(0.0) + log1p(exp(-abs(x)))


def log1mexp(x: Double) -> Double:
    """``log(1 - exp(x))`` for negative x; Machler (2012), eq. 7."""
    return (x < -LN2).select(log1p(-exp(x)), log(-expm1(x)))


def erfcx(x: Double) -> Double:
    """``exp(x^2) erfc(x)``."""
    right = erfcx_right(abs(x))
    return (x < 0.0).select(2.0 * exp(x * x) - right, right)


def erfcx_right(x: Double) -> Double:
    """`erfcx` for x >= 0."""
    t = 4.0 / (x + 4.0)
    return t * polynomial(t + t - 1.0, ERFCX_SERIES)


def log_ndtr(x: Double) -> Double:
    """Logarithm of the standard normal distribution function."""
    z = abs(x) * sqrt(0.5)
    e = 0.5 * erfcx_right(z)
    return (x < 0.0).select(log(e) - z * z, log1p(-e * exp(-(z * z))))


def mills(x: Double) -> Double:
    """Standard normal density over distribution function; parts shared with `log_ndtr`."""
    z = abs(x) * sqrt(0.5)
    e = 0.5 * erfcx_right(z)
    g = exp(-(z * z))
    ratio = (x < 0.0).select(1.0 / e, g / (1.0 - e * g))
    return ratio * sqrt(0.5 / pi)


def power(x: Double, exponent: float) -> Double:
    """``x ** exponent`` for a small integer or one half."""
    if exponent == 0.5:
        return x.intrinsic("sqrt")
    product = repeated(x, int(abs(exponent)))
    return 1.0 / product if exponent < 0 else product


def repeated(x: Double, n: int) -> Double:
    """``x ** n`` by squaring, n > 0."""
    if n == 1:
        return x
    half = repeated(x, n // 2)
    return half * half * x if n % 2 else half * half
