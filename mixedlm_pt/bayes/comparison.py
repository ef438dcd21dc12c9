"""Fits and posteriors of one model beside each other: estimates, uncertainty, why they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt.arguments import names_of, one_of, probability
from mixedlm_pt.bayes.comparison_columns import (
    Reporting,
    Result,
    effects,
    fit_of,
    parameter_names,
    parameters,
    posterior_parameters,
    predicted,
)
from mixedlm_pt.bayes.comparison_density import (
    interval_overlap,
    overlapping_coefficient,
    parameter_densities,
)
from mixedlm_pt.bayes.comparison_results import named_results, refuse_other_models
from mixedlm_pt.bayes.comparison_shift import (
    NOTABLE,
    explanation,
    integrates_exactly,
    reference_of,
    shifts,
)
from mixedlm_pt.bayes.comparison_table import ComparisonTable
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.diagnostics import chosen_parameters
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import Profile, profile
from mixedlm_pt.result_table import index_label
from mixedlm_pt.summary.description import method

WHAT = ("parameters", "ranef", "predictions")
INTERVALS = ("Wald", "profile")
CREDIBLE = ("eti", "hdi")
CENTERS = ("mean", "median")
# Profiles reach as far as the limits of this level, where the likelihood is nearly zero.
ALPHAMAX = 1e-3


def compare(
    *results: Result,
    what: str = "parameters",
    parm: str | Sequence[str] | None = None,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    allow_new_levels: bool = False,
    level: float = 0.95,
    interval: str = "Wald",
    credible: str = "eti",
    center: str = "mean",
    **named: Result,
) -> ComparisonTable:
    """Fits and posteriors of one model beside each other, and what makes them differ.

    The shift of a result from the first ML fit, in standard errors of that fit, is the sum of

    - what its prior does: from the estimate to the mode of the marginal posterior, the maximum of
      ``log-likelihood + log prior`` over coefficients, standard deviations, correlations and
      dispersion on their own scales, the random effects integrated out as in that fit. Zero with
      flat priors;
    - what the approximation of the integral does: from there to the mode by the result's own
      approximation. For a posterior of the random effects, which has none, that of the best fit
      among the results (largest nAGQ); so a fit by Laplace's approximation and a better one
      together tell what the approximation misses;
    - what reporting a mean does: from there to the mean (or median), the skewness of the posterior.

    Parameters
    ----------
    *results : fits and posteriors
        Any number of results of the same formula and data: ML fits by several approximations, fits
        with priors, posteriors. They are called ML, MAP and Posterior; with what distinguishes
        them, where there are several.
    what : {"parameters", "ranef", "predictions"}
        Parameters by the names of `confint`; random effects by level, modes with conditional
        standard deviations beside posterior means and standard deviations; predictions by row.
    parm : str or sequence of str, optional
        Parameters, or for random effects groups, to show; ``"beta_"``, ``"theta_"`` as in
        `confint`.
    newdata, type, re_form, allow_new_levels : optional
        For predictions, as in `predict`.
    level : float
        Of all intervals.
    interval : {"Wald", "profile"}
        Limits of fits, in any case, as in `confint`; of fits with priors the profile is that of
        log-likelihood plus log prior.
    credible : {"eti", "hdi"}
        Limits of posteriors: equal tails, or the shortest interval.
    center : {"mean", "median"}
        Of posteriors.
    **named : fits and posteriors
        The same with names of your own: ``compare(Laplace=fit, NUTS=posterior)``.

    Returns
    -------
    ComparisonTable
        With ``to_frame()`` and ``plot()``. Without a fit among the results, that of the first
        posterior comes first.

    Raises
    ------
    ArgumentError
        For results of different models or data, fewer than two of them, and unknown options.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> exact = fit.update(nAGQ=10)
    >>> table = mlm.compare(Laplace=fit, AGQ=exact).to_frame()
    >>> table["AGQ"][["estimate", "shift", "overlap"]].head(2).round(2)
    statistic            estimate  shift  overlap
    sd_(Intercept)|herd      0.65   0.03     0.98
    (Intercept)             -1.40  -0.00     1.00
    """
    one_of("what", what, WHAT)
    modes_of_limits = {known.lower(): known for known in INTERVALS}
    one_of("interval", str(interval).lower(), modes_of_limits)
    one_of("credible", credible, CREDIBLE)
    one_of("center", center, CENTERS)
    reporting = Reporting(
        probability("level", level), modes_of_limits[interval.lower()], credible, center
    )
    arguments = {
        "newdata": newdata,
        "type": type,
        "re_form": re_form,
        "allow_new_levels": allow_new_levels,
    }
    asked = newdata is not None or type != "response" or re_form is not None or allow_new_levels
    if what != "predictions" and asked:
        raise ArgumentError(f"{', '.join(arguments)} are for what='predictions'.")
    if what == "predictions" and parm is not None:
        raise ArgumentError("parm is for parameters and random effects; newdata chooses rows.")
    everything = named_results(results, named)
    refuse_other_models(everything)
    if what == "parameters":
        return compare_parameters(everything, parm, reporting)
    if what == "ranef":
        return compare_effects(everything, parm, reporting)
    columns = {name: predicted(r, arguments, reporting) for name, r in everything.items()}
    return table_of(everything, columns, what, reporting)


def compare_parameters(
    results: Mapping[str, Result], parm: str | Sequence[str] | None, reporting: Reporting
) -> ComparisonTable:
    """The comparison of parameters."""
    reference = reference_of(results)
    first = fit_of(results[reference])
    names = parameter_names(first)
    rows = chosen_parameters(first, parm, names)
    profiles, columns = {}, {}
    for name, result in results.items():
        if isinstance(result, PosteriorResult):
            columns[name] = posterior_parameters(result, reporting)
        else:
            curve = None
            if reporting.interval == "profile":
                curve = profile(result, [names[row] for row in rows], ALPHAMAX)
                profiles[name] = curve
            columns[name] = parameters(result, reporting.level, curve)
    shift = shifts(results, columns, reference)
    densities = parameter_densities(results, columns, rows)
    for name, frame in shift.items():
        pairs = ((densities[reference][row], densities[name][row]) for row in rows)
        overlap = [overlapping_coefficient(*pair) for pair in pairs]
        columns[name] = columns[name].join(frame)
        columns[name]["overlap_density"] = pd.Series(overlap, index=rows)
    columns = {name: frame.loc[rows] for name, frame in columns.items()}
    sentences = told(results, columns, reference, reporting)
    return table_of(results, columns, "parameters", reporting, sentences, profiles)


def told(
    results: Mapping[str, Result],
    columns: Mapping[str, pd.DataFrame],
    reference: str,
    reporting: Reporting,
) -> tuple[str, ...]:
    """What differs by more than a quarter of a standard error, and why."""
    fits = [result for result in results.values() if isinstance(result, Fit)]
    sentences = []
    for name, result in results.items():
        if name != reference:
            is_exact = integrates_exactly(result, fits)
            sentences += explanation(
                name, result, columns[name], reference, center=reporting.center, is_exact=is_exact
            )
    se = columns[reference]["se"]
    missing = ", ".join(se.index[se.isna()])
    if missing:
        sentences.append(f"{reference} has no standard error for {missing}: no shift is known.")
    return tuple(sentences)


def compare_effects(
    results: Mapping[str, Result], parm: str | Sequence[str] | None, reporting: Reporting
) -> ComparisonTable:
    """The comparison of random effects."""
    first = next(iter(results.values()))
    known = [factor.name for factor in first.model.design.factors]
    if not known:
        raise ArgumentError("the model has no random effects to compare.")
    groups = known if parm is None else names_of("parm", parm)
    for group in groups:
        one_of("group", group, known)
    columns = {name: effects(result, groups, reporting) for name, result in results.items()}
    return table_of(results, columns, "ranef", reporting)


def table_of(
    results: Mapping[str, Result],
    columns: Mapping[str, pd.DataFrame],
    what: str,
    reporting: Reporting,
    sentences: tuple[str, ...] = (),
    profiles: Mapping[str, Profile] | None = None,
) -> ComparisonTable:
    """The table, with what every kind of row has: shift, overlap and ratio of standard errors."""
    reference, filled = reference_of(results), {}
    first = columns[reference]
    for name, own in columns.items():
        # By position: predictions may have labels twice. All have the rows of the reference.
        frame = own.set_axis(first.index)
        if name != reference:
            if "shift" not in frame:
                frame["shift"] = (frame["estimate"] - first["estimate"]) / first["se"]
            limits = [(one["lower"].to_numpy(), one["upper"].to_numpy()) for one in (first, frame)]
            frame["overlap"] = interval_overlap(limits[0], limits[1])
            frame["se_ratio"] = frame["se"] / first["se"]
        filled[name] = frame
    table = pd.concat(filled, axis=1, names=["result", "statistic"])
    heading = tuple(f"{name}: {description(result)}" for name, result in results.items())
    if what != "parameters":
        sentences = largest(filled, reference)
    return ComparisonTable(
        table, results, reference, what, reporting, heading, sentences, profiles or {}
    )


def largest(columns: Mapping[str, pd.DataFrame], reference: str) -> tuple[str, ...]:
    """How many rows of every result differ by more than a quarter of a standard error."""
    sentences = []
    for name, frame in columns.items():
        if name != reference:
            size = frame["shift"].abs()
            n, m = int((size > NOTABLE).sum()), int(size.notna().sum())
            worst = ""
            if m:
                at = int(np.nanargmax(size.to_numpy()))
                label = index_label(frame.index[at]).replace("  ", ", ")
                worst = f"; the largest shift is {frame['shift'].iloc[at]:+.2f} ({label})"
            sentences.append(f"{name}: {n} of {m} lie more than {NOTABLE} SE off{worst}.")
    return tuple(sentences)


def description(result: Result) -> str:
    """Where a result comes from."""
    return method(result) if isinstance(result, Fit) else " ".join(result.diagnosis())
