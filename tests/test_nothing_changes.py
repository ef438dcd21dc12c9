"""Whatever method of a result is called, and whatever is done to what it returned, the fit stays.

Methods are found by inspection (`every_method`), so that new ones are covered.
"""

import dataclasses
import inspect
import pickle
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import mixedlm_pt as mlm
from mixedlm_pt.design import Design
from mixedlm_pt.errors import MissingPackageError, MixedlmError
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM
from tests.every_method import (
    METHODS,
    OPTIONAL,
    SLOW,
    calls,
    cbpp_with_x,
    contents,
)

FITS = {
    "binomial": lambda: mlm.glmer("incidence / size ~ period + x + (1 | herd)", cbpp_with_x()),
    "gamma": lambda: mlm.glmer(
        "Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gamma"
    ),
}


@dataclasses.dataclass(frozen=True)
class Subject:
    """A fit with what was known about it before anything was called."""

    fit: Fit
    before: object
    text: str
    pickled: bytes
    data: pd.DataFrame


@pytest.fixture(scope="module")
def subjects():
    return {name: subject(make()) for name, make in FITS.items()}


def subject(fit):
    text = str(fit.summary())
    return Subject(fit, contents(fit), text, pickled(fit), fit.call.data.copy(deep=True))


def pickled(fit):
    """The estimates as bytes."""
    return pickle.dumps((fit.estimate, fit.messages, fit.approximation, fit.control))


def spoil(thing, seen=None):
    """Overwrite everything in a returned object that lets itself be overwritten."""
    seen = set() if seen is None else seen
    # The fit's own model is no result.
    if id(thing) in seen or isinstance(thing, Fit | GLMM | Design | type(None)):
        return
    seen.add(id(thing))
    for part in inside(thing):
        spoil(part, seen)
    if isinstance(thing, np.ndarray) and thing.flags.writeable and thing.size:
        thing[...] = np.zeros((), thing.dtype) if thing.dtype != object else None
    elif isinstance(thing, pd.Series | pd.DataFrame):
        spoil_pandas(thing)
    elif isinstance(thing, dict | list):
        thing.clear()


def inside(thing):
    """What a returned object holds."""
    if sp.issparse(thing):
        return [thing.data, thing.indices]
    if isinstance(thing, list | tuple):
        return list(thing)
    parts = [thing[key] for key in thing] if isinstance(thing, Mapping) else []
    if type(thing).__module__.startswith("mixedlm_pt"):
        parts += vars(thing).values()
    return parts


def spoil_pandas(thing):
    columns = [thing] if isinstance(thing, pd.Series) else [thing[c] for c in thing.columns]
    for j, column in enumerate(columns):
        if isinstance(column, pd.DataFrame) or not pd.api.types.is_numeric_dtype(column.dtype):
            continue
        if isinstance(column.dtype, pd.SparseDtype):
            continue
        zero = np.zeros((), column.to_numpy().dtype)[()]
        if isinstance(thing, pd.Series):
            thing.iloc[:] = zero
        else:
            thing.iloc[:, j] = zero


def check_unchanged(subject):
    assert contents(subject.fit) == subject.before
    assert pickled(subject.fit) == subject.pickled
    assert str(subject.fit.summary()) == subject.text
    pd.testing.assert_frame_equal(subject.fit.call.data, subject.data)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize(
    "name", [pytest.param(m, marks=pytest.mark.slow) if m in SLOW else m for m in METHODS]
)
def test_no_method_changes_the_fit(subjects, name):
    subject = subjects["binomial"]
    for arguments in calls(name, subject.fit):
        try:
            result = getattr(subject.fit, name)(**arguments)
        except MissingPackageError:
            assert name in OPTIONAL
            result = None
        check_unchanged(subject)
        spoil(result)
        check_unchanged(subject)


@pytest.mark.parametrize("name", [m for m in METHODS if m not in SLOW | {"pb_lrt", "power"}])
def test_no_method_changes_a_fit_with_slopes_and_a_dispersion(subjects, name):
    subject = subjects["gamma"]
    arguments = {**next(iter(calls(name, subject.fit)))}
    if name in ("profile", "allFit"):
        arguments = {"which": "Days"} if name == "profile" else {"optimizers": ["BFGS"]}
    try:
        result = getattr(subject.fit, name)(**arguments)
    except MixedlmError:
        # Not for this family, or the arguments name what this model does not have.
        result = None
    check_unchanged(subject)
    spoil(result)
    check_unchanged(subject)


def attributes():
    names = [field.name for field in dataclasses.fields(mlm.GlmerResult)]
    members = inspect.getmembers(mlm.GlmerResult)
    return names + [n for n, m in members if isinstance(m, property | cached_property)]


@pytest.mark.parametrize("name", [*attributes(), "fixef", "something_new"])
def test_no_attribute_can_be_set_or_deleted(subjects, name):
    fit = subjects["binomial"].fit
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(fit, name, 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(fit, name)
    check_unchanged(subjects["binomial"])


@pytest.mark.parametrize("name", ["beta", "theta", "u", "eta", "mu"])
def test_the_arrays_of_a_fit_cannot_be_overwritten(subjects, name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(subjects["binomial"].fit, name)[:] = 0.0


def test_arrays_that_methods_return_belong_to_the_user(subjects):
    fit = subjects["binomial"].fit
    for returned in (fit.fitted(), fit.residuals(), fit.predict(), fit.weights(), fit.getME("X")):
        returned[:] = 0.0
        assert not returned.any()
    check_unchanged(subjects["binomial"])


def test_what_is_done_to_the_data_later_does_not_change_the_estimates():
    data = cbpp_with_x()
    fit = mlm.glmer("incidence / size ~ period + x + (1 | herd)", data)
    text, mu = str(fit.summary()), fit.fitted()
    data["x"] = 0.0
    data["incidence"] = 0
    assert str(fit.summary()) == text
    np.testing.assert_array_equal(fit.fitted(), mu)
    np.testing.assert_array_equal(fit.model_matrix()["x"], cbpp_with_x()["x"])


def test_a_copy_is_as_frozen_as_its_original(subjects):
    fit = pickle.loads(pickle.dumps(subjects["binomial"].fit))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.messages = ()
    with pytest.raises(ValueError, match="read-only"):
        fit.beta[:] = 0.0


def test_this_test_sees_a_change():
    changed = subject(FITS["binomial"]())
    changed.fit.estimate.beta[0] += 1e-12
    with pytest.raises(AssertionError):
        check_unchanged(changed)
    changed = subject(FITS["binomial"]())
    changed.fit.call.data.loc[0, "x"] = 5.0
    with pytest.raises(AssertionError):
        check_unchanged(changed)
