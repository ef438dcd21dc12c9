"""Pure functions on symbolic variables: predictor, joint density, Laplace and quadrature."""

from mixedlm_pt.graph.laplace import (
    Laplace,
    laplace,
    mode_equation,
    parameter_gradient,
    profiled_laplace,
)
from mixedlm_pt.graph.predictor import (
    covariance_factors,
    joint_logp,
    linear_predictor,
    scaled_design,
)
from mixedlm_pt.graph.quadrature import adaptive_quadrature
from mixedlm_pt.graph.variables import GLMMGraph, data_of

__all__ = [
    "GLMMGraph",
    "Laplace",
    "adaptive_quadrature",
    "covariance_factors",
    "data_of",
    "joint_logp",
    "laplace",
    "linear_predictor",
    "mode_equation",
    "parameter_gradient",
    "profiled_laplace",
    "scaled_design",
]
