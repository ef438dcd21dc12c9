"""New data read through the specification of a fitted design."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import true_or_false
from mixedlm_pt.design.coding import model_columns
from mixedlm_pt.design.evaluate import Evaluator
from mixedlm_pt.design.frame import Frame, PerRow, RowArgument, column_names, per_row, used_nodes
from mixedlm_pt.design.levels import level_label, level_labels
from mixedlm_pt.design.random_terms import matched_factor, random_terms
from mixedlm_pt.design.response import (
    check_response,
    check_weights,
    count_nodes,
    has_trials,
    response_values,
)
from mixedlm_pt.design.rows import complete_rows, omitted_rows
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.types import Design, GroupingFactor, NewDesign, Response, Specification
from mixedlm_pt.design.values import Factor, Value, as_factor, first_place
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError
from mixedlm_pt.formula import Bar, Node, parse_random, variables


def new_design(
    design: Design,
    newdata: object,
    *,
    terms: Sequence[int] | None = None,
    drawn: Sequence[int] = (),
    allow_new_levels: bool = False,
    require_response: bool = False,
    require_trials: bool = False,
    weights: RowArgument = None,
    offset: RowArgument = None,
) -> NewDesign:
    """New data as the arrays of a fitted design.

    Stateful transforms keep what they computed from the fitted data, factors keep their levels,
    and the columns that were dropped stay dropped.

    Parameters
    ----------
    design : Design
    newdata : pandas or polars DataFrame, or dict of arrays
    terms : sequence of int, optional
        Positions in ``design.terms`` of the random-effects terms to evaluate, default all; the new
        data need the columns of these only.
    drawn : sequence of int
        Positions of those terms among them whose effects are drawn anew or averaged over: the
        new data need not have their grouping factors, and where no other term needs a factor
        every row is in a level that the fit has not seen.
    allow_new_levels : bool
        Append levels of a grouping factor that the fit has not seen instead of an error.
    require_response : bool
        Evaluate the response as well.
    require_trials : bool
        Refuse new data that do not say how often each row of a binomial response is tried.
    weights, offset : str or array, optional
        In place of what was given to the fit. An ``offset`` array of the fit has to be replaced.

    Raises
    ------
    ColumnNotFoundError, DataError
        As for :func:`build_design`; also for levels that the fit has not seen.
    ArgumentError
        When the fit's ``offset`` was an array and none is given here.
    """
    specification = design.specification
    true_or_false("allow_new_levels", allow_new_levels)
    table = Table(newdata)
    if require_trials and weights is None:
        _check_trials(specification, table)
    chosen = range(len(design.terms)) if terms is None else terms
    labels = {design.terms[t].label for t in chosen}
    bars = [bar for bar in specification.formula.bars if bar.label in labels]
    held = labels - {design.terms[t].label for t in drawn}
    grouped = [bar for bar in bars if bar.label in held]
    if specification.offset.rows is not None and offset is None:
        raise ArgumentError(
            "the model was fitted with an array as offset; give offset= for the new data, too"
        )
    w_argument = _argument(weights, specification.weights, table)
    offset_argument = _argument(offset, specification.offset, table)

    _require_groups(grouped, table)
    nodes = used_nodes(specification.formula, bars, grouped)
    nodes += [] if offset_argument.node is None else [offset_argument.node]
    nodes += [specification.formula.response] if require_response else []
    omitted = omitted_rows(table, column_names(nodes, table), "omit")
    evaluator = Evaluator(table, deepcopy(dict(specification.states)), dict(specification.kinds))
    frame = Frame(specification.formula, evaluator, complete_rows(omitted))

    values = with_fitted_levels(frame.predictors(bars), specification)
    columns = model_columns(specification.formula.fixed, values, specification.contrasts, frame.n)
    fitted = {factor.name: factor for factor in design.factors}
    grouping = {
        name: _checked_levels(
            matched_factor(fitted[name], parts), fitted[name], frame.index, allow_new_levels
        )
        for name, parts in frame.groups(grouped).items()
    }
    for bar in bars:
        name = bar.group.name
        grouping.setdefault(name, _unseen_level(fitted[name], frame.n))
    factors, new_terms = random_terms(bars, grouping, values, specification.contrasts, frame.n)
    return NewDesign(
        X=columns.of(specification.kept).matrix,
        offset=frame.offset(offset_argument),
        factors=factors,
        terms=new_terms,
        weights=_weights(frame, specification, w_argument, is_given=weights is not None),
        response=_response(frame, specification, w_argument) if require_response else None,
        index=frame.index,
        full_index=table.index,
        omitted=omitted,
    )


def term_positions(design: Design, re_form: str | None) -> tuple[int, ...]:
    """Positions in ``design.terms`` of the random-effects terms that a ``re_form`` names.

    Parameters
    ----------
    design : Design
    re_form : str or None
        None for all terms, ``"NA"`` or ``"~0"`` for none, or a formula of terms, ``"~ (1 | g)"``.

    Raises
    ------
    FormulaError
        When the formula cannot be read or names a term that the model does not have.
    """
    labels = [term.label for term in design.terms]
    if re_form is None:
        return tuple(range(len(labels)))
    bars = () if re_form.strip() == "NA" else parse_random(re_form)
    for bar in bars:
        if bar.label not in labels:
            has = ", ".join(f"({label})" for label in labels) or "none"
            raise FormulaError(
                f"re_form has the term ({bar.label}), which the model does not have; it has {has}"
            )
    return tuple(sorted({labels.index(bar.label) for bar in bars}))


def _require_groups(bars: Sequence[Bar], table: Table) -> None:
    """Refuse new data without a grouping factor; others need not know that predictions can."""
    for bar in bars:
        for name in (name.name for part in bar.group.parts for name in variables(part)):
            if name not in table:
                raise ColumnNotFoundError(
                    f"the new data have no column {name!r}, which ({bar.label}) needs. Add it, or "
                    "leave the random effects out by re_form='~0' or average over them by "
                    "re_form='marginal'."
                )


def _argument(given: RowArgument, fitted: PerRow, table: Table) -> PerRow:
    """What the caller gives for the new data, else the expression that the fit was given."""
    return PerRow(fitted.name, fitted.node) if given is None else per_row(given, fitted.name, table)


def with_fitted_levels(values: dict[str, Value], specification: Specification) -> dict[str, Value]:
    """The predictors with the levels that the fit knows.

    Raises
    ------
    DataError
        For a level that the fit has not seen, and for truth values where it had numbers.
    """
    matched: dict[str, Value] = {}
    for name, value in values.items():
        levels = specification.levels.get(name)
        if levels is None:
            if isinstance(value, Factor):
                raise DataError(
                    f"{name!r} was numeric in the fit, in the new data it is not; convert it to "
                    "numbers"
                )
            matched[name] = value
            continue
        factor = as_factor(value)
        known = {label: place for place, label in enumerate(level_labels(levels))}
        strays = [label for label in factor.labels if label not in known]
        if strays:
            raise DataError(
                f"factor {name!r} has the level {strays[0]!r} in the new data, which the fit has "
                f"not seen; known: {', '.join(known)}"
            )
        places = np.array([known[label] for label in factor.labels], dtype=np.int64)
        matched[name] = Factor(places[factor.codes], levels, factor.is_ordered)
    return matched


def _checked_levels(
    factor: GroupingFactor, fitted: GroupingFactor, index: pd.Index, allow_new_levels: bool
) -> GroupingFactor:
    """The factor, unless it has new levels that are not allowed."""
    new = factor.codes >= fitted.n_levels
    if new.any() and not allow_new_levels:
        row = int(new.argmax())
        label = level_label(factor.levels[factor.codes[row]])
        raise DataError(
            f"grouping factor {factor.name!r} has a level in the new data that the fit has not "
            f"seen: {label!r} at row {index[row]} ({new.sum():,} of {len(new):,} rows). Allow it "
            "with allow_new_levels=True: a fit then predicts at random effects of zero, a "
            "posterior draws them."
        )
    return factor


def _unseen_level(fitted: GroupingFactor, n: int) -> GroupingFactor:
    """The factor for n rows of one level that the fit has not seen."""
    levels = fitted.levels.append(pd.Index(["(new)"], dtype=object))
    return GroupingFactor(fitted.name, levels, np.full(n, fitted.n_levels, np.int64))


def _weights(
    frame: Frame, specification: Specification, argument: PerRow, *, is_given: bool
) -> FloatArray:
    """Trials or prior weights as far as the new data state them, 1 elsewhere, shape (n,).

    Those that are given for the new data have to be there.
    """
    table = frame.evaluator.table
    w = np.ones(frame.n)
    if is_given or argument.node is None or _is_available(argument.node, table):
        w = frame.numbers(argument, default=1.0)
    if is_given:
        check_weights(w, frame.index)
    nodes = count_nodes(
        specification.formula.response, specification.family, specification.weights.is_given
    )
    if nodes is not None and _is_available(nodes.trials, table):
        w = w * frame.evaluator.numbers(nodes.trials, "the trials")[frame.keep]
    return np.where(np.isnan(w), 1.0, w)


def _is_available(node: Node, table: Table) -> bool:
    return all(name.name in table for name in variables(node))


def _response(frame: Frame, specification: Specification, argument: PerRow) -> Response:
    formula = specification.formula
    w = frame.numbers(argument, default=1.0)
    check_weights(w, frame.index)
    observed = response_values(
        frame, specification.family, specification.weights.is_given, specification.response_levels
    )
    return check_response(observed, w, formula.response_text, frame.index, specification.family)


def _check_trials(specification: Specification, table: Table) -> None:
    """Refuse new data that do not say how often every row of a binomial response is tried.

    Raises
    ------
    ColumnNotFoundError, DataError, ArgumentError
    """
    family, weights = specification.family, specification.weights
    if not has_trials(family):
        return
    if weights.rows is not None:
        raise ArgumentError(
            "the fit got its numbers of trials as an array, so that new data cannot state theirs; "
            "give weights= here, or fit with weights='name of a column'."
        )
    counts = count_nodes(specification.formula.response, family, weights.is_given)
    nodes = [] if weights.node is None else [weights.node]
    nodes += [] if counts is None else [counts.trials]
    for name in (variable.name for node in nodes for variable in variables(node)):
        # An unknown name is an error of the table's own.
        table.series(name)
        missing = table.missing(name)
        if missing is not None:
            raise DataError(
                f"newdata has no {name!r}, which the numbers of trials need, in {missing.sum():,} "
                f"of {table.n:,} rows, first at row {table.index[first_place(missing)]}."
            )
