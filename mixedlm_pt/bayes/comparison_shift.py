"""Why results differ: the prior, the approximation of the integral, or a mean beside a mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mixedlm_pt.bayes.comparison_columns import Result, is_penalized, parameters
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.penalized import penalized_fit
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.compile import Approximation
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.families.links import Identity
from mixedlm_pt.fit import Fit, refitted

# Shifts that a sentence explains, in standard errors, and how many of them.
NOTABLE = 0.25
MAX_EXPLAINED = 6
# Parts that are not worth a word.
SLIGHT = 0.05
PARTS = ["shift_prior", "shift_approximation", "shift_mean"]


@dataclass(eq=False)
class Modes:
    """Modes of the marginal posterior under several priors and approximations, each found once.

    Attributes
    ----------
    fit : Fit
        Where searches start.
    """

    fit: Fit
    known: dict[tuple[Priors, Approximation], pd.Series] = field(default_factory=dict)

    def under(self, priors: Priors, approximation: Approximation) -> pd.Series:
        """The mode by parameter, natural scales; NaN where the search fails."""
        key = priors, approximation
        if key not in self.known:
            start = self.fit.replace(approximation=approximation)
            try:
                estimates = parameters(penalized_fit(start, priors))["estimate"]
            except EstimationError:
                estimates = parameters(start)["estimate"] * np.nan
            self.known[key] = estimates
        return self.known[key]


def reference_of(results: Mapping[str, Result]) -> str:
    """Name of the result that the others are measured from: the first ML fit, or the first fit."""
    fits = [name for name, result in results.items() if isinstance(result, Fit)]
    return next((name for name in fits if not is_penalized(results[name])), fits[0])


def is_approximate(posterior: PosteriorResult) -> bool:
    """Whether the draws are of Laplace's approximation, not corrected by importance sampling."""
    is_corrected = bool(posterior.data["sample_stats"].attrs.get("correct", False))
    return posterior.target == "laplace" and not is_corrected


def integrates_exactly(result: Result, fits: Sequence[Fit]) -> bool:
    """Whether a shift of the mode contains all that Laplace's approximation misses.

    So it is where the posterior has the same approximation, where one of the fits has a better
    one, and for linear models, whose Laplace approximation is exact.
    """
    if isinstance(result, PosteriorResult) and is_approximate(result):
        return True
    model, dispersion = result.model, Dispersion.of(result.model)
    has_constant_variance = dispersion is not None and dispersion.name == "sigma"
    is_linear = has_constant_variance and isinstance(model.family.link, Identity)
    return is_linear or not model.q or approximation_of(result, fits).nAGQ > 1


def approximation_of(result: Result, fits: Sequence[Fit]) -> Approximation:
    """How a result integrates the random effects out.

    A posterior of the random effects does not: the nearest to it is the best of the fits.
    """
    if isinstance(result, Fit):
        return result.approximation
    if is_approximate(result):
        return replace(result.fit.approximation, nAGQ=1)
    return max((fit.approximation for fit in fits), key=lambda own: own.nAGQ)


def shifts(
    results: Mapping[str, Result], columns: Mapping[str, pd.DataFrame], reference: str
) -> dict[str, pd.DataFrame]:
    """Shift of every other result from the reference, in its standard errors, and its parts.

    Returns
    -------
    dict
        Name to data frame of columns ``mode`` (of the marginal posterior of the result, by its own
        approximation), ``shift``, and ``shift_prior + shift_approximation + shift_mean``, its
        parts.
    """
    first = results[reference]
    assert isinstance(first, Fit), "the reference is a fit"
    fits = [result for result in results.values() if isinstance(result, Fit)]
    base, modes, found = columns[reference], Modes(first), {}
    marginal, ml = marginal_maximum(first, base["estimate"])
    for name, result in results.items():
        if name == reference:
            continue
        own = approximation_of(result, fits)
        at_first = ml
        if result.priors is not None and result.priors != first.priors:
            at_first = modes.under(result.priors, marginal)
        mode = at_first
        if isinstance(result, Fit):
            mode = columns[name]["estimate"]
        elif own.nAGQ > 0 and own != marginal:
            mode = modes.under(result.priors, own)
        value = columns[name]["estimate"]
        frame = pd.DataFrame(
            {
                "mode": mode,
                "shift": value - base["estimate"],
                "shift_prior": at_first - ml,
                "shift_approximation": (mode - at_first) + (ml - base["estimate"]),
                "shift_mean": value - mode,
            }
        ).loc[base.index]
        frame.iloc[:, 1:] = frame.iloc[:, 1:].div(base["se"], axis=0)
        found[name] = frame
    return found


def marginal_maximum(fit: Fit, estimates: pd.Series) -> tuple[Approximation, pd.Series]:
    """A fit's approximation and its estimates; with nAGQ=0, those of Laplace's.

    With nAGQ = 0 the coefficients maximise no marginal likelihood, which a prior could multiply.
    """
    if fit.approximation.nAGQ > 0:
        return fit.approximation, estimates
    laplace = replace(fit.approximation, nAGQ=1)
    other = refitted(fit.replace(approximation=laplace), fit.model)
    return laplace, parameters(other)["estimate"]


def explanation(
    name: str, result: Result, shift: pd.DataFrame, reference: str, *, center: str, is_exact: bool
) -> list[str]:
    """Sentences on the parameters that differ by more than a quarter of a standard error.

    Parameters
    ----------
    is_exact : bool
        Whether what Laplace's approximation misses has a part of its own.
    """
    notable = shift[shift["shift"].abs() > NOTABLE]
    if not len(notable):
        return [f"{name}: no parameter lies more than {NOTABLE} SE from {reference}."]
    skewness = f"{center} against mode"
    if isinstance(result, PosteriorResult) and not is_exact:
        skewness += ", with what the approximation misses,"
    words = dict(zip(PARTS, ("prior", "approximation", skewness), strict=True))
    notable = notable.loc[notable["shift"].abs().sort_values(ascending=False).index]
    sentences = []
    for parameter, row in notable.iloc[:MAX_EXPLAINED].iterrows():
        side = "above" if row["shift"] > 0.0 else "below"
        parts = row[PARTS].astype(float)
        told = parts[parts.abs() > SLIGHT].abs().sort_values(ascending=False).index
        listed = ", ".join(f"{words[part]} {parts[part]:+.2f}" for part in told)
        why = f": {listed}" if listed else " (the mode was not found)"
        sentences.append(
            f"{name}: {parameter} lies {abs(row['shift']):.2f} SE {side} {reference}{why}."
        )
    others = len(notable) - MAX_EXPLAINED
    if others > 0:
        sentences.append(f"{name}: {others} more by at least {NOTABLE} SE.")
    return sentences
