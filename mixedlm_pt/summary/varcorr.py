"""Variances, standard deviations and correlations of the random effects."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt.diagnostics import TermCovariance, term_covariances
from mixedlm_pt.fit import Fit
from mixedlm_pt.result_table import ResultMapping
from mixedlm_pt.tables import html_table, number, numbers, text_table


@dataclass(frozen=True, eq=False)
class VarianceComponents(ResultMapping[str, pd.DataFrame]):
    """Covariance matrices of the random effects by group: ``VarCorr(fit)["herd"]``.

    A second term of the same group has lme4's key ``"herd.1"``. All on the link scale.

    Attributes
    ----------
    terms : tuple of TermCovariance
    sigma : float or None
        Residual standard deviation, ``sqrt(phi)``, where phi scales the variance.
    """

    terms: tuple[TermCovariance, ...]
    sigma: float | None

    def __getitem__(self, group: str) -> pd.DataFrame:
        return self.by_key[group].covariance

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_key)

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def by_key(self) -> dict[str, TermCovariance]:
        """The terms by their keys."""
        return {term.key: term for term in self.terms}

    @property
    def sd(self) -> dict[str, pd.Series]:
        """Standard deviations by group."""
        return {
            term.key: pd.Series(term.sd, index=pd.Index(term.columns), name="sd")
            for term in self.terms
        }

    @property
    def corr(self) -> dict[str, pd.DataFrame]:
        """Correlation matrices by group."""
        return {term.key: term.correlation for term in self.terms}

    def to_frame(self) -> pd.DataFrame:
        """One row a variance or covariance, as R's ``as.data.frame``.

        Columns grp, var1, var2 (missing for a variance), vcov and sdcor: the variance and the sd,
        or the covariance and the correlation. The last row is the residual, where there is one.
        """
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        for term in self.terms:
            names, k = term.columns, len(term.columns)
            covariance, correlation = term.covariance.to_numpy(), term.correlation.to_numpy()
            rows += [(term.key, names[a], None, covariance[a, a], term.sd[a]) for a in range(k)]
            rows += [
                (term.key, names[a], names[b], covariance[a, b], correlation[a, b])
                for a in range(k)
                for b in range(a + 1, k)
            ]
        if self.sigma is not None:
            rows.append(("Residual", None, None, self.sigma**2, self.sigma))
        columns = ("grp", "var1", "var2", "vcov", "sdcor")
        frame = pd.DataFrame(rows, columns=pd.Index(columns))
        return frame.astype({"var1": object, "var2": object, "vcov": "float64", "sdcor": "float64"})

    def cells(self, with_variance: bool) -> tuple[list[str], list[list[str]]]:
        """Header and rows in lme4's layout, formatted."""
        residual = [] if self.sigma is None else [self.sigma]
        sds = np.concatenate([*(term.sd for term in self.terms), residual])
        columns = [numbers(sds**2)] if with_variance else []
        values = zip(*columns, numbers(sds), strict=True)
        n_corr = max((len(term.columns) for term in self.terms), default=1) - 1
        rows = []
        for term in self.terms:
            correlation = term.correlation.to_numpy()
            for a, name in enumerate(term.columns):
                corr = [number(r, 2) for r in correlation[a, :a]]
                corr += [""] * (n_corr - len(corr))
                rows.append(["" if a else term.key, name, *next(values), *corr])
        if residual:
            rows.append(["Residual", "", *next(values), *[""] * n_corr])
        header = ["Groups", "Name", *["Variance"] * with_variance, "Std.Dev."]
        return header + ["Corr"][:n_corr] + [""] * (n_corr - 1), rows

    def text(self, with_variance: bool = False) -> str:
        """The table in lme4's layout."""
        header, rows = self.cells(with_variance)
        table = text_table(header, rows, left=(0, 1))
        return "\n".join(f" {line}" for line in table.splitlines())

    def html(self, with_variance: bool = True, caption: str = "") -> str:
        """The same table as HTML."""
        return html_table(*self.cells(with_variance), left=(0, 1), caption=caption)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.html()


def VarCorr(fit: Fit) -> VarianceComponents:
    """Variances, standard deviations and correlations of the random effects, link scale.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    VarianceComponents
        Mapping of group to covariance DataFrame, with ``sd``, ``corr``, ``sigma`` and
        ``to_frame()``; prints in lme4's layout.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.VarCorr()
     Groups Name        Std.Dev.
     herd   (Intercept)   0.6423
    """
    return VarianceComponents(term_covariances(fit), fit.sigma if fit.has_scale else None)
