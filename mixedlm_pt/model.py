"""A model: design, family and covariance structures, before any number is estimated."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.covariance import Covariance, Unstructured
from mixedlm_pt.design import Design
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import Family
from mixedlm_pt.linalg import N_PROBES, Structure, choose_structure


@dataclass(frozen=True, eq=False)
class GLMM:
    """A generalized linear mixed model, unfitted.

    ``eta = X beta + Z Lambda(theta) u + offset`` with ``u ~ N(0, I)``; given u the rows are
    independent with the family's log density.

    Attributes
    ----------
    design : Design
    family : Family
        With its link; ``family.estimates_phi`` says whether phi is a parameter.
    covariances : tuple of Covariance
        One structure a term; unstructured by default.
    algebra : str, optional
        Structure of ``H`` for several grouping factors, see `choose_structure`.
    n_probes : int
        Random vectors, where it is the iterative one.
    """

    design: Design
    family: Family
    covariances: tuple[Covariance, ...] = field(default=())
    algebra: str | None = None
    n_probes: int = N_PROBES

    def __post_init__(self) -> None:
        if not self.covariances:
            default = tuple(Unstructured() for _ in self.design.terms)
            object.__setattr__(self, "covariances", default)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.design.n

    @property
    def p(self) -> int:
        """Number of fixed-effects coefficients."""
        return self.design.p

    @property
    def q(self) -> int:
        """Number of random effects."""
        return 0 if self.structure is None else self.structure.q

    @cached_property
    def term_widths(self) -> tuple[int, ...]:
        """Number of columns of every term."""
        return tuple(len(term.columns) for term in self.design.terms)

    @cached_property
    def factor_terms(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the terms of every grouping factor, in the order of their columns in u."""
        terms = self.design.terms
        return tuple(
            tuple(t for t, term in enumerate(terms) if term.factor == f)
            for f in range(len(self.design.factors))
        )

    @cached_property
    def factor_widths(self) -> tuple[int, ...]:
        """Number of effects that a level of every grouping factor has."""
        return tuple(sum(self.term_widths[t] for t in terms) for terms in self.factor_terms)

    @cached_property
    def column_slices(self) -> tuple[slice, ...]:
        """Where each term's columns stand in a row of Z Lambda, shape (n, K)."""
        order = [t for terms in self.factor_terms for t in terms]
        ends = np.cumsum([0, *(self.term_widths[t] for t in order)]).tolist()
        places = dict(zip(order, (slice(a, b) for a, b in pairwise(ends)), strict=True))
        return tuple(places[t] for t in range(len(order)))

    def Z_by_row(self) -> FloatArray:
        """What of Z is not zero, row by row, shape (n, K); its columns as in ``Structure.cols``."""
        Z = np.empty((self.n, sum(self.term_widths)))
        for term, part in zip(self.design.terms, self.column_slices, strict=True):
            Z[:, part] = term.Z
        return Z

    @cached_property
    def theta_slices(self) -> tuple[slice, ...]:
        """Where each term's parameters stand in theta."""
        widths = zip(self.covariances, self.term_widths, strict=True)
        ends = np.cumsum([0, *(cov.n_theta(k) for cov, k in widths)]).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))

    @property
    def n_theta(self) -> int:
        """Number of covariance parameters."""
        return self.theta_slices[-1].stop if self.theta_slices else 0

    @property
    def n_par(self) -> int:
        """Number of estimated parameters: beta, theta and, if it is estimated, log phi."""
        return self.p + self.n_theta + int(self.family.estimates_phi)

    @cached_property
    def structure(self) -> Structure | None:
        """Structure of ``H``; None without random effects."""
        factors = self.design.factors
        if not factors:
            return None
        return choose_structure(
            codes=[f.codes for f in factors],
            n_levels=[f.n_levels for f in factors],
            columns=list(self.factor_widths),
            names=[f.name for f in factors],
            kind=self.algebra if len(factors) > 1 else None,
            n_probes=self.n_probes,
        )

    @property
    def u_slices(self) -> tuple[slice, ...]:
        """Where each factor's effects stand in u; level after level within a factor."""
        pairs = zip(self.design.factors, self.factor_widths, strict=True)
        ends = np.cumsum([0, *(factor.n_levels * k for factor, k in pairs)]).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))

    def with_design(self, design: Design) -> "GLMM":
        """The same model of another design whose grouping factors are the same.

        Response, weights, offset, X and Z may differ.
        """
        other = replace(self, design=design)
        # The grouping is the same; finding its structure again costs more than a small fit.
        other.__dict__["structure"] = self.structure
        return other

    def with_factors(self, factors: tuple[int, ...]) -> "tuple[GLMM, IntArray]":
        """The terms of some factors as a model, and the places of its theta in the whole."""
        design = self.design
        kept = [t for t, term in enumerate(design.terms) if term.factor in factors]
        terms = (design.terms[t] for t in kept)
        smaller = replace(
            design,
            factors=tuple(design.factors[f] for f in factors),
            terms=tuple(replace(term, factor=factors.index(term.factor)) for term in terms),
        )
        places = [np.arange(self.n_theta)[self.theta_slices[t]] for t in kept]
        covariances = tuple(self.covariances[t] for t in kept)
        theta = np.concatenate([np.empty(0, np.int64), *places])
        return GLMM(smaller, self.family, covariances), theta

    def require_unstructured(self, what: str, remedy: str) -> None:
        """Refuse what exists for unstructured covariances only; ``remedy`` says what to do.

        Raises
        ------
        ArgumentError
        """
        for term, covariance in zip(self.design.terms, self.covariances, strict=True):
            if not isinstance(covariance, Unstructured):
                raise ArgumentError(
                    f"({term.label}) has the covariance structure {covariance.name!r}, and {what} "
                    f"only for unstructured covariances. {remedy}"
                )

    @cached_property
    def signature(self) -> Hashable:
        """What a compiled graph depends on: equal signatures share one compilation."""
        layout = None if self.structure is None else self.structure.layout
        terms = tuple((c.key, k) for c, k in zip(self.covariances, self.term_widths, strict=True))
        return self.family.key, terms, self.factor_terms, layout
