"""Whether the responses vary more than the family says, by Pearson's statistic."""

from dataclasses import dataclass

import pandas as pd
from scipy.special import chdtrc

from mixedlm_pt.design.response import has_trials
from mixedlm_pt.diagnostics.residuals import pearson_residuals
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.result_table import ResultTable

# A p-value below which the sentence speaks of overdispersion.
EVIDENCE = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class Overdispersion(ResultTable):
    """Pearson's statistic over its degrees of freedom; prints as a table."""

    @property
    def ratio(self) -> float:
        """Dispersion ratio; near one where the variance is as the family says."""
        return float(self.table["ratio"].iloc[0])

    @property
    def p_value(self) -> float:
        """Upper tail of the chi-squared distribution."""
        return float(self.table["Pr(>Chisq)"].iloc[0])


def overdispersion(fit: Fit) -> Overdispersion:
    """Pearson's dispersion ratio with its chi-squared test.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Overdispersion
        ``.ratio`` is the sum of the squared Pearson residuals over ``n - npar``, as
        ``performance::check_overdispersion`` and the GLMM FAQ. The test is approximate: the
        residuals are at the modes of the random effects, which take up some of the variation, and
        for small means the statistic is not chi-squared. ``simulate_residuals`` has an exact
        reference distribution.

    Raises
    ------
    ArgumentError
        For families whose dispersion is estimated by ML: it then fits the data by construction.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> round(overdispersion(fit).ratio, 4)
    1.2368
    """
    family = fit.family
    if family.estimates_phi and family.phi_scales_variance:
        raise ArgumentError(
            f"the dispersion of {family.name} is estimated (phi = {fit.phi:.4g}), so the variance "
            "fits by construction; simulate_residuals() tests the shape of the distribution."
        )
    df = fit.n_obs - fit.n_par
    if df <= 0:
        raise ArgumentError(f"{fit.n_obs} rows and {fit.n_par} parameters leave no residual df.")
    phi = family.fixed_phi if family.phi_scales_variance and family.fixed_phi is not None else 1.0
    chisq = float((pearson_residuals(fit) ** 2).sum()) / phi
    p = float(chdtrc(df, chisq))
    table = pd.DataFrame(
        {"Chisq": [chisq], "Df": [df], "ratio": [chisq / df], "Pr(>Chisq)": [p]},
        index=pd.Index(["Pearson"]),
    )
    heading = ("Overdispersion: squared Pearson residuals over residual degrees of freedom",)
    return Overdispersion(heading, table, advice(fit, p))


def advice(fit: Fit, p: float) -> tuple[str, ...]:
    """What the ratio means, and what to do."""
    family = fit.family
    if has_binary_response(fit):
        return (
            "The responses are binary: their variance follows from their mean, so they cannot be "
            "overdispersed and the ratio says nothing. Sum over groups first: "
            "simulate_residuals(groups=...).",
        )
    if p > EVIDENCE:
        return ("No evidence of overdispersion.",)
    remedies = ["an observation-level random effect"]
    if not has_trials(family) and not family.has_dispersion:
        remedies.insert(0, "glmer_nb()")
    return (
        "Overdispersed: standard errors are too small. Look for missing predictors first; then "
        f"try {' or '.join(remedies)}.",
    )


def has_binary_response(fit: Fit) -> bool:
    """Whether every response is a single trial, whose variance follows from its mean."""
    return has_trials(fit.family) and bool((fit.design.response.weights <= 1.0).all())
