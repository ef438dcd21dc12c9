"""Which results are compared, under which names, and whether they are of one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixedlm_pt.bayes.comparison_columns import Result, fit_of, is_penalized
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit


def named_results(results: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Result]:
    """All results by name; those without one are called by what they are.

    Raises
    ------
    ArgumentError
        For anything else than fits and posteriors, for fewer than two, and a name used twice.
    """
    for result in (*results, *named.values()):
        if not isinstance(result, Fit | PosteriorResult):
            unknown = [name for name, value in named.items() if value is result]
            where = f" as {unknown[0]!r}" if unknown else ""
            raise ArgumentError(
                "compare() takes fits and posteriors, compare(fit, fit.sample()); it got "
                f"{result.__class__.__name__!r}{where}."
            )
    everything = dict(zip(own_names(results), results, strict=True))
    twice = everything.keys() & named.keys()
    if twice:
        raise ArgumentError(f"two results are named {min(twice)!r}; give both names of their own.")
    everything |= named
    if everything and not any(isinstance(result, Fit) for result in everything.values()):
        fit = fit_of(next(iter(everything.values())))
        everything = {**dict(zip(own_names([fit]), [fit], strict=True)), **everything}
    if len(everything) < 2:
        raise ArgumentError(
            "compare() needs two results or more, such as compare(fit, fit.sample()); it got "
            f"{len(everything)}."
        )
    return everything


def own_names(results: Sequence[Result]) -> list[str]:
    """ML, MAP, Posterior; where there are several, with what distinguishes them, or numbered."""
    names = [short_name(result) for result in results]
    long = [long_name(result) for result in results]
    kinds = {short: {b for a, b in zip(names, long, strict=True) if a == short} for short in names}
    names = [b if len(kinds[a]) > 1 else a for a, b in zip(names, long, strict=True)]
    times, seen = Counter(names), Counter[str]()
    for i, name in enumerate(names):
        if times[name] > 1:
            seen[name] += 1
            names[i] = f"{name} ({seen[name]})"
    return names


def short_name(result: Result) -> str:
    """What kind of result it is."""
    if isinstance(result, PosteriorResult):
        return "Posterior"
    return "MAP" if is_penalized(result) else "ML"


def long_name(result: Result) -> str:
    """The same with how the random effects are integrated out."""
    if isinstance(result, PosteriorResult):
        return f"Posterior {result.target}"
    return f"{short_name(result)} nAGQ={result.approximation.nAGQ}"


def refuse_other_models(results: Mapping[str, Result]) -> None:
    """Refuse results that are not of one model and one table of data.

    Raises
    ------
    ArgumentError
        That names the two results and the difference.
    """
    names = list(results)
    first = fit_of(results[names[0]])
    for name in names[1:]:
        other = fit_of(results[name])
        a, b = first.design, other.design
        y, z = a.response, b.response
        differences = [
            ("numbers of rows", a.n == b.n),
            ("responses", np.array_equal(y.y, z.y)),
            ("families", first.family == other.family),
            ("weights", np.array_equal(y.weights, z.weights)),
            ("formulas", "".join(a.formula.split()) == "".join(b.formula.split())),
            ("predictors", np.array_equal(a.X, b.X) and np.array_equal(a.offset, b.offset)),
            ("groups", same_groups(first, other)),
        ]
        for what, is_same in differences:
            if not is_same:
                raise ArgumentError(
                    f"{names[0]} and {name} have different {what}; compare() puts estimates of one "
                    "model from the same data beside each other. For different models see "
                    "anova() and model_selection()."
                )


def same_groups(first: Fit, other: Fit) -> bool:
    """Whether the grouping factors have the same levels in the same rows."""
    pairs = zip(first.design.factors, other.design.factors, strict=True)
    return all(
        a.name == b.name and np.array_equal(a.codes, b.codes) and a.levels.equals(b.levels)
        for a, b in pairs
    )
