"""Loops over whole arrays."""

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.linalg.loops import Loop


@Loop
def product(A: FloatArray, B: FloatArray, C: FloatArray) -> None:
    """``C = A B``."""
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            total = 0.0
            for k in range(B.shape[0]):
                total += A[i, k] * B[k, j]
            C[i, j] = total
