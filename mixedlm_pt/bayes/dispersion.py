"""The scale on which a dispersion or shape is a parameter of the posterior."""

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import Scalar
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.model import GLMM

# Any two means: a variance function that is the same at both is constant.
PROBES = np.array([0.3, 0.7])


@dataclass(frozen=True)
class Dispersion:
    """The scale on which a dispersion or shape is a parameter of the posterior.

    Attributes
    ----------
    name : str
        ``"sigma"`` where the variance is phi itself, ``"shape"`` for the reciprocal of any other
        dispersion, otherwise the family's own name for its shape.
    power : float
        The parameter is ``phi ** power``.
    """

    name: str
    power: float

    @classmethod
    def of(cls, model: GLMM) -> "Dispersion | None":
        """None where the family has nothing to estimate."""
        family = model.family
        if not family.estimates_phi:
            return None
        if not family.phi_scales_variance:
            return cls(family.phi_name, 1.0)
        compiled = compile_model(model, Approximation())
        if not compiled.has_variance:
            return cls("sigma", 0.5)
        V = compiled.variance(PROBES, np.asarray(1.0))[0]
        return cls("sigma", 0.5) if V[0] == V[1] else cls("shape", -1.0)

    def log_phi(self, value: Scalar) -> Scalar:
        """``log(phi)`` from the parameter, symbolic."""
        return pt.log(value) / self.power

    def from_phi(self, phi: float) -> float:
        """The parameter from phi."""
        return float(phi**self.power)
