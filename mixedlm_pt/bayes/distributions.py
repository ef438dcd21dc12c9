"""Prior distributions as declarations: a name, numbers, and PyMC's distribution behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, Matrix, Scalar, Vector
from mixedlm_pt.errors import ArgumentError


@dataclass(frozen=True)
class Prior:
    """A distribution of one parameter.

    A subclass states its arguments as fields and the distribution of PyMC that has them, in the
    same order.

    Attributes
    ----------
    distribution : str
        Name of PyMC's class.
    keywords : tuple of str
        PyMC's names of the fields.
    is_positive : bool
        Whether the support is the positive half-line: such a prior fits standard deviations.
    """

    distribution: ClassVar[str]
    keywords: ClassVar[tuple[str, ...]] = ()
    is_positive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            is_allowed = is_number and np.isfinite(value)
            if not is_allowed or (value <= 0.0 and field.name != "location"):
                what = "finite number" if field.name == "location" else "positive finite number"
                raise ArgumentError(
                    f"{field.name} of {type(self).__name__} is {value!r}; it must be a {what}."
                )

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of PyMC's distribution by name."""
        return {
            key: getattr(self, field.name)
            for key, field in zip(self.keywords, fields(self), strict=True)
        }

    @classmethod
    def variable(cls, name: str, priors: Sequence[Self], dims: tuple[str, ...] | None) -> Vector:
        """A random variable in the PyMC model on the stack; a vector with one entry a prior.

        ``priors`` are of this class. With ``dims=None`` there is one and the variable is a scalar.
        """
        import pymc as pm

        arguments = {key: np.array([p.arguments[key] for p in priors]) for key in cls.keywords}
        if dims is None:
            arguments = {key: value[0] for key, value in arguments.items()}
        return getattr(pm, cls.distribution)(name, **arguments, dims=dims)

    def logp(self, value: Scalar) -> Scalar:
        """Log density at ``value`` on the parameter's own scale, symbolic."""
        import pymc as pm

        return pm.logp(getattr(pm, self.distribution).dist(**self.arguments), value)

    @property
    def support(self) -> tuple[float, float]:
        """Ends of the interval on which the density is positive."""
        return (0.0 if self.is_positive else -np.inf, np.inf)

    def __str__(self) -> str:
        """In rstanarm's vocabulary: ``normal(location = 0, scale = 2.5)``."""
        parts = [f"{field.name} = {getattr(self, field.name):.4g}" for field in fields(self)]
        return f"{self.label}({', '.join(parts)})" if parts else self.label

    @property
    def label(self) -> str:
        """Name of the distribution as it is printed."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Flat(Prior):
    """The same (improper) density everywhere."""

    distribution = "Flat"

    def logp(self, value: Scalar) -> Scalar:
        return pt.zeros_like(value)


@dataclass(frozen=True)
class HalfFlat(Flat):
    """The same (improper) density for all positive values."""

    distribution = "HalfFlat"
    is_positive = True

    @property
    def label(self) -> str:
        return "flat"


@dataclass(frozen=True)
class Normal(Prior):
    """Normal distribution with a location and a scale (its standard deviation)."""

    location: float
    scale: float

    distribution = "Normal"
    keywords = ("mu", "sigma")


@dataclass(frozen=True)
class StudentT(Prior):
    """Student's t distribution."""

    df: float
    location: float
    scale: float

    distribution = "StudentT"
    keywords = ("nu", "mu", "sigma")

    @property
    def label(self) -> str:
        return "student_t"


@dataclass(frozen=True)
class HalfNormal(Prior):
    """Normal distribution around zero, positive half."""

    scale: float

    distribution = "HalfNormal"
    keywords = ("sigma",)
    is_positive = True

    @property
    def label(self) -> str:
        return "half_normal"


@dataclass(frozen=True)
class Exponential(Prior):
    """Exponential distribution; its mean is ``1 / rate``."""

    rate: float

    distribution = "Exponential"
    keywords = ("lam",)
    is_positive = True


@dataclass(frozen=True)
class LKJ(Prior):
    """Distribution of a correlation matrix with density proportional to ``|R|^(eta - 1)``.

    With ``eta = 1`` all correlation matrices are equally likely. Lewandowski, Kurowicka and Joe
    (2009), J. Multivar. Anal. 100, 1989-2001.
    """

    eta: float

    distribution = "LKJCorr"
    keywords = ("eta",)

    def cholesky(self, name: str, k: int) -> Matrix:
        """A random variable: the Cholesky factor, shape (k, k), of the correlation matrix."""
        import pymc as pm

        return pm.LKJCorr(name, n=k, eta=self.eta)

    def logp(self, value: Matrix) -> Scalar:
        """Log density of the correlation matrix with this Cholesky factor, up to a constant."""
        return 2.0 * (self.eta - 1.0) * pt.log(pt.diagonal(value)).sum()

    @property
    def label(self) -> str:
        return "lkj"


def random_vector(name: str, priors: Sequence[Prior], labels: Sequence[str], dim: str) -> Vector:
    """A vector of parameters in the PyMC model on the stack, each with its own prior.

    Priors of one class make one random variable. PyMC has no vector of several distributions, so
    priors of several classes make one scalar ``name[label]`` each, and the vector is deterministic.
    """
    import pymc as pm

    classes = {type(prior) for prior in priors}
    if len(classes) == 1:
        return classes.pop().variable(name, priors, (dim,))
    entries = zip(priors, labels, strict=True)
    scalars = [type(prior).variable(f"{name}[{label}]", [prior], None) for prior, label in entries]
    return pm.Deterministic(name, pt.stack(scalars), dims=dim)


def sum_logp(priors: Sequence[Prior], values: Vector) -> Scalar:
    """Sum of the log densities of a vector of parameters, symbolic."""
    return pt.add(*(prior.logp(values[i]) for i, prior in enumerate(priors)), pt.constant(0.0))


def standard_deviation(x: FloatArray) -> float:
    """Sample standard deviation (n - 1), R's ``sd``."""
    return float(np.std(x, ddof=1))
