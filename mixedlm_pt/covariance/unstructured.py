"""Unstructured covariance, lme4's default."""

from itertools import pairwise

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import IntArray, Matrix, Vector
from mixedlm_pt.covariance.structure import Covariance


class Unstructured(Covariance):
    """Any covariance: theta is the lower triangle of Lambda, column by column, as in lme4."""

    name = "us"

    def n_theta(self, k: int) -> int:
        return k * (k + 1) // 2

    def columns(self, k: int) -> tuple[IntArray, ...]:
        ends = np.cumsum([0, *range(k, 0, -1)])
        return tuple(np.arange(a, b) for a, b in pairwise(ends))

    def factor(self, theta: Vector, k: int) -> Matrix:
        # A product with a constant selection, not an indexed assignment: its derivative is one
        # small product, too.
        column, row = np.triu_indices(k)
        select = np.zeros((k * k, len(row)))
        select[row * k + column, np.arange(len(row))] = 1.0
        return pt.dot(select, theta).reshape((k, k))
