"""The Bayesian side: priors, the model in PyMC, its posterior, and the posterior beside ML."""

from mixedlm_pt.bayes.comparison import compare
from mixedlm_pt.bayes.comparison_table import ComparisonTable
from mixedlm_pt.bayes.covariance_priors import LKJ, Decov, Relative
from mixedlm_pt.bayes.distributions import (
    Cauchy,
    Flat,
    Normal,
    Prior,
    StudentT,
    Uniform,
)
from mixedlm_pt.bayes.loo import Loo, LooComparison, loo_compare
from mixedlm_pt.bayes.positive_distributions import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
)
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.bayes.posterior_checks import PosteriorCheck
from mixedlm_pt.bayes.presets import (
    PRESETS,
    bambi_priors,
    brms_priors,
    default_priors,
    flat_priors,
    rstanarm_priors,
)
from mixedlm_pt.bayes.prior_predictive import PriorPredictive, prior_predictive
from mixedlm_pt.bayes.prior_summary import PriorSummary, prior_summary
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.bayes.pymc_model import to_pymc
from mixedlm_pt.bayes.sampling import sample

__all__ = [
    "LKJ",
    "PRESETS",
    "Cauchy",
    "ComparisonTable",
    "Decov",
    "Exponential",
    "Flat",
    "Gamma",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "LogNormal",
    "Loo",
    "LooComparison",
    "Normal",
    "PosteriorCheck",
    "PosteriorResult",
    "Prior",
    "PriorPredictive",
    "PriorSummary",
    "Priors",
    "Relative",
    "StudentT",
    "Uniform",
    "bambi_priors",
    "brms_priors",
    "compare",
    "default_priors",
    "flat_priors",
    "loo_compare",
    "prior_predictive",
    "prior_summary",
    "rstanarm_priors",
    "sample",
    "to_pymc",
]
