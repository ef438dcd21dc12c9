"""Every method of a result on models that have little in common.

Each returns something of the right length with the right labels and finite numbers, or refuses
with a message of ours. Warnings are errors, so that none of NumPy's can pass.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.errors import MixedlmError, MixedlmWarning
from tests.every_method import METHODS, OPTIONAL, SLOW, calls
from tests.every_model.models import MODELS, fitted
from tests.every_model.numbers import numbers

LEFT_OUT = SLOW | OPTIONAL | {"replace"}
SHORTEST_MESSAGE = 30
BY_ROW = ["predict", "fitted", "residuals", "hatvalues", "cooks_distance", "weights"]
# What there is no number for, by method and column.
BLANK = {
    # Minus infinity: the weights are all the same.
    "check_laplace": ("k_hat",),
    "drop1": ("npar", "LRT", "Pr(Chi)"),
    "emmeans": ("df",),
    "emtrends": ("df",),
    "pb_lrt": ("Df",),
    "tidy": ("std_error", "statistic", "p_value", "conf_low", "conf_high"),
    "glance": ("logLik", "AIC", "BIC"),
    # glmer.nb.theta, lower bounds, the dispersion of families without one.
    "getME": ("glmer.nb.theta", "lower", "cmp"),
    "profile": ("cor_",),
}
# Of a singular fit: no standard errors of parameters on the boundary, no directions of no variance.
BLANK_IF_SINGULAR = {"confint", "vcov", "rePCA"}
# Models whose numbers may be missing: what the docstrings say of it.
EMPTY = {
    # Pearson's dispersion has no standard error.
    ("quasi-likelihood", "confint"),
    # Rows of weight zero have no quantile residual.
    ("crossed, offset, zero weights", "residuals"),
    # Functions of dropped coefficients are not estimable.
    *(
        ("rank deficient, backticks, no intercept", name)
        for name in (
            "comparisons",
            "avg_comparisons",
            "slopes",
            "avg_slopes",
            "emmeans",
            "emtrends",
        )
    ),
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def own_arguments(fit, name):
    """Arguments of `every_method.calls` with the columns of this model."""
    variables = {"x", "t", "f"} & set(fit.model_frame()) or {"x"}
    factor = next((v for v in ("t", "f") if v in variables), "t")
    groups = [f.name for f in fit.design.factors]
    group = next((g for g in groups if ":" not in g), "t")
    own = {
        "specs": factor,
        "hypotheses": fit.design.coef_names[-1],
        "var": "x",
        "parm": fit.design.coef_names[-1],
        "which": fit.design.coef_names[-1],
        "test": fit.design.coef_names[-1],
        "groups": group,
        "formula": f". ~ . - {factor}",
    }
    for arguments in calls(name, fit) if name not in ("pb_lrt", "refit") else [{}]:
        given = {key: own.get(key, value) for key, value in arguments.items()}
        if "newdata" in given:
            given["newdata"] = fit.call.data.iloc[[0, 1]]
        if name == "pb_lrt":
            given = {"large": fit.update(". ~ . + z"), "nsim": 2, "seed": 1}
        if name == "refit":
            given = {"newresp": fit.simulate(seed=3).iloc[:, 0]}
        yield given


@pytest.mark.parametrize("model", MODELS)
def test_every_method_answers_or_says_why_not(model):
    with warnings.catch_warnings():
        # Some fits are singular or rank deficient: that is what they are for.
        warnings.simplefilter("ignore", MixedlmWarning)
        fit = fitted(model)
        problems = {name: problem(fit, model, name) for name in METHODS if name not in LEFT_OUT}
    assert not {name: found for name, found in problems.items() if found}


def problem(fit, model, name):
    """What is wrong with the answers of a method; empty if nothing is."""
    is_singular = fit.isSingular() or fit.boundary_phi
    try:
        for arguments in own_arguments(fit, name):
            result = getattr(fit, name)(**arguments)
            text = str(result)
            if name in BY_ROW and "newdata" not in arguments and len(result) != len(fit.call.data):
                return f"{arguments}: {len(result)} values"
            may_be_empty = (model, name) in EMPTY or (is_singular and name in BLANK_IF_SINGULAR)
            found = [] if may_be_empty else strange_numbers(fit, name, result)
            if found or not text:
                return f"{arguments}: {found[:4]}"
    except MixedlmError as error:
        return "" if len(str(error)) > SHORTEST_MESSAGE else f"says only {error}"
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return ""


def strange_numbers(fit, name, result):
    """Places of numbers that are missing or infinite where they must not be."""
    if fit.design.omitted.any() and isinstance(result, np.ndarray | pd.DataFrame):
        result = left(fit, result)
    allowed = BLANK.get(name, ())
    return [
        place
        for place, value in numbers(result)
        if not np.isfinite(value) and not any(part in place for part in allowed)
    ]


def left(fit, result):
    """Without the rows that na_action='exclude' pads."""
    if len(result) != len(fit.design.omitted):
        return result
    return result[~fit.design.omitted]
