"""The base class of families, and the table that turns names into them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.errors import ArgumentError, EstimationError, MixedlmError, unknown_name
from mixedlm_pt.families.links import LINKS, Link, Mean, make_link
from mixedlm_pt.families.support import Support


class Family:
    """A distribution of the response given its mean: facts, a log density and a sampler.

    A subclass states the facts below and writes `logp`, `random` and, for quantile residuals,
    `tails`; scores, informations, unit deviance and variance function are derived in `density`.
    Outside exponential families it writes `variance`, too.

    Parameters
    ----------
    link : str or Link, optional
        One of ``links``, or an instance of your own `Link`. Default ``default_link``.

    Attributes
    ----------
    name, aliases : str, tuple of str
        How the family is called by name; the first is printed.
    links : tuple of str
        Names of the links allowed.
    support : Support
        Allowed responses.
    has_dispersion : bool
        Whether the density has a positive parameter phi besides the mean.
    phi_name : str
        What that parameter is called in print.
    phi_scales_variance : bool
        Whether the variance is phi times a function of the mean: not so for a shape.
    has_likelihood : bool
        False for quasi-families: `logp` is then not a log density and no AIC exists.
    has_pearson_dispersion : bool
        Whether phi is estimated after the fit by Pearson's statistic, and scales standard errors.
    """

    name: str
    aliases: ClassVar[tuple[str, ...]] = ()
    default_link: str
    links: tuple[str, ...]
    support: Support
    has_dispersion: bool = False
    phi_name: str = "phi"
    phi_scales_variance: bool = False
    has_likelihood: bool = True
    has_pearson_dispersion: bool = False

    def __init__(self, link: str | Link | type[Link] | None = None) -> None:
        facts = ["name", "links", "support", *(["default_link"] if link is None else [])]
        lacking = [fact for fact in facts if not hasattr(self, fact)]
        if type(self).logp is Family.logp:
            lacking.append("logp()")
        if lacking:
            raise ArgumentError(
                f"the family class {type(self).__name__} does not state {', '.join(lacking)}; a "
                "Family needs name, default_link, links, support and logp(y, mean, phi)."
            )
        self.link = self._allowed(make_link(self.default_link if link is None else link))

    def _allowed(self, link: Link) -> Link:
        is_own = type(link) not in LINKS.values()
        if is_own or link.name in self.links:
            return link
        raise ArgumentError(
            f"link {link.name!r} is not available for {self.name}; allowed: "
            f"{', '.join(self.links)}. For another one pass an instance of your own Link class."
        )

    @property
    def fixed_phi(self) -> float | None:
        """The value of phi where it is not estimated: 1 for families without a dispersion."""
        return None if self.has_dispersion else 1.0

    @property
    def estimates_phi(self) -> bool:
        """Whether phi is estimated by ML, jointly with everything else and on the log scale."""
        return self.fixed_phi is None

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        """Log density of each row for unit weight, shape (n,), with all normalising constants."""
        raise NotImplementedError

    def log_normalizer(self, y: Vector, w: Vector) -> Vector:
        """Part of each row's log density that depends on the weight alone, shape (n,)."""
        return pt.zeros_like(y)

    def variance(self, mu: Vector, phi: Scalar) -> Vector | None:
        """Variance of a response of unit weight, shape (n,), without phi where phi scales it.

        None, the default, to derive it from `logp`: right in exponential families, and refused
        where the score is not linear in the response.
        """
        return None

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        """Responses drawn at mean ``mu`` with prior weights ``w``, shape (n,), response scale."""
        raise NotImplementedError

    def draw(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        """`random` at means that may be impossible and weights that may be zero, shape (n,).

        A row without weight says nothing, but it needs a value, and a variance phi / w has none:
        its weight counts as 1.

        Raises
        ------
        EstimationError
            If a mean lies outside the range of the family, as that of an identity link can.
        """
        lowest, highest = self.support.mean_range
        if not ((mu >= lowest) & (mu <= highest) & np.isfinite(mu)).all():
            raise EstimationError(
                f"link {self.link.name!r} leaves the means of {self.name}, {lowest:g} to "
                f"{highest:g}, at some of the random effects that were drawn, so there is nothing "
                "to simulate. Use a link that cannot leave them, such as log or logit, or hold the "
                "effects at their modes: re_form=None."
            )
        try:
            return self.random(rng, mu, phi, np.where(w > 0.0, w, 1.0))
        except MixedlmError:
            raise
        except ValueError as error:
            # NumPy draws counts as 64-bit integers.
            raise EstimationError(
                f"{self.name} cannot be simulated at these means: {error}."
            ) from error

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """``P(Y <= y)`` and ``P(Y > y)``, each (n,), of the distribution that `random` draws from.

        Both, because one minus a probability near one has no digits left. Needed by quantile
        residuals only.

        Raises
        ------
        ArgumentError
            If the family states no distribution function.
        """
        raise ArgumentError(
            f"{self.name} has no distribution function, so there are no quantile residuals: write "
            "tails(y, mu, phi, w) in the family, or use simulate_residuals(), which needs random()."
        )

    @property
    def key(self) -> tuple[object, ...]:
        """What the symbolic graph depends on; part of the signature of a model."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            self.name,
            self.link.key,
            self.estimates_phi,
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Family)
            and self.key == other.key
            and self.fixed_phi == other.fixed_phi
        )

    def __hash__(self) -> int:
        return hash((self.key, self.fixed_phi))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(link={self.link.name!r})"


class FamilyTable(Mapping[str, type[Family]]):
    """The known families by name; ``make`` understands their aliases too."""

    def __init__(self, *families: type[Family]) -> None:
        self._families = {family.name: family for family in families}
        self._spellings = {
            spelling: family for family in families for spelling in (family.name, *family.aliases)
        }

    def __getitem__(self, name: str) -> type[Family]:
        return self._families[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._families)

    def __len__(self) -> int:
        return len(self._families)

    def make(self, family: Any) -> Family:
        """The family that a name, a class or an instance stands for.

        Raises
        ------
        ArgumentError
            If the name is unknown or the object is not a family.
        """
        if isinstance(family, Family):
            return family
        if isinstance(family, type) and issubclass(family, Family):
            try:
                return family()
            except TypeError as error:
                raise ArgumentError(
                    f"family {family.__name__} needs arguments ({error}); give an instance."
                ) from error
        if not isinstance(family, str):
            raise ArgumentError(
                f"family is {family!r}; it must be a name ({', '.join(self)}), a Family class or "
                "an instance such as families.Binomial()."
            )
        spelling = family.strip().lower()
        if spelling not in self._spellings:
            raise unknown_name("family", family, self)
        return self._spellings[spelling]()
