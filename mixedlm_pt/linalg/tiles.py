"""Cholesky factor and inverse of a large matrix, tile by tile on several cores.

LAPACK and BLAS do every tile on one thread, and the tiles follow from the size alone: unlike those
of BLAS's own threads, results are the same to the last bit on any number of cores. Matrices are
C-ordered and lower triangular: for LAPACK the transposed, upper ones, which the comments speak of.
"""

from collections.abc import Callable
from ctypes import (
    CFUNCTYPE,
    byref,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_void_p,
    py_object,
    pythonapi,
)
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.linalg import cython_blas, cython_lapack

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.linalg.cores import team

# Columns of a tile: fewer make products slow, with more the one tile that all wait for takes long.
TILE = 128


@cache
def routine(name: str) -> Callable[..., None]:
    """A routine of SciPy's BLAS or LAPACK; unlike SciPy's own functions it frees Python's lock."""
    module = cython_blas if name in cython_blas.__pyx_capi__ else cython_lapack
    capsule = module.__pyx_capi__[name]
    name_of, pointer_of = pythonapi.PyCapsule_GetName, pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = c_char_p, [py_object]
    pointer_of.restype, pointer_of.argtypes = c_void_p, [py_object, c_char_p]
    function: Any = CFUNCTYPE(None)(pointer_of(capsule, name_of(capsule)))

    def call(*arguments: Any) -> None:
        function(*map(passed, arguments))

    return call


def passed(argument: Any) -> Any:
    """An argument as Fortran takes it: all by address."""
    if isinstance(argument, np.ndarray):
        return c_void_p(argument.ctypes.data)
    if isinstance(argument, str):
        return byref(c_char(argument.encode()))
    if isinstance(argument, float):
        return byref(c_double(argument))
    return byref(argument if isinstance(argument, c_int) else c_int(argument))


def edges(n: int) -> list[tuple[int, int]]:
    """First and last columns of the tiles."""
    return list(pairwise([*range(0, n, TILE), n]))


def cholesky(A: FloatArray) -> bool:
    """Overwrite the lower triangle of A by that of its factor; False if there is none.

    The upper triangle is not touched.
    """
    n, info, tiles = len(A), c_int(), edges(len(A))
    factor, solve = routine("dpotrf"), routine("dtrsm")
    for k, (a, b) in enumerate(tiles):
        pivot = A[a:, a:]
        factor("U", b - a, pivot, n, info)
        if info.value:
            return False
        # U_kj = U_kk^-T A_kj for the later tiles j, then A_ij <- A_ij - U_ki' U_kj.
        later = tiles[:k:-1]
        team.run(
            partial(solve, "L", "U", "T", "N", b - a, d - c, 1.0, pivot, n, A[c:, a:], n)
            for c, d in later
        )
        team.run(partial(subtract, A, a, b, c, d) for c, d in later)
    return True


def subtract(A: FloatArray, a: int, b: int, c: int, d: int) -> None:
    """Subtract the products of columns a to b from the rows c to d, columns b to d."""
    n, rows = len(A), A[c:, a:]
    if c > b:
        arguments = (c - b, d - c, b - a, -1.0, A[b:, a:], n, rows, n, 1.0, A[c:, b:], n)
        routine("dgemm")("T", "N", *arguments)
    routine("dsyrk")("U", "T", d - c, b - a, -1.0, rows, n, 1.0, A[c:, c:], n)


def inverse(L: FloatArray) -> FloatArray:
    """The lower triangle of ``(L L')^-1``."""
    n = len(L)
    X, tile, tiles = np.zeros((n, n)), np.empty((TILE, n)), edges(n)
    team.run(partial(inverse_rows, L, X, c, d) for c, d in reversed(tiles))
    for c, d in tiles:
        # No later tile needs these rows of the factor's inverse.
        team.run(partial(product, X, tile, c, d, a, b) for a, b in edges(d))
        X[c:d, :d] = tile[: d - c, :d]
    return X


def inverse_rows(L: FloatArray, X: FloatArray, c: int, d: int) -> None:
    """Rows c to d of ``L^-1``, into zeros: U X = E."""
    n = len(L)
    X.reshape(-1)[c * (n + 1) : d * (n + 1) : n + 1] = 1.0
    routine("dtrsm")("L", "U", "N", "N", d, d - c, 1.0, L, n, X[c:], n)


def product(X: FloatArray, tile: FloatArray, c: int, d: int, a: int, b: int) -> None:
    """Rows c to d of ``L^-T L^-1``, columns a to b, from the rows of ``L^-1`` from c on: X X'."""
    n = len(X)
    arguments = (b - a, d - c, n - c, 1.0, X[c:, a:], n, X[c:, c:], n, 0.0, tile[:, a:], n)
    routine("dgemm")("N", "T", *arguments)
