"""Functions of the coefficients with their derivatives: the delta method in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.linalg as sl

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.arguments import finite_number
from mixedlm_pt.design import Design, NewDesign, new_design
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import Covariance, chosen_vcov, vcov
from mixedlm_pt.interpretation.predictors import OFFSET, source_rows
from mixedlm_pt.prediction.joint_covariance import parameter_covariance
from mixedlm_pt.prediction.marginal import averaged_mean
from mixedlm_pt.prediction.random_part import random_part

# (value, slope in the first, slope in the second) of two arrays of one shape.
type Comparing = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray, FloatArray]]

# A function of beta is estimable if it does not move along the directions that the data leave
# open, up to the rounding error of their basis.
ESTIMABLE_TOL = 1e-8


@dataclass(frozen=True, eq=False)
class Estimates:
    """m functions of d parameters.

    The parameters are the coefficients of all columns of the model matrix, also of those that were
    dropped as dependent, which are zero and known; then theta and log phi. What the data do not
    determine is NaN.

    Attributes
    ----------
    values : array, shape (m,)
    J : array, shape (m, d)
        Derivatives in the parameters.
    V : array, shape (d, d)
        Covariance of the parameters.
    open : array, shape (d, k)
        Basis of the directions that the data do not determine.
    """

    values: FloatArray
    J: FloatArray
    V: FloatArray
    open: FloatArray

    @property
    def estimable(self) -> BoolArray:
        """Whether the data determine each function, shape (m,)."""
        if not self.open.shape[1]:
            return np.ones(len(self.values), np.bool_)
        size = np.abs(self.J).max(axis=1, initial=0.0)
        moved = np.abs(self.J @ self.open).max(axis=1)
        small: BoolArray = moved <= ESTIMABLE_TOL * np.maximum(size, 1.0)
        return small

    @property
    def estimate(self) -> FloatArray:
        """The functions, NaN where the data do not determine them, shape (m,)."""
        return np.where(self.estimable, self.values, np.nan)

    @property
    def se(self) -> FloatArray:
        """Standard errors by the delta method, shape (m,)."""
        variance = ((self.J @ self.V) * self.J).sum(axis=1)
        # A matrix that the user gave may be no covariance.
        with np.errstate(invalid="ignore"):
            return np.where(self.estimable, np.sqrt(variance), np.nan)

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the functions, shape (m, m)."""
        covariance: FloatArray = self.J @ self.V @ self.J.T
        return covariance

    def rows(self, chosen: BoolArray | IntArray) -> "Estimates":
        """Some of the functions."""
        return replace(self, values=self.values[chosen], J=self.J[chosen])

    def combined(self, C: FloatArray) -> "Estimates":
        """``C values`` for C of shape (r, m)."""
        return replace(self, values=C @ self.values, J=C @ self.J)

    def mapped(self, values: FloatArray, slopes: FloatArray) -> "Estimates":
        """A function of each, given its values and derivatives, shape (m,) each."""
        return replace(self, values=values, J=slopes[:, None] * self.J)

    def compared(self, other: "Estimates", function: Comparing) -> "Estimates":
        """A function of each pair, given its values and its slopes in both."""
        value, slope, other_slope = function(self.values, other.values)
        J = slope[:, None] * self.J + other_slope[:, None] * other.J
        return replace(self, values=value, J=J)

    @classmethod
    def weighted_sum(cls, parts: Sequence["Estimates"], weights: Sequence[float]) -> "Estimates":
        """Sum of functions of the same parameters with weights."""
        pairs = list(zip(parts, weights, strict=True))
        values: FloatArray = np.sum([weight * part.values for part, weight in pairs], axis=0)
        J: FloatArray = np.sum([weight * part.J for part, weight in pairs], axis=0)
        return replace(parts[0], values=values, J=J)

    def averaged(self, codes: IntArray, n_groups: int) -> "Estimates":
        """Means over groups of functions; ``codes`` (m,) number the groups."""
        sizes = np.bincount(codes, minlength=n_groups)
        columns = (np.bincount(codes, column, n_groups) for column in self.J.T)
        return replace(
            self,
            values=np.bincount(codes, self.values, n_groups) / sizes,
            J=np.column_stack([np.empty((n_groups, 0)), *columns]) / sizes[:, None],
        )


def stacked(parts: Sequence[Estimates]) -> Estimates:
    """Functions of the same parameters, one set after the other."""
    values, J = [part.values for part in parts], [part.J for part in parts]
    return replace(parts[0], values=np.concatenate(values), J=np.concatenate(J))


def inestimable_note(fit: Fit) -> str:
    """Why some functions of the coefficients are NaN."""
    return (
        "Empty (NaN): not estimable, because it needs coefficients that the data do not "
        f"determine. Dropped: {', '.join(fit.design.dropped)}."
    )


def linear_predictor(
    fit: Fit,
    rows: pd.DataFrame,
    terms: Sequence[int] = (),
    vcov: Covariance = None,
    offset: float | None = None,
) -> Estimates:
    """``eta`` for rows of source columns, given the conditional modes of some terms.

    Parameters
    ----------
    fit : Fit
    rows : DataFrame, m rows
        As made by `source_rows`, possibly altered.
    terms : sequence of int
        Random-effects terms whose modes are added; they count as known.
    vcov : str, DataFrame or array, optional
    offset : float, optional
        In place of the rows' own offset.

    Returns
    -------
    Estimates
        m functions, link scale.
    """
    new = design_of_rows(fit, rows, terms)
    if offset is not None:
        new = replace(new, offset=np.full(new.n, finite_number("offset", offset)))
    estimates = fixed_part(fit, new, vcov)
    return replace(estimates, values=estimates.values + random_part(fit, new, terms).effect)


def average_mean(fit: Fit, rows: pd.DataFrame, vcov: Covariance = None) -> Estimates:
    """Means of rows averaged over the distribution of the random effects, response scale.

    Their standard errors have the uncertainty of theta, too.
    """
    terms = range(len(fit.design.terms))
    new = design_of_rows(fit, rows, terms, allow_new_levels=True)
    linear = fixed_part(fit, new, vcov)
    mean, slope, d_theta = averaged_mean(fit, new, linear.values)
    averaged = linear.mapped(mean, slope)
    first = new.X.shape[1]
    averaged.J[:, first : first + fit.model.n_theta] = d_theta
    return averaged


def fixed_part(fit: Fit, new: NewDesign, vcov: Covariance) -> Estimates:
    """``X beta + offset`` of a design with all columns."""
    kept, width = fit.design.specification.kept, new.X.shape[1]
    rest = fit.model.n_par - fit.model.p
    beta, V = np.zeros(width), np.zeros((width + rest, width + rest))
    beta[kept] = fit.beta
    places = np.concatenate([kept, width + np.arange(rest)])
    V[np.ix_(places, places)] = all_parameters(fit, vcov)
    J = np.column_stack([new.X, np.zeros((new.n, rest))])
    return Estimates(new.offset + new.X @ beta, J, V, open_directions(fit, rest))


def all_parameters(fit: Fit, wanted: Covariance) -> FloatArray:
    """Covariance of (beta, theta, log phi) as an argument ``vcov=`` asks for it.

    Parameters on the boundary count as known; so do theta and phi where only the covariance of
    beta is given.
    """
    if wanted is None or (isinstance(wanted, str) and wanted == "hessian"):
        return parameter_covariance(fit)
    p, n_par = fit.model.p, fit.model.n_par
    V = np.zeros((n_par, n_par))
    if isinstance(wanted, str) and wanted == "sandwich":
        V[:] = vcov(fit, full=True, type=wanted)
        is_known = ~np.isfinite(np.diag(V)) & (np.arange(n_par) >= p)
        V[is_known], V[:, is_known] = 0.0, 0.0
    else:
        V[:p, :p] = chosen_vcov(fit, wanted)
    return V


def design_of_rows(
    fit: Fit, rows: pd.DataFrame, terms: Sequence[int], allow_new_levels: bool = False
) -> NewDesign:
    """Rows of source columns with all columns of the model matrix, dependent ones as well."""
    design = fit.design
    offset = rows[OFFSET].to_numpy(np.float64) if OFFSET in rows else None
    full = all_columns(design)
    return new_design(full, rows, terms=terms, offset=offset, allow_new_levels=allow_new_levels)


def all_columns(design: Design) -> Design:
    """The design whose new data get dependent columns of the model matrix as well."""
    kept = np.arange(design.p + len(design.dropped), dtype=np.int64)
    return replace(design, specification=replace(design.specification, kept=kept))


def open_directions(fit: Fit, rest: int) -> FloatArray:
    """Basis of what the data leave open in the coefficients, shape (d, k); zero for the others."""
    design = fit.design
    width = design.p + len(design.dropped)
    if not design.dropped:
        return np.empty((width + rest, 0))
    X = design_of_rows(fit, source_rows(fit, None, ()), ()).X
    # Columns of size one; a basis that is orthonormal in them is as good as any.
    scale = np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
    basis = sl.null_space(X / scale) / scale[:, None]
    return np.vstack([basis / np.abs(basis).max(axis=0), np.zeros((rest, basis.shape[1]))])
