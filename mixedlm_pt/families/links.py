"""Links: ``eta = forward(mu)`` and the mean on the scales where it is exact."""

from functools import cached_property
from math import pi

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import Vector
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.families.scalar import (
    cloglog_log_mean,
    log1m_exp,
    log_ndtr,
    log_sigmoid,
    sigmoid,
    softplus,
)

# Where a logarithm of zero is asked for, that of the smallest normal number: -708.
SMALLEST_NORMAL = np.finfo(float).tiny


def _power(x: Vector, k: float) -> Vector:
    """``x ** k`` by the cheapest Op: NumPy's general power takes twenty times a product."""
    match k:
        case 1:
            return x
        case 2:
            return pt.sqr(x)
        case 0.5:
            return pt.sqrt(x)
        case -0.5:
            return pt.reciprocal(pt.sqrt(x))
        case -1:
            return pt.reciprocal(x)
        case -2:
            return pt.reciprocal(pt.sqr(x))
        case _:
            return x**k


class Mean:
    """The mean as a function of eta, each scale built when first asked for.

    Attributes
    ----------
    mu : vector, shape (n,)
        Mean, response scale.
    log_mu, log1m_mu : vector, shape (n,)
        ``log(mu)`` and ``log(1 - mu)``, each exact in its own tail.
    """

    def __init__(self, link: "Link", eta: Vector) -> None:
        self.link, self.eta = link, eta

    @cached_property
    def mu(self) -> Vector:
        return self.link.mean(self.eta)

    @cached_property
    def log_mu(self) -> Vector:
        return self.link.log_mean(self.eta)

    @cached_property
    def log1m_mu(self) -> Vector:
        return self.link.log1m_mean(self.eta)

    def power(self, k: float) -> Vector:
        """``mu ** k``, shape (n,), without a detour where the link is a power itself."""
        return self.link.power_mean(self.eta, k)


class Link:
    """A link function; subclass `Real`, `UnitInterval` or `Power` rather than this."""

    name: str

    def forward(self, mu: Vector) -> Vector:
        """Linear predictor of a mean, shape (n,)."""
        raise NotImplementedError

    def mean(self, eta: Vector) -> Vector:
        """Mean, shape (n,), response scale."""
        raise NotImplementedError

    def log_mean(self, eta: Vector) -> Vector:
        """Logarithm of the mean, shape (n,)."""
        return pt.log(self.mean(eta))

    def log1m_mean(self, eta: Vector) -> Vector:
        """Logarithm of one minus the mean, shape (n,)."""
        return pt.log1p(-self.mean(eta))

    def power_mean(self, eta: Vector, k: float) -> Vector:
        """``mean(eta) ** k``, shape (n,)."""
        return _power(self.mean(eta), k)

    def averaged_mean(self, eta: Vector, s: Vector) -> Vector | None:
        """Expectation of the mean over predictors ``N(eta, s^2)``, (n,); None if not closed."""
        return None

    def inverse(self, eta: Vector) -> Mean:
        """The mean at ``eta`` on all its scales."""
        return Mean(self, eta)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two links the same function; part of the signature of a graph."""
        return (f"{type(self).__module__}.{type(self).__qualname__}", self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Link) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class UnitInterval(Link):
    """Mean between 0 and 1; a subclass writes the logarithms of both ``mu`` and ``1 - mu``.

    ``latent_variance`` is that of the continuous variable whose sign a binary response is, about
    ``eta``; None where it has no variance.
    """

    latent_variance: float | None = None

    def mean(self, eta: Vector) -> Vector:
        return pt.exp(self.log_mean(eta))

    def log_mean(self, eta: Vector) -> Vector:
        raise NotImplementedError

    def log1m_mean(self, eta: Vector) -> Vector:
        raise NotImplementedError

    def power_mean(self, eta: Vector, k: float) -> Vector:
        return pt.exp(k * self.log_mean(eta))


class Positive(Link):
    """Mean above 0; a subclass writes its logarithm."""

    def mean(self, eta: Vector) -> Vector:
        return pt.exp(self.log_mean(eta))

    def log_mean(self, eta: Vector) -> Vector:
        raise NotImplementedError

    def power_mean(self, eta: Vector, k: float) -> Vector:
        return pt.exp(k * self.log_mean(eta))


class Real(Link):
    """Mean of any sign; a subclass writes it, and where it is negative its logarithm is NaN."""


class Power(Real):
    """``eta = mu ** exponent``."""

    exponent: float

    def forward(self, mu: Vector) -> Vector:
        return _power(mu, self.exponent)

    def mean(self, eta: Vector) -> Vector:
        return _power(eta, 1 / self.exponent)

    def log_mean(self, eta: Vector) -> Vector:
        return pt.log(eta) / self.exponent if self.exponent != 1 else pt.log(eta)

    def power_mean(self, eta: Vector, k: float) -> Vector:
        return _power(eta, k / self.exponent)


class Logit(UnitInterval):
    """``eta = log(mu / (1 - mu))``."""

    name = "logit"
    latent_variance = pi**2 / 3

    def forward(self, mu: Vector) -> Vector:
        return pt.log(mu) - pt.log1p(-mu)

    def mean(self, eta: Vector) -> Vector:
        return sigmoid(eta)

    def log_mean(self, eta: Vector) -> Vector:
        return log_sigmoid(eta)

    def log1m_mean(self, eta: Vector) -> Vector:
        return -softplus(eta)


class Probit(UnitInterval):
    """Standard normal quantile of the mean."""

    name = "probit"
    latent_variance = 1.0

    def forward(self, mu: Vector) -> Vector:
        return -(2**0.5) * pt.erfcinv(2.0 * mu)

    def mean(self, eta: Vector) -> Vector:
        return 0.5 * pt.erfc(-(0.5**0.5) * eta)

    def log_mean(self, eta: Vector) -> Vector:
        return log_ndtr(eta)

    def log1m_mean(self, eta: Vector) -> Vector:
        return log_ndtr(-eta)

    def averaged_mean(self, eta: Vector, s: Vector) -> Vector:
        return self.mean(eta / pt.sqrt(1.0 + pt.sqr(s)))


class Cloglog(UnitInterval):
    """Complementary log-log, ``eta = log(-log(1 - mu))``."""

    name = "cloglog"
    latent_variance = pi**2 / 6

    def forward(self, mu: Vector) -> Vector:
        return pt.log(-pt.log1p(-mu))

    def log_mean(self, eta: Vector) -> Vector:
        return cloglog_log_mean(eta)

    def log1m_mean(self, eta: Vector) -> Vector:
        return -pt.exp(eta)


class Cauchit(UnitInterval):
    """Standard Cauchy quantile of the mean."""

    name = "cauchit"

    def forward(self, mu: Vector) -> Vector:
        return -1.0 / pt.tan(pi * mu)

    def mean(self, eta: Vector) -> Vector:
        # 1/2 + arctan(eta) / pi cancels in the left tail; this angle does not.
        return pt.arctan2(1.0, -eta) / pi

    def log_mean(self, eta: Vector) -> Vector:
        return pt.log(self.mean(eta))

    def log1m_mean(self, eta: Vector) -> Vector:
        return pt.log(self.mean(-eta))


class Log(Positive):
    """``eta = log(mu)``."""

    name = "log"

    def forward(self, mu: Vector) -> Vector:
        return pt.log(mu)

    def log_mean(self, eta: Vector) -> Vector:
        return eta

    def log1m_mean(self, eta: Vector) -> Vector:
        return log1m_exp(eta)

    def averaged_mean(self, eta: Vector, s: Vector) -> Vector:
        return pt.exp(eta + 0.5 * pt.sqr(s))


class Identity(Power):
    """``eta = mu``."""

    name = "identity"
    exponent = 1

    def averaged_mean(self, eta: Vector, s: Vector) -> Vector:
        return eta


class Inverse(Power):
    """``eta = 1 / mu``."""

    name = "inverse"
    exponent = -1


class Sqrt(Power):
    """``eta = sqrt(mu)``; both signs of eta have the mean ``eta**2``."""

    name = "sqrt"
    exponent = 0.5

    def log_mean(self, eta: Vector) -> Vector:
        # Quadrature nodes and posterior draws cross zero, where 2 log(eta) would be NaN.
        return pt.log(pt.sqr(eta))

    def averaged_mean(self, eta: Vector, s: Vector) -> Vector:
        return pt.sqr(eta) + pt.sqr(s)


class InverseSquare(Power):
    """``eta = 1 / mu**2``, the canonical link of the inverse Gaussian."""

    name = "1/mu^2"
    exponent = -2


class Saturated(Identity):
    """The mean as its own predictor, with finite logarithms at 0 and 1.

    ``y log(mu)`` at ``mu = y`` is then 0 for ``y = 0``, its limit, with no switch in any density.
    """

    name = "saturated"

    def log_mean(self, eta: Vector) -> Vector:
        return pt.log(pt.maximum(eta, SMALLEST_NORMAL))

    def log1m_mean(self, eta: Vector) -> Vector:
        return pt.log(pt.maximum(1.0 - eta, SMALLEST_NORMAL))


LINKS: dict[str, type[Link]] = {
    link.name: link
    for link in (Logit, Probit, Cloglog, Cauchit, Log, Identity, Inverse, Sqrt, InverseSquare)
}


def make_link(link: str | Link | type[Link]) -> Link:
    """The link that a name, a class or an instance stands for.

    Raises
    ------
    ArgumentError
        If the name is not in ``LINKS`` or the object is not a link.
    """
    if isinstance(link, Link):
        return link
    if isinstance(link, type) and issubclass(link, Link):
        return link()
    if not isinstance(link, str):
        raise ArgumentError(
            f"link is {link!r}; it must be a name ({', '.join(LINKS)}) or an instance of a Link."
        )
    if link not in LINKS:
        raise unknown_name("link", link, LINKS)
    return LINKS[link]()
