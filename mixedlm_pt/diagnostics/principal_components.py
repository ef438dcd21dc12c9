"""Principal components of the random effects: how many directions they vary in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.linalg as sl

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.fit import Fit
from mixedlm_pt.result_table import ResultMapping, ResultTable


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Components of the random effects of one grouping factor.

    Attributes
    ----------
    sdev : Series
        Standard deviations along the components, link scale, in decreasing order.
    rotation : DataFrame
        Directions: one row an effect, one column a component.
    """

    sdev: pd.Series
    rotation: pd.DataFrame

    @property
    def proportion(self) -> pd.Series:
        """Share of the variance along each component; NaN where there is none."""
        variance = self.sdev**2
        return variance / (variance.sum() or np.nan)

    def to_frame(self) -> pd.DataFrame:
        """Importance of the components, as R's ``summary(prcomp)``."""
        share = self.proportion
        rows = {
            "Standard deviation": self.sdev,
            "Proportion of Variance": share,
            "Cumulative Proportion": share.cumsum(),
        }
        return pd.DataFrame(rows).T


@dataclass(frozen=True, eq=False)
class RandomComponents(ResultMapping[str, PrincipalComponents]):
    """Principal components by grouping factor: ``rePCA(fit)["Subject"].sdev``."""

    components: Mapping[str, PrincipalComponents]

    def __getitem__(self, group: str) -> PrincipalComponents:
        return self.components[group]

    def __iter__(self) -> Iterator[str]:
        return iter(self.components)

    def __len__(self) -> int:
        return len(self.components)

    @property
    def tables(self) -> list[ResultTable]:
        """One table a grouping factor."""
        return [
            ResultTable((f"Principal components of {group}",), components.to_frame())
            for group, components in self.components.items()
        ]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables)) or "No random effects."

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables) or "<p>No random effects.</p>"


def rePCA(fit: Fit) -> RandomComponents:
    """Principal components of the random effects of every grouping factor.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    RandomComponents
        Group to ``sdev``, ``rotation`` and ``proportion``, from the singular values of Lambda (all
        terms of a group together). A component with a standard deviation of zero is a direction in
        which the effects do not vary: the term has more effects than the data support. lme4's
        ``rePCA`` has the same in units of sigma.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> rePCA(fit)["herd"].sdev.round(4).to_dict()
    {'PC1': 0.6423}
    """
    found: dict[str, PrincipalComponents] = {}
    for factor, terms in zip(fit.design.factors, fit.model.factor_terms, strict=True):
        columns = [name for t in terms for name in fit.design.terms[t].columns]
        found[factor.name] = components(sl.block_diag(*(fit.Lambda[t] for t in terms)), columns)
    return RandomComponents(found)


def components(Lambda: FloatArray, columns: list[str]) -> PrincipalComponents:
    """Components of effects with covariance ``Lambda Lambda'``."""
    rotation, sdev, _ = np.linalg.svd(Lambda)
    names = pd.Index([f"PC{j}" for j in range(1, len(sdev) + 1)])
    return PrincipalComponents(
        pd.Series(sdev, index=names, name="sdev"),
        pd.DataFrame(rotation, index=pd.Index(columns), columns=names),
    )
