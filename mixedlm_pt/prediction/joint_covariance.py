"""Joint uncertainty of parameters and random effects, carried to linear predictors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design import Design, NewDesign
from mixedlm_pt.fit import Fit
from mixedlm_pt.prediction.effect_variance import effect_variances
from mixedlm_pt.prediction.random_part import RandomPart, random_part


@dataclass(frozen=True, eq=False)
class JointCovariance:
    r"""Prediction errors of (parameters, u): what `TMB::sdreport` computes, never as one matrix.

    The error of the mode, ``u_hat - u``, has the variance H^-1 given the parameters, and the mode
    moves with their estimates::

        Var(u_hat - u) = H^-1 + J V J',   J = d u_hat / d par,   Cov(u_hat - u, par) = J V.

    Attributes
    ----------
    fit : Fit
    V : array, shape (n_par, n_par)
        Of (beta, theta, log phi); see `parameter_covariance`.
    J : array, shape (q, n_par)
        By the implicit function theorem, from the score equations of u.
    packed : array
        Factorisation of H, with the observed information.
    scale : float
        Pearson's dispersion of a quasi-family, which multiplies H^-1 as it does V; otherwise 1.

    References
    ----------
    .. [1] Kass and Steffey (1989), J. Am. Stat. Assoc. 84, 717-726, section 3.
    .. [2] Kristensen et al. (2016), J. Stat. Softw. 70(5), section 2.
    """

    fit: Fit
    V: FloatArray
    J: FloatArray
    packed: FloatArray
    scale: float

    def gradient(self, X: FloatArray, part: RandomPart) -> FloatArray:
        """Total derivative of the linear predictors in the parameters, shape (m, n_par)."""
        model = self.fit.model
        gradient = np.zeros((len(X), model.n_par))
        gradient[:, : model.p] = X
        gradient[:, model.p : model.p + model.n_theta] = part.slopes
        for column, position in zip(part.M.T, part.cols.T, strict=True):
            rows = np.flatnonzero(position < model.q)
            gradient[rows] += column[rows, None] * self.J[position[rows]]
        return gradient

    def conditional_variance(self, part: RandomPart) -> FloatArray:
        """Variance given the parameters of ``M (u_hat - u)``, new levels left out; shape (m,)."""
        return self.scale * effect_variances(self.fit.finder, self.packed, part)

    def combinations(
        self, weights: FloatArray, gradient: FloatArray, part: RandomPart
    ) -> FloatArray:
        """Covariance of linear combinations of the linear predictors, shape (k, k).

        Parameters
        ----------
        weights : array, shape (k, m)
        gradient : array, shape (m, n_par)
        part : RandomPart
        """
        q, (m, K) = self.fit.model.q, part.M.shape
        of_parameters = weights @ gradient
        covariance: FloatArray = of_parameters @ self.V @ of_parameters.T
        if not K:
            return covariance
        # A weighted sum of rows is a dense vector in u: k of them are solved for.
        shape = (m, max(q, int(part.cols.max(initial=0)) + 1))
        design = csr_array((part.M.ravel(), part.cols.ravel(), np.arange(m + 1) * K), shape=shape)
        A = np.asarray(design.T @ weights.T)
        solved = self.fit.finder.solve(self.packed, np.ascontiguousarray(A[:q]))
        covariance = covariance + self.scale * A[:q].T @ solved + A[q:].T @ A[q:]
        return 0.5 * (covariance + covariance.T)


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """Linear predictors of m rows with their uncertainty.

    Attributes
    ----------
    eta : array, shape (m,)
    variance : array, shape (m,)
        Of the prediction error; NaN where the fit has no covariance of its estimates.
    conditional : array, shape (m,)
        What of it the random effects of known levels have given the parameters.
    gradient : array, shape (m, n_par)
        Total derivative in (beta, theta, log phi), the mode moving along.
    part : RandomPart
    """

    eta: FloatArray
    variance: FloatArray
    conditional: FloatArray
    gradient: FloatArray
    part: RandomPart


def linear_predictor(
    fit: Fit,
    design: Design | NewDesign,
    positions: Sequence[int],
    joint: JointCovariance | None = None,
) -> LinearPredictor:
    """Linear predictors with the variances of their prediction errors.

    Parameters
    ----------
    fit : Fit
    design : Design or NewDesign
    positions : sequence of int
        Positions in ``fit.design.terms`` of the random effects to include at their modes.
    joint : JointCovariance, optional
        `joint_covariance` of the fit, if at hand.
    """
    joint = joint_covariance(fit) if joint is None else joint
    part = random_part(fit, design, positions)
    gradient = joint.gradient(design.X, part)
    eta = design.offset + design.X @ fit.beta + part.effect
    new = np.where(part.cols < fit.model.q, 0.0, part.M)
    conditional = joint.conditional_variance(part)
    variance = conditional + ((gradient @ joint.V) * gradient).sum(axis=1) + (new**2).sum(axis=1)
    return LinearPredictor(eta, variance, conditional, gradient, part)


def joint_covariance(fit: Fit) -> JointCovariance:
    """The joint uncertainty of the parameters and the random effects of a fit."""
    model, finder, n_par = fit.model, fit.finder, fit.model.n_par
    M = fit.scaled_design
    _, score, D = finder.density(fit.eta, fit.log_phi)
    _, packed = finder.factor(D, M)
    rhs = np.zeros((model.q, n_par))
    rhs[:, : model.p] = -finder.transpose_product(M, D[:, None] * model.design.X)
    for t, term in enumerate(model.design.terms):
        columns = model.column_slices[t]
        assert model.structure is not None
        u = fit.u[model.structure.cols[:, columns]]
        for j in range(*model.theta_slices[t].indices(model.n_theta)):
            M_slope = np.zeros_like(M)
            M_slope[:, columns] = term.Z @ fit.d_Lambda[t][:, :, j]
            moved = (M_slope[:, columns] * u).sum(axis=1)
            rhs[:, model.p + j] = finder.transpose_product(M_slope, score)
            rhs[:, model.p + j] -= finder.transpose_product(M, D * moved)
    if model.family.estimates_phi and model.q:
        log_phi = np.asarray(fit.log_phi)
        slope = fit.compiled.score_phi_slope(finder.y, finder.w, fit.eta, log_phi)[0]
        rhs[:, -1] = finder.transpose_product(M, slope)
    scale = fit.phi if fit.family.has_pearson_dispersion else 1.0
    return JointCovariance(fit, parameter_covariance(fit), finder.solve(packed, rhs), packed, scale)


def parameter_covariance(fit: Fit) -> FloatArray:
    """Covariance of (beta, theta, log phi) as predictions use it, shape (n_par, n_par).

    Parameters on the boundary count as known. Multiplied by Pearson's dispersion where a
    quasi-family has one, as `vcov`. NaN if the information is not positive definite.
    """
    model = fit.model
    known = np.zeros(model.n_par, np.bool_)
    known[model.p : model.p + model.n_theta] = fit.boundary_theta
    known[-1:] |= fit.boundary_phi
    V = fit.estimate.covariance.copy()
    V[known], V[:, known] = 0.0, 0.0
    scaled: FloatArray = V * fit.phi if fit.family.has_pearson_dispersion else V
    return scaled
