"""What `sample` returns: draws with the accessors of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.draws import ParameterDraws
from mixedlm_pt.bayes.prior_summary import PriorSummary, prior_summary
from mixedlm_pt.bayes.priors import Priors, effect_names
from mixedlm_pt.bayes.pymc_model import term_columns, to_pymc
from mixedlm_pt.diagnostics.scales import scaled_parameters
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM
from mixedlm_pt.tables import html_table, numbers, text_table

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

# Vehtari et al. (2021), Bayesian Analysis 16, 667-718: what chains that agree reach.
MAX_RHAT = 1.01
MIN_ESS = 400


@dataclass(frozen=True, eq=False)
class PosteriorResult:
    """Draws from the posterior of a fitted model.

    Attributes
    ----------
    fit : Fit
        The maximum-likelihood fit that the sampler started from.
    priors : Priors
    data : xarray.DataTree
        ArviZ's data, with all variables of `to_pymc`.
    sampler : str
    target : {"full", "laplace", "agq"}
        Density that NUTS drew from.
    tune : int
        Steps of adaptation of each chain; they are not in ``data``.
    compile_seconds, sampling_seconds : float
    """

    fit: Fit = field(repr=False)
    priors: Priors
    data: xr.DataTree
    sampler: str
    target: str
    tune: int
    compile_seconds: float
    sampling_seconds: float

    @property
    def model(self) -> GLMM:
        """The model."""
        return self.fit.model

    @cached_property
    def pymc(self) -> pm.Model:
        """The model in PyMC, as `to_pymc` makes it."""
        return to_pymc(self.fit, self.priors)

    @cached_property
    def parameter_draws(self) -> ParameterDraws:
        """Draws of beta, theta, log phi and u as arrays, chain after chain."""
        return ParameterDraws.of(self.model, self.data["posterior"].dataset)

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return int(self.data["posterior"].sizes["chain"])

    @property
    def n_draws(self) -> int:
        """Number of draws of each chain."""
        return int(self.data["posterior"].sizes["draw"])

    @property
    def n_divergences(self) -> int:
        """Number of draws where the sampler lost the trajectory."""
        return int(self.data["sample_stats"]["diverging"].sum())

    @cached_property
    def draws(self) -> Mapping[str, FloatArray]:
        """Draws of all parameters, each (chains, draws), by the names that ``confint`` has.

        First standard deviations and correlations, then the dispersion, then beta.
        """
        posterior, model = self.data["posterior"].dataset, self.model
        random: list[FloatArray] = []
        for f, factor in enumerate(model.design.factors):
            sd = posterior[f"sd_{factor.name}"].to_numpy()
            for _, columns in term_columns(model, f):
                for a in range(columns.start, columns.stop):
                    random.append(sd[..., a])
                    if columns.stop > a + 1:
                        corr = posterior[f"corr_{factor.name}"].to_numpy()
                        random.extend(corr[..., b, a] for b in range(a + 1, columns.stop))
        draws = dict(zip(scaled_parameters(self.fit).names, random, strict=True))
        dispersion = Dispersion.of(model)
        if dispersion is not None:
            draws[dispersion.name] = posterior[dispersion.name].to_numpy()
        beta = posterior["beta"].to_numpy()
        return draws | {name: beta[..., j] for j, name in enumerate(model.design.coef_names)}

    @cached_property
    def n_random(self) -> int:
        """Number of standard deviations and correlations."""
        return len(self.draws) - self.model.p - int(self.model.family.estimates_phi)

    def fixef(self) -> pd.Series:
        """Posterior means of the coefficients by name, link scale."""
        means = self.data["posterior"]["beta"].mean(("chain", "draw")).to_numpy()
        return pd.Series(means, index=pd.Index(self.model.design.coef_names), name="fixef")

    def ranef(self) -> dict[str, pd.DataFrame]:
        """Posterior means of the random effects, link scale: group to frame (levels, effects)."""
        posterior, model = self.data["posterior"], self.model
        names = zip(model.design.factors, effect_names(model), strict=True)
        return {
            factor.name: pd.DataFrame(
                posterior[f"b_{factor.name}"].mean(("chain", "draw")).to_numpy(),
                index=factor.levels.rename(factor.name),
                columns=pd.Index(columns),
            )
            for factor, columns in names
        }

    def VarCorr(self, ci_prob: float = 0.95) -> pd.DataFrame:
        """Standard deviations and correlations of the random effects, one a row of `summary`."""
        return self.summary(ci_prob).iloc[: self.n_random]

    def summary(self, ci_prob: float = 0.95) -> pd.DataFrame:
        """ArviZ's summary of all parameters, unrounded.

        Parameters
        ----------
        ci_prob : float
            Posterior probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Rows as in ``confint``; columns mean, sd, limits, ess_bulk, ess_tail, r_hat, mcse_mean,
            mcse_sd.
        """
        import arviz as az

        data = az.from_dict({"posterior": dict(self.draws)})
        summary = az.summary(data, ci_prob=ci_prob, ci_kind="eti", round_to="none")
        return pd.DataFrame(summary)

    def prior_summary(self) -> PriorSummary:
        """Table of the priors."""
        return prior_summary(self)

    def diagnosis(self) -> tuple[str, ...]:
        """How it was sampled and whether the chains agree, in words."""
        summary = self.summary()
        rhat, ess = summary["r_hat"].max(), summary["ess_bulk"].min()
        n = self.n_divergences
        lines = [
            f"{self.sampler} (NUTS): {self.n_chains} chains of {self.n_draws} draws after "
            f"{self.tune} steps of adaptation.",
            f"Compiled in {self.compile_seconds:.1f} s, sampled in {self.sampling_seconds:.1f} s.",
            f"{n if n else 'No'} divergence{'' if n == 1 else 's'}, largest R-hat {rhat:.3f}, "
            f"smallest effective sample size {ess:.0f}.",
        ]
        if n:
            lines.append(
                "Divergences bias the draws: raise target_accept (0.95) or sharpen priors."
            )
        if not rhat <= MAX_RHAT:
            lines.append(f"The chains do not agree (R-hat above {MAX_RHAT}): raise tune and draws.")
        elif ess < MIN_ESS:
            lines.append(f"Few effective draws (below {MIN_ESS}): raise draws.")
        return tuple(lines)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the printed table."""
        summary = self.summary()
        columns = [numbers(summary[name], 3) for name in summary.columns[:4]]
        columns.append([f"{value:.3f}" for value in summary["r_hat"]])
        columns.append([f"{value:.0f}" for value in summary["ess_bulk"]])
        header = ["", "Mean", "SD", "2.5 %", "97.5 %", "R-hat", "ESS"]
        rows = zip(summary.index, *columns, strict=True)
        return header, [[str(cell) for cell in row] for row in rows]

    def __str__(self) -> str:
        design, family = self.model.design, self.model.family
        return "\n".join(
            [
                f"Posterior of {design.formula}, {family.name} ( {family.link.name} )",
                *self.diagnosis(),
                "",
                text_table(*self.cells(), left=(0,)),
                "",
                "Priors: see prior_summary().",
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lines = "<br>".join(escape(line) for line in self.diagnosis())
        table = html_table(*self.cells(), left=(0,))
        formula = escape(self.model.design.formula)
        return f"<p><strong>Posterior of <code>{formula}</code></strong><br>{lines}</p>{table}"
