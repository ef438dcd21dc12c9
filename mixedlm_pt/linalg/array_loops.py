"""Loops over whole arrays, of which longer code is put together."""

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.linalg.loops import Loop


@Loop
def emptied(values: FloatArray) -> None:
    """Set all to zero."""
    for i in range(len(values)):
        values[i] = 0.0


@Loop
def copied(source: FloatArray, target: FloatArray) -> None:
    """Copy a vector."""
    for i in range(len(source)):
        target[i] = source[i]


@Loop
def product(A: FloatArray, B: FloatArray, C: FloatArray) -> None:
    """``C = A B``."""
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            total = 0.0
            for k in range(B.shape[0]):
                total += A[i, k] * B[k, j]
            C[i, j] = total
