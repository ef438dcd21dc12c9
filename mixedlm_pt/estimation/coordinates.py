"""Coordinates in which the log-likelihood is about quadratic with unit curvature."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.estimation.start import Start


@dataclass(frozen=True, eq=False)
class Coordinates:
    """``x = x_start + scale z``, where x is ``par`` with bent variance components.

    A diagonal theta of Lambda enters as ``arcsinh(theta / bend)``: linear near zero, where the
    likelihood is even in theta, logarithmic where the variance is well determined.

    Attributes
    ----------
    x : array, shape (n_par,)
        The origin.
    scale : array, shape (n_par, n_par)
    bend : array, shape (n_par,)
    """

    x: FloatArray
    scale: FloatArray
    bend: FloatArray

    @classmethod
    def at(cls, par: FloatArray, start: Start) -> "Coordinates":
        """Coordinates with origin ``par`` and the scale of ``start``."""
        bent = np.isfinite(start.bend)
        x, slope = par.copy(), np.ones(len(par))
        x[bent] = np.arcsinh(par[bent] / start.bend[bent])
        slope[bent] = np.hypot(par[bent], start.bend[bent])
        return cls(x, start.scale / slope[:, None], start.bend)

    def par(self, z: FloatArray) -> FloatArray:
        """Natural parameters at z."""
        x = self.x + self.scale @ z
        bent = np.isfinite(self.bend)
        x[bent] = self.bend[bent] * np.sinh(x[bent])
        return x

    def gradient(self, par: FloatArray, gradient: FloatArray) -> FloatArray:
        """Gradient in z from that in the natural parameters."""
        bent = np.isfinite(self.bend)
        slope = np.ones(len(par))
        slope[bent] = np.hypot(par[bent], self.bend[bent])
        return self.scale.T @ (slope * gradient)
