"""Priors as declarations: numbers, a support, a density and a sampler; those on the real line."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.errors import ArgumentError

REAL = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)
LOG_TWO = np.log(2.0)
# PyTensor takes 1.0 for a number of single precision.
ONE = np.ones(1)
LOG_ROOT_TWO_PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class Prior:
    """A distribution of one parameter.

    A subclass states its numbers as fields, its support, its density and its sampler; and the
    distribution of PyMC that has the same numbers in the same order.

    Attributes
    ----------
    distribution : str
        Name of PyMC's class; empty if there is none.
    keywords : tuple of str
        PyMC's names of the fields.
    support : (float, float)
        Ends of the interval on which the density is positive.
    is_proper : bool
        Whether the density has an integral, so that it can be drawn from.
    stacks : bool
        Whether the priors of a vector that are of this class share one expression.
    is_relative : bool
        Whether it is a prior of the parameter divided by the dispersion.
    """

    distribution: ClassVar[str] = ""
    keywords: ClassVar[tuple[str, ...]] = ()
    support: ClassVar[tuple[float, float]] = REAL
    is_proper: ClassVar[bool] = True
    stacks: ClassVar[bool] = True
    is_relative: ClassVar[bool] = False
    # Fields that may have any sign.
    signed: ClassVar[tuple[str, ...]] = ("location",)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            is_allowed = is_number and np.isfinite(value)
            is_signed = field.name in self.signed
            if not is_allowed or (value <= 0.0 and not is_signed):
                what = "finite number" if is_signed else "positive finite number"
                raise ArgumentError(
                    f"{field.name} of {type(self).__name__} is {value!r}; it must be a {what}."
                )

    @property
    def numbers(self) -> tuple[Any, ...]:
        """The fields."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @property
    def width(self) -> int:
        """How many neighbouring parameters share this prior as their joint one.

        A tuple of priors has one entry a parameter, so it has such a prior that many times.
        """
        return 1

    @property
    def is_positive(self) -> bool:
        """Whether no value is negative: such a prior fits standard deviations."""
        return self.support[0] >= 0.0

    @property
    def is_two_sided(self) -> bool:
        """Whether the support is the real line or an interval: such a prior fits coefficients."""
        lower, upper = self.support
        return bool(np.isfinite(lower) == np.isfinite(upper))

    def for_term(self, k: int) -> Self:
        """The prior as that of the standard deviations of a term with k effects."""
        return self

    def with_numbers(self, numbers: Sequence[Any]) -> Self:
        """The same distribution with other numbers: arrays or symbolic ones; unchecked."""
        other = object.__new__(type(self))
        for field, value in zip(fields(self), numbers, strict=True):
            object.__setattr__(other, field.name, value)
        return other

    def density(self, value: Vector) -> Vector:
        """Log density by entry inside the support, normalised; the fields may be symbolic."""
        raise NotImplementedError

    def logp(self, value: Scalar) -> Scalar:
        """Log density at ``value`` on the parameter's own scale, symbolic; -inf off the support."""
        values = pt.cast(pt.as_tensor_variable(value), "float64").reshape((-1,))
        return sum_logp([self] * self.width, values)

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Random values, shape (size,); of a joint prior (size, width)."""
        raise NotImplementedError

    def __str__(self) -> str:
        """In rstanarm's vocabulary: ``normal(location = 0, scale = 2.5)``."""
        parts = [f"{field.name} = {getattr(self, field.name):.4g}" for field in fields(self)]
        return f"{self.label}({', '.join(parts)})" if parts else self.label

    @property
    def title(self) -> str:
        """Name of the distribution in a PyMC model."""
        return self.distribution or type(self).__name__

    @property
    def label(self) -> str:
        """Name of the distribution as it is printed."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Flat(Prior):
    """The same (improper) density everywhere."""

    distribution = "Flat"
    is_proper = False

    def density(self, value: Vector) -> Vector:
        return pt.zeros_like(value)


@dataclass(frozen=True)
class Uniform(Prior):
    """The same density on the interval from ``lower`` to ``upper``, none elsewhere."""

    lower: float
    upper: float

    distribution = "Uniform"
    keywords = ("lower", "upper")
    signed = ("lower", "upper")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lower >= self.upper:
            raise ArgumentError(
                f"upper of Uniform is {self.upper!r}; it must be above lower, {self.lower!r}."
            )

    @property
    def support(self) -> tuple[float, float]:  # type: ignore[override]
        """The interval."""
        return (float(self.lower), float(self.upper))

    def density(self, value: Vector) -> Vector:
        return pt.zeros_like(value) - pt.log(self.upper - self.lower)

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return rng.uniform(self.lower, self.upper, size)


@dataclass(frozen=True)
class Normal(Prior):
    """Normal distribution with a location and a scale (its standard deviation)."""

    location: float
    scale: float

    distribution = "Normal"
    keywords = ("mu", "sigma")

    def density(self, value: Vector) -> Vector:
        z = (value - self.location) / self.scale
        return -0.5 * z**2 - pt.log(self.scale) - LOG_ROOT_TWO_PI

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return rng.normal(self.location, self.scale, size)


@dataclass(frozen=True)
class StudentT(Prior):
    """Student's t distribution."""

    df: float
    location: float
    scale: float

    distribution = "StudentT"
    keywords = ("nu", "mu", "sigma")
    label = "student_t"

    def density(self, value: Vector) -> Vector:
        return student_t(value - self.location, self.df, self.scale)

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return self.location + self.scale * rng.standard_t(self.df, size)


@dataclass(frozen=True)
class Cauchy(Prior):
    """Cauchy distribution."""

    location: float
    scale: float

    distribution = "Cauchy"
    keywords = ("alpha", "beta")

    def density(self, value: Vector) -> Vector:
        return student_t(value - self.location, ONE, self.scale)

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return self.location + self.scale * rng.standard_cauchy(size)


def student_t(deviation: Vector, df: Any, scale: Any) -> Vector:
    """Log density of Student's t at this distance from its location."""
    constant = pt.gammaln(0.5 * (df + 1.0)) - pt.gammaln(0.5 * df)
    constant -= 0.5 * pt.log(np.pi * df) + pt.log(scale)
    return constant - 0.5 * (df + 1.0) * pt.log1p((deviation / scale) ** 2 / df)


def sum_logp(priors: Sequence[Prior], values: Vector, dispersion: Scalar | None = None) -> Scalar:
    """Sum of the log densities of a vector of parameters, symbolic; -inf off the support.

    Parameters
    ----------
    priors : sequence of Prior, one a value
    values : vector
        On their own scales.
    dispersion : scalar, optional
        Value of the parameter that `Dispersion` describes, for priors relative to it.
    """
    relative = [i for i, prior in enumerate(priors) if prior.is_relative]
    if relative:
        assert dispersion is not None, "a prior relative to the dispersion needs its value"
        own = [i for i in range(len(priors)) if i not in relative]
        inner = [priors[i].numbers[0] for i in relative]
        total = sum_logp(inner, values[relative] / dispersion) - len(inner) * pt.log(dispersion)
        return total + sum_logp([priors[i] for i in own], values[own]) if own else total
    total = pt.constant(0.0)
    for places in blocks(priors):
        members = [priors[i] for i in places]
        part = values if len(places) == len(priors) else values[places]
        prior = members[0]
        if prior.stacks:
            columns = zip(*(member.numbers for member in members), strict=True)
            prior = prior.with_numbers([np.array(column, np.float64) for column in columns])
        total += guarded(prior.density(part), part, members).sum()
    return total


def blocks(priors: Sequence[Prior]) -> list[list[int]]:
    """Positions whose priors share one expression."""
    stacked: dict[type[Prior], list[int]] = {}
    rest, i = [], 0
    while i < len(priors):
        prior = priors[i]
        places = list(range(i, i + prior.width))
        if prior.stacks:
            stacked.setdefault(type(prior), []).extend(places)
        else:
            rest.append(places)
        i += prior.width
    return [*stacked.values(), *rest]


def guarded(density: Vector, values: Vector, priors: Sequence[Prior]) -> Vector:
    """The density, -inf where a value is off the support."""
    lower, upper = np.array([prior.support for prior in priors], np.float64).T
    if np.isneginf(lower).all() and np.isposinf(upper).all():
        return density
    is_inside = pt.and_(values >= lower, values <= upper)
    return pt.switch(is_inside if density.ndim else is_inside.all(), density, -np.inf)


def standard_deviation(x: FloatArray) -> float:
    """Sample standard deviation (n - 1), R's ``sd``."""
    return float(np.std(x, ddof=1))
