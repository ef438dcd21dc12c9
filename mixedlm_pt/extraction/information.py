"""Working information of every row, and the factors of the information of (u, beta)."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.extraction.random_design import random_matrix, relative_factor, relative_scale
from mixedlm_pt.fit import Fit


def working_information(fit: Fit) -> FloatArray:
    """Information of every row in eta, (n,): observed, or expected where the fit used that."""
    return fit.finder.working_information(fit.eta, fit.log_phi)


@dataclass(frozen=True, eq=False)
class CholeskyBlocks:
    """Factor of the joint information of (u, beta) in units of sigma, as lme4 lays it out.

    ``[[L, 0], [RZX', RX']] [[L', RZX], [0, RX]]`` is the information of (u, beta).

    Attributes
    ----------
    L : sparse array, shape (q, q)
        Lower Cholesky factor of ``Lambda'Z'WZ Lambda + I``, without a permutation.
    RZX : array, shape (q, p)
        ``L^-1 Lambda'Z'WX``.
    RX : array, shape (p, p)
        Upper Cholesky factor of ``X'WX - RZX'RZX``.

    References
    ----------
    .. [1] Bates, Maechler, Bolker and Walker (2015), J. Stat. Softw. 67(1), equations 18, 48-54.
    """

    L: sp.csc_array
    RZX: FloatArray
    RX: FloatArray


def cholesky_blocks(fit: Fit) -> CholeskyBlocks:
    """The blocks at the estimates, with the information that the fit's Laplace criterion has."""
    W = relative_scale(fit) ** 2 * working_information(fit)
    X = fit.design.X
    M = sp.csc_array(random_matrix(fit) @ relative_factor(fit))
    weighted = W[:, None] * X
    L = sparse_cholesky(sp.csc_array(M.T @ (sp.diags_array(W) @ M) + sp.eye_array(M.shape[1])))
    rhs = np.asarray(M.T @ weighted)
    RZX = sp.linalg.spsolve_triangular(L.tocsr(), rhs, lower=True) if rhs.size else rhs
    RX = sl.cholesky(X.T @ weighted - RZX.T @ RZX)
    return CholeskyBlocks(L, RZX, RX)


def sparse_cholesky(H: sp.csc_array) -> sp.csc_array:
    """Lower factor of a sparse positive definite matrix, rows and columns in the given order."""
    if not H.shape[0]:
        return H
    # SuperLU that takes every pivot from the diagonal: H = (unit lower) D (unit lower)'.
    factored = sp.linalg.splu(
        H, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    root = np.sqrt(factored.U.diagonal())
    L = sp.csc_array(sp.csc_array(factored.L) @ sp.diags_array(root))
    L.sort_indices()
    return L
