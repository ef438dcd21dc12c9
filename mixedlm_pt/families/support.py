"""Where a response may lie; each support tests values and names itself in messages."""

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray


class Support:
    """A set of allowed responses; ``str()`` of it completes "the support of poisson (...)".

    ``is_discrete`` says whether a log density on it is that of a probability mass: such log-
    likelihoods do not compare with those of continuous distributions. ``mean_range`` is the
    interval of the means of distributions on it.
    """

    text: str
    is_discrete: bool = False
    mean_range: tuple[float, float] = (-np.inf, np.inf)

    def check(self, y: FloatArray) -> BoolArray:
        """Mask of the values of ``y`` outside the support, shape (n,); a NaN is outside."""
        outside: BoolArray = ~(np.isfinite(y) & self.contains(y))
        return outside

    def below(self, y: FloatArray, w: FloatArray) -> FloatArray:
        """The next smaller response at prior weights ``w``, shape (n,), for a discrete support."""
        raise NotImplementedError

    def contains(self, y: FloatArray) -> BoolArray:
        """Mask of the finite values that are allowed, shape (n,)."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text


class RealNumbers(Support):
    """Every finite number."""

    text = "finite real numbers"

    def contains(self, y: FloatArray) -> BoolArray:
        return np.ones(np.shape(y), dtype=bool)


class PositiveNumbers(Support):
    """Numbers above zero."""

    text = "positive numbers"
    mean_range = (0.0, np.inf)

    def contains(self, y: FloatArray) -> BoolArray:
        return np.greater(y, 0)


class Counts(Support):
    """0, 1, 2, ..."""

    text = "non-negative integers"
    is_discrete = True
    mean_range = (0.0, np.inf)

    def below(self, y: FloatArray, w: FloatArray) -> FloatArray:
        return y - 1.0

    def contains(self, y: FloatArray) -> BoolArray:
        return np.greater_equal(y, 0) & np.equal(np.floor(y), y)


class Proportions(Support):
    """The closed unit interval."""

    text = "proportions between 0 and 1"
    is_discrete = True
    mean_range = (0.0, 1.0)

    def below(self, y: FloatArray, w: FloatArray) -> FloatArray:
        return (np.rint(w * y) - 1.0) / w

    def contains(self, y: FloatArray) -> BoolArray:
        return np.greater_equal(y, 0) & np.less_equal(y, 1)
