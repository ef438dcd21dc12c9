"""Random slopes of predictors far from zero, such as calendar years, with their origin moved."""

from dataclasses import dataclass, replace

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.covariance import Unstructured
from mixedlm_pt.estimation.penalty import MovedPenalty, Penalty
from mixedlm_pt.model import GLMM

# Condition number of the columns of Z, each of length one: ten years from 0 to 9 have 4, from
# 2001 to 2010 nearly 1400, and the likelihood in Lambda is then a narrow curved valley.
MAX_CONDITION = 10.0


@dataclass(frozen=True, eq=False)
class Centring:
    """The same model with orthogonal columns in every Z, and the way between their thetas.

    With ``Z = Z_c A`` the effects are ``b_c = A b``, so that ``Lambda_c Lambda_c' = A Lambda
    Lambda' A'``: another unstructured covariance.

    Attributes
    ----------
    model : GLMM
        With the Z_c.
    A : tuple of arrays, shape (k, k)
        Unit upper triangular, one a term; the identity for terms that stay as they are.
    """

    model: GLMM
    A: tuple[FloatArray, ...]

    def there(self, par: FloatArray) -> FloatArray:
        """(beta, theta, log phi) of the centred model from those of the original one."""
        return self.moved(par, self.A)

    def back(self, par: FloatArray) -> FloatArray:
        """(beta, theta, log phi) of the original model from those of the centred one."""
        par = self.moved(par, tuple(np.linalg.inv(A) for A in self.A))
        # Starting values of exactly zero would be moved away from there.
        par[par == 0.0] = np.finfo(np.float64).tiny
        return par

    def moved_penalty(self, penalty: Penalty | None) -> Penalty | None:
        """A penalty of the original model in the parameters of the centred one."""
        if penalty is None:
            return None
        theta = slice(self.model.p, self.model.p + self.model.n_theta)
        inverse = tuple(np.linalg.inv(A) for A in self.A)
        return MovedPenalty(penalty, lambda par: self.moved(par, inverse), theta)

    def moved(self, par: FloatArray, maps: tuple[FloatArray, ...]) -> FloatArray:
        """The parameters when the effects of every term are multiplied by its map."""
        par = par.copy()
        theta = par[self.model.p : self.model.p + self.model.n_theta]
        parts = zip(self.model.covariances, self.model.theta_slices, maps, strict=True)
        for cov, part, A in parts:
            # The map is the identity there.
            if not isinstance(cov, Unstructured):
                continue
            k = len(A)
            lower, Lambda = np.triu_indices(k)[::-1], np.zeros((k, k))
            Lambda[lower] = theta[part]
            if k > 1 and np.isfinite(Lambda).all():
                # Any rotation of u leaves the covariance: this one makes Lambda triangular again.
                R = np.linalg.qr((A @ Lambda).T, mode="r")
                theta[part] = (R * np.where(np.diag(R) < 0.0, -1.0, 1.0)[:, None]).T[lower]
        return par


def centred(model: GLMM) -> Centring | None:
    """The model in better coordinates; None where its own are good."""
    terms, As, is_needed = [], [], False
    for term, cov in zip(model.design.terms, model.covariances, strict=True):
        A, Z = np.eye(term.Z.shape[1]), term.Z
        if isinstance(cov, Unstructured) and MAX_CONDITION < condition(Z) < np.inf:
            R = np.linalg.qr(Z, mode="r")
            A = R / np.diag(R)[:, None]
            Z, is_needed = np.ascontiguousarray(np.linalg.solve(A.T, Z.T).T), True
        terms.append(replace(term, Z=Z))
        As.append(A)
    if not is_needed:
        return None
    design = replace(model.design, terms=tuple(terms))
    return Centring(replace(model, design=design), tuple(As))


def condition(Z: FloatArray) -> float:
    """Condition number of the columns of Z, each scaled to length one; infinite if dependent."""
    length = np.sqrt((Z**2).sum(axis=0))
    if not length.all() or len(Z) < len(length):
        return np.inf
    values = np.linalg.svd(Z / length, compute_uv=False)
    is_full = values[-1] > len(Z) * np.finfo(float).eps
    return float(values[0] / values[-1]) if is_full else np.inf
