"""The Poisson family."""

import numpy as np
import pytensor.tensor as pt
from scipy.special import pdtr, pdtrc

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Mean
from mixedlm_pt.families.support import Counts


class Poisson(Family):
    """Counts whose variance equals their mean."""

    name = "poisson"
    default_link = "log"
    links = ("log", "sqrt", "identity")
    support = Counts()

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        return y * mean.log_mu - mean.mu - pt.gammaln(y + 1.0)

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        return rng.poisson(mu).astype(float)

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        return pdtr(y, mu), pdtrc(y, mu)
