"""The known covariance structures by name."""

from typing import Any

from mixedlm_pt.covariance.structure import Covariance
from mixedlm_pt.covariance.unstructured import Unstructured
from mixedlm_pt.errors import ArgumentError, unknown_name

COVARIANCES: dict[str, Covariance] = {c.name: c for c in (Unstructured(),)}


def make_covariance(structure: Any) -> Covariance:
    """The covariance structure that a name, a class or an instance stands for.

    Raises
    ------
    ArgumentError
        If the name is unknown or the object is not a covariance structure.
    """
    if isinstance(structure, Covariance):
        return structure
    if isinstance(structure, type) and issubclass(structure, Covariance):
        return structure()
    if not isinstance(structure, str):
        raise ArgumentError(
            f"covariance structure {structure!r} must be a name ({', '.join(COVARIANCES)}), a "
            "Covariance class or an instance of one."
        )
    if structure not in COVARIANCES:
        raise unknown_name("covariance structure", structure, COVARIANCES)
    return COVARIANCES[structure]
