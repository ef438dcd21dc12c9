"""Estimation: starting values, optimisers, boundary, information."""

from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.maximum_likelihood import Estimate, Outcome, fit_model
from mixedlm_pt.estimation.mode import ModeFinder
from mixedlm_pt.estimation.objective import Evaluation, Objective, ProfiledObjective
from mixedlm_pt.estimation.optimizers import OPTIMIZERS
from mixedlm_pt.estimation.start import Start

__all__ = [
    "OPTIMIZERS",
    "Estimate",
    "Evaluation",
    "GlmerControl",
    "ModeFinder",
    "Objective",
    "Outcome",
    "ProfiledObjective",
    "Start",
    "fit_model",
]
