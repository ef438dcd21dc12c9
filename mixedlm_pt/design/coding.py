"""Columns of a model matrix from terms, by R's coding rule and with R's names."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design.contrasts import Contrast, dummies, make_contrast, polynomial, treatment
from mixedlm_pt.design.values import Basis, Factor, Value
from mixedlm_pt.formula import Terms, deparse


@dataclass(frozen=True, eq=False)
class Columns:
    """A model matrix with the names of its columns.

    Attributes
    ----------
    matrix : array, shape (n, p)
    names : tuple of str, length p
    assign : array of int64, shape (p,)
        Which term a column belongs to, 0 for the intercept.
    """

    matrix: FloatArray
    names: tuple[str, ...]
    assign: IntArray


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
    blocks: list[FloatArray] = [np.ones((n, 1))] if terms.intercept else []
    names: list[str] = ["(Intercept)"] if terms.intercept else []
    assign: list[int] = [0] if terms.intercept else []
    for t, term in enumerate(terms.terms):
        block, term_names = np.ones((n, 1)), [""]
        for atom in term:
            label = deparse(atom)
            factor_block, suffixes = _variable(
                values[label], contrasts.get(label), (t, label) in full, n
            )
            # The first variable runs fastest, as in R.
            block = (factor_block[:, :, None] * block[:, None, :]).reshape(n, -1)
            term_names = [
                f"{name}:{label}{suffix}" if name else f"{label}{suffix}"
                for suffix in suffixes
                for name in term_names
            ]
        blocks.append(block)
        names.extend(term_names)
        assign.extend([t + 1] * block.shape[1])
    matrix = np.ascontiguousarray(np.hstack(blocks)) if blocks else np.empty((n, 0))
    return Columns(matrix, tuple(names), np.array(assign, dtype=np.int64))


def _variable(
    value: Value, contrast: Contrast | None, is_full: bool, n: int
) -> tuple[FloatArray, tuple[str, ...]]:
    """Columns of one variable and what R appends to its name for each."""
    if isinstance(value, Factor):
        coding = dummies(value.labels) if is_full or contrast is None else contrast
        return coding.matrix[value.codes], coding.names
    if isinstance(value, Basis):
        # R names the columns of a matrix only if there are several.
        return value.values, value.names if len(value.names) > 1 else ("",)
    return np.asarray(value, dtype=np.float64).reshape(n, 1), ("",)
