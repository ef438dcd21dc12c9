"""Base class of the covariance structures: a factor Lambda(theta) written symbolically."""

from typing import ClassVar

from mixedlm_pt._typing import IntArray, Matrix, Vector


class Covariance:
    """Covariance of the k effects of one term at one level, ``Lambda(theta) Lambda(theta)'``.

    A subclass states how many parameters it has, writes its factor, and lists the entries of theta
    that form a column of Lambda: changing the sign of a whole column does not change the
    covariance, so its diagonal is reported non-negative and zero is the boundary.
    """

    name: ClassVar[str]

    def n_theta(self, k: int) -> int:
        """Number of parameters."""
        raise NotImplementedError

    def factor(self, theta: Vector, k: int) -> Matrix:
        """Lambda, shape (k, k), from theta, shape (n_theta,)."""
        raise NotImplementedError

    def columns(self, k: int) -> tuple[IntArray, ...]:
        """Entries of theta in each column of Lambda whose sign is free, its diagonal first."""
        raise NotImplementedError
