"""Coordinates in which the log-likelihood is about quadratic with unit curvature."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
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
        here = cls(par.copy(), start.scale, start.bend)
        bent = here.is_bent
        here.x[bent] = np.arcsinh(par[bent] / start.bend[bent])
        return replace(here, scale=start.scale / here.slope(par)[:, None])

    @cached_property
    def is_bent(self) -> BoolArray:
        """Which coordinates are, shape (n_par,)."""
        return np.isfinite(self.bend)

    def slope(self, par: FloatArray) -> FloatArray:
        """``d par / d x``, shape (n_par,) or (R, n_par)."""
        slope, bent = np.ones(par.shape), self.is_bent
        slope[..., bent] = np.hypot(par[..., bent], self.bend[bent])
        return slope

    def par(self, z: FloatArray) -> FloatArray:
        """Natural parameters at z, shape (n_par,) or (R, n_par)."""
        x: FloatArray = self.x + np.matmul(self.scale, z[..., None])[..., 0]
        bent = self.is_bent
        x[..., bent] = self.bend[bent] * np.sinh(x[..., bent])
        return x

    def gradient(self, par: FloatArray, gradient: FloatArray) -> FloatArray:
        """Gradients in z from those in the natural parameters."""
        in_x = self.slope(par) * gradient
        in_z: FloatArray = np.matmul(self.scale.T, in_x[..., None])[..., 0]
        return in_z

    def curvature(self, par: FloatArray, gradient: FloatArray, H: FloatArray) -> FloatArray:
        """Hessian in z from gradient and Hessian in the natural parameters."""
        slope = self.slope(par)
        in_x = slope[:, None] * H * slope
        # The second derivative of sinh is sinh.
        in_x[self.is_bent, self.is_bent] += (par * gradient)[self.is_bent]
        in_z: FloatArray = self.scale.T @ in_x @ self.scale
        return in_z

    @property
    def size(self) -> FloatArray:
        """Standard errors of x, about, shape (n_par,)."""
        return np.sqrt((self.scale**2).sum(axis=1))
