"""The Bayesian side: priors, the model in PyMC, its posterior, and the posterior beside ML."""

from mixedlm_pt.bayes.comparison import ComparisonTable, compare
from mixedlm_pt.bayes.distributions import (
    LKJ,
    Exponential,
    Flat,
    HalfFlat,
    HalfNormal,
    Normal,
    Prior,
    StudentT,
)
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.bayes.prior_summary import PriorSummary, prior_summary
from mixedlm_pt.bayes.priors import PRESETS, Priors, default_priors, flat_priors
from mixedlm_pt.bayes.pymc_model import to_pymc
from mixedlm_pt.bayes.sampling import sample

__all__ = [
    "LKJ",
    "PRESETS",
    "ComparisonTable",
    "Exponential",
    "Flat",
    "HalfFlat",
    "HalfNormal",
    "Normal",
    "PosteriorResult",
    "Prior",
    "PriorSummary",
    "Priors",
    "StudentT",
    "compare",
    "default_priors",
    "flat_priors",
    "prior_summary",
    "sample",
    "to_pymc",
]
