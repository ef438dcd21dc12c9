"""The accessors of a fit, for a posterior: estimates, effects, covariances, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.credible import credible_limits, described
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.predictor_draws import covariance_factor_draws, effects_at, scaled_effects
from mixedlm_pt.bayes.pymc_model import term_columns
from mixedlm_pt.diagnostics import (
    TermCovariance,
    chosen_parameters,
    dispersion_name,
    parameter_names,
    term_covariances,
)
from mixedlm_pt.limits import limits_frame, tail_names
from mixedlm_pt.prediction import RandomEffects
from mixedlm_pt.prediction import ranef as modes_of
from mixedlm_pt.summary import VarianceComponents
from mixedlm_pt.tables import numbers

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult


def fixef(posterior: PosteriorResult) -> pd.Series:
    """Posterior means of the coefficients by name, link scale.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    Series, length p
    """
    means = posterior.parameter_draws.beta.mean(axis=0)
    return pd.Series(means, index=pd.Index(posterior.model.design.coef_names), name="fixef")


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorEffects(RandomEffects):
    """Posterior means of the random effects by group, with what a fit's `ranef` has.

    ``condVar`` and ``se`` are posterior covariances and standard deviations, so ``to_frame()`` has
    the same columns.

    Attributes
    ----------
    draws : mapping
        Group to the effects' draws, shape (n_levels, k, S), link scale.
    """

    draws: Mapping[str, FloatArray] = field(default_factory=dict, repr=False)

    def limits(self, level: float = 0.95, kind: str = "eti") -> pd.DataFrame:
        """`to_frame` with credible limits of every effect, columns named as by `confint`."""
        frame = self.to_frame()
        # The frame goes effect by effect, a group's draws level by level.
        found = [
            credible_limits(draws.transpose(1, 0, 2), level, kind).reshape(2, -1)
            for draws in self.draws.values()
        ]
        ends = np.concatenate([np.empty((2, 0)), *found], axis=1)
        return frame.assign(**dict(zip(tail_names(level), ends, strict=True)))


def ranef(posterior: PosteriorResult, condVar: bool = True) -> PosteriorEffects:
    """Posterior means of the random effects ``b``, link scale.

    Parameters
    ----------
    posterior : PosteriorResult
    condVar : bool
        There for code that is written for a fit: the covariances are always at hand.

    Returns
    -------
    PosteriorEffects
        Mapping of group to data frame (index: levels, columns: effects), with posterior ``condVar``
        and ``se``, ``limits()`` and ``to_frame()``.
    """
    model, draws = posterior.model, effect_draws(posterior)
    means = {
        group: frame.set_axis(frame.index).assign(
            **dict(zip(frame.columns, draws[group].mean(axis=2).T, strict=True))
        )
        for group, frame in modes_of(posterior.fit).items()
    }
    covariances = []
    for factor in model.design.factors:
        centred = draws[factor.name] - draws[factor.name].mean(axis=2, keepdims=True)
        scale = 1.0 / (centred.shape[2] - 1)
        covariances.append(scale * np.einsum("jas,jbs->jab", centred, centred))
    return PosteriorEffects(means, posterior.fit, covariances, draws)


def effect_draws(posterior: PosteriorResult) -> dict[str, FloatArray]:
    """Draws of the effects of every group, each (n_levels, k, S), link scale."""
    model, draws = posterior.model, posterior.parameter_draws
    factors = covariance_factor_draws(posterior.fit, draws)
    found: dict[str, FloatArray] = {}
    for f, factor in enumerate(model.design.factors):
        places = model.u_slices[f]
        positions = np.arange(places.start, places.stop).reshape(factor.n_levels, -1)
        u = effects_at(draws.u, positions)
        parts = [scaled_effects(factors[t], u[:, columns]) for t, columns in term_columns(model, f)]
        found[factor.name] = np.concatenate(parts, axis=1)
    return found


def coef(posterior: PosteriorResult) -> dict[str, pd.DataFrame]:
    """Posterior means of the coefficients of every level: fixed plus random effects, link scale.

    Parameters
    ----------
    posterior : PosteriorResult

    Returns
    -------
    dict
        Group to data frame, laid out as by a fit's `coef`.
    """
    fixed = fixef(posterior)
    coefficients: dict[str, pd.DataFrame] = {}
    for group, means in ranef(posterior).items():
        names = fixed.index.append(means.columns.difference(fixed.index, sort=False))
        base = fixed.reindex(names, fill_value=0.0).to_numpy()
        coefficients[group] = means.reindex(columns=names, fill_value=0.0) + base
    return coefficients


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorComponents(VarianceComponents):
    """Posterior means of the standard deviations and correlations of the random effects.

    A mapping of group to covariance matrix as that of a fit: the one with these means.

    Attributes
    ----------
    uncertainty : DataFrame
        Rows as in ``confint``; columns mean, sd and two limits.
    """

    uncertainty: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """As that of a fit, with the posterior sd of ``sdcor`` and its limits."""
        frame = super().to_frame()
        names = {
            (term.key, *((columns[a], None) if a == b else (columns[a], columns[b]))): name
            for term in self.terms
            for columns in (term.columns,)
            for name, a, b in term.parameters
        }
        keys = zip(frame["grp"], frame["var1"], frame["var2"], strict=True)
        rows = [names.get((g, a, None if pd.isna(b) else b), "sigma") for g, a, b in keys]
        added = self.uncertainty.drop(columns="mean").loc[rows].set_axis(frame.index)
        return pd.concat([frame, added], axis=1)

    def cells(self, with_variance: bool) -> tuple[list[str], list[list[str]]]:
        """Header and rows in lme4's layout with limits of the standard deviations, formatted."""
        header, rows = super().cells(with_variance)
        names = [name for term in self.terms for name, a, b in term.parameters if a == b]
        names += ["sigma"] if self.sigma is not None else []
        place = header.index("Std.Dev.") + 1
        limits = self.uncertainty.columns[2:]
        columns = [numbers(self.uncertainty.loc[names, limit]) for limit in limits]
        added = [list(cells) for cells in zip(*columns, strict=True)]
        pairs = zip(rows, added, strict=True)
        filled = [[*row[:place], *cells, *row[place:]] for row, cells in pairs]
        return [*header[:place], *limits, *header[place:]], filled


def VarCorr(posterior: PosteriorResult, level: float = 0.95) -> PosteriorComponents:
    """Posterior means of standard deviations and correlations of the random effects, link scale.

    Parameters
    ----------
    posterior : PosteriorResult
    level : float
        Posterior probability of the equal-tailed limits.

    Returns
    -------
    PosteriorComponents
        Mapping of group to covariance DataFrame, with ``sd``, ``corr``, ``sigma``,
        ``uncertainty`` and ``to_frame()``; prints in lme4's layout.
    """
    draws, fit = natural_draws(posterior), posterior.fit
    terms = []
    for term in term_covariances(fit):
        means = {(a, b): draws[name].mean() for name, a, b in term.parameters}
        k = len(term.columns)
        sd, R = np.array([means[a, a] for a in range(k)]), np.eye(k)
        for a, b in means:
            if a != b:
                R[a, b] = R[b, a] = means[a, b]
        # An average of correlation matrices is one; a root of it, not the triangular one.
        values, vectors = np.linalg.eigh(R)
        root = sd[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
        terms.append(TermCovariance(term.key, term.group, term.label, term.columns, root))
    names = [name for term in terms for name, _, _ in term.parameters]
    names += ["sigma"] if fit.has_scale else []
    found = [described(draws[name].ravel(), level) for name in names]
    table = pd.DataFrame(
        np.array(found).reshape(len(names), 4),
        index=pd.Index(names, dtype="str"),
        columns=pd.Index(["mean", "sd", *tail_names(level)]),
    )
    sigma = float(draws["sigma"].mean()) if fit.has_scale else None
    return PosteriorComponents(tuple(terms), sigma, table)


def vcov(posterior: PosteriorResult, full: bool = False) -> pd.DataFrame:
    """Posterior covariance matrix of the coefficients.

    Parameters
    ----------
    posterior : PosteriorResult
    full : bool
        Include theta and ``log(phi)`` where phi is estimated, named as by a fit's `vcov`.

    Returns
    -------
    DataFrame, shape (p, p) or (n_par, n_par)
    """
    draws, p = posterior.parameter_draws, posterior.model.p
    columns = [draws.beta, draws.theta]
    columns += [draws.log_phi[:, None]] if posterior.model.family.estimates_phi else []
    values = np.concatenate(columns if full else columns[:1], axis=1)
    labels = pd.Index(parameter_names(posterior.fit)[: None if full else p])
    covariance = np.atleast_2d(np.cov(values, rowvar=False)).reshape(len(labels), len(labels))
    return pd.DataFrame(covariance, index=labels, columns=labels)


def confint(
    posterior: PosteriorResult,
    parm: str | Sequence[str] | None = None,
    level: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """Credible limits of all parameters, random effects first.

    Parameters
    ----------
    posterior : PosteriorResult
    parm : str or sequence of str, optional
        Rows wanted; ``"beta_"`` for the fixed effects, ``"theta_"`` for all others.
    level : float
        Posterior probability.
    kind : {"eti", "hdi"}
        Equal-tailed or highest-density interval.

    Returns
    -------
    DataFrame
        Rows and columns as by a fit's `confint`.

    Raises
    ------
    ArgumentError
        If a row, the level or the kind is not available.
    """
    draws = natural_draws(posterior)
    rows = chosen_parameters(posterior.fit, parm, draws)
    limits = [credible_limits(draws[name].ravel(), level, kind) for name in rows]
    lower, upper = np.array(limits).reshape(len(rows), 2).T
    return limits_frame(rows, lower, upper, level)


def natural_draws(posterior: PosteriorResult) -> dict[str, FloatArray]:
    """Draws by the names and on the scales of a fit's `confint`, each (chains, draws).

    They are `PosteriorResult.draws` but for a dispersion that the posterior has as a ``shape``,
    ``1 / phi``, and a fit as ``sigma``.
    """
    dispersion, name = Dispersion.of(posterior.model), dispersion_name(posterior.fit)
    if dispersion is None or name is None:
        return dict(posterior.draws)
    power = (0.5 if posterior.fit.has_scale else 1.0) / dispersion.power
    return {
        (name if known == dispersion.name else known): (
            values**power if known == dispersion.name else values
        )
        for known, values in posterior.draws.items()
    }
