"""The kernels of every structure, and when the compiled ones are used."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import (
    compiled_crossed,
    compiled_tree,
    crossed,
    dense,
    iterative,
    sparse,
    tree,
)

# Operations of a factorisation from which on the loops save a tenth of a fit's time or more. A
# process spends some hundredths of a second on them once, 0.1 s where their code is not on disk.
# It depends on the data alone, and so do the results.
COMPILED_WORK = 80_000


@dataclass(frozen=True, eq=False)
class Kernels:
    """The three kernels of a structure.

    Attributes
    ----------
    arrays : module
        NumPy's, best for small data.
    loops : module, optional
        The same as compiled loops, and ``work``: the operations of a factorisation.
    """

    arrays: ModuleType
    loops: ModuleType | None = None

    def at(self, index: tuple[IntArray, ...]) -> Any:
        """The module for data of this size."""
        if self.loops is None or self.loops.work(index) < COMPILED_WORK:
            return self.arrays
        return self.loops

    def factor(
        self,
        D: FloatArray,
        M: FloatArray,
        index: tuple[IntArray, ...],
        columns: tuple[int, ...],
    ) -> tuple[float, FloatArray]:
        """``log|I + sum_i D_i M_i M_i'|`` and the packed factorisation."""
        factored: tuple[float, FloatArray] = self.at(index).factor(D, M, index, columns)
        return factored

    def prepare(
        self,
        D: FloatArray,
        M: FloatArray,
        index: tuple[IntArray, ...],
        columns: tuple[int, ...],
    ) -> tuple[float, FloatArray]:
        """What `solve` needs, packed, after a number that is NaN if H is not positive definite."""
        kernels = self.at(index)
        # Where log|H| is estimated it is most of the work.
        prepare = getattr(kernels, "prepare", kernels.factor)
        prepared: tuple[float, FloatArray] = prepare(D, M, index, columns)
        return prepared

    def logdet_se(
        self,
        D: FloatArray,
        M: FloatArray,
        index: tuple[IntArray, ...],
        columns: tuple[int, ...],
    ) -> float:
        """Monte-Carlo standard error of ``log|H|``; 0 where it is exact."""
        kernels = self.at(index)
        if not hasattr(kernels, "logdet_se"):
            return 0.0
        return float(kernels.logdet_se(D, M, index, columns))

    def solve(
        self,
        packed: FloatArray,
        rhs: FloatArray,
        index: tuple[IntArray, ...],
        columns: tuple[int, ...],
    ) -> FloatArray:
        """``H^-1 rhs`` for rhs of shape (q, m)."""
        x: FloatArray = self.at(index).solve(packed, rhs, index, columns)
        return x

    def row_inverse(
        self,
        packed: FloatArray,
        M: FloatArray,
        index: tuple[IntArray, ...],
        columns: tuple[int, ...],
    ) -> FloatArray:
        """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is its own columns' block of H^-1."""
        R: FloatArray = self.at(index).row_inverse(packed, M, index, columns)
        return R


KERNELS: dict[str, Kernels] = {
    "tree": Kernels(tree, compiled_tree),
    "crossed": Kernels(crossed, compiled_crossed),
    "sparse": Kernels(sparse),
    "dense": Kernels(dense),
    "iterative": Kernels(iterative),
}
