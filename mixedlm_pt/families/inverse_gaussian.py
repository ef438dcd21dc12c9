"""The inverse Gaussian family."""

from math import log, pi
from typing import ClassVar

import numpy as np
import pytensor.tensor as pt
from scipy.special import log_ndtr, ndtr

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Mean
from mixedlm_pt.families.support import PositiveNumbers


class InverseGaussian(Family):
    """Positive responses with variance ``phi mu^3``."""

    name = "inverse_gaussian"
    aliases: ClassVar = ("inverse.gaussian", "inversegaussian", "wald")
    default_link = "log"
    links = ("log", "1/mu^2", "inverse", "identity")
    support = PositiveNumbers()
    has_dispersion = True
    phi_scales_variance = True

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        # (y - mu)^2 / (mu^2 y) multiplied out: the score is then linear in y term by term.
        # The root is NaN for the negative means that some links reach; the rest would not notice.
        core = pt.sqr(mean.power(-0.5)) - 0.5 * (y * mean.power(-2) + 1.0 / y)
        return core / phi - 0.5 * (pt.log(phi) + log(2 * pi)) - 1.5 * pt.log(y)

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        return rng.wald(mu, w / phi)

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        # Shuster (1968), J. Am. Stat. Assoc. 63, 1514-1516; the product of an exponential that
        # overflows and a tail that vanishes is taken on the log scale.
        shape = w / phi
        root = np.sqrt(shape / y)
        reflected = np.exp(2.0 * shape / mu + log_ndtr(-root * (y / mu + 1.0)))
        gap = root * (y / mu - 1.0)
        return ndtr(gap) + reflected, ndtr(-gap) - reflected
