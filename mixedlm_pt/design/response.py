"""The response and the prior weights, in every form that lme4 accepts."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.design.frame import Frame
from mixedlm_pt.design.levels import level_labels
from mixedlm_pt.design.types import Design, Response
from mixedlm_pt.design.values import Basis, Factor, factor_from, first_place
from mixedlm_pt.errors import ArgumentError, DataError
from mixedlm_pt.families import Family
from mixedlm_pt.families.support import Proportions
from mixedlm_pt.formula.nodes import Binary, Call, Node, Paren

# R, too, accepts as a number of successes what is this close to an integer.
INTEGER_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Observed:
    """A response as the data give it, shape (n,): values, and trials if the formula states them.

    ``levels`` are those of a categorical response, the second of which is the success.
    """

    y: FloatArray
    trials: FloatArray | None
    levels: pd.Index | None = None


def has_trials(family: Family) -> bool:
    """Whether the family's response is a proportion and its weights are numbers of trials."""
    return isinstance(family.support, Proportions)


@dataclass(frozen=True)
class CountNodes:
    """The pieces of a response that states successes and trials."""

    successes: Node
    trials: Node


def count_nodes(node: Node, family: Family, has_weights: bool) -> CountNodes | None:
    """The counts of ``cbind(s, f)``, and of ``s / n`` unless ``weights=`` gives the trials."""
    if not has_trials(family):
        return None
    match node:
        case Paren(inner=inner):
            return count_nodes(inner, family, has_weights)
        case Call(function="cbind", arguments=(first, second)):
            return CountNodes(first, Binary(node.position, "+", first, second))
        case Binary(operator="/", left=left, right=right) if not has_weights:
            return CountNodes(left, right)
    return None


def response_values(
    frame: Frame, family: Family, has_weights: bool, levels: pd.Index | None = None
) -> Observed:
    """Values of the response on the complete rows.

    Parameters
    ----------
    frame : Frame
    family : Family
    has_weights : bool
        Whether ``weights=`` gives the trials; ``s / n`` is then a plain proportion.
    levels : pandas.Index, optional
        The two levels of a categorical response, for new data.

    Raises
    ------
    DataError
        For a response that the family cannot have in this form.
    """
    node, name, keep = frame.formula.response, frame.formula.response_text, frame.keep
    nodes = count_nodes(node, family, has_weights)
    if nodes is not None:
        successes = frame.evaluator.numbers(nodes.successes, "the successes")[keep]
        trials = frame.own(frame.evaluator.numbers(nodes.trials, "the trials"))
        _check_counts(successes, trials, name, frame.index, family)
        # No trials: R's glm, too, keeps such a row with weight 0.
        y = np.divide(successes, trials, out=np.zeros(len(trials)), where=trials > 0)
        return Observed(y, trials)
    value = frame.evaluator.value(node)
    if isinstance(value, Basis):
        if has_trials(family):
            raise DataError(
                f"response {name!r} has {count_of(np.ones(len(value.names), bool), 'column')}; "
                f"{family.name} takes two, cbind(successes, failures)"
            )
        raise DataError(
            f"response {name!r} has {len(value.names)} columns; only families of proportions such "
            f"as binomial take cbind(successes, failures), not {family.name}"
        )
    if isinstance(value, Factor):
        factor = value.rows(keep)
        fitted = factor.levels if levels is None else levels
        return Observed(_second_level(factor, fitted, name, family), None, fitted)
    return Observed(frame.own(frame.evaluator.numbers(node, "response")), None)


def check_response(
    observed: Observed, w: FloatArray, name: str, index: pd.Index, family: Family
) -> Response:
    """The response with its prior weights, both checked.

    Parameters
    ----------
    observed : Observed
    w : array, shape (n,)
        From ``weights=``, 1 where not given; for a response with trials they multiply these.
    name : str
    index : pandas.Index, length n
        Row labels, for messages.
    family : Family

    Raises
    ------
    DataError
        For values outside the support, and for successes that are not whole.
    """
    y = observed.y
    outside = family.support.check(y)
    if outside.any():
        raise DataError(
            f"response {name!r} has {count_of(outside, 'value')} outside the support of "
            f"{family.name} ({family.support}), first at row {index[first_place(outside)]}: "
            f"{y[first_place(outside)]:.6g}.{_trials_hint(y, family)}"
        )
    weights = w if observed.trials is None else w * observed.trials
    if has_trials(family) and family.has_likelihood:
        _check_whole(y, weights, name, index)
    return Response(name, y, weights)


def replace_response(design: Design, values: object) -> Design:
    """The design with another response on the same rows, weights and trials.

    Parameters
    ----------
    design : Design
    values : array, shape (n,)
        On the scale of ``design.response.y``, so proportions where there are trials; truth values,
        and the two levels of a categorical response, count as 0 and 1. One value a row of the
        original data is also accepted.

    Raises
    ------
    DataError
        For values outside the family's support and for trials whose successes are not whole.
    ArgumentError
        For another number of values.
    """
    name, family = design.response.name, design.specification.family
    series = pd.Series(np.asarray(values)).reset_index(drop=True)
    if len(series) == len(design.omitted) != design.n:
        series = series[~design.omitted]
    if len(series) != design.n:
        raise ArgumentError(
            f"the new response has {len(series):,} values; the model has {design.n:,} rows"
        )
    levels = design.specification.response_levels
    if pd.api.types.is_numeric_dtype(series.dtype):
        y = series.to_numpy(dtype=np.float64)
    elif levels is not None:
        y = _second_level(factor_from(series), levels, name, family)
    else:
        raise ArgumentError(f"the new response is not numeric: {series.iloc[0]!r}")
    observed = Observed(y, None, levels)
    response = check_response(observed, design.response.weights, name, design.index, family)
    return replace(design, response=response)


def refuse_constant(response: Response) -> None:
    """Refuse a response that is the same in every row with positive weight."""
    y, w = response.y, response.weights
    informative = y if w.all() else y[w > 0]
    if not informative.size:
        raise DataError("every row has weight 0, so there is nothing to fit")
    if informative.min() == informative.max():
        raise DataError(
            f"response {response.name!r} is constant ({informative[0]:.6g} in every row), so there "
            "is nothing to explain"
        )


def check_weights(w: FloatArray, index: pd.Index) -> None:
    """Refuse weights that are negative or not finite; the message names the first row."""
    for bad, text in ((~np.isfinite(w), "not finite"), (w < 0, "negative")):
        if bad.any():
            first = first_place(bad)
            raise DataError(
                f"weights has {count_of(bad, 'value')} that {'is' if bad.sum() == 1 else 'are'} "
                f"{text}, first at row {index[first]}: {w[first]:.6g}; weights are finite and not "
                "negative. Drop these rows or correct the weights."
            )


def count_of(mask: BoolArray, noun: str) -> str:
    """``"1 value"``, ``"3 values"``."""
    count = int(mask.sum())
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _check_counts(
    successes: FloatArray, trials: FloatArray, name: str, index: pd.Index, family: Family
) -> None:
    rules: tuple[tuple[BoolArray, FloatArray, str], ...] = (
        (~(np.isfinite(successes) & np.isfinite(trials)), trials, "not finite"),
        (successes < 0, successes, "a negative number of successes"),
        (trials < 0, trials, "a negative number of trials"),
        (successes > trials, successes, "more successes than trials"),
    )
    if family.has_likelihood:
        whole = trials == np.round(trials)
        rules += ((~whole, trials, "a number of trials that is not a whole number"),)
    for bad, shown, text in rules:
        if bad.any():
            first = first_place(bad)
            of = f" of {trials[first]:.6g}" if shown is successes else ""
            raise DataError(
                f"response {name!r} has {text} in {count_of(bad, 'row')}, first at row "
                f"{index[first]}: {shown[first]:.6g}{of}"
            )


def _check_whole(y: FloatArray, weights: FloatArray, name: str, index: pd.Index) -> None:
    is_plain = bool((weights == 1).all())
    successes = y if is_plain else weights * y
    apart = np.rint(successes)
    apart -= successes
    broken = np.abs(apart, out=apart) > INTEGER_TOLERANCE
    if not broken.any():
        return
    first = first_place(broken)
    if is_plain:
        raise DataError(
            f"response {name!r} is a proportion ({y[first]:.6g} at row {index[first]}), but "
            "nothing gives the numbers of trials. Write successes / trials, or add weights=."
        )
    raise DataError(
        f"response {name!r} has {count_of(broken, 'row')} whose number of successes is not a whole "
        f"number, first at row {index[first]}: {weights[first]:.6g} trials times {y[first]:.6g} is "
        f"{successes[first]:.6g}"
    )


def _second_level(factor: Factor, levels: pd.Index, name: str, family: Family) -> FloatArray:
    labels = level_labels(levels)
    if not has_trials(family):
        raise DataError(
            f"response {name!r} is categorical (levels {_listed(labels)}); {family.name} needs "
            "numbers"
        )
    if len(labels) > 2:
        raise DataError(
            f"response {name!r} has {len(labels)} levels ({_listed(labels)}); {family.name} takes "
            "two, the second of which is the success. Compare with one of them, for example "
            f'({name} == "{labels[-1]}") ~ ...'
        )
    if len(labels) < 2:
        raise DataError(
            f"response {name!r} is constant ({_listed(labels)} in every row), so there is nothing "
            "to explain"
        )
    strays = [label for label in factor.labels if label not in labels]
    if strays:
        raise DataError(
            f"response {name!r} has the value {strays[0]!r}; the fit knows {_listed(labels)}"
        )
    is_success = np.array([label == labels[1] for label in factor.labels], dtype=np.float64)
    return is_success[factor.codes]


def _listed(labels: list[str]) -> str:
    return ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")


def _trials_hint(y: FloatArray, family: Family) -> str:
    if has_trials(family) and np.all(y >= 0) and np.all(y == np.round(y)):
        return " For counts of successes write successes / trials."
    return ""
