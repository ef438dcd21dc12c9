"""Random-effects covariances that have lost a dimension."""

from itertools import combinations

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.arguments import finite_number
from mixedlm_pt.diagnostics.term_covariance import TermCovariance, term_covariances
from mixedlm_pt.fit import Fit

# lme4's default: a direction whose sd is this small a share of the largest counts as lost. For a
# correlation r it means 1 - |r| < 1e-8.
SINGULAR_TOL = 1e-4
# A coefficient smaller than this share of the largest is left out of a direction's name.
NAMED_SHARE = 0.1


def isSingular(fit: Fit, tol: float = SINGULAR_TOL) -> bool:
    """Whether the estimated covariance of some random-effects term is not of full rank.

    Parameters
    ----------
    fit : Fit
    tol : float
        A standard deviation counts as zero when it is exactly that, or when its contribution to
        the linear predictor (times the root mean square of its column of Z) is below ``tol`` times
        the largest one of its term. A correlation matrix counts as singular when the smallest
        singular value of its factor is below ``tol``; for two effects that is
        ``1 - |r| < tol^2``.

    Returns
    -------
    bool
        True is a statement about the data, no failure: the estimates are the maximum of the
        likelihood, at the edge of the parameter space. ``checkConv`` names the term and direction.
    """
    return bool(singularities(fit, finite_number("tol", tol)))


def singularities(fit: Fit, tol: float = SINGULAR_TOL) -> tuple[str, ...]:
    """What is singular, one phrase a finding: term and direction."""
    found: list[str] = []
    for term, own in zip(term_covariances(fit), fit.design.terms, strict=True):
        contribution = term.sd * own.size
        zero = (term.sd == 0.0) | (contribution < tol * contribution.max())
        found += [
            f"the standard deviation of {name} in ({term.label}) is zero"
            for name, is_zero in zip(term.columns, zero, strict=True)
            if is_zero
        ]
        found += lost_directions(term, np.flatnonzero(~zero), tol)
    return tuple(found)


def lost_directions(term: TermCovariance, kept: IntArray, tol: float) -> list[str]:
    """Perfect correlations among the effects that vary, else the combination without variance."""
    if len(kept) < 2:
        return []
    factor = term.correlation_factor[kept]
    left, values, _ = np.linalg.svd(factor)
    lost = left[:, : len(kept)][:, values[: len(kept)] < tol]
    if not lost.size:
        return []
    names = [term.columns[j] for j in kept]
    correlation = factor @ factor.T
    pairs = [
        f"the correlation of {names[a]} and {names[b]} in ({term.label}) is "
        f"{'+1' if correlation[a, b] > 0 else '-1'}"
        for a, b in combinations(range(len(kept)), 2)
        if 1.0 - abs(correlation[a, b]) < tol**2
    ]
    return pairs or [
        f"the effects of ({term.label}) vary in {len(kept) - lost.shape[1]} of {len(kept)} "
        f"directions; {in_words(direction, names)} does not vary (effects in units of their sds)"
        for direction in lost.T
    ]


def in_words(direction: FloatArray, names: list[str]) -> str:
    """A linear combination, small coefficients left out."""
    largest = np.abs(direction).max()
    direction = direction * np.sign(direction[np.abs(direction).argmax()])
    parts = [
        f"{weight:+.2f} {name}"
        for weight, name in zip(direction, names, strict=True)
        if abs(weight) > NAMED_SHARE * largest
    ]
    return " ".join(parts).removeprefix("+")
