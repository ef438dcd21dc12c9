"""Random effects, fitted values and predictions."""

from mixedlm_pt.prediction.marginal import MarginalMeans, marginal_coefs, marginal_means
from mixedlm_pt.prediction.predict import fitted, predict
from mixedlm_pt.prediction.ranef import RandomEffects, coef, ranef
from mixedlm_pt.prediction.simulate import draw, simulate

__all__ = [
    "MarginalMeans",
    "RandomEffects",
    "coef",
    "draw",
    "fitted",
    "marginal_coefs",
    "marginal_means",
    "predict",
    "ranef",
    "simulate",
]
