"""Contrast matrices of a factor, with the names R gives their columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import ArgumentError, unknown_name


@dataclass(frozen=True)
class ContrastCall:
    """A contrast by name with its base level, as ``C(f, contr.treatment(base = 2))`` gives it."""

    name: str
    base: object = None


@dataclass(frozen=True, eq=False)
class Contrast:
    """Coding of a factor: one row a level, one column a coefficient.

    Attributes
    ----------
    matrix : array, shape (n_levels, k)
    names : tuple of str, length k
        What R appends to the factor's name.
    """

    matrix: FloatArray
    names: tuple[str, ...]


def dummies(labels: list[str]) -> Contrast:
    """One indicator a level."""
    return Contrast(np.eye(len(labels)), tuple(labels))


def treatment(labels: list[str], base: object = None) -> Contrast:
    """Differences from a base level, the first by default."""
    place = 0 if base is None else _base_place(base, labels)
    kept = [k for k in range(len(labels)) if k != place]
    return Contrast(np.eye(len(labels))[:, kept], tuple(labels[k] for k in kept))


def sas(labels: list[str], base: object = None) -> Contrast:
    """Differences from the last level."""
    return treatment(labels, labels[-1] if base is None else base)


def sum_to_zero(labels: list[str], base: object = None) -> Contrast:
    """Deviations from the mean of the levels; the last level is minus the others' sum."""
    k = len(labels) - 1
    return Contrast(np.vstack([np.eye(k), -np.ones((1, k))]), _numbered(k))


def helmert(labels: list[str], base: object = None) -> Contrast:
    """Every level against the mean of those before it."""
    n = len(labels)
    matrix = np.triu(-np.ones((n, n)), 1) + np.diag(np.arange(n, dtype=float))
    return Contrast(matrix[:, 1:], _numbered(n - 1))


def polynomial(labels: list[str], base: object = None) -> Contrast:
    """Orthonormal polynomials over equally spaced levels: ``.L``, ``.Q``, ``.C``, ``^4``."""
    n = len(labels)
    scores = np.arange(n) - (n - 1) / 2
    q, r = np.linalg.qr(np.vander(scores, increasing=True))
    matrix = (q * np.sign(np.diag(r)))[:, 1:]
    return Contrast(matrix, (".L", ".Q", ".C", *(f"^{k}" for k in range(4, n)))[: n - 1])


CONTRASTS: dict[str, Callable[[list[str], object], Contrast]] = {
    "treatment": treatment,
    "sum": sum_to_zero,
    "helmert": helmert,
    "poly": polynomial,
    "SAS": sas,
}
_BY_LOWER_NAME = {name.lower(): name for name in CONTRASTS}


def make_contrast(wanted: object, labels: list[str], factor: str) -> Contrast:
    """The contrast that a user asked for.

    Parameters
    ----------
    wanted : str, ContrastCall, array or DataFrame of shape (n_levels, k)
        A name of ``CONTRASTS``, with or without R's ``contr.``; DataFrame columns name the
        coefficients, its index may name the levels.
    labels : list of str
        Levels of the factor.
    factor : str
        Its name, for messages.

    Raises
    ------
    ArgumentError
        For an unknown name, a base that is no level and a matrix that does not fit.
    """
    if isinstance(wanted, str):
        wanted = ContrastCall(wanted)
    if isinstance(wanted, ContrastCall):
        name = _BY_LOWER_NAME.get(wanted.name.lower().removeprefix("contr."))
        if name is None:
            raise unknown_name("contrast", wanted.name, CONTRASTS)
        return CONTRASTS[name](labels, wanted.base)
    if isinstance(wanted, pd.DataFrame) and set(wanted.index) == set(labels):
        wanted = wanted.loc[labels]
    matrix = np.atleast_2d(np.asarray(wanted, dtype=np.float64))
    rows, columns = len(labels), matrix.shape[-1]
    if matrix.ndim != 2 or matrix.shape[0] != rows or not 1 <= columns < rows:
        raise ArgumentError(
            f"the contrast matrix of {factor!r} has shape {matrix.shape}; with {rows} levels it "
            f"needs {rows} rows and 1 to {rows - 1} columns"
        )
    if not np.isfinite(matrix).all():
        raise ArgumentError(f"the contrast matrix of {factor!r} has values that are not finite")
    if np.linalg.matrix_rank(np.column_stack([np.ones(rows), matrix])) <= columns:
        raise ArgumentError(
            f"the columns of the contrast matrix of {factor!r} and the constant are dependent"
        )
    named = wanted.columns if isinstance(wanted, pd.DataFrame) else range(1, columns + 1)
    return Contrast(matrix, tuple(str(name) for name in named))


def _base_place(base: object, labels: list[str]) -> int:
    if isinstance(base, str) and base in labels:
        return labels.index(base)
    if isinstance(base, int | float) and 1 <= base <= len(labels):
        return int(base) - 1
    raise ArgumentError(
        f"the base {base!r} of a treatment contrast is neither a level ({', '.join(labels)}) nor "
        f"a position from 1 to {len(labels)}"
    )


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(1, count + 1))
