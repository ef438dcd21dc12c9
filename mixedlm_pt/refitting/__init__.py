"""Fits of changed models: other responses, formulas, optimisers, simulated and left-out data."""

from mixedlm_pt.refitting.all_optimizers import AllFit, allFit
from mixedlm_pt.refitting.bootstrap import Bootstrap, bootMer
from mixedlm_pt.refitting.cross_validation import CrossValidation, cross_validate
from mixedlm_pt.refitting.from_call import described_model, fit_call, starting_parts, update
from mixedlm_pt.refitting.power_simulation import Power, power
from mixedlm_pt.refitting.responses import Refits, refit

__all__ = [
    "AllFit",
    "Bootstrap",
    "CrossValidation",
    "Power",
    "Refits",
    "allFit",
    "bootMer",
    "cross_validate",
    "described_model",
    "fit_call",
    "power",
    "refit",
    "starting_parts",
    "update",
]
