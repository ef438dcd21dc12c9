"""Covariance structures of random-effects terms."""

from mixedlm_pt.covariance.structure import Covariance
from mixedlm_pt.covariance.table import COVARIANCES, make_covariance
from mixedlm_pt.covariance.unstructured import Unstructured

__all__ = ["COVARIANCES", "Covariance", "Unstructured", "make_covariance"]
