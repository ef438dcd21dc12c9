"""The normal family."""

from math import log, pi
from typing import ClassVar

import numpy as np
import pytensor.tensor as pt
from scipy.special import ndtr

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Mean
from mixedlm_pt.families.support import RealNumbers


class Gaussian(Family):
    """Normal responses with variance ``phi = sigma^2``."""

    name = "gaussian"
    aliases: ClassVar = ("normal",)
    default_link = "identity"
    links = ("identity", "log", "inverse")
    support = RealNumbers()
    has_dispersion = True
    phi_scales_variance = True
    phi_name = "sigma^2"

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        return -0.5 * (pt.sqr(y - mean.mu) / phi + pt.log(phi) + log(2 * pi))

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        return rng.normal(mu, np.sqrt(phi / w))

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        z = (y - mu) / np.sqrt(phi / w)
        return ndtr(z), ndtr(-z)
