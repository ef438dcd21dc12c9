"""The Gamma family."""

from math import log, pi

import numpy as np
import pytensor.tensor as pt
from scipy.special import gammainc, gammaincc

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Mean
from mixedlm_pt.families.scalar import stirling_error
from mixedlm_pt.families.support import PositiveNumbers


class Gamma(Family):
    """Positive responses with variance ``phi mu^2``; the shape is ``1 / phi``."""

    name = "gamma"
    default_link = "log"
    links = ("log", "inverse", "identity")
    support = PositiveNumbers()
    has_dispersion = True
    phi_scales_variance = True

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        # k log k - k - log Gamma(k) for the shape k = 1 / phi would cancel as phi -> 0.
        shape = 1.0 / phi
        constant = -0.5 * (pt.log(phi) + log(2 * pi)) - stirling_error(shape)
        core = pt.log(y) - mean.log_mu - y * mean.power(-1) + 1.0
        return shape * core - pt.log(y) + constant

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        return rng.gamma(w / phi, np.asarray(mu) * phi / w)

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        shape = w / phi
        return gammainc(shape, shape * y / mu), gammaincc(shape, shape * y / mu)
