"""Random-effect sds and correlations on the scales where a normal approximation is best."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.diagnostics.singularity import SINGULAR_TOL
from mixedlm_pt.diagnostics.term_covariance import TermCovariance, term_covariances
from mixedlm_pt.fit import Fit


@dataclass(frozen=True, eq=False)
class ScaledParameters:
    """Sds as their logarithms, correlations as Fisher's z, with their derivatives.

    Attributes
    ----------
    names : tuple of str, length m
        lme4's: ``sd_(Intercept)|herd``, ``cor_urbanY.(Intercept)|district``.
    is_sd : array of bool, shape (m,)
    values : array, shape (m,)
        ``log sd`` or ``atanh r``; infinite on the boundary.
    jacobian : array, shape (m, n_theta)
        Their derivatives in theta; NaN on the boundary.
    """

    names: tuple[str, ...]
    is_sd: BoolArray
    values: FloatArray
    jacobian: FloatArray

    def back(self, values: FloatArray) -> FloatArray:
        """Sds and correlations from values on the scaled axes, shape (m,)."""
        # The limit of an sd that the data hardly determine overflows to infinity.
        with np.errstate(over="ignore"):
            return np.where(self.is_sd, np.exp(values), np.tanh(values))


def scaled_parameters(fit: Fit) -> ScaledParameters:
    """All sds and correlations of a fit in lme4's order, column by column of Lambda."""
    names: list[str] = []
    is_sd: list[bool] = []
    values: list[float] = []
    rows: list[FloatArray] = []
    for term, d_Lambda in zip(term_covariances(fit), fit.d_Lambda, strict=True):
        # A sd of zero has no logarithm and a correlation of one no z: infinite, with NaN slopes.
        with np.errstate(divide="ignore", invalid="ignore"):
            log_sd, z, d_log_sd, dz = scaled_covariance(term, d_Lambda)
        for name, a, b in term.parameters:
            names.append(name)
            is_sd.append(a == b)
            values.append(log_sd[a] if a == b else z[a, b])
            rows.append(d_log_sd[a] if a == b else dz[a, b])
    jacobian = np.array(rows).reshape(len(rows), fit.model.n_theta)
    return ScaledParameters(tuple(names), np.array(is_sd, np.bool_), np.array(values), jacobian)


def scaled_covariance(
    term: TermCovariance, d_Lambda: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """``log sd`` (k,), ``atanh r`` (k, k) and their derivatives, theta on the last axis.

    By the chain rule through the covariance ``S = Lambda Lambda'``.
    """
    S = term.Lambda @ term.Lambda.T
    half = np.einsum("abt,cb->act", d_Lambda, term.Lambda)
    d_S = half + half.transpose(1, 0, 2)
    variance, d_variance = np.diag(S), np.einsum("aat->at", d_S)
    d_log_sd = d_variance / (2.0 * variance[:, None])
    size = np.sqrt(np.outer(variance, variance))
    r = S / size
    dr = d_S / size[:, :, None] - r[:, :, None] * (d_log_sd[:, None] + d_log_sd[None, :])
    is_one = 1.0 - np.abs(r) < SINGULAR_TOL**2
    slope = np.where(is_one, np.nan, 1.0 / (1.0 - r**2))
    z = np.where(is_one, np.copysign(np.inf, r), np.arctanh(r))
    return 0.5 * np.log(variance), z, d_log_sd, dr * slope[:, :, None]


def scaled_standard_errors(fit: Fit, scaled: ScaledParameters) -> FloatArray:
    """Standard errors of ``scaled.values`` by the delta method, shape (m,).

    NaN on the boundary. The others of a singular fit take the parameters there as known.
    """
    theta = slice(fit.model.p, fit.model.p + fit.model.n_theta)
    covariance, is_free = fit.estimate.covariance[theta, theta], ~fit.boundary_theta
    # A zero slope in a parameter on the boundary (which has no variance) leaves the row intact.
    depends = (scaled.jacobian[:, ~is_free] != 0.0).any(axis=1)
    J = scaled.jacobian[:, is_free]
    variance = np.einsum("mi,ij,mj->m", J, covariance[np.ix_(is_free, is_free)], J)
    variance *= fit.phi if fit.family.has_pearson_dispersion else 1.0
    se: FloatArray = np.sqrt(np.where(depends, np.nan, variance))
    return se
