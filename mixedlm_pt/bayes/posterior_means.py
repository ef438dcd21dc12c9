"""Estimated marginal means and trends with their contrasts, for every draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedlm_pt import interpretation
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.bayes.averaged_means import averaged_means
from mixedlm_pt.bayes.credible import KINDS, described
from mixedlm_pt.bayes.predictor_draws import covariance_factor_draws
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.interpretation.back_transform import BackTransform, back_transform
from mixedlm_pt.interpretation.contrasts import SUM_TOL, TYPES, Weights, contrast_rows
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.means import Means
from mixedlm_pt.interpretation.reference_grid import At, Specs

if TYPE_CHECKING:
    from mixedlm_pt.bayes.posterior import PosteriorResult

LIMITS = ("LCL", "UCL")
AVERAGED = "Averaged over normal random effects with the total sd of every draw."


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PosteriorMeans(Means):
    """Marginal means or trends of every draw; ``estimates`` are those of the fit.

    Attributes
    ----------
    draws : array, shape (m, S)
        On the link scale, or on the response scale once regridded.
    response : array, shape (m, S), or None
        On the response scale; None where there is no further scale.
    kind : str
        Of the limits.
    """

    draws: FloatArray
    response: FloatArray | None
    kind: str

    def contrast(
        self, method: str | Weights = "pairwise", type: str | None = None
    ) -> EstimateTable:
        """Contrasts of the means for every draw, within each group of ``by``.

        Parameters
        ----------
        method : str, mapping, DataFrame or array
            As in the `contrast` of a fit's means. A posterior needs no adjustment for their number.
        type : {"link", "response"}, optional
            ``"response"``: ratios where the link is logit or log. Default: that of the means.

        Returns
        -------
        EstimateTable
            Columns contrast, those of ``by``, estimate (or odds.ratio, ratio), SE, LCL, UCL, and
            ``P(>0)`` (``P(>1)`` of a ratio): the posterior probability of that sign.

        Raises
        ------
        ArgumentError
            For an unknown method or type, and for weights of another number of means.
        """
        wanted = self.type if type is None else type
        one_of("type", wanted, TYPES)
        ratio = self.back.ratio if self.back is not None and wanted == "response" else None
        families = [
            contrast_rows(method, self.level_names(rows), " / " if ratio else " - ")
            for rows in self.by_groups()
        ]
        if any(np.abs(C.sum(axis=1)).max(initial=0.0) >= SUM_TOL for _, C in families):
            # Weights that do not sum to zero make no ratio.
            ratio = None
        parts = []
        for rows, (names, C) in zip(self.by_groups(), families, strict=True):
            differences = C @ self.draws[rows]
            values = np.exp(differences) if ratio else differences
            labels: dict[str, object] = {"contrast": names}
            labels |= {key: [self.cells_of[key].iloc[rows[0]]] * len(names) for key in self.by}
            numbers = number_columns(ratio or "estimate", values, self.level, self.kind)
            share = {"P(>1)" if ratio else "P(>0)": (differences > 0.0).mean(axis=1)}
            parts.append(pd.concat([pd.DataFrame(labels), numbers.assign(**share)], axis=1))
        scale = "ratios" if ratio else "response scale" if self.back is None else "link scale"
        return EstimateTable(
            (f"Posterior: contrasts, {scale}", *self.heading[1:]),
            pd.concat(parts, ignore_index=True),
            self.notes,
            keys=("contrast", *self.by),
        )

    def pairs(self, reverse: bool = False, type: str | None = None) -> EstimateTable:
        """All pairwise comparisons: ``contrast("pairwise")``, reversed if asked for."""
        return self.contrast("revpairwise" if reverse else "pairwise", type)

    def regrid(self) -> PosteriorMeans:
        """The means on the response scale, so that contrasts are differences of these.

        Raises
        ------
        ArgumentError
            If there is no response scale to go to.
        """
        if self.response is None or self.back is None:
            raise ArgumentError(
                "regrid() needs means on the link scale; these have no other scale."
            )
        numbers = number_columns(self.back.name, self.response, self.level, self.kind)
        return replace(
            self,
            heading=("Posterior: marginal means, response scale", *self.heading[1:]),
            table=pd.concat([self.cells_of, numbers], axis=1),
            draws=self.response,
            response=None,
            back=None,
            type="response",
        )


def emmeans(
    posterior: PosteriorResult,
    specs: Specs,
    by: Specs | None = None,
    at: At = None,
    type: str = "link",
    weights: str = "equal",
    bias_adjust: bool | str = False,
    level: float = 0.95,
    offset: float | None = None,
    kind: str = "eti",
) -> PosteriorMeans:
    """Estimated marginal means of every draw: predictions of a grid, averaged over other factors.

    Parameters
    ----------
    posterior : PosteriorResult
    specs, by, at, type, weights, offset
        As in the `emmeans` of a fit.
    bias_adjust : bool or "exact"
        As there, with the random effects' variance of every draw.
    level : float
        Posterior probability of the limits.
    kind : {"eti", "hdi"}
        Equal-tailed or highest-density limits.

    Returns
    -------
    PosteriorMeans
        Columns: the factors, emmean (or prob, rate, response), SE (posterior sd), LCL, UCL; with
        ``.contrast()``, ``.pairs()``, ``.regrid()`` and ``.draws``.

    Raises
    ------
    ArgumentError, FormulaError
        As the `emmeans` of a fit.
    """
    one_of("type", type, TYPES)
    fit = posterior.fit
    back = back_transform(fit, bias_adjust)
    grid = interpretation.emmeans(
        fit, specs, by, at, type, weights, bias_adjust, level, offset=offset
    )
    eta = grid_draws(posterior, grid)
    response = None if back.link == "identity" else on_response_scale(posterior, eta, bias_adjust)
    is_transformed = type == "response" and response is not None
    return posterior_means(
        replace(grid, back=back),
        back.name if is_transformed else "emmean",
        eta,
        response,
        type,
        kind,
    )


def emtrends(
    posterior: PosteriorResult,
    specs: Specs,
    var: str,
    by: Specs | None = None,
    at: At = None,
    weights: str = "equal",
    level: float = 0.95,
    kind: str = "eti",
) -> PosteriorMeans:
    """Slopes of the linear predictor in a covariate, by levels of factors, for every draw.

    Parameters
    ----------
    posterior : PosteriorResult
    specs, var, by, at, weights
        As in the `emtrends` of a fit.
    level, kind
        As in `emmeans`.

    Returns
    -------
    PosteriorMeans
        Column ``x.trend`` for ``var="x"``, link scale.

    Raises
    ------
    ArgumentError, FormulaError
        As the `emtrends` of a fit.
    """
    grid = interpretation.emtrends(posterior.fit, specs, var, by, at, weights, level)
    return posterior_means(grid, f"{var}.trend", grid_draws(posterior, grid), None, "link", kind)


def grid_draws(posterior: PosteriorResult, grid: Means) -> FloatArray:
    """What a fit's means or trends are for every draw, shape (m, S): they are linear in beta."""
    fit, found = posterior.fit, grid.estimates
    L = found.J[:, fit.design.specification.kept]
    moved = L @ (posterior.parameter_draws.beta - fit.beta).T
    return found.estimate[:, None] + moved


def on_response_scale(
    posterior: PosteriorResult, eta: FloatArray, bias_adjust: bool | str
) -> FloatArray:
    """The inverse link of draws (m, S), or its average over the random effects."""
    fit, compiled = posterior.fit, posterior.fit.compiled
    mean: FloatArray = compiled.mean(eta.ravel())[0].reshape(eta.shape)
    if not bias_adjust:
        return mean
    variance = np.zeros(eta.shape[1])
    factors = covariance_factor_draws(fit, posterior.parameter_draws)
    for term, Lambda in zip(fit.design.terms, factors, strict=True):
        # The mean over the rows of z' Lambda Lambda' z.
        second = term.Z.T @ term.Z / len(term.Z)
        variance += np.einsum("acs,ab,bcs->s", Lambda, second, Lambda)
    if bias_adjust == "exact":
        return averaged_means(compiled, eta, np.broadcast_to(np.sqrt(variance), eta.shape))
    bend: FloatArray = compiled.mean_bends(eta.ravel())[0].reshape(eta.shape)
    return mean + 0.5 * variance * bend


def posterior_means(
    grid: Means,
    name: str,
    eta: FloatArray,
    response: FloatArray | None,
    type: str,
    kind: str,
) -> PosteriorMeans:
    """The table of the means of a grid."""
    one_of("kind", kind, KINDS)
    shown = response if type == "response" and response is not None else eta
    numbers = number_columns(name, shown, grid.level, kind)
    back: BackTransform | None = grid.back if response is not None else None
    title, *rest = grid.heading
    # The fit's note on the random effects has one standard deviation.
    notes = [note for note in grid.notes if not (grid.back and note == grid.back.note)]
    notes += [AVERAGED] if grid.back and grid.back.note else []
    return PosteriorMeans(
        (f"Posterior: {title[0].lower()}{title[1:]}", *rest),
        pd.concat([grid.cells_of, numbers], axis=1),
        tuple(notes),
        keys=grid.keys,
        cells_of=grid.cells_of,
        by=grid.by,
        estimates=grid.estimates,
        back=back,
        type=type,
        level=grid.level,
        draws=eta,
        response=response,
        kind=kind,
    )


def number_columns(name: str, values: FloatArray, level: float, kind: str) -> pd.DataFrame:
    """Posterior mean, sd and limits of draws (m, S)."""
    return pd.DataFrame(
        dict(zip((name, "SE", *LIMITS), described(values, level, kind), strict=True))
    )
