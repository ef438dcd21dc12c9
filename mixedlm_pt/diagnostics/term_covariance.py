"""Covariance of every random-effects term, taken apart into sds and correlations."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.extraction import term_keys
from mixedlm_pt.fit import Fit


@dataclass(frozen=True, eq=False)
class TermCovariance:
    """Covariance of the k effects of one term at one level, link scale.

    Attributes
    ----------
    key : str
        lme4's name of the term: its group, ``"herd.1"`` for a second term of the same group.
    group : str
    label : str
        The term as printed, ``"1 | herd"``.
    columns : tuple of str, length k
    Lambda : array, shape (k, k)
        A factor of the covariance.
    """

    key: str
    group: str
    label: str
    columns: tuple[str, ...]
    Lambda: FloatArray

    @property
    def parameters(self) -> Iterator[tuple[str, int, int]]:
        """lme4's name of every sd (a = b) and correlation (a < b) with its effects a and b.

        Column by column of Lambda: ``sd_(Intercept)|herd``, ``cor_x.(Intercept)|herd``.
        """
        for (a, first), (b, other) in combinations_with_replacement(enumerate(self.columns), 2):
            kind = f"sd_{first}" if a == b else f"cor_{other}.{first}"
            yield f"{kind}|{self.group}", a, b

    @property
    def sd(self) -> FloatArray:
        """Standard deviations, shape (k,)."""
        sd: FloatArray = np.linalg.norm(self.Lambda, axis=1)
        return sd

    @property
    def correlation_factor(self) -> FloatArray:
        """``Lambda`` with rows of unit length, (k, k); NaN where the sd is zero."""
        sd = np.where(self.sd > 0.0, self.sd, np.nan)
        factor: FloatArray = self.Lambda / sd[:, None]
        return factor

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance matrix with its names."""
        return self.labelled(self.Lambda @ self.Lambda.T)

    @property
    def correlation(self) -> pd.DataFrame:
        """Correlation matrix with its names; NaN where an sd is zero."""
        factor = self.correlation_factor
        correlation = factor @ factor.T
        np.fill_diagonal(correlation, 1.0)
        return self.labelled(correlation)

    def labelled(self, matrix: FloatArray) -> pd.DataFrame:
        """A (k, k) matrix with the effects as its row and column labels."""
        names = pd.Index(self.columns)
        return pd.DataFrame(matrix, index=names, columns=names)


def term_covariances(fit: Fit) -> tuple[TermCovariance, ...]:
    """The covariance of every term of a fit, in the order of ``fit.design.terms``."""
    parts = zip(term_keys(fit.design), fit.design.terms, fit.Lambda, strict=True)
    return tuple(
        TermCovariance(key, fit.design.factors[t.factor].name, t.label, t.columns, Lambda)
        for key, t, Lambda in parts
    )
