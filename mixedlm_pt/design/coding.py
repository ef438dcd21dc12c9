"""Columns of a model matrix from terms, by R's coding rule and with R's names."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design.contrasts import Contrast, dummies, make_contrast, polynomial, treatment
from mixedlm_pt.design.values import Basis, Factor, Value
from mixedlm_pt.formula import Terms, deparse

# Rows of a model matrix that are filled together: all their columns stay in the cache.
ROWS_AT_ONCE = 1 << 12


@dataclass(frozen=True, eq=False)
class Columns:
    """A model matrix with the names of its columns.

    Attributes
    ----------
    matrix : array, shape (n, p)
        C-contiguous, in memory of its own.
    names : tuple of str, length p
    assign : array of int64, shape (p,)
        Which term a column belongs to, 0 for the intercept.
    """

    matrix: FloatArray
    names: tuple[str, ...]
    assign: IntArray

    def of(self, kept: IntArray) -> "Columns":
        """Some of the columns; the same matrix where that is all."""
        if len(kept) == len(self.names):
            return self
        matrix = np.ascontiguousarray(self.matrix[:, kept])
        return Columns(matrix, tuple(self.names[k] for k in kept), self.assign[kept])

    def without(self, kept: IntArray) -> tuple[str, ...]:
        """Names of the other columns."""
        positions = set(kept.tolist())
        return tuple(name for k, name in enumerate(self.names) if k not in positions)


@dataclass(frozen=True, eq=False)
class Variable:
    """One variable of a term: numbers, or a factor and its coding.

    Attributes
    ----------
    values : array, shape (n,) or (n, k); or codes of int64, shape (n,)
    names : tuple of str, length k
        What R appends to its name for each column.
    coding : array, shape (n_levels, k), optional
        For codes.
    """

    values: FloatArray | IntArray
    names: tuple[str, ...]
    coding: FloatArray | None = None

    def columns(self, rows: slice) -> FloatArray:
        """Its columns at some rows, shape (m, k)."""
        part: Any = self.values[rows]
        columns: FloatArray = part[:, None] if part.ndim == 1 else part
        return columns if self.coding is None else self.coding[part]


def dummy_coded(terms: Terms, is_factor: Mapping[str, bool]) -> set[tuple[int, str]]:
    """The (term, factor) pairs that are coded by one indicator a level instead of contrasts.

    A factor is coded by contrasts in a term if what remains of the term without it is contained
    in an earlier term (R's ``TermCode`` in model.c). Without an intercept, the first factor that
    occurs is coded by indicators (``modelmatrix`` in model.c).
    """
    variables = [[deparse(atom) for atom in term] for term in terms.terms]
    full = set()
    for t, names in enumerate(variables):
        for name in names:
            rest = set(names) - {name}
            if rest and not any(rest <= set(earlier) for earlier in variables[:t]):
                full.add((t, name))
    if not terms.intercept:
        factors = ((t, v) for t, names in enumerate(variables) for v in names if is_factor[v])
        full.update(itertools.islice(factors, 1))
    return {(t, name) for t, name in full if is_factor[name]}


def choose_contrast(factor: Factor, name: str, contrasts: Mapping[str, object]) -> Contrast:
    """The contrast of a factor: the one asked for, else R's default for its kind.

    Raises
    ------
    ArgumentError
        From :func:`make_contrast`.
    """
    labels = factor.labels
    if factor.contrast is not None:
        return make_contrast(factor.contrast, labels, name)
    if name in contrasts:
        return make_contrast(contrasts[name], labels, name)
    return polynomial(labels) if factor.is_ordered else treatment(labels)


def model_columns(
    terms: Terms, values: Mapping[str, Value], contrasts: Mapping[str, Contrast], n: int
) -> Columns:
    """The model matrix of terms.

    Parameters
    ----------
    terms : Terms
    values : mapping
        Value of every variable of the terms by its R name; factors already have the levels that
        ``contrasts`` code.
    contrasts : mapping
        Contrast of every factor by its R name.
    n : int
        Number of rows.
    """
    full = dummy_coded(terms, {name: isinstance(v, Factor) for name, v in values.items()})
    blocks: list[list[Variable]] = []
    names: list[str] = ["(Intercept)"] if terms.intercept else []
    assign: list[int] = [0] if terms.intercept else []
    for t, term in enumerate(terms.terms):
        block, term_names = [], [""]
        for atom in term:
            label = deparse(atom)
            variable = _variable(values[label], contrasts.get(label), (t, label) in full)
            block.append(variable)
            # The first variable runs fastest, as in R.
            term_names = [
                f"{name}:{label}{suffix}" if name else f"{label}{suffix}"
                for suffix in variable.names
                for name in term_names
            ]
        blocks.append(block)
        names.extend(term_names)
        assign.extend([t + 1] * len(term_names))
    matrix = filled(blocks, n, int(terms.intercept), len(names))
    return Columns(matrix, tuple(names), np.array(assign, dtype=np.int64))


def filled(blocks: Sequence[Sequence[Variable]], n: int, first: int, p: int) -> FloatArray:
    """The matrix (n, p) of the products of every block's variables, after ``first`` ones."""
    matrix = np.empty((n, p))
    for top in range(0, n, ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        part, left = matrix[rows], first
        part[:, :first] = 1.0
        for block in blocks:
            columns = block[0].columns(rows)
            for variable in block[1:]:
                product = variable.columns(rows)[:, :, None] * columns[:, None, :]
                columns = product.reshape(len(part), -1)
            part[:, left : left + columns.shape[1]] = columns
            left += columns.shape[1]
    return matrix


def _variable(value: Value, contrast: Contrast | None, is_full: bool) -> Variable:
    if isinstance(value, Factor):
        coding = dummies(value.labels) if is_full or contrast is None else contrast
        return Variable(value.codes, coding.names, coding.matrix)
    if isinstance(value, Basis):
        # R names the columns of a matrix only if there are several.
        return Variable(value.values, value.names if len(value.names) > 1 else ("",))
    return Variable(np.asarray(value, dtype=np.float64), ("",))
