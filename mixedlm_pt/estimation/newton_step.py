"""What a Newton step for the mode starts from, and what it gives."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from mixedlm_pt._typing import FloatArray


@dataclass(frozen=True, eq=False)
class Step:
    """A Newton step in (beta, u); beta's part is zero where that does not move.

    Attributes
    ----------
    beta, u : arrays, shapes (p,), (q,)
    decrement : float
        ``r' H^-1 r``.
    error : float
        About what it leaves, in conditional standard deviations.
    packed : array, optional
        The factorisation, where beta does not move.
    is_held : bool
        Whether that is one of an earlier point.
    """

    beta: FloatArray
    u: FloatArray
    decrement: float
    error: float
    packed: FloatArray | None = None
    is_held: bool = False


@dataclass(eq=False)
class Held:
    """A factorisation at an earlier point, from one step and one search to the next."""

    packed: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Joint:
    """The joint density of (y, u) at one point.

    Attributes
    ----------
    value : float
        ``log p(y | u) - u'u / 2``.
    score, D : arrays, shape (n,)
        Derivative in eta, and observed information.
    r : array, shape (q,)
        ``Lambda'Z' score - u``, its derivative in u.
    step : tuple, optional
        ``log|H|``, H's packed factorisation and ``H^-1 r`` (q,), where they came with the rest.
    """

    value: float
    score: FloatArray
    D: FloatArray
    r: FloatArray
    step: tuple[float, FloatArray, FloatArray] | None = None


@dataclass(frozen=True, eq=False)
class BetaBlock:
    """beta's part of the joint information of (beta, u).

    Attributes
    ----------
    covariance : array, shape (p, p)
        Inverse of the Schur complement ``X'DX - B'H^-1 B`` with B = Lambda'Z'DX.
    correction : array, shape (q, p)
        ``H^-1 B``.
    """

    covariance: FloatArray
    correction: FloatArray


def definite_inverse(S: FloatArray) -> FloatArray | None:
    """The inverse of a symmetric matrix; None if that is not positive definite."""
    if not len(S):
        return S
    factor, is_singular = lapack.dpotrf(S)
    inverse: FloatArray = lapack.dpotrs(factor, np.eye(len(S)))[0]
    return None if is_singular else inverse
