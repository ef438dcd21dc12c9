"""Which columns of a matrix depend linearly on those before them."""

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray

# lme4's rankMatrix.tolQR and the default of R's qr(): a column counts as dependent when less than
# this part of its norm is left after projection on the columns before it.
RANK_TOLERANCE = 1e-7


def independent_columns(X: FloatArray) -> IntArray:
    """Positions of the columns to keep, the earlier of two dependent ones preferred.

    Parameters
    ----------
    X : array, shape (n, p)

    Notes
    -----
    The triangular factor has the inner products of X, so that columns are judged on a p x p
    matrix; as in LINPACK's limited pivoting (R's ``qr``), a dependent column is set aside and the
    others are judged again without it.
    """
    kept = np.arange(X.shape[1])
    if not kept.size:
        return kept
    R = np.linalg.qr(X, mode="r")
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
