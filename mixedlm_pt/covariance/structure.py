"""Base class of the covariance structures: a factor Lambda(theta) written symbolically."""

from typing import ClassVar

from mixedlm_pt._typing import IntArray, Matrix, Vector


class Covariance:
    """Covariance of the k effects of one term at one level, ``Lambda(theta) Lambda(theta)'``.

    A subclass says how many parameters it has and writes its factor, a smooth function of theta
    for all real theta, and says where a change of sign leaves the covariance as it is.
    """

    name: ClassVar[str]

    def n_theta(self, k: int) -> int:
        """Number of parameters."""
        raise NotImplementedError

    def factor(self, theta: Vector, k: int) -> Matrix:
        """Lambda, lower triangular, shape (k, k), from theta, shape (n_theta,)."""
        raise NotImplementedError

    def columns(self, k: int) -> tuple[IntArray, ...]:
        """Sets of entries of theta of which all may change their signs together.

        Such a change leaves the covariance as it is; the first entry of a set is reported
        non-negative, and zero is its boundary. In the unstructured covariance these are the columns
        of Lambda, diagonal first; where one standard deviation multiplies everything, it alone.
        """
        raise NotImplementedError

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two structures the same function; part of the signature of a model.

        A subclass whose instances differ adds what they differ by.
        """
        return (f"{type(self).__module__}.{type(self).__qualname__}", self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Covariance) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
