"""A design with fewer fixed-effects terms on the same rows."""

from collections.abc import Collection
from copy import deepcopy
from dataclasses import replace

from mixedlm_pt.design.coding import model_columns
from mixedlm_pt.design.evaluate import Evaluator
from mixedlm_pt.design.frame import Frame
from mixedlm_pt.design.new_data import with_fitted_levels
from mixedlm_pt.design.rank import independent_columns
from mixedlm_pt.design.rows import complete_rows
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.types import Design
from mixedlm_pt.errors import DataError
from mixedlm_pt.formula import parse_formula, update_formula


def without_terms(design: Design, data: object, labels: Collection[str]) -> Design:
    """The design without some of its fixed-effects terms.

    The remaining terms are coded anew, by R's rule for the shorter formula: without ``f`` the
    slopes of ``x:f`` belong to every level. Rows, response, weights, offset, random effects, and
    what ``scale`` or ``poly`` computed from the data stay as they are, also where a missing value
    of a dropped variable was the only reason to omit a row.

    Parameters
    ----------
    design : Design
    data : pandas or polars DataFrame, or dict of arrays
        What the design was built from.
    labels : collection of str
        Some of ``design.term_labels``.

    Raises
    ------
    DataError
        If the data have other rows than those that the design was built from.
    ColumnNotFoundError
        If they lack a column of a remaining term.
    """
    specification, table = design.specification, Table(data)
    if not table.index.equals(design.full_index):
        raise DataError(
            f"the data have other rows than those of the fit ({table.n:,} and "
            f"{len(design.full_index):,}); give the data that the model was fitted to"
        )
    text = update_formula(design.formula, " - ".join([". ~ .", *labels]))
    formula = parse_formula(text)
    evaluator = Evaluator(table, deepcopy(dict(specification.states)), dict(specification.kinds))
    frame = Frame(formula, evaluator, complete_rows(design.omitted))
    values = with_fitted_levels(frame.predictors(()), specification)
    columns = model_columns(formula.fixed, values, specification.contrasts, frame.n)
    kept = independent_columns(columns.matrix)
    used = columns.of(kept)
    return replace(
        design,
        formula=text,
        X=used.matrix,
        coef_names=used.names,
        assign=used.assign,
        term_labels=formula.fixed.labels,
        dropped=columns.without(kept),
        specification=replace(specification, formula=formula, kept=kept),
    )
