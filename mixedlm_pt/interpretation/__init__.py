"""What a model says about means, contrasts and effects, on the link and the response scale."""

from mixedlm_pt.interpretation.contrasts import Contrasts, contrast, pairs
from mixedlm_pt.interpretation.counterfactuals import (
    avg_comparisons,
    avg_predictions,
    avg_slopes,
    comparisons,
    predictions,
    slopes,
)
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.estimated_means import EstimatedMeans, emmeans, emtrends
from mixedlm_pt.interpretation.marginaleffects_adapter import as_marginaleffects

__all__ = [
    "Contrasts",
    "EstimateTable",
    "EstimatedMeans",
    "as_marginaleffects",
    "avg_comparisons",
    "avg_predictions",
    "avg_slopes",
    "comparisons",
    "contrast",
    "emmeans",
    "emtrends",
    "pairs",
    "predictions",
    "slopes",
]
