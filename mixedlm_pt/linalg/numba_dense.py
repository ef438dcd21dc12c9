"""Numba kernels with the dense Cholesky factor of H, and the LAPACK routines they stand on.

PyTensor binds ``potrf`` and ``potrs`` in a way that numba can cache; ``potri`` follows the same
pattern. All work in place on the lower triangle of a C-contiguous matrix, which LAPACK reads as
the upper triangle in Fortran order, and report failure as a value: numba's own
``np.linalg.cholesky`` raises.
"""

from typing import Any, cast

import numba as nb
import numpy as np
from numba import types
from pytensor.link.numba.cache import _call_cached_ptr
from pytensor.link.numba.dispatch.linalg._LAPACK import (
    _LAPACK,
    get_lapack_ptr,
    int_ptr_to_val,
    nb_f64p,
    nb_i32p,
    val_to_int_ptr,
)

from mixedlm_pt._typing import FloatArray, IntArray

potrf = _LAPACK().numba_xpotrf(types.float64)
potrs = _LAPACK().numba_xpotrs(types.float64)

# Inside a kernel these take one argument less than their Python signatures say.
pointer_to, value_at = cast(Any, val_to_int_ptr), cast(Any, int_ptr_to_val)
cached_pointer = cast(Any, _call_cached_ptr)

_potri_type = types.FunctionType(types.void(nb_i32p, nb_i32p, nb_f64p, nb_i32p, nb_i32p))
_UPPER = ord("U")


@nb.njit
def _potri_pointer() -> Any:
    with nb.objmode(pointer=types.intp):
        pointer = get_lapack_ptr(types.float64, "potri")
    return pointer  # noqa: RET504 - an objmode block cannot hold a return.


@nb.njit
def potri(uplo: Any, n: Any, a: Any, lda: Any, info: Any) -> None:
    """LAPACK's dpotri: the inverse from a Cholesky factor."""
    function = cached_pointer(
        get_ptr_func=_potri_pointer,
        func_type_ref=_potri_type,
        unique_func_name_lit="scipy.lapack.dpotri",
    )
    function(uplo, n, a, lda, info)


@nb.njit(cache=True)
def cholesky_in_place(H: FloatArray) -> bool:
    """Lower Cholesky factor over the lower triangle of H; False if H is not positive definite."""
    n, info = np.int32(len(H)), pointer_to(0)
    potrf(pointer_to(_UPPER), pointer_to(n), H.ctypes, pointer_to(n), info)
    return bool(value_at(info) == 0)


@nb.njit(cache=True)
def solve_in_place(L: FloatArray, x: FloatArray) -> None:
    """``x <- (L L')^-1 x`` for a vector x."""
    n, info = np.int32(len(L)), pointer_to(0)
    potrs(
        pointer_to(_UPPER),
        pointer_to(n),
        pointer_to(1),
        L.ctypes,
        pointer_to(n),
        x.ctypes,
        pointer_to(n),
        info,
    )


@nb.njit(cache=True)
def inverse_in_place(L: FloatArray) -> None:
    """Lower triangle of ``(L L')^-1`` over the lower triangle of L."""
    n, info = np.int32(len(L)), pointer_to(0)
    potri(pointer_to(_UPPER), pointer_to(n), L.ctypes, pointer_to(n), info)


@nb.njit(cache=True, error_model="numpy")
def factor(
    D: FloatArray, M: FloatArray, index: tuple[IntArray, ...], columns: IntArray
) -> tuple[float, FloatArray]:
    """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
    cols, n_levels = index[0], index[1]
    q = 0
    for f in range(len(columns)):
        q += n_levels[f] * columns[f]
    packed = np.zeros(q * q)
    H = packed.reshape((q, q))
    for c in range(q):
        H[c, c] = 1.0
    for i in range(M.shape[0]):
        for a in range(M.shape[1]):
            weighted = D[i] * M[i, a]
            for b in range(a + 1):
                row, column = max(cols[i, a], cols[i, b]), min(cols[i, a], cols[i, b])
                H[row, column] += weighted * M[i, b]
    if not cholesky_in_place(H):
        packed[:] = np.nan
        return np.nan, packed
    logdet = 0.0
    for c in range(q):
        logdet += 2.0 * np.log(H[c, c])
    return logdet, packed


@nb.njit(cache=True)
def solve(
    packed: FloatArray, rhs: FloatArray, index: tuple[IntArray, ...], columns: IntArray
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q,)."""
    x = rhs.copy()
    solve_in_place(packed.reshape((len(x), len(x))), x)
    return x


@nb.njit(cache=True)
def row_inverse(
    packed: FloatArray, M: FloatArray, index: tuple[IntArray, ...], columns: IntArray
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns."""
    cols, q = index[0], round(np.sqrt(len(packed)))
    inverse = packed.copy().reshape((q, q))
    inverse_in_place(inverse)
    R = np.zeros(M.shape)
    for i in range(M.shape[0]):
        for a in range(M.shape[1]):
            for b in range(M.shape[1]):
                row, column = max(cols[i, a], cols[i, b]), min(cols[i, a], cols[i, b])
                R[i, a] += inverse[row, column] * M[i, b]
    return R
