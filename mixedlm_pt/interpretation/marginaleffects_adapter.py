"""A fit as a model of the PyPI package marginaleffects, which accepts only its own class."""

from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design import new_design, term_positions
from mixedlm_pt.errors import MissingPackageError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.estimates import chosen_vcov
from mixedlm_pt.interpretation.predictors import effect_names, predictors, source_rows
from mixedlm_pt.prediction.random_part import random_part


def as_marginaleffects(fit: Fit, re_form: str | None = None, type: str = "response") -> Any:
    """The fit as a model for the functions of marginaleffects (0.6 or later, to be installed).

    Parameters
    ----------
    fit : Fit
    re_form : str, optional
        Random effects in its predictions: None for all modes, ``"~0"`` for none, or a formula.
    type : {"response", "link"}
        Scale of its predictions.

    Returns
    -------
    marginaleffects.ModelAbstract
        For ``marginaleffects.avg_comparisons(model, variables="x")`` and the like; ``vcov=`` there
        takes True, False or a matrix. Own functions such as :func:`avg_comparisons` need no other
        package, have exact derivatives, and integrate random effects out.
    """
    try:
        import polars as pl
        from marginaleffects.classes import ModelAbstract, ModelVault
    except ImportError as missing:
        raise MissingPackageError(
            f"{missing.name} is not installed: pip install marginaleffects"
        ) from missing
    terms = term_positions(fit.design, re_form)
    known, names = predictors(fit), effect_names(fit)
    rows = source_rows(fit, None, terms)
    columns = {
        name: polars_column(rows[name], known[name].labels if name in known else [])
        for name in rows
    }

    def predicted(params: FloatArray, newdata: pl.DataFrame) -> FloatArray:
        frame = pd.DataFrame({name: newdata[str(name)].to_list() for name in rows})
        new = new_design(fit.design, frame, terms=terms)
        eta = new.offset + new.X @ np.asarray(params) + random_part(fit, new, terms).effect
        mean: FloatArray = eta if type == "link" else fit.compiled.mean(eta)[0]
        return mean

    class FittedModel(ModelAbstract):
        """Coefficients, covariance and predictions of the fit."""

        def get_exog(self, newdata: pl.DataFrame) -> pl.DataFrame:
            return newdata

        def get_vcov(self, vcov: Any = True) -> FloatArray | None:
            return None if vcov is False else chosen_vcov(fit, None if vcov is True else vcov)

        def get_predict(self, params: FloatArray, newdata: pl.DataFrame) -> pl.DataFrame:
            numbers = pl.Series(range(newdata.shape[0]), dtype=pl.Int32)
            return pl.DataFrame({"rowid": numbers, "estimate": predicted(params, newdata)})

    vault = ModelVault(
        coef=fit.beta,
        coefnames=np.array(fit.design.coef_names),
        formula="response ~ " + " + ".join(f"`{name}`" for name in names),
        modeldata=pl.DataFrame({**columns, "response": fit.design.response.y}),
        package="mixedlm_pt",
        variable_names=["response", *names],
    )
    return FittedModel(fit, vault)


def polars_column(column: pd.Series, labels: list[str]) -> Any:
    """A column as marginaleffects reads it: text with a fixed order of levels."""
    import polars as pl

    is_text = not pd.api.types.is_numeric_dtype(column.dtype)
    if not labels and is_text:
        labels = list(dict.fromkeys(map(str, column)))
    if not labels or pd.api.types.is_bool_dtype(column.dtype):
        return pl.Series(column.to_numpy())
    return pl.Series([str(value) for value in column], dtype=pl.Enum(labels))
