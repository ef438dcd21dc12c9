"""Covariance structures of random-effects terms."""

from mixedlm_pt.covariance.structure import Covariance
from mixedlm_pt.covariance.unstructured import Unstructured

COVARIANCES: dict[str, Covariance] = {c.name: c for c in (Unstructured(),)}

__all__ = ["COVARIANCES", "Covariance", "Unstructured"]
