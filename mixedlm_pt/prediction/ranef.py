"""Conditional modes of the random effects and the coefficients that they make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

import numpy as np
import pandas as pd
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.extraction import working_information
from mixedlm_pt.fit import Fit
from mixedlm_pt.result_table import ResultMapping


@dataclass(frozen=True, eq=False)
class RandomEffects(ResultMapping[str, pd.DataFrame]):
    """Conditional modes by grouping factor: ``effects["herd"]`` is a data frame.

    Attributes
    ----------
    modes : mapping
        Group to data frame, one row a level and one column an effect, link scale.
    """

    modes: Mapping[str, pd.DataFrame]
    fit: Fit = field(repr=False)
    covariances: Sequence[FloatArray] | None = field(default=None, repr=False)

    def __getitem__(self, group: str) -> pd.DataFrame:
        return self.modes[group]

    def __iter__(self) -> Iterator[str]:
        return iter(self.modes)

    def __len__(self) -> int:
        return len(self.modes)

    @cached_property
    def condVar(self) -> Mapping[str, FloatArray]:
        """Group to conditional covariances given all parameters, shape (n_levels, k, k)."""
        known = self.covariances
        covariances = conditional_covariances(self.fit) if known is None else known
        return dict(zip(self.modes, covariances, strict=True))

    @cached_property
    def se(self) -> Mapping[str, pd.DataFrame]:
        """Group to conditional standard deviations, laid out as the modes."""
        return {
            group: pd.DataFrame(
                np.sqrt(np.diagonal(self.condVar[group], axis1=1, axis2=2)),
                index=modes.index,
                columns=modes.columns,
            )
            for group, modes in self.modes.items()
        }

    def to_frame(self) -> pd.DataFrame:
        """One row an effect: group, term, level, condval, condsd; R's ``as.data.frame``."""
        columns = ("group", "term", "level", "condval", "condsd")
        parts = [
            pd.DataFrame(
                {
                    "group": group,
                    "term": term,
                    "level": modes.index.astype(object),
                    "condval": modes[term].to_numpy(),
                    "condsd": self.se[group][term].to_numpy(),
                }
            )
            for group, modes in self.modes.items()
            for term in modes.columns
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def __str__(self) -> str:
        if not self.modes:
            return "The model has no random effects."
        return "\n\n".join(f"{group}\n{modes}" for group, modes in self.modes.items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(
            f"<h4>{escape(group)}</h4>{modes.to_html(max_rows=20, border=0)}"
            for group, modes in self.modes.items()
        )


def ranef(fit: Fit, condVar: bool = False) -> RandomEffects:
    """Conditional modes of the random effects ``b``, link scale.

    Parameters
    ----------
    fit : Fit
    condVar : bool
        Compute the conditional covariances now; otherwise that is done when they are first asked
        for.

    Returns
    -------
    RandomEffects
        Mapping of group to data frame (index: levels, columns: effects) with ``condVar``, ``se``
        and ``to_frame()``. Empty for a model without random effects.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> ranef(fit)["herd"].loc["1"].round(4).to_dict()
    {'(Intercept)': 0.59}
    """
    modes = {
        factor.name: pd.DataFrame(
            np.concatenate([fit.b[t] for t in terms], axis=1),
            index=factor.levels.rename(factor.name),
            columns=pd.Index([name for t in terms for name in fit.design.terms[t].columns]),
        )
        for factor, terms in zip(fit.design.factors, fit.model.factor_terms, strict=True)
    }
    return RandomEffects(modes, fit, conditional_covariances(fit) if condVar else None)


def coef(fit: Fit) -> dict[str, pd.DataFrame]:
    """Coefficients of every level: fixed effects plus conditional modes, link scale.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    dict
        Group to data frame, one row a level. A random effect without a fixed one has its own
        column, after the fixed effects.
    """
    fixed = pd.Series(fit.beta, index=pd.Index(fit.design.coef_names))
    coefficients: dict[str, pd.DataFrame] = {}
    for group, modes in ranef(fit).items():
        names = fixed.index.append(modes.columns.difference(fixed.index, sort=False))
        base = fixed.reindex(names, fill_value=0.0).to_numpy()
        coefficients[group] = modes.reindex(columns=names, fill_value=0.0) + base
    return coefficients


def conditional_covariances(fit: Fit) -> list[FloatArray]:
    """``Lambda H^-1 Lambda'`` of every level, one array (n_levels, k, k) a grouping factor.

    Given all parameters. H has the information that the fit's Laplace approximation has, and is
    never inverted as a whole: its blocks are those of one row of each level.
    """
    finder, M = fit.finder, fit.scaled_design
    _, packed = finder.factor(working_information(fit), M)
    covariances, first = [], 0
    for factor, terms in zip(fit.design.factors, fit.model.factor_terms, strict=True):
        Lambda = sl.block_diag(*(fit.Lambda[t] for t in terms))
        k = len(Lambda)
        _, rows = np.unique(factor.codes, return_index=True)
        inverse = np.empty((factor.n_levels, k, k))
        for column in range(k):
            unit = np.zeros_like(M)
            unit[:, first + column] = 1.0
            product = finder.row_inverse(packed, unit)
            inverse[:, :, column] = product[rows, first : first + k]
        covariances.append(Lambda @ inverse @ Lambda.T)
        first += k
    return covariances
