"""The binomial family."""

from typing import ClassVar

import numpy as np
import pytensor.tensor as pt
from scipy.special import bdtr, bdtrc

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Mean
from mixedlm_pt.families.support import Proportions


class Binomial(Family):
    """Proportion of successes; the prior weights are the numbers of trials."""

    name = "binomial"
    aliases: ClassVar = ("bernoulli",)
    default_link = "logit"
    links = ("logit", "probit", "cloglog", "cauchit", "log")
    support = Proportions()

    def logp(self, y: Vector, mean: Mean, phi: Scalar) -> Vector:
        return y * mean.log_mu + (1.0 - y) * mean.log1m_mu

    def log_normalizer(self, y: Vector, w: Vector) -> Vector:
        return pt.gammaln(w + 1.0) - pt.gammaln(w * y + 1.0) - pt.gammaln(w * (1.0 - y) + 1.0)

    def random(
        self, rng: np.random.Generator, mu: FloatArray, phi: float, w: FloatArray
    ) -> FloatArray:
        return rng.binomial(np.asarray(np.rint(w), dtype=np.int64), mu) / w

    def tails(
        self, y: FloatArray, mu: FloatArray, phi: float, w: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        trials, successes = np.asarray(np.rint(w), dtype=np.int64), np.rint(w * y)
        lower, upper = bdtr(successes, trials, mu), bdtrc(successes, trials, mu)
        return np.asarray(lower, np.float64), np.asarray(upper, np.float64)
