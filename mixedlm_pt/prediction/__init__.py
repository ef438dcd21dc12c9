"""Random effects, fitted values and predictions."""

from mixedlm_pt.prediction.predict import fitted, predict
from mixedlm_pt.prediction.ranef import RandomEffects, coef, ranef
from mixedlm_pt.prediction.simulate import draw, simulate

__all__ = ["RandomEffects", "coef", "draw", "fitted", "predict", "ranef", "simulate"]
