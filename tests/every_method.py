"""Every public method of a result, found by inspection, with arguments to call it."""

import dataclasses
import inspect
import re
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd

import mixedlm_pt as mlm
from mixedlm_pt.fit import Fit

PRINTS = ("__str__", "__repr__", "_repr_html_")
METHODS = sorted(
    name
    for name, _ in inspect.getmembers(mlm.GlmerResult, callable)
    if not name.startswith("_") or name in PRINTS
)
# Sampling takes half a minute.
SLOW = {"sample"}
# They need a package that is not among our dependencies.
OPTIONAL = {"as_marginaleffects"}

# By the name of an argument that a method requires.
VALUES = {
    "name": lambda fit: "ALL",
    "newresp": lambda fit: fit.simulate(seed=3).iloc[:, 0],
    "hypotheses": lambda fit: [fit.design.coef_names[-1]],
    "specs": lambda fit: "period",
    "variables": lambda fit: fit.design.coef_names[-1],
    "var": lambda fit: "x",
    "large": lambda fit: mlm.glmer(
        "incidence / size ~ period + x + log(size) + (1 | herd)", fit.call.data
    ),
}
# By the name of an argument: given to every method that takes it.
QUICK = {
    "nsim": 3,
    "seed": 2,
    "folds": 2,
    "draws": 100,
    "tune": 20,
    "chains": 1,
    "random_seed": 1,
    "progressbar": False,
}
VARIANTS = {
    "allFit": [{"optimizers": ["quasi-newton", "BFGS"]}],
    "bootMer": [{"use_u": True}],
    "confint": [{"method": "boot"}, {"method": "profile", "parm": "period2"}],
    "influence": [{"groups": "herd"}],
    "model_matrix": [{"type": "random"}, {"type": "randomListRaw"}],
    "power": [{"test": "x"}],
    "predict": [
        {"type": "link", "se_fit": True},
        {"re_form": "~0", "interval": "confidence"},
        {"re_form": "marginal"},
        {"newdata": {"period": ["1", "2"], "x": [0.0, 1.0], "herd": ["1", "2"]}},
    ],
    "profile": [{"which": "period2"}],
    "ranef": [{"condVar": True}],
    "residuals": [{"type": t} for t in ("pearson", "working", "response", "quantile")],
    "simulate": [{"re_form": None}],
    "summary": [{"vcov": "sandwich", "correlation": True}],
    "tidy": [{"effects": ("ran_vals", "ran_coefs"), "conf_int": True}],
    "update": [{"formula": ". ~ . - x"}],
    "vcov": [{"full": True}, {"type": "sandwich"}, {"type": "rx"}],
    "weights": [{"type": "working"}],
}
# A full profile takes seconds, one parameter says as much here; a power simulation needs a test.
ONLY_VARIANTS = {"profile", "allFit", "power"}


def cbpp_with_x():
    data = mlm.load_cbpp()
    return data.assign(x=np.linspace(-1.0, 1.0, len(data)) ** 2)


def calls(name, fit):
    """All argument sets with which a method is called."""
    parameters = list(inspect.signature(getattr(fit, name)).parameters.values())
    arguments = {}
    for parameter in parameters:
        is_open = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.name in QUICK:
            arguments[parameter.name] = QUICK[parameter.name]
        elif parameter.default is parameter.empty and not is_open:
            assert parameter.name in VALUES, (
                f"{name}() requires {parameter.name!r}: give it a value in VALUES"
            )
            arguments[parameter.name] = VALUES[parameter.name](fit)
    if name not in ONLY_VARIANTS:
        yield arguments
    for variant in VARIANTS.get(name, ()):
        yield arguments | variant


def contents(thing):
    """Every number and name of a fit's fields, and of its cached arrays, by value."""
    if isinstance(thing, np.ndarray):
        values = tuple(thing.tolist()) if thing.dtype == object else thing.tobytes()
        return thing.dtype.str, thing.shape, values
    if isinstance(thing, pd.DataFrame):
        return [(name, contents(thing[name])) for name in thing], contents(thing.index)
    if isinstance(thing, pd.Series | pd.Index):
        return str(thing.dtype), tuple(map(repr, thing.tolist()))
    if isinstance(thing, Mapping):
        return [(repr(key), contents(value)) for key, value in thing.items()]
    if isinstance(thing, tuple | list):
        return [contents(value) for value in thing]
    if isinstance(thing, Fit):
        cached = [(name, contents(getattr(thing, name))) for name in cached_names(type(thing))]
        return fields(thing) + cached
    if dataclasses.is_dataclass(thing):
        return fields(thing)
    if type(thing).__module__.startswith("mixedlm_pt") and hasattr(thing, "__dict__"):
        return type(thing).__qualname__, contents(vars(thing))
    return re.sub(r" at 0x[0-9a-f]+", "", repr(thing))


def fields(thing):
    return [(f.name, contents(getattr(thing, f.name))) for f in dataclasses.fields(thing)]


def cached_names(kind):
    return [n for n, member in inspect.getmembers(kind) if isinstance(member, cached_property)]
