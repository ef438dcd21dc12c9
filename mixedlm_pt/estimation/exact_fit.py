"""Dispersions that run to zero because the model reproduces the response."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt.compile import CompiledModel
from mixedlm_pt.estimation.mode import DECREMENT_TOL
from mixedlm_pt.model import GLMM

# A residual sd below this share of the spread of the response is rounding error; of a positive
# response more of it is, because log(y / mu) - y / mu + 1 cancels.
NO_RESIDUAL, NO_RELATIVE_RESIDUAL = 1e-7, 1e-6
# Rounding error of a log-likelihood that hides where it rises.
NOISE = 0.01
# What such a search says at its end.
VANISHED = "the dispersion runs to zero"


class ExactFit(Exception):
    """The search asks for a dispersion that the numbers of the response cannot tell from zero."""


@dataclass(frozen=True)
class VanishingDispersion:
    """How small phi is where the model reproduces the response.

    Attributes
    ----------
    exact : float
        Below it the residual sd is `NO_RESIDUAL` of the spread of the response.
    unresolved : float
        Below it rounding errors hide the mode or the log-likelihood. Those of the mean are about
        ``eps y``, so that the score is known to ``eps y / phi`` only, and a Newton decrement of
        p + q effects to ``(p + q) eps^2 y^2 / phi``: not to the tolerance of the search for the
        mode. The log density of a row of a positive response is known to ``eps / phi``.
    """

    exact: float
    unresolved: float

    @classmethod
    def of(cls, model: GLMM, compiled: CompiledModel) -> "VanishingDispersion | None":
        """The limits of a model; None where phi does not scale its variance."""
        family, response = model.family, model.design.response
        if not (family.estimates_phi and family.phi_scales_variance and compiled.has_variance):
            return None
        y = response.y[response.weights > 0.0]
        square = float(np.mean(y**2))
        # Where it matters every mean is the response.
        unit = float(compiled.variance(y, np.asarray(1.0))[0].mean())
        eps = float(np.finfo(np.float64).eps)
        unresolved = (model.p + model.q) * eps**2 * square / (DECREMENT_TOL * unit)
        if family.support.mean_range[0] != 0.0:
            return cls(NO_RESIDUAL**2 * float(np.var(y)) / unit, unresolved)
        # Densities of positive responses are of y / mu.
        noise = eps * np.sqrt(len(y)) / NOISE * square / unit
        return cls(NO_RELATIVE_RESIDUAL**2 * square / unit, max(unresolved, noise))

    def check(self, reached: float, asked: float) -> None:
        """End a search that has reached an exact fit and asks for what cannot be told from it.

        Parameters
        ----------
        reached, asked : float
            log phi of the best point so far, and of the next.

        Raises
        ------
        ExactFit
        """
        if reached < np.log(self.exact) and asked < np.log(min(self.exact, self.unresolved)):
            raise ExactFit(VANISHED)
