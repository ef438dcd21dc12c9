"""What a formula and a table become: arrays with their names, and nothing symbolic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.design.contrasts import Contrast
from mixedlm_pt.design.frame import PerRow
from mixedlm_pt.design.functions import State
from mixedlm_pt.families import Family
from mixedlm_pt.formula import Formula


@dataclass(frozen=True, eq=False)
class GroupingFactor:
    """A grouping factor and the level of every row.

    Attributes
    ----------
    name : str
        ``"herd"``; an interaction is ``"herd:period"``.
    levels : pandas.Index, length n_levels
        Original values in level order; strings ``"1:2"`` for an interaction. In new data those
        that the fit has not seen come after those of the fit.
    codes : array of int64, shape (n,)
        Position in ``levels``.
    """

    name: str
    levels: pd.Index
    codes: IntArray

    @property
    def n_levels(self) -> int:
        return len(self.levels)


@dataclass(frozen=True, eq=False)
class RandomTerm:
    """One ``(expr | group)`` term.

    Attributes
    ----------
    label : str
        The term as lme4 prints it, ``"1 | herd"``.
    factor : int
        Position of its grouping factor in ``Design.factors``.
    columns : tuple of str, length k
        R's names of the columns of Z.
    Z : array, shape (n, k)
        Raw model matrix of ``expr``.
    """

    label: str
    factor: int
    columns: tuple[str, ...]
    Z: FloatArray

    @cached_property
    def size(self) -> FloatArray:
        """Root mean square of every column of Z, shape (k,)."""
        size: FloatArray = np.sqrt(np.einsum("nk,nk->k", self.Z, self.Z) / len(self.Z))
        return size


@dataclass(frozen=True, eq=False)
class Response:
    """Response on the family's own scale.

    Attributes
    ----------
    name : str
        As written in the formula, ``"incidence / size"``.
    y : array, shape (n,)
        Observed values; proportions for the binomial.
    weights : array, shape (n,)
        Prior weights that multiply the log density; numbers of trials for the binomial.
    """

    name: str
    y: FloatArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Specification:
    """Everything that new data need to be read as the fitted data were.

    Attributes
    ----------
    formula : Formula
    family : Family
    states : mapping
        What ``scale``, ``poly``, ``bs`` computed from the fitted data, by the text of the call.
    kinds : mapping
        ``"factor"`` or ``"numeric"`` for every column that was read by its type.
    levels : mapping
        Levels of every factor on the left of a bar or in the fixed part, by its R name.
    contrasts : mapping
        Their contrasts, by the same names.
    kept : array of int64, shape (p,)
        Which columns of the full model matrix were kept.
    weights, offset : PerRow
        The arguments of these names.
    response_levels : pandas.Index or None
        The two levels of a categorical response.
    """

    formula: Formula
    family: Family
    states: Mapping[str, State]
    kinds: Mapping[str, str]
    levels: Mapping[str, pd.Index]
    contrasts: Mapping[str, Contrast]
    kept: IntArray
    weights: PerRow
    offset: PerRow
    response_levels: pd.Index | None


@dataclass(frozen=True, eq=False)
class Design:
    """The arrays of a model: n rows, p coefficients.

    Attributes
    ----------
    formula : str
        As written.
    response : Response
    X : array, shape (n, p)
        Fixed-effects model matrix, C-contiguous, dependent columns dropped.
    coef_names : tuple of str, length p
        R's names: ``(Intercept)``, ``period2``, ``x:period2``.
    assign : array of int64, shape (p,)
        Term of every column: 0 the intercept, k the k-th of ``term_labels``.
    term_labels : tuple of str
        Fixed-effects terms as R labels them, without the intercept.
    offset : array, shape (n,)
        Sum of all offsets, on the link scale.
    factors : tuple of GroupingFactor
        By decreasing number of levels, each once.
    terms : tuple of RandomTerm
        In the order of their factors.
    dropped : tuple of str
        Columns that others determine.
    index : pandas.Index, length n
        Labels of the rows used.
    full_index : pandas.Index
        Labels of all rows of the data.
    omitted : array of bool, one a row of the data
        Rows left out because of missing values.
    na_action : str
        ``"omit"``, ``"exclude"`` or ``"fail"``.
    specification : Specification
        For new data.
    """

    formula: str
    response: Response
    X: FloatArray
    coef_names: tuple[str, ...]
    assign: IntArray
    term_labels: tuple[str, ...]
    offset: FloatArray
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    dropped: tuple[str, ...]
    index: pd.Index
    full_index: pd.Index
    omitted: BoolArray
    na_action: str
    specification: Specification = field(repr=False)

    @property
    def n(self) -> int:
        """Number of rows used."""
        return len(self.index)

    @property
    def p(self) -> int:
        """Number of fixed-effects coefficients."""
        return len(self.coef_names)

    def pad(self, values: FloatArray) -> FloatArray:
        """Per-row values as the user expects them back.

        With ``na_action="exclude"`` they get NaN at the omitted rows, otherwise they are returned
        as they are; the first axis of ``values`` has length n.
        """
        return padded(values, self.omitted) if self.na_action == "exclude" else values

    @property
    def padded_index(self) -> pd.Index:
        """Row labels of what ``pad`` returns."""
        return self.full_index if self.na_action == "exclude" else self.index


@dataclass(frozen=True, eq=False)
class NewDesign:
    """New data read through the specification of a fitted design: m rows.

    Attributes
    ----------
    X : array, shape (m, p)
    offset : array, shape (m,)
    factors : tuple of GroupingFactor
        Those of ``terms``, with the levels of the fit and then new ones.
    terms : tuple of RandomTerm
    weights : array, shape (m,)
        Numbers of trials or prior weights; 1 where the new data do not state them.
    response : Response or None
        When it was required.
    index, full_index : pandas.Index
    omitted : array of bool, one a row of the new data
        Rows with missing values; results get NaN there.
    """

    X: FloatArray
    offset: FloatArray
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    weights: FloatArray
    response: Response | None
    index: pd.Index
    full_index: pd.Index
    omitted: BoolArray

    @property
    def n(self) -> int:
        """Number of rows without missing values."""
        return len(self.index)

    def pad(self, values: FloatArray) -> FloatArray:
        """Per-row values with NaN at the omitted rows; the first axis has length n."""
        return padded(values, self.omitted)


def padded(values: FloatArray, omitted: BoolArray) -> FloatArray:
    """Values of the rows that were used, spread over all rows with NaN elsewhere."""
    if not omitted.any():
        return values
    full = np.full((len(omitted), *np.shape(values)[1:]), np.nan)
    full[~omitted] = values
    return full
