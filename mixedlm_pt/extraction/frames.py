"""The data of a fit as the model sees them: variables, model matrices, weights, formula."""

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.design.evaluate import Evaluator
from mixedlm_pt.design.frame import Frame
from mixedlm_pt.design.table import Table
from mixedlm_pt.design.values import Basis, Factor, Value
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.extraction.information import working_information
from mixedlm_pt.extraction.random_design import effect_names, random_matrix
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import deparse

MATRICES = ("fixed", "random", "randomListRaw")
WEIGHTS = ("prior", "working")


def formula(fit: Fit, fixed_only: bool = False, random_only: bool = False) -> str:
    """The formula of a fit.

    Parameters
    ----------
    fit : Fit
    fixed_only, random_only : bool
        Only the fixed effects with the offsets, or only the random-effects terms, ``||``, ``/``
        and ``*`` written out.

    Returns
    -------
    str

    Raises
    ------
    ArgumentError
        If both are asked for.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.formula(fixed_only=True)
    'incidence / size ~ period'
    """
    if fixed_only and random_only:
        raise ArgumentError("fixed_only and random_only exclude each other; give one of them.")
    parsed = fit.design.specification.formula
    if not (fixed_only or random_only):
        return fit.design.formula.strip()
    if random_only:
        pieces = [f"({bar.label})" for bar in parsed.bars]
    else:
        pieces = [*([] if parsed.fixed.intercept else ["0"]), *parsed.fixed.labels]
        pieces += [f"offset({deparse(node)})" for node in parsed.offsets]
    default = "0" if random_only else "1"
    return f"{parsed.response_text} ~ {' + '.join(pieces or [default])}"


def model_frame(fit: Fit) -> pd.DataFrame:
    """The variables of the model on the rows that were used, by their names in the formula.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    DataFrame, n rows
        The response on the family's own scale (a proportion for the binomial), every variable of
        the right-hand side as it was evaluated (``log(x)``; factors as categoricals), then
        ``(offset)`` and ``(weights)``, which holds the numbers of trials, where there are any.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> list(fit.model_frame())
    ['incidence / size', 'period', 'herd', '(weights)']
    """
    design, specification = fit.design, fit.design.specification
    parsed = specification.formula
    evaluator = Evaluator(
        Table(fit.call.data), dict(specification.states), dict(specification.kinds)
    )
    frame = Frame(parsed, evaluator, ~design.omitted)
    values: dict[str, Value] = {**frame.predictors(parsed.bars)}
    for bar in parsed.bars:
        for node, factor in zip(bar.group.parts, frame.groups([bar])[bar.group.name], strict=True):
            values.setdefault(deparse(node), factor)
    columns: dict[str, object] = {design.response.name: design.response.y.copy()}
    for name, value in values.items():
        columns |= named_columns(name, value)
    if design.offset.any():
        columns["(offset)"] = design.offset.copy()
    if (design.response.weights != 1.0).any():
        columns["(weights)"] = design.response.weights.copy()
    return pd.DataFrame(columns, index=design.index)


def named_columns(name: str, value: Value) -> dict[str, object]:
    """A variable as columns: categoricals for factors, one a column for ``poly(x, 2)``."""
    if isinstance(value, Factor):
        return {
            name: pd.Categorical.from_codes(value.codes, value.levels, ordered=value.is_ordered)
        }
    if isinstance(value, Basis):
        return {
            f"{name}{part}": column.copy()
            for part, column in zip(value.names, value.values.T, strict=True)
        }
    return {name: np.array(value)}


def model_matrix(fit: Fit, type: str = "fixed") -> pd.DataFrame | dict[str, pd.DataFrame]:
    """The model matrix of the fixed or of the random effects.

    Parameters
    ----------
    fit : Fit
    type : {"fixed", "random", "randomListRaw"}
        X; Z; or the raw model matrix of every random-effects term.

    Returns
    -------
    DataFrame, or dict of term to DataFrame
        X: shape (n, p), columns named as the coefficients. Z: shape (n, q) with sparse columns,
        labelled by group, level and effect, in the order of ``getME(fit, "b")``. Raw matrices,
        shape (n, k), by ``"1 | herd"``.

    Raises
    ------
    ArgumentError
        If ``type`` is unknown.
    """
    design = fit.design
    if type == "fixed":
        return pd.DataFrame(
            design.X.copy(), index=design.index, columns=pd.Index(design.coef_names)
        )
    if type == "random":
        # pandas-stubs do not know the accessor of the class.
        sparse: pd.DataFrame = pd.DataFrame.sparse.from_spmatrix(  # type: ignore[attr-defined]
            random_matrix(fit), index=design.index, columns=effect_names(design)
        )
        return sparse
    if type == "randomListRaw":
        return {
            term.label: pd.DataFrame(
                term.Z.copy(), index=design.index, columns=pd.Index(term.columns)
            )
            for term in design.terms
        }
    raise unknown_name("type", type, MATRICES)


def weights(fit: Fit, type: str = "prior") -> FloatArray:
    """Prior weights, or the working weights at the estimates.

    Parameters
    ----------
    fit : Fit
    type : {"prior", "working"}
        ``"prior"``: the argument ``weights``; for the binomial the numbers of trials.
        ``"working"``: information of every row in its linear predictor, observed or, for
        ``laplace_weights="expected"``, expected; lme4's are expected, which for canonical links
        is the same.

    Returns
    -------
    array, shape (n,)
        With ``na_action="exclude"`` one value for every row of the data, NaN where it was left out.

    Raises
    ------
    ArgumentError
        If ``type`` is unknown.
    """
    one_of("type", type, WEIGHTS)
    values = fit.design.response.weights if type == "prior" else working_information(fit)
    return fit.design.pad(values.copy())
