"""Residuals and what a fit says about its own quality."""

from mixedlm_pt.diagnostics.convergence import Convergence, checkConv
from mixedlm_pt.diagnostics.parameter_names import parameter_names, theta_names
from mixedlm_pt.diagnostics.residuals import residuals
from mixedlm_pt.diagnostics.singularity import SINGULAR_TOL, isSingular, singularities
from mixedlm_pt.diagnostics.term_covariance import TermCovariance, term_covariances

__all__ = [
    "SINGULAR_TOL",
    "Convergence",
    "TermCovariance",
    "checkConv",
    "isSingular",
    "parameter_names",
    "residuals",
    "singularities",
    "term_covariances",
    "theta_names",
]
