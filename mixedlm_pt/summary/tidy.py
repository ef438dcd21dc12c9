"""A fit as data frames, with the columns of R's broom.mixed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt.arguments import names_of, one_of, probability
from mixedlm_pt.design.table import Table
from mixedlm_pt.diagnostics import (
    cooks_distance,
    dispersion_name,
    hatvalues,
    natural_parameters,
    natural_standard_errors,
    residuals,
)
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import AIC, BIC, confint, deviance, df_residual
from mixedlm_pt.inference.estimates import chosen_vcov
from mixedlm_pt.limits import normal_quantile
from mixedlm_pt.prediction import coef, ranef
from mixedlm_pt.summary.summary import coefficient_table

EFFECTS = ("fixed", "ran_pars", "ran_vals", "ran_coefs")
LIMITS = ("conf_low", "conf_high")


def tidy(
    fit: Fit,
    effects: str | Sequence[str] = ("fixed", "ran_pars"),
    conf_int: bool = False,
    conf_level: float = 0.95,
    conf_method: str = "Wald",
    exponentiate: bool = False,
    **arguments: Any,
) -> pd.DataFrame:
    """The estimates, one a row, with the columns of R's ``broom.mixed::tidy``.

    Parameters
    ----------
    fit : Fit
    effects : str or sequence of str
        ``"fixed"``: the coefficients. ``"ran_pars"``: sds (``sd__(Intercept)``) and correlations
        (``cor__(Intercept).x``) of the random effects, and the dispersion. ``"ran_vals"``: the
        conditional modes with their conditional sds. ``"ran_coefs"``: the coefficients of every
        level.
    conf_int : bool
        Add ``conf_low`` and ``conf_high``: from `confint`; for ``"ran_vals"`` the conditional mode
        plus and minus a normal quantile of conditional sds; not for ``"ran_coefs"``.
    conf_level : float
    conf_method : str
        A method of `confint`.
    exponentiate : bool
        Fixed effects and their limits as ``exp``: odds ratios, rate ratios. Their standard errors
        are then those of the ratios (delta method).
    **arguments
        Further ones for `confint`: seed, n_jobs, progress.

    Returns
    -------
    DataFrame
        Columns effect, group, level (for single levels only), term, estimate, std_error,
        statistic, p_value and the limits; missing where there is none.

    Raises
    ------
    ArgumentError
        For an unknown effect, and for arguments of `confint` without ``conf_int=True``.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> tidy(fit, "ran_pars")[["effect", "group", "term", "estimate"]].round(4)
         effect group             term  estimate
    0  ran_pars  herd  sd__(Intercept)    0.6423
    """
    chosen = names_of("effects", effects)
    for effect in chosen:
        one_of("effect", effect, EFFECTS)
    probability("conf_level", conf_level)
    if arguments and not conf_int:
        raise ArgumentError(
            f"tidy() hands {', '.join(arguments)} to confint(), which only conf_int=True calls."
        )
    needs_limits = conf_int and {"fixed", "ran_pars"} & set(chosen)
    limits = (
        confint(fit, level=conf_level, method=conf_method, **arguments) if needs_limits else None
    )
    makers = {
        "fixed": lambda: fixed_rows(fit, limits, exponentiate),
        "ran_pars": lambda: parameter_rows(fit, limits),
        "ran_vals": lambda: mode_rows(fit, conf_level if conf_int else None),
        "ran_coefs": lambda: coefficient_rows(coef(fit)),
    }
    parts = [makers[effect]() for effect in EFFECTS if effect in chosen]
    filled = [part for part in parts if len(part)] or parts[:1]
    columns = ["effect", "group", "level", "term", "estimate", "std_error", "statistic", "p_value"]
    present = {name for part in parts for name in part}
    wanted = [name for name in (*columns, *LIMITS) if name in present]
    return pd.concat(filled, ignore_index=True).reindex(columns=pd.Index(wanted))


def fixed_rows(fit: Fit, limits: pd.DataFrame | None, exponentiate: bool) -> pd.DataFrame:
    """The coefficients."""
    table = coefficient_table(fit, chosen_vcov(fit, None))
    rows = pd.DataFrame(
        {
            "effect": "fixed",
            "group": pd.Series([None] * len(table), dtype=object),
            "term": list(table.index),
            "estimate": table["Estimate"].to_numpy(),
            "std_error": table["Std. Error"].to_numpy(),
            "statistic": table["z value"].to_numpy(),
            "p_value": table["Pr(>|z|)"].to_numpy(),
        }
    )
    if limits is not None:
        rows[list(LIMITS)] = limits.iloc[len(limits) - len(rows) :, :2].to_numpy()
    if exponentiate:
        rows["estimate"] = np.exp(rows["estimate"])
        rows["std_error"] *= rows["estimate"]
        if limits is not None:
            rows[list(LIMITS)] = np.exp(rows[list(LIMITS)])
    return rows


def parameter_rows(fit: Fit, limits: pd.DataFrame | None) -> pd.DataFrame:
    """Sds, correlations and the dispersion."""
    parameters = natural_parameters(fit).iloc[: -fit.model.p or None]
    named = [broom_name(str(name), dispersion_name(fit)) for name in parameters.index]
    rows = pd.DataFrame(
        {
            "effect": "ran_pars",
            "group": pd.Series([group for group, _ in named], dtype=object),
            "term": pd.Series([term for _, term in named], dtype=object),
            "estimate": parameters.to_numpy(),
        }
    )
    errors = natural_standard_errors(fit).to_numpy()[: len(rows)]
    rows = rows.assign(std_error=errors, statistic=np.nan, p_value=np.nan)
    if limits is not None:
        rows[list(LIMITS)] = limits.iloc[: len(rows), :2].to_numpy()
    return rows


def broom_name(name: str, dispersion: str | None) -> tuple[str | None, str]:
    """Group and term of one parameter: ``sd_x|g`` is ``("g", "sd__x")``."""
    if name == dispersion:
        return ("Residual", "sd__Observation") if name == "sigma" else (None, name)
    effect, group = name.rsplit("|", 1)
    kind, effect = effect.split("_", 1)
    return group, f"{kind}__{effect}"


def mode_rows(fit: Fit, level: float | None) -> pd.DataFrame:
    """The conditional modes of every level."""
    modes = ranef(fit).to_frame()
    rows = pd.DataFrame(
        {
            "effect": "ran_vals",
            "group": modes["group"],
            "level": modes["level"],
            "term": modes["term"],
            "estimate": modes["condval"].astype(np.float64),
            "std_error": modes["condsd"].astype(np.float64),
        }
    )
    if level is not None:
        half_width = normal_quantile(level) * rows["std_error"]
        rows["conf_low"] = rows["estimate"] - half_width
        rows["conf_high"] = rows["estimate"] + half_width
    return rows


def coefficient_rows(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The coefficients of every level, from those by group that `coef` gives."""
    rows = [
        ("ran_coefs", group, level, term, value)
        for group, table in tables.items()
        for term in table
        for level, value in table[term].items()
    ]
    names = pd.Index(["effect", "group", "level", "term", "estimate"])
    return pd.DataFrame(rows, columns=names).astype({"estimate": np.float64})


def glance(fit: Fit) -> pd.DataFrame:
    """One row on the fit as a whole, with the columns of R's ``broom.mixed::glance``.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    DataFrame, one row
        nobs, sigma (1 without a scale), logLik, AIC, BIC (missing for quasi-families, the
        criteria also for fits with priors), deviance (conditional on the random effects, as R's),
        df_residual, npar.
    """
    has_likelihood = fit.family.has_likelihood
    has_maximum = has_likelihood and fit.priors is None
    return pd.DataFrame(
        {
            "nobs": [fit.n_obs],
            "sigma": [fit.sigma],
            "logLik": [fit.estimate.loglik if has_likelihood else np.nan],
            "AIC": [AIC(fit) if has_maximum else np.nan],
            "BIC": [BIC(fit) if has_maximum else np.nan],
            "deviance": [deviance(fit)],
            "df_residual": [df_residual(fit)],
            "npar": [fit.n_par],
        }
    )


def augment(fit: Fit) -> pd.DataFrame:
    """The data with fitted values and residuals, as R's ``broom.mixed::augment``.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    DataFrame
        The rows that were used (all rows with ``na_action="exclude"``) and every column of the
        data, then ``.fitted`` (linear predictor), ``.fixed`` (without the random effects), both on
        the link scale, ``.mu`` (mean, response scale), ``.resid`` (deviance residuals), ``.hat``
        and ``.cooksd`` (see `hatvalues` and `cooks_distance`).
    """
    design, table = fit.design, Table(fit.call.data)
    used = ~design.omitted if design.na_action != "exclude" else np.ones(table.n, np.bool_)
    columns = {name: table.series(name).array.copy() for name in table.names}
    rows = pd.DataFrame(columns, index=table.index)[used]
    return rows.assign(
        **{
            ".fitted": design.pad(fit.eta),
            ".fixed": design.pad(design.offset + design.X @ fit.beta),
            ".mu": design.pad(fit.mu),
            ".resid": residuals(fit, "deviance"),
            ".hat": hatvalues(fit),
            ".cooksd": cooks_distance(fit),
        }
    )
