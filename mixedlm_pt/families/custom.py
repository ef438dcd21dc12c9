"""A family that a user writes down as one log density."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import LINKS, Link, Mean
from mixedlm_pt.families.support import RealNumbers, Support

type LogDensity = Callable[[Vector, Mean, Scalar], Vector]
type Distribution = Callable[[FloatArray, FloatArray, float, FloatArray], FloatArray]
type Variance = Callable[[Vector, Scalar], Vector]
type Sampler = Callable[[np.random.Generator, FloatArray, float, FloatArray], FloatArray]


class CustomFamily(Family):
    """A family of your own from its log density alone; it fits by ML and samples in PyMC.

    Parameters
    ----------
    name : str
    logp : callable ``(y, mean, phi) -> vector``
        Symbolic log density of every row for unit weight, with all its constants, written with
        PyTensor functions. ``mean`` has ``mu``, ``log_mu`` and ``log1m_mu``; ``mu`` must be the
        mean of y, because predictions, residuals and the Fisher information take it for that.
    link : str or Link
        Any link.
    random : callable ``(rng, mu, phi, w) -> array``, optional
        Draws responses; needed by ``simulate`` and the parametric bootstrap only.
    cdf : callable ``(y, mu, phi, w) -> array``, optional
        ``P(Y <= y)``; needed by quantile residuals only.
    variance : callable ``(mu, phi) -> vector``, optional
        Symbolic variance of a response of unit weight, without phi where phi scales it; needed by
        Pearson residuals and R2 where the score is not linear in y. Otherwise derived.
    has_dispersion : bool
        Whether ``phi`` occurs in the density: a positive parameter, then estimated by ML.
    phi_scales_variance : bool
        Whether the variance is that phi times a function of the mean; False for a shape.
    support : Support
        Allowed responses; default: all finite numbers.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> def geometric(y, mean, phi):
    ...     return y * mean.log_mu - (y + 1) * pt.log1p(mean.mu)
    >>> CustomFamily(name="geometric", logp=geometric, link="log")
    CustomFamily(name='geometric', link='log')
    """

    links = tuple(LINKS)

    def __init__(
        self,
        name: str,
        logp: LogDensity,
        link: str | Link | type[Link],
        *,
        random: Sampler | None = None,
        cdf: Distribution | None = None,
        variance: Variance | None = None,
        has_dispersion: bool = False,
        phi_name: str = "phi",
        phi_scales_variance: bool = True,
        support: Support | None = None,
    ) -> None:
        check_function(name, "logp", logp, ("y", "mean", "phi"))
        for role, function in (("random", random), ("cdf", cdf)):
            if function is not None:
                first = "rng" if role == "random" else "y"
                check_function(name, role, function, (first, "mu", "phi", "w"))
        if variance is not None:
            check_function(name, "variance", variance, ("mu", "phi"))
        self.name = name
        self.has_dispersion = has_dispersion
        self.phi_name = phi_name
        self.phi_scales_variance = has_dispersion and phi_scales_variance
        self.support = RealNumbers() if support is None else support
        self._logp, self._random, self._cdf, self._variance = logp, random, cdf, variance
        super().__init__(link)

    @property
    def key(self) -> tuple[object, ...]:
        return (*super().key, self._logp, self._variance)

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        return self._logp(y, mean, phi)

    def variance(self, mu: Vector, phi: Scalar) -> Vector | None:
        return None if self._variance is None else self._variance(mu, phi)

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        """Draws of the function given as ``random``, shape (n,).

        Raises
        ------
        ArgumentError
            If none was given.
        """
        if self._random is None:
            raise ArgumentError(
                f"family {self.name!r} cannot simulate: pass CustomFamily(..., random=function)."
            )
        return checked_shape(self.name, "random", self._random(rng, mu, phi, w), mu)

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The function given as ``cdf`` and one minus it, each (n,).

        Raises
        ------
        ArgumentError
            If none was given.
        """
        if self._cdf is None:
            raise ArgumentError(
                f"family {self.name!r} has no distribution function, so there are no quantile "
                "residuals: pass CustomFamily(..., cdf=function), or use simulate_residuals()."
            )
        lower = checked_shape(self.name, "cdf", self._cdf(y, mu, phi, w), mu)
        return lower, 1.0 - lower

    def __repr__(self) -> str:
        return f"CustomFamily(name={self.name!r}, link={self.link.name!r})"


def check_function(family: str, role: str, function: Any, arguments: tuple[str, ...]) -> None:
    """Refuse what cannot be called with that many arguments."""
    takes_them = callable(function)
    try:
        if takes_them:
            inspect.signature(function).bind(*arguments)
    except TypeError:
        takes_them = False
    except ValueError:
        # Some compiled functions do not tell their signature.
        return
    if not takes_them:
        raise ArgumentError(
            f"{role} of family {family!r} is {function!r}; it must be a function of "
            f"({', '.join(arguments)})."
        )


def checked_shape(family: str, role: str, values: Any, mu: FloatArray) -> FloatArray:
    """What a user's function returned for n rows, as an array (n,)."""
    array = np.asarray(values, np.float64)
    if array.shape != mu.shape:
        raise ArgumentError(
            f"{role} of family {family!r} returned an array of shape {array.shape} for means of "
            f"shape {mu.shape}; it must return one value for each."
        )
    return array
