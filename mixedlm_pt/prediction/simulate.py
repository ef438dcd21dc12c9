"""New responses drawn from a fitted model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import positive_integer
from mixedlm_pt.design import Design, NewDesign, new_design, term_positions
from mixedlm_pt.fit import Fit
from mixedlm_pt.tasks import Seed, spawn_seeds


def simulate(
    fit: Fit,
    nsim: int = 1,
    seed: Seed = None,
    re_form: str | None = "NA",
    newdata: Any = None,
    allow_new_levels: bool = False,
) -> pd.DataFrame:
    """Responses drawn from the fitted model.

    Parameters
    ----------
    fit : Fit
    nsim : int
        Number of simulations.
    seed : int, optional
        Simulation j of a seed is the same whatever ``nsim`` is.
    re_form : str, optional
        Random effects to hold at their conditional modes; all others are drawn anew. ``"NA"`` or
        ``"~0"``, the default: none is held (unconditional). None: all are (conditional). A formula
        of terms such as ``"~ (1 | herd)"``: these are.
    newdata : data frame, optional
        Rows to simulate, default those of the fit. They need the trials of a binomial response,
        which `predict` does not; other prior weights that they do not state count as 1.
    allow_new_levels : bool
        Whether ``newdata`` may have levels that the fit has not seen; their random effects are
        always drawn.

    Returns
    -------
    DataFrame, shape (n, nsim)
        Columns ``sim_1``, ...; rows as the data. Proportions for the binomial with trials, a
        categorical with the labels of the data for a categorical response. `refit` takes each
        column.

    Raises
    ------
    ArgumentError
        If the family has no distribution (quasi-families), and for a bad ``nsim``.
    ColumnNotFoundError, DataError
        If ``newdata`` lacks a column, numbers of trials among them, or has unknown levels.
    FormulaError
        If ``re_form`` names a term that the fit does not have.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.simulate(nsim=100, seed=1).shape
    (56, 100)
    """
    nsim = positive_integer("nsim", nsim)
    design: Design | NewDesign = fit.design
    if newdata is not None:
        design = new_design(
            fit.design, newdata, allow_new_levels=allow_new_levels, require_trials=True
        )
    held = term_positions(fit.design, re_form)
    draws = [
        draw(fit, np.random.default_rng(child), held, design) for child in spawn_seeds(seed, nsim)
    ]
    index = design.padded_index if isinstance(design, Design) else design.full_index
    levels = fit.design.specification.response_levels
    columns = {f"sim_{j}": design.pad(y) for j, y in enumerate(draws, start=1)}
    frame = pd.DataFrame(columns, index=index)
    if levels is None:
        return frame
    return frame.apply(lambda y: labelled(y, levels))


def labelled(y: pd.Series, levels: pd.Index) -> pd.Series:
    """Zeros and ones as the levels of a categorical response."""
    codes = y.fillna(-1.0).to_numpy(np.int64)
    return pd.Series(pd.Categorical.from_codes(codes, levels), index=y.index)


def draw(
    fit: Fit,
    rng: np.random.Generator,
    held: Sequence[int] = (),
    design: Design | NewDesign | None = None,
) -> FloatArray:
    """One simulated response on the family's own scale, shape (n,).

    Parameters
    ----------
    fit : Fit
    rng : numpy Generator
    held : sequence of int
        Positions of the terms whose effects stay at their modes.
    design : Design or NewDesign, optional
        Rows to simulate, default those of the fit; with all terms of the model.
    """
    design = fit.design if design is None else design
    eta = design.offset + design.X @ fit.beta
    for t, (term, Lambda) in enumerate(zip(fit.design.terms, fit.Lambda, strict=True)):
        own = next(other for other in design.terms if other.label == term.label)
        factor = design.factors[own.factor]
        b = rng.standard_normal((factor.n_levels, len(Lambda))) @ Lambda.T
        if t in held:
            b[: len(fit.b[t])] = fit.b[t]
        eta = eta + (own.Z * b[factor.codes]).sum(axis=1)
    w = design.response.weights if isinstance(design, Design) else design.weights
    return fit.family.draw(rng, fit.compiled.mean(eta)[0], fit.phi, w)
