"""Fitted values and predictions."""

from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design import Design, NewDesign, new_design, term_positions
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit

TYPES = ("response", "link")


def fitted(fit: Fit) -> FloatArray:
    """Conditional means at the modes of the random effects, response scale.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    array, shape (n,)
        In row order; proportions for the binomial. With ``na_action="exclude"`` one value for
        every row of the data, NaN where it was left out.
    """
    return fit.design.pad(fit.mu)


def predict(
    fit: Fit,
    newdata: Any = None,
    type: str = "response",
    re_form: str | None = None,
    allow_new_levels: bool = False,
) -> FloatArray:
    """Predictions for the fitted rows or for new data.

    Parameters
    ----------
    fit : Fit
    newdata : pandas or polars data frame, or mapping of columns, optional
        Default: the rows of the fit. Transforms such as ``scale()`` keep what they computed from
        the fitted data. The response is not needed.
    type : {"response", "link"}
        Means, or linear predictors.
    re_form : str, optional
        Random effects to include: None for all; ``"~0"`` or ``"NA"`` for none (b = 0); a formula
        such as ``"~ (1 | herd)"`` for these terms of the fit only.
    allow_new_levels : bool
        Whether ``newdata`` may have levels of a grouping factor that the fit has not seen; their
        random effects count as zero.

    Returns
    -------
    array, shape (m,)
        In row order; NaN for new rows with missing values.

    Raises
    ------
    ArgumentError
        If ``type`` or ``re_form`` is not one of the above.
    FormulaError
        If ``re_form`` names a term that the fit does not have.
    ColumnNotFoundError, DataError
        If ``newdata`` lacks a column or has unknown levels.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.predict({"period": ["1", "4"]}, re_form="~0").round(4)
    array([0.198 , 0.0484])
    """
    if type not in TYPES:
        raise unknown_name("type", type, TYPES)
    positions = chosen_terms(fit.design, re_form)
    if newdata is None:
        design: Design | NewDesign = fit.design
    else:
        design = new_design(fit.design, newdata, terms=positions, allow_new_levels=allow_new_levels)
    eta = design.offset + design.X @ fit.beta
    for t in positions:
        eta = eta + effect_of_term(fit, t, design)
    return design.pad(eta if type == "link" else fit.compiled.mean(eta)[0])


def chosen_terms(design: Design, re_form: str | None) -> tuple[int, ...]:
    """Positions in ``design.terms`` of the terms that ``re_form`` asks for."""
    is_marginal = isinstance(re_form, str) and re_form.strip() == "marginal"
    if is_marginal or not (re_form is None or isinstance(re_form, str)):
        raise ArgumentError(
            f"re_form={re_form!r} is not available; there are None (all random effects), '~0' "
            "(none) and a formula of terms of the model such as '~ (1 | g)'."
        )
    return term_positions(design, re_form)


def effect_of_term(fit: Fit, t: int, design: Design | NewDesign) -> FloatArray:
    """``Z b`` of the fit's term t for the rows of a design, shape (m,), link scale."""
    label = fit.design.terms[t].label
    term = next(term for term in design.terms if term.label == label)
    codes = design.factors[term.factor].codes
    new = np.zeros((design.factors[term.factor].n_levels - len(fit.b[t]), fit.b[t].shape[1]))
    effect: FloatArray = (term.Z * np.concatenate([fit.b[t], new])[codes]).sum(axis=1)
    return effect
