"""The negative binomial family with quadratic variance."""

from typing import ClassVar

import numpy as np
import pytensor.tensor as pt
from scipy.special import betainc

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Link, Mean
from mixedlm_pt.families.scalar import log_sigmoid, softplus, stirling_error
from mixedlm_pt.families.support import Counts


class NegativeBinomial(Family):
    """Overdispersed counts, variance ``mu + mu^2 / theta``; phi is theta.

    Parameters
    ----------
    theta : float, optional
        Fixed value of the shape; without it the shape is estimated by ML.
    link : str or Link
        "log" (default), "sqrt" or "identity".
    """

    name = "negative_binomial"
    aliases: ClassVar = (
        "nbinom2",
        "nbinom",
        "negbin",
        "negbinomial",
        "negativebinomial",
        "negative.binomial",
        "nb2",
    )
    default_link = "log"
    links = ("log", "sqrt", "identity")
    support = Counts()
    has_dispersion = True
    phi_name = "theta"

    def __init__(
        self, theta: float | None = None, link: str | Link | type[Link] | None = None
    ) -> None:
        super().__init__(link)
        if isinstance(theta, str):
            raise ArgumentError(f"theta is {theta!r}, not a number; a link is given as link=.")
        if theta is not None and not (np.isfinite(theta) and theta > 0):
            raise ArgumentError(
                f"theta is {theta}; it must be positive and finite, or None to estimate it."
            )
        self.theta = None if theta is None else float(theta)

    @property
    def fixed_phi(self) -> float | None:
        return self.theta

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        # Successes of a binomial with log odds log(mu / theta): both tails are exact, and the
        # Poisson limit theta -> infinity too, where log Gamma(y + theta) - log Gamma(theta) is not.
        log_odds = mean.log_mu - pt.log(phi)
        choose = (
            (y + phi - 0.5) * pt.log1p(y / phi)
            + y * pt.log(phi)
            - y
            + stirling_error(y + phi)
            - stirling_error(phi)
            - pt.gammaln(y + 1.0)
        )
        return choose + y * log_sigmoid(log_odds) - phi * softplus(log_odds)

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        return rng.poisson(rng.gamma(phi, np.asarray(mu) / phi)).astype(float)

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        total = mu + phi
        return betainc(phi, y + 1.0, phi / total), betainc(y + 1.0, phi, mu / total)

    def __repr__(self) -> str:
        shape = "" if self.theta is None else f"theta={self.theta:g}, "
        return f"NegativeBinomial({shape}link={self.link.name!r})"
