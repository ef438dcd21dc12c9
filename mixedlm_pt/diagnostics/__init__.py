"""Residuals and what a fit says about its own quality."""

from mixedlm_pt.diagnostics.convergence import Convergence, checkConv, with_warnings
from mixedlm_pt.diagnostics.natural_parameters import dispersion_name, natural_parameters
from mixedlm_pt.diagnostics.parameter_names import parameter_names, theta_names
from mixedlm_pt.diagnostics.residuals import residuals
from mixedlm_pt.diagnostics.scales import ScaledParameters, scaled_parameters
from mixedlm_pt.diagnostics.singularity import SINGULAR_TOL, isSingular, singularities
from mixedlm_pt.diagnostics.term_covariance import TermCovariance, term_covariances

__all__ = [
    "SINGULAR_TOL",
    "Convergence",
    "ScaledParameters",
    "TermCovariance",
    "checkConv",
    "dispersion_name",
    "isSingular",
    "natural_parameters",
    "parameter_names",
    "residuals",
    "scaled_parameters",
    "singularities",
    "term_covariances",
    "theta_names",
    "with_warnings",
]
