"""Residuals and what a fit says about its own quality."""

from mixedlm_pt.diagnostics.convergence import Convergence, checkConv, findings, with_warnings
from mixedlm_pt.diagnostics.deletion import Influence, influence
from mixedlm_pt.diagnostics.laplace_check import LaplaceCheck, check_laplace
from mixedlm_pt.diagnostics.leverage import cooks_distance, hatvalues
from mixedlm_pt.diagnostics.natural_parameters import (
    chosen_parameters,
    dispersion_name,
    natural_errors,
    natural_parameters,
    natural_standard_errors,
    natural_values,
)
from mixedlm_pt.diagnostics.parameter_names import parameter_names
from mixedlm_pt.diagnostics.pearson_dispersion import (
    Overdispersion,
    has_binary_response,
    overdispersion,
)
from mixedlm_pt.diagnostics.principal_components import RandomComponents, rePCA
from mixedlm_pt.diagnostics.residuals import residuals
from mixedlm_pt.diagnostics.row_groups import Groups, row_groups
from mixedlm_pt.diagnostics.scales import (
    ScaledParameters,
    scaled_parameters,
    scaled_standard_errors,
)
from mixedlm_pt.diagnostics.simulated_residuals import SimulatedResiduals, simulate_residuals
from mixedlm_pt.diagnostics.singularity import SINGULAR_TOL, isSingular, singularities
from mixedlm_pt.diagnostics.term_covariance import TermCovariance, term_covariances
from mixedlm_pt.diagnostics.variance_explained import ICC, R2, icc, r2

__all__ = [
    "ICC",
    "R2",
    "SINGULAR_TOL",
    "Convergence",
    "Groups",
    "Influence",
    "LaplaceCheck",
    "Overdispersion",
    "RandomComponents",
    "ScaledParameters",
    "SimulatedResiduals",
    "TermCovariance",
    "checkConv",
    "check_laplace",
    "chosen_parameters",
    "cooks_distance",
    "dispersion_name",
    "findings",
    "has_binary_response",
    "hatvalues",
    "icc",
    "influence",
    "isSingular",
    "natural_errors",
    "natural_parameters",
    "natural_standard_errors",
    "natural_values",
    "overdispersion",
    "parameter_names",
    "r2",
    "rePCA",
    "residuals",
    "row_groups",
    "scaled_parameters",
    "scaled_standard_errors",
    "simulate_residuals",
    "singularities",
    "term_covariances",
    "with_warnings",
]
