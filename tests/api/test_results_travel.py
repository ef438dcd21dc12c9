"""A result can be stored, copied and sent to another process."""

import copy
import pickle

import numpy as np
import pytest

import mixedlm_pt as mlm
from tests.every_method import METHODS, SLOW, calls, cbpp_with_x, contents

MODELS = {
    "glm": ("incidence / size ~ period", {}),
    "laplace": ("incidence / size ~ period + (1 | herd)", {}),
    "quadrature": ("incidence / size ~ period + (1 | herd)", {"nAGQ": 5}),
    "joint mode": ("incidence / size ~ period + (1 | herd)", {"nAGQ": 0}),
}
WAYS = {"pickle": lambda fit: pickle.loads(pickle.dumps(fit)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_a_copy_says_the_same(name, way):
    formula, arguments = MODELS[name]
    fit = mlm.glmer(formula, mlm.load_cbpp(), **arguments)
    # Cached properties travel, too; the compiled functions stay behind.
    printed = str(fit.summary())
    other = WAYS[way](fit)
    assert str(other.summary()) == printed
    np.testing.assert_array_equal(other.predict(), fit.predict())
    new = mlm.load_cbpp().head(3)
    np.testing.assert_array_equal(other.predict(new), fit.predict(new))
    again = mlm.glmer(formula, mlm.load_cbpp(), start=other, **arguments)
    assert again.estimate.loglik == pytest.approx(fit.estimate.loglik, rel=1e-12)


# A PyMC model and a figure travel by their own packages' means.
BY_OTHERS = {"to_pymc", "as_marginaleffects", *(m for m in METHODS if "plot" in m or m == "qqmath")}


@pytest.fixture(scope="module")
def fit():
    return mlm.glmer("incidence / size ~ period + x + (1 | herd)", cbpp_with_x())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", [m for m in METHODS if m not in BY_OTHERS | SLOW])
def test_what_a_method_returns_travels(fit, method, way):
    for arguments in calls(method, fit):
        result = getattr(fit, method)(**arguments)
        other = WAYS[way](result)
        assert type(other) is type(result)
        assert contents(other) == contents(result)
        assert str(other) == str(result)


def test_a_pickle_is_small():
    fit = mlm.glmer("use ~ age + urban + (urban | district)", mlm.load_contraception())
    n_bytes = len(pickle.dumps(fit))
    data_bytes = len(pickle.dumps(fit.call.data))
    arrays = fit.design.X.nbytes + sum(term.Z.nbytes for term in fit.design.terms)
    assert n_bytes < data_bytes + 5 * arrays
