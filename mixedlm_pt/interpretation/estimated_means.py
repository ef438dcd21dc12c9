"""Estimated marginal means and trends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mixedlm_pt.arguments import one_of
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import deparse, variables
from mixedlm_pt.inference.estimates import Covariance
from mixedlm_pt.interpretation import contrasts
from mixedlm_pt.interpretation.back_transform import BackTransform, back_transform
from mixedlm_pt.interpretation.contrasts import TYPES
from mixedlm_pt.interpretation.estimates import Estimates, inestimable_note, linear_predictor
from mixedlm_pt.interpretation.means import Means, means_table
from mixedlm_pt.interpretation.predictors import chosen_predictor
from mixedlm_pt.interpretation.reference_grid import (
    At,
    Grid,
    Specs,
    averaging,
    reference_grid,
    split_specs,
)
from mixedlm_pt.interpretation.stencil import DERIVATIVE, step_of


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EstimatedMeans(Means):
    """Estimated marginal means or trends; every method is the function of the same name."""

    contrast = contrasts.contrast
    pairs = contrasts.pairs

    def regrid(self) -> "EstimatedMeans":
        """The means on the response scale, so that contrasts are differences of these.

        Standard errors by the delta method; limits symmetric on the response scale.

        Raises
        ------
        ArgumentError
            If there is no response scale to go to: trends, or means that are on it already.
        """
        if self.back is None:
            raise ArgumentError(
                "regrid() needs means on the link scale; these have no other scale."
            )
        values, slopes = self.back.apply(self.estimates.values)
        estimates, name = self.estimates.mapped(values, slopes), self.back.name
        return replace(
            self,
            heading=("Estimated marginal means, response scale", *self.heading[1:]),
            table=means_table(self.cells_of, estimates, None, "response", self.level, name),
            estimates=estimates,
            back=None,
            type="response",
        )


def emmeans(
    fit: Fit,
    specs: Specs,
    by: Specs | None = None,
    at: At = None,
    type: str = "link",
    weights: str = "equal",
    bias_adjust: bool | str = False,
    level: float = 0.95,
    vcov: Covariance = None,
    offset: float | None = None,
) -> EstimatedMeans:
    """Estimated marginal means: predictions of a reference grid, averaged over other factors.

    The grid has all levels of the factors (and both values of covariates with two) and the means
    of the other covariates; transforms such as ``poly(x, 2)`` are evaluated there. Random effects
    are zero unless ``bias_adjust`` averages over them.

    Parameters
    ----------
    fit : Fit
    specs : str or sequence of str
        Predictors whose levels are wanted: ``"period"``, ``["a", "b"]`` or ``"~ a * b | c"``.
    by : str or sequence of str, optional
        Further ones, within whose levels `contrast` compares; what follows ``|``.
    at : mapping, optional
        Values of predictors in place of all levels or the mean: ``{"age": [20, 40]}``.
    type : {"link", "response"}
        Scale of the table. On the response scale estimates and limits are transformed back.
    weights : {"equal", "proportional", "outer", "cells"}
        Of the levels averaged over: equal, or by the numbers of rows of their combinations, of each
        factor alone, or within every cell.
    bias_adjust : bool or "exact"
        For ``type="response"``, means over random effects whose total variance is the mean over
        the rows of the fit: True by the second-order expansion of emmeans, ``"exact"`` by
        quadrature.
    level : float
    vcov : str, DataFrame or array, optional
        Covariance of the coefficients, a type of :func:`vcov` or the matrix itself.
    offset : float, optional
        In place of the offset at the grid, link scale. An offset in the formula is otherwise
        evaluated at the means of its columns, and an array has its own mean.

    Returns
    -------
    EstimatedMeans
        Columns: the factors, emmean (or prob, rate, response), SE, df (infinite: all tests are
        asymptotic), asymp.LCL, asymp.UCL; with ``.contrast()``, ``.pairs()``, ``.regrid()``. NaN
        for combinations that the data do not determine.

    Raises
    ------
    ArgumentError
        For unknown predictors, levels and options.
    FormulaError
        For a text with ``~`` that is no list of factors.

    References
    ----------
    .. [1] Searle, Speed and Milliken (1980), The American Statistician 34, 216-221.
    .. [2] The R package emmeans, whose values these are.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> emmeans(fit, "period", type="response").to_frame()["prob"].round(4).tolist()
    [0.198, 0.0839, 0.074, 0.0484]
    """
    one_of("type", type, TYPES)
    names, within = split_specs(specs, by)
    back = back_transform(fit, bias_adjust)
    grid = reference_grid(fit, [*names, *within], at)
    cells, W = averaging(grid, [*names, *within], weights)
    estimates = linear_predictor(fit, grid.rows, vcov=vcov, offset=offset).combined(W)
    is_transformed = type == "response" and back.link != "identity"
    title = f"Estimated marginal means, {type if is_transformed else 'link'} scale"
    if back.link == "identity":
        title = "Estimated marginal means"
    return EstimatedMeans(
        (title, f" {fit.design.formula.strip()}"),
        means_table(cells, estimates, back, type, level, back.name if is_transformed else "emmean"),
        notes_of(fit, grid, [*names, *within], estimates, back, type),
        keys=tuple(cells.columns),
        cells_of=cells,
        by=tuple(within),
        estimates=estimates,
        back=back,
        type=type,
        level=level,
    )


def emtrends(
    fit: Fit,
    specs: Specs,
    var: str,
    by: Specs | None = None,
    at: At = None,
    weights: str = "equal",
    level: float = 0.95,
    vcov: Covariance = None,
) -> EstimatedMeans:
    """Slopes of the linear predictor in a covariate, by levels of factors.

    Parameters
    ----------
    fit : Fit
    specs : str or sequence of str
        As in `emmeans`.
    var : str
        A numeric column; the slope is that at the grid's value of it, also through ``log(x)`` or
        ``poly(x, 2)``, and includes an offset that depends on it.
    by, at, weights, level, vcov
        As in `emmeans`.

    Returns
    -------
    EstimatedMeans
        Column ``x.trend`` for ``var="x"``, link scale. For slopes on the response scale see
        `avg_slopes`.

    Raises
    ------
    ArgumentError
        As `emmeans`, and for a ``var`` that is not numeric.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("use ~ age * urban + (1 | district)", mlm.load_contraception())
    >>> emtrends(fit, "urban", "age").to_frame()["age.trend"].round(4).tolist()
    [0.0113, 0.0034]
    """
    names, within = split_specs(specs, by)
    step = step_of(chosen_predictor(fit, var))
    grid = reference_grid(fit, [*names, *within], at)
    cells, W = averaging(grid, [*names, *within], weights)
    shifted = [
        linear_predictor(fit, grid.rows.assign(**{var: grid.rows[var] + shift * step}), vcov=vcov)
        for shift, _ in DERIVATIVE
    ]
    slopes = Estimates.weighted_sum(shifted, [weight / step for _, weight in DERIVATIVE]).combined(
        W
    )
    name = f"{var}.trend"
    return EstimatedMeans(
        (f"Slopes of {var}, link scale", f" {fit.design.formula.strip()}"),
        means_table(cells, slopes, None, "link", level, name),
        notes_of(fit, grid, [*names, *within, var], slopes, None, "link"),
        keys=tuple(cells.columns),
        cells_of=cells,
        by=tuple(within),
        estimates=slopes,
        back=None,
        type="link",
        level=level,
    )


def notes_of(
    fit: Fit,
    grid: Grid,
    wanted: Sequence[str],
    estimates: Estimates,
    back: BackTransform | None,
    type: str,
) -> tuple[str, ...]:
    """What was averaged over, and what the reader has to beware of."""
    notes = []
    others = [name for name in grid.margins if name not in wanted]
    if others:
        notes.append(f"Results are averaged over the levels of: {', '.join(others)}.")
    terms = fit.design.specification.formula.fixed.terms
    columns = [{name.name for atom in term for name in variables(atom)} for term in terms]
    mixed = [
        ":".join(deparse(atom) for atom in term)
        for term, names in zip(terms, columns, strict=True)
        if names & set(wanted) and names - set(wanted)
    ]
    if mixed:
        notes.append(f"They may mislead, because of the interaction {', '.join(mixed)}.")
    if not estimates.estimable.all():
        notes.append(inestimable_note(fit))
    if back is not None and type == "response" and back.note:
        notes.append(back.note)
    return tuple(notes)
