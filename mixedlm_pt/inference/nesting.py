"""Whether one model is a special case of another, and what the larger one adds."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.covariance import Unstructured
from mixedlm_pt.design import Design, GroupingFactor, RandomTerm
from mixedlm_pt.model import GLMM

# A column counts as a combination of others when less than this share of it is left over, as in
# the design's check for rank deficiency.
RANK_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Nesting:
    """How a smaller model lies within a larger one.

    Attributes
    ----------
    obstacle : str
        What the larger model cannot express; empty if the smaller one is nested in it.
    added : tuple of int
        Variances that every term of the larger model adds; under the smaller one they are zero, on
        the boundary.
    """

    obstacle: str = ""
    added: tuple[int, ...] = ()

    @property
    def n_variances(self) -> int:
        """Number of variances on the boundary under the smaller model."""
        return sum(self.added)

    @property
    def has_mixture(self) -> bool:
        """Whether the null distribution is a chi-bar-square with known weights.

        That is so where no term adds two variances with their correlation: the boundary is then
        one of half-spaces, otherwise a cone whose angles depend on the data.
        """
        return self.n_variances > 0 and max(self.added) == 1


def nesting(small: Design, large: Design) -> Nesting:
    """Compare two designs of the same rows.

    The fixed effects are nested when the columns of X span a subspace, and the random effects when
    every term's columns lie in the span of one term of the same grouping factor: with an
    unstructured covariance that term can have any covariance of theirs.
    """
    if not spans(large.X, small.X):
        lacking = [
            name
            for name, column in zip(small.coef_names, small.X.T, strict=True)
            if not spans(large.X, column[:, None])
        ]
        return Nesting(f"lacks the fixed effects {', '.join(lacking)}")
    if not spans(large.X, (small.offset - large.offset)[:, None]):
        return Nesting("has another offset")
    held = [0] * len(large.terms)
    for term in small.terms:
        hosts = [t for t, other in enumerate(large.terms) if holds(large, other, small, term)]
        if not hosts:
            return Nesting(f"has no room for the random effects ({term.label})")
        # The tightest host: (1 | g) + (x | g) has two for an intercept.
        host = min(hosts, key=lambda t: large.terms[t].Z.shape[1])
        held[host] += term.Z.shape[1]
    widths = [term.Z.shape[1] for term in large.terms]
    return Nesting(added=tuple(max(0, k - h) for k, h in zip(widths, held, strict=True)))


def nesting_of_models(small: GLMM, large: GLMM) -> Nesting:
    """`nesting`, with the covariance structures: only an unstructured one contains another."""
    given = dict(zip((term.label for term in small.design.terms), small.covariances, strict=True))
    for term, own in zip(large.design.terms, large.covariances, strict=True):
        other = given.get(term.label, own)
        if other != own and not isinstance(own, Unstructured):
            return Nesting(
                f"has the covariance structure {own.name!r} in ({term.label}), which need not "
                f"contain {other.name!r}"
            )
    return nesting(small.design, large.design)


def holds(large: Design, host: RandomTerm, small: Design, term: RandomTerm) -> bool:
    """Whether a term of the larger model can express a term of the smaller one."""
    return same_groups(large.factors[host.factor], small.factors[term.factor]) and spans(
        host.Z, term.Z
    )


def same_groups(a: GroupingFactor, b: GroupingFactor) -> bool:
    """Whether two factors split the rows in the same way, whatever their names."""
    if a.n_levels != b.n_levels:
        return False
    return len(np.unique(a.codes * b.n_levels + b.codes)) == a.n_levels


def spans(A: FloatArray, B: FloatArray) -> bool:
    """Whether every column of B (n, m) is a combination of the columns of A (n, k)."""
    # Their inner products are those of the triangular factor, which is small; unit columns make
    # the rank decision one of directions, not of units.
    R = np.linalg.qr(np.concatenate([A, B], axis=1), mode="r")
    norms = np.linalg.norm(R, axis=0)
    R = R / np.where(norms > 0.0, norms, 1.0)
    host, columns = R[:, : A.shape[1]], R[:, A.shape[1] :]
    left = columns - host @ np.linalg.lstsq(host, columns, rcond=RANK_TOLERANCE)[0]
    return bool((np.linalg.norm(left, axis=0) < RANK_TOLERANCE).all())
