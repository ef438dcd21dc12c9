"""Prior distributions of positive numbers: standard deviations and dispersions."""

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, Vector
from mixedlm_pt.bayes.distributions import (
    LOG_ROOT_TWO_PI,
    LOG_TWO,
    ONE,
    POSITIVE,
    Flat,
    Prior,
    student_t,
)


@dataclass(frozen=True)
class HalfFlat(Flat):
    """The same (improper) density for all positive values."""

    distribution = "HalfFlat"
    support = POSITIVE
    label = "flat"


@dataclass(frozen=True)
class HalfNormal(Prior):
    """Normal distribution around zero, positive half."""

    scale: float

    distribution = "HalfNormal"
    keywords = ("sigma",)
    support = POSITIVE
    label = "half_normal"

    def density(self, value: Vector) -> Vector:
        z = value / self.scale
        return LOG_TWO - 0.5 * z**2 - pt.log(self.scale) - LOG_ROOT_TWO_PI

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return np.abs(rng.normal(0.0, self.scale, size))


@dataclass(frozen=True)
class HalfStudentT(Prior):
    """Student's t distribution around zero, positive half."""

    df: float
    scale: float

    distribution = "HalfStudentT"
    keywords = ("nu", "sigma")
    support = POSITIVE
    label = "half_student_t"

    def density(self, value: Vector) -> Vector:
        return LOG_TWO + student_t(value, self.df, self.scale)

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return np.abs(self.scale * rng.standard_t(self.df, size))


@dataclass(frozen=True)
class HalfCauchy(Prior):
    """Cauchy distribution around zero, positive half."""

    scale: float

    distribution = "HalfCauchy"
    keywords = ("beta",)
    support = POSITIVE
    label = "half_cauchy"

    def density(self, value: Vector) -> Vector:
        return LOG_TWO + student_t(value, ONE, self.scale)

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return np.abs(self.scale * rng.standard_cauchy(size))


@dataclass(frozen=True)
class Exponential(Prior):
    """Exponential distribution; its mean is ``1 / rate``."""

    rate: float

    distribution = "Exponential"
    keywords = ("lam",)
    support = POSITIVE

    def density(self, value: Vector) -> Vector:
        return pt.log(self.rate) - self.rate * value

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return rng.exponential(1.0 / self.rate, size)


@dataclass(frozen=True)
class Gamma(Prior):
    """Gamma distribution; its mean is ``shape / rate``."""

    shape: float
    rate: float

    distribution = "Gamma"
    keywords = ("alpha", "beta")
    support = POSITIVE

    def density(self, value: Vector) -> Vector:
        constant = self.shape * pt.log(self.rate) - pt.gammaln(self.shape)
        return constant + (self.shape - 1.0) * pt.log(value) - self.rate * value

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return rng.gamma(self.shape, 1.0 / self.rate, size)


@dataclass(frozen=True)
class InverseGamma(Prior):
    """Distribution of ``1 / x`` where x ~ Gamma(shape, rate=scale)."""

    shape: float
    scale: float

    distribution = "InverseGamma"
    keywords = ("alpha", "beta")
    support = POSITIVE
    label = "inverse_gamma"

    def density(self, value: Vector) -> Vector:
        constant = self.shape * pt.log(self.scale) - pt.gammaln(self.shape)
        return constant - (self.shape + 1.0) * pt.log(value) - self.scale / value

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return self.scale / rng.gamma(self.shape, 1.0, size)


@dataclass(frozen=True)
class LogNormal(Prior):
    """Distribution of ``exp(x)`` where x ~ Normal(location, scale)."""

    location: float
    scale: float

    distribution = "LogNormal"
    keywords = ("mu", "sigma")
    support = POSITIVE
    label = "log_normal"

    def density(self, value: Vector) -> Vector:
        log_value = pt.log(value)
        z = (log_value - self.location) / self.scale
        return -0.5 * z**2 - pt.log(self.scale) - LOG_ROOT_TWO_PI - log_value

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        return rng.lognormal(self.location, self.scale, size)
