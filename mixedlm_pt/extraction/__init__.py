"""The pieces of a fit by lme4's names, and its data as the model sees them."""

from mixedlm_pt.extraction.components import getME
from mixedlm_pt.extraction.frames import formula, model_frame, model_matrix, weights
from mixedlm_pt.extraction.information import working_information
from mixedlm_pt.extraction.random_design import term_keys, term_theta_names

__all__ = [
    "formula",
    "getME",
    "model_frame",
    "model_matrix",
    "term_keys",
    "term_theta_names",
    "weights",
    "working_information",
]
