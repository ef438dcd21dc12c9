"""Random effects, fitted values and predictions."""

from mixedlm_pt.prediction.predict import fitted, predict
from mixedlm_pt.prediction.ranef import RandomEffects, coef, ranef

__all__ = ["RandomEffects", "coef", "fitted", "predict", "ranef"]
