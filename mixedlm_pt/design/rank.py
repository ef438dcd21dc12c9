"""Which columns of a matrix depend linearly on those before them."""

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray

# lme4's rankMatrix.tolQR and the default of R's qr(): a column counts as dependent when less than
# this part of its norm is left after projection on the columns before it.
RANK_TOLERANCE = 1e-7
# The smallest eigenvalue of the correlations is at most the squared part that is left of any
# column. X'X with n = 1e6 rows has it to 1e-10: above this value nothing is dependent.
CLEARLY_INDEPENDENT = 1e-6
# Rows that are factored together.
ROWS_AT_ONCE = 1 << 14


def independent_columns(X: FloatArray) -> IntArray:
    """Positions of the columns to keep, the earlier of two dependent ones preferred.

    Parameters
    ----------
    X : array, shape (n, p)

    Notes
    -----
    The triangular factor has the inner products of X, so that columns are judged on a p x p
    matrix; as in LINPACK's limited pivoting (R's ``qr``), a dependent column is set aside and the
    others are judged again without it. Columns that are far from dependent show it in X'X, which
    is cheaper.
    """
    kept = np.arange(X.shape[1])
    if not kept.size or is_clearly_independent(X):
        return kept
    R = np.empty((0, kept.size))
    for top in range(0, len(X), ROWS_AT_ONCE):
        R = np.linalg.qr(np.vstack([R, X[top : top + ROWS_AT_ONCE]]), mode="r")
    norms = np.linalg.norm(R, axis=0)
    while kept.size:
        left = np.zeros(kept.size)
        diagonal = np.abs(np.diag(np.linalg.qr(R[:, kept], mode="r")))
        left[: diagonal.size] = diagonal
        dependent = np.flatnonzero(left <= RANK_TOLERANCE * norms[kept])
        if not dependent.size:
            break
        kept = np.delete(kept, dependent[0])
    return kept


# Products that overflow decide nothing.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def is_clearly_independent(X: FloatArray) -> bool:
    """Whether the inner products of the columns show already that none is dependent."""
    inner = X.T @ X
    norms = np.sqrt(np.diag(inner))
    correlation = inner / np.outer(norms, norms)
    if not np.isfinite(correlation).all():
        return False
    return bool(np.linalg.eigvalsh(correlation)[0] > CLEARLY_INDEPENDENT)
