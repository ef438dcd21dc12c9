"""From formula and data to the arrays of a model."""

from collections.abc import Mapping

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design.coding import Columns, choose_contrast, model_columns
from mixedlm_pt.design.contrasts import Contrast
from mixedlm_pt.design.evaluate import Evaluator
from mixedlm_pt.design.frame import Frame, PerRow, RowArgument, column_names, per_row, used_nodes
from mixedlm_pt.design.random_terms import grouping_factor, random_terms
from mixedlm_pt.design.rank import independent_columns
from mixedlm_pt.design.response import (
    check_response,
    check_weights,
    refuse_constant,
    response_values,
)
from mixedlm_pt.design.rows import complete_rows, omitted_rows
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.types import Design, Specification
from mixedlm_pt.design.values import Factor, Value
from mixedlm_pt.errors import ArgumentError, DataError, RankDeficiencyWarning, unknown_name, warn
from mixedlm_pt.families import Family
from mixedlm_pt.formula import Node, parse_formula


def build_design(
    formula: str,
    data: object,
    family: Family,
    *,
    weights: RowArgument = None,
    offset: RowArgument = None,
    na_action: str = "omit",
    contrasts: Mapping[str, object] | None = None,
) -> Design:
    """The arrays and names that a formula makes of a data set.

    Parameters
    ----------
    formula : str
        lme4's language, ``"incidence / size ~ period + (1 | herd)"``. It can call the functions in
        ``mixedlm_pt.design.functions.KNOWN`` and no others.
    data : pandas or polars DataFrame, or dict of arrays
        Never modified.
    family : Family
        Decides the forms and the support of the response.
    weights : str or array, shape (n_rows,), optional
        Prior weights, a column or an expression of columns, or their values; numbers of trials
        for families of proportions.
    offset : str or array, shape (n_rows,), optional
        Added to the ``offset()`` terms, on the link scale.
    na_action : {"omit", "exclude", "fail"}
        Drop rows with missing values, drop them but return NaN for them later, or refuse them.
    contrasts : mapping, optional
        ``{"f": "sum"}``: treatment, sum, helmert, poly, SAS, or a matrix with one row a level;
        used in the fixed part and in the random-effects terms.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        The formula cannot be read, or has the same random effect twice.
    ColumnNotFoundError
        A name is no column; the nearest one is suggested.
    DataError
        The data do not fit the formula or the family.
    ArgumentError
        ``weights``, ``offset``, ``na_action`` or ``contrasts`` cannot be used.
    """
    parsed = parse_formula(formula)
    table = Table(data)
    w_argument = per_row(weights, "weights", table)
    offset_argument = per_row(offset, "offset", table)
    nodes = [parsed.response, *used_nodes(parsed, parsed.bars)]
    names = column_names([*nodes, *_node(offset_argument)], table)
    column_names(_node(w_argument), table)
    omitted = omitted_rows(table, names, na_action)
    frame = Frame(parsed, Evaluator(table, {}, {}), complete_rows(omitted))

    values = frame.predictors(parsed.bars)
    codings = _codings(values, contrasts or {})
    columns = model_columns(parsed.fixed, values, codings, frame.n)
    kept = _independent(columns)
    used = columns.of(kept)
    groups = {bar.group.name: bar.group for bar in parsed.bars}
    parts = frame.groups(parsed.bars)
    grouping = {name: grouping_factor(group, parts[name]) for name, group in groups.items()}
    factors, terms = random_terms(
        parsed.bars, grouping, values, codings, frame.n, known={parsed.fixed: columns}
    )
    observed = response_values(frame, family, w_argument.is_given)
    w = _prior_weights(frame, w_argument)
    response = check_response(observed, w, parsed.response_text, frame.index, family)
    refuse_constant(response)
    return Design(
        # A formula written over several lines is printed in one.
        formula=" ".join(line.strip() for line in formula.strip().splitlines()),
        response=response,
        X=used.matrix,
        coef_names=used.names,
        assign=used.assign,
        term_labels=parsed.fixed.labels,
        offset=frame.offset(offset_argument),
        factors=factors,
        terms=terms,
        dropped=columns.without(kept),
        index=frame.index,
        full_index=table.index,
        omitted=omitted,
        na_action=na_action,
        specification=Specification(
            formula=parsed,
            family=family,
            states=frame.evaluator.states,
            kinds=frame.evaluator.kinds,
            levels={name: v.levels for name, v in values.items() if isinstance(v, Factor)},
            contrasts=codings,
            kept=kept,
            weights=w_argument,
            offset=offset_argument,
            response_levels=observed.levels,
        ),
    )


def _node(argument: PerRow) -> list[Node]:
    return [] if argument.node is None else [argument.node]


def _prior_weights(frame: Frame, argument: PerRow) -> FloatArray:
    w = frame.numbers(argument, default=1.0)
    if argument.is_given:
        check_weights(w, frame.index)
    return w


def _codings(values: Mapping[str, Value], contrasts: Mapping[str, object]) -> dict[str, Contrast]:
    """The contrast of every factor among the predictors, by its R name."""
    factors = {name: value for name, value in values.items() if isinstance(value, Factor)}
    if not isinstance(contrasts, Mapping):
        raise ArgumentError(
            f"contrasts is {contrasts!r}; it must be a mapping from factors to contrasts, such as "
            "{'f': 'sum'}."
        )
    for name in contrasts:
        if name not in factors:
            raise unknown_name("factor in contrasts", name, factors)
    for name, factor in factors.items():
        if len(factor.levels) < 2:
            raise DataError(
                f"factor {name!r} has only the level {factor.labels[0]!r} in the rows used, so it "
                "has no effect to estimate. Drop it from the formula or check the column."
            )
    return {name: choose_contrast(factor, name, contrasts) for name, factor in factors.items()}


def _independent(columns: Columns) -> IntArray:
    kept = independent_columns(columns.matrix)
    dropped = columns.without(kept)
    if dropped:
        is_one = len(dropped) == 1
        warn(
            f"the fixed-effects model matrix is rank deficient; "
            f"{'column' if is_one else f'{len(dropped)} columns'} {', '.join(dropped)} "
            f"{'is' if is_one else 'are'} determined by others and dropped",
            RankDeficiencyWarning,
        )
    return kept
