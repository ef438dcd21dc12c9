"""Links and families once more, in 600 decimal digits: the truth that tests compare to.

Nothing here is shared with the package. Derivatives are central differences with a step of 1e-60,
so that their error is far below anything a double can show, in any tail.
"""

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Decimal, localcontext
from functools import cache

DIGITS = 600
STEP = Decimal("1e-60")
LARGEST, SMALLEST = Decimal("1e300"), Decimal("1e-300")
PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534"
    "2117067982148086513282306647093844609550582231725359408128481117450284102701938521105559644622"
)

type Real = Callable[[Decimal], Decimal]


def log1p(x: Decimal) -> Decimal:
    """``log(1 + x)`` without the loss of digits for tiny x."""
    if abs(x) > Decimal("1e-100"):
        return (1 + x).ln()
    return x - x * x / 2 + x * x * x / 3 - x**4 / 4


def upper_normal(x: Decimal) -> Decimal:
    """Upper tail of the standard normal distribution, for any x."""
    if x < 0:
        return 1 - upper_normal(-x)
    density = (-x * x / 2).exp() / (2 * PI).sqrt()
    if x > 12:
        fraction = x
        for k in range(400, 0, -1):
            fraction = x + k / fraction
        return density / fraction
    term = total = x
    k = 1
    while abs(term) > Decimal("1e-170"):
        term = term * x * x / (2 * k + 1)
        total += term
        k += 1
    return Decimal("0.5") - density * total


def arctan_of_inverse(x: Decimal) -> Decimal:
    """``arctan(1 / x)`` for ``|x| >= 2``."""
    total, power, k = Decimal(0), 1 / x, 0
    while abs(power) > Decimal("1e-180"):
        total += (-1) ** k * power / (2 * k + 1)
        power /= x * x
        k += 1
    return total


def cauchy(x: Decimal) -> Decimal:
    """Distribution function of the standard Cauchy distribution for ``|x| >= 2``."""
    tail = -arctan_of_inverse(x) / PI
    return tail if x < 0 else 1 + tail


def _symmetric(cdf: Real) -> tuple[Real, Real]:
    return (cdf, lambda x: cdf(-x))


# Mean and one minus the mean as functions of eta.
MEANS: dict[str, tuple[Real, Real]] = {
    "logit": _symmetric(lambda x: 1 / (1 + (-x).exp())),
    "probit": _symmetric(lambda x: upper_normal(-x)),
    "cloglog": (lambda x: 1 - (-x.exp()).exp(), lambda x: (-x.exp()).exp()),
    "cauchit": _symmetric(cauchy),
    "log": (lambda x: x.exp(), lambda x: 1 - x.exp()),
    "identity": (lambda x: x, lambda x: 1 - x),
    "inverse": (lambda x: 1 / x, lambda x: 1 - 1 / x),
    "sqrt": (lambda x: x * x, lambda x: 1 - x * x),
    "1/mu^2": (lambda x: 1 / x.sqrt(), lambda x: 1 - 1 / x.sqrt()),
}


MEANS = {name: (cache(mean), cache(rest)) for name, (mean, rest) in MEANS.items()}


def _log(x: Decimal, complement: Decimal) -> Decimal:
    return log1p(-complement) if abs(complement) < Decimal("1e-50") else x.ln()


def _binomial(y: Decimal, mu: Decimal, rest: Decimal, phi: Decimal) -> Decimal:
    success = y * _log(mu, rest) if y else Decimal(0)
    return success + ((1 - y) * _log(rest, mu) if y != 1 else Decimal(0))


def _negative_binomial(y: Decimal, mu: Decimal, rest: Decimal, phi: Decimal) -> Decimal:
    return y * mu.ln() - (y + phi) * log1p(mu / phi)


# Log densities up to terms that depend on neither eta nor anything but y and phi, and variances.
KERNELS: dict[str, Callable[[Decimal, Decimal, Decimal, Decimal], Decimal]] = {
    "gaussian": lambda y, mu, rest, phi: -((y - mu) ** 2) / (2 * phi),
    "binomial": _binomial,
    "poisson": lambda y, mu, rest, phi: y * mu.ln() - mu,
    "negative_binomial": _negative_binomial,
    "gamma": lambda y, mu, rest, phi: -(y / mu + mu.ln()) / phi,
    "inverse_gaussian": lambda y, mu, rest, phi: (1 / mu - y / (2 * mu * mu)) / phi,
}
VARIANCES: dict[str, Callable[[Decimal, Decimal, Decimal], Decimal]] = {
    "gaussian": lambda mu, rest, phi: phi,
    "binomial": lambda mu, rest, phi: mu * rest,
    "poisson": lambda mu, rest, phi: mu,
    "negative_binomial": lambda mu, rest, phi: mu + mu * mu / phi,
    "gamma": lambda mu, rest, phi: phi * mu * mu,
    "inverse_gaussian": lambda mu, rest, phi: phi * mu**3,
}
ALIASES = {"quasibinomial": "binomial", "quasipoisson": "poisson"}


def differences(f: Real, x: Decimal, order: int) -> list[Decimal]:
    """``f`` and its derivatives up to the given order (at most 3) at ``x``."""
    low2, low, mid, high, high2 = (f(x + k * STEP) for k in range(-2, 3))
    values = [
        mid,
        (high - low) / (2 * STEP),
        (high - 2 * mid + low) / STEP**2,
        (high2 - 2 * high + 2 * low - low2) / (2 * STEP**3),
    ]
    return values[: order + 1]


@cache
def log_mean(link: str, eta: float, complement: bool) -> list[Decimal]:
    """``log(mu)`` (or ``log(1 - mu)``) and its first two derivatives in eta."""
    mean, rest = MEANS[link]
    first, second = (rest, mean) if complement else (mean, rest)
    with localcontext(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN):
        return differences(lambda x: _log(first(x), second(x)), Decimal(eta), 2)


@cache
def information(family: str, link: str, y: float, eta: float, phi: float) -> list[Decimal]:
    """Score, observed information, expected information and d observed / d eta, unit weight."""
    name = ALIASES.get(family, family)
    mean, rest = MEANS[link]
    with localcontext(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN):
        x, r, p = Decimal(eta), Decimal(y), Decimal(phi)
        kernel = KERNELS[name]
        _, score, second, third = differences(lambda e: kernel(r, mean(e), rest(e), p), x, 3)
        slope = differences(mean, x, 1)[1]
        expected = slope * slope / VARIANCES[name](mean(x), rest(x), p)
        return [score, -second, expected, -third]
