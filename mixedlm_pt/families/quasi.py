"""Quasi-likelihood families: a mean and a variance function, no distribution."""

from collections.abc import Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.binomial import Binomial
from mixedlm_pt.families.density import variance
from mixedlm_pt.families.family import Family, FamilyTable
from mixedlm_pt.families.gamma import Gamma
from mixedlm_pt.families.gaussian import Gaussian
from mixedlm_pt.families.inverse_gaussian import InverseGaussian
from mixedlm_pt.families.links import LINKS, Link, Mean, Saturated
from mixedlm_pt.families.negative_binomial import NegativeBinomial
from mixedlm_pt.families.poisson import Poisson
from mixedlm_pt.families.support import RealNumbers
from mixedlm_pt.families.variance_function import VarianceFunction, parse_variance

BASES = FamilyTable(Gaussian, Binomial, Poisson, NegativeBinomial, Gamma, InverseGaussian)
# Families whose quasi-likelihood is known in closed form, by their variance function.
CLOSED_FORMS = (Gaussian(), Binomial(), Poisson(), Gamma(), InverseGaussian())
# Two formulas that agree at these means to rounding are the same variance function.
PROBES = np.array([0.0917, 0.2743, 0.5519, 0.7368, 0.9431])
PROBE_TOLERANCE = 1e-14
# 96 nodes after x = v^4 (35 - 84 v + 70 v^2 - 20 v^3), which flattens both ends: relative error
# 1e-9 of the quasi-likelihood while y and mu differ by a factor of 1e5, rounding up to 1e2.
_v, _dv = np.polynomial.legendre.leggauss(96)
_v, _dv = (_v + 1) / 2, _dv / 2
NODES = _v**4 * (35 - 84 * _v + 70 * _v**2 - 20 * _v**3)
NODE_WEIGHTS = 140 * _v**3 * (1 - _v) ** 3 * _dv


class QuasiLogLikelihood(OpFromGraph):
    """Integral from ``y`` to ``mu`` of ``(y - t) / v(t)``, elementwise.

    The value is a quadrature; the derivative is declared, ``(y - mu) / v(mu)`` exactly. Wedderburn
    (1974), Biometrika 61, 439-447, section 3.
    """

    def __init__(self, v: VarianceFunction) -> None:
        self.v = v
        y, mu = pt.dvectors("y", "mu")
        value = self._integral(y, mu, lambda gap: -gap)
        super().__init__([y, mu], [value], inline=True)

    def _integral(self, y: Vector, mu: Vector, numerator: VarianceFunction) -> Vector:
        """Integral from ``y`` to ``mu`` of ``numerator(t - y) / v(t)``, shape (n,)."""
        width = pt.expand_dims(mu - y, -1)
        gap = width * NODES
        value = (NODE_WEIGHTS * width * numerator(gap) / self.v(y[:, None] + gap)).sum(axis=-1)
        # v may be zero at y = mu, as at a count of zero.
        return pt.switch(pt.eq(y, mu), 0.0, value)

    def pullback(
        self, inputs: Sequence[Vector], outputs: Sequence[Vector], cotangents: Sequence[Vector]
    ) -> list[Vector]:
        (y, mu), (c,) = inputs, cotangents
        return [c * self._integral(y, mu, pt.ones_like), c * ((y - mu) / self.v(mu))]


def _closed_form(v: VarianceFunction) -> Family | None:
    """The family whose variance function is ``v``, if there is one."""
    mu, phi = pt.dvector("mu"), pt.constant(1.0, dtype="float64")
    known = [variance(family, mu, phi) for family in CLOSED_FORMS]
    # The default mode would start a compiler for five numbers.
    evaluate = pytensor.function(
        [mu], [pt.ones_like(mu) * v(mu), *known], mode=Mode("py", "fast_compile")
    )
    own, *others = evaluate(PROBES)
    same = [np.allclose(own, other, rtol=PROBE_TOLERANCE, atol=0.0) for other in others]
    return CLOSED_FORMS[same.index(True)] if any(same) else None


class QuasiFamily(Family):
    """A family known only by its variance, ``phi V(mu)``.

    Estimates maximise the quasi-likelihood. Unless ``phi`` is given it is estimated afterwards by
    Pearson's statistic and scales the standard errors. There is no likelihood and no AIC.

    Parameters
    ----------
    base_family : Family or str, optional
        Family whose variance function and link are taken over.
    phi : float, optional
        Known dispersion.
    variance_func : str or callable, optional
        V as text in ``mu`` (``"mu*(1-mu)"``, ``"mu^1.5"``) or as a function of a symbolic mean.
    link : str or Link, optional
        Any link; the default is that of the base family or of the family with this variance.
    """

    name = "quasi"
    links = tuple(LINKS)
    has_likelihood = False
    phi_scales_variance = True

    def __init__(
        self,
        base_family: Family | type[Family] | str | None = None,
        phi: float | None = None,
        *,
        variance_func: str | VarianceFunction | None = None,
        link: str | Link | type[Link] | None = None,
    ) -> None:
        if (base_family is None) == (variance_func is None):
            raise ArgumentError("QuasiFamily needs either base_family or variance_func, not both.")
        if phi is not None and not (np.isfinite(phi) and phi > 0):
            raise ArgumentError(f"phi is {phi}; it must be positive and finite, or None.")
        self.phi = None if phi is None else float(phi)
        self.has_pearson_dispersion = phi is None
        self.variance_func = variance_func
        self.base: Family | None
        self._v: VarianceFunction
        if variance_func is None:
            self.base = BASES.make(base_family)
        else:
            self._v = (
                parse_variance(variance_func) if isinstance(variance_func, str) else variance_func
            )
            self.base = _closed_form(self._v)
        if self.base is None:
            self.support = RealNumbers()
            self.name = f"quasi({getattr(variance_func, '__name__', variance_func)})"
            if link is None:
                raise ArgumentError(
                    f"no family has the variance function {variance_func!r}, so the link has no "
                    f"default: give link=, one of {', '.join(LINKS)}."
                )
        else:
            self.support = self.base.support
            self.name = f"quasi{self.base.name}"
            if self.base.estimates_phi and not self.base.phi_scales_variance:
                raise ArgumentError(
                    f"{self.base.name} as a base family needs a fixed {self.base.phi_name}: "
                    "without it the variance function is not known."
                )
            link = self.base.link if link is None else link
        super().__init__(link)

    @property
    def fixed_phi(self) -> float:
        return 1.0 if self.phi is None else self.phi

    @property
    def key(self) -> tuple[object, ...]:
        base = self.variance_func if self.base is None else (self.base.key, self.base.fixed_phi)
        return (*super().key, base, self.has_pearson_dispersion)

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        """Quasi-log-likelihood of each row for unit weight, shape (n,): zero at ``mu = y``."""
        if self.base is None:
            return QuasiLogLikelihood(self._v)(y, mean.mu) / phi
        # Half the negative deviance of the base family; where phi scales its variance 1 is any phi.
        base_phi = pt.constant(self.base.fixed_phi or 1.0, dtype="float64")
        saturated = self.base.logp(y, Saturated().inverse(y), base_phi)
        return (self.base.logp(y, mean, base_phi) - saturated) / phi

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        """Always an error: a quasi-family has no distribution.

        Raises
        ------
        ArgumentError
        """
        raise ArgumentError(
            f"{self.name} has a mean and a variance but no distribution: it cannot be simulated."
        )

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Always an error: a quasi-family has no distribution.

        Raises
        ------
        ArgumentError
        """
        raise ArgumentError(
            f"{self.name} has a mean and a variance but no distribution, so it has no quantile "
            "residuals; 'pearson' and 'deviance' ones exist."
        )

    def __repr__(self) -> str:
        what = f"variance_func={self.variance_func!r}" if self.variance_func else repr(self.base)
        phi = "" if self.phi is None else f", phi={self.phi:g}"
        return f"QuasiFamily({what}{phi}, link={self.link.name!r})"


class QuasiBinomial(QuasiFamily):
    """Proportions with variance ``phi mu (1 - mu)``; R's ``quasibinomial``."""

    name = "quasibinomial"
    default_link = Binomial.default_link
    links = Binomial.links

    def __init__(self, link: str | Link | type[Link] | None = None) -> None:
        super().__init__(Binomial(), link=link)


class QuasiPoisson(QuasiFamily):
    """Counts with variance ``phi mu``; R's ``quasipoisson``."""

    name = "quasipoisson"
    default_link = Poisson.default_link
    links = Poisson.links

    def __init__(self, link: str | Link | type[Link] | None = None) -> None:
        super().__init__(Poisson(), link=link)
