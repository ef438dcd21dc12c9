"""Estimation: starting values, optimisers, boundary, information."""

from mixedlm_pt.estimation.constrained import HigherMaximum, ProfileSearch
from mixedlm_pt.estimation.control import GlmerControl
from mixedlm_pt.estimation.exact_fit import VanishingDispersion
from mixedlm_pt.estimation.focus import (
    Focus,
    Scale,
    focus_on_coefficient,
    focus_on_correlation,
    focus_on_dispersion,
    focus_on_sd,
)
from mixedlm_pt.estimation.maximum_likelihood import Estimate, Outcome, fit_model
from mixedlm_pt.estimation.mode import ModeFinder
from mixedlm_pt.estimation.objective import Evaluation, Objective, ProfiledObjective
from mixedlm_pt.estimation.optimizers import OPTIMIZERS, quasi_newton
from mixedlm_pt.estimation.penalty import Penalty
from mixedlm_pt.estimation.profile_point import Point
from mixedlm_pt.estimation.start import Start

__all__ = [
    "OPTIMIZERS",
    "Estimate",
    "Evaluation",
    "Focus",
    "GlmerControl",
    "HigherMaximum",
    "ModeFinder",
    "Objective",
    "Outcome",
    "Penalty",
    "Point",
    "ProfileSearch",
    "ProfiledObjective",
    "Scale",
    "Start",
    "VanishingDispersion",
    "fit_model",
    "focus_on_coefficient",
    "focus_on_correlation",
    "focus_on_dispersion",
    "focus_on_sd",
    "quasi_newton",
]
