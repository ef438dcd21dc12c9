"""A result can be stored, copied and sent to another process."""

import copy
import pickle

import numpy as np
import pytest

import mixedlm_pt as mlm

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


def test_a_pickle_is_small():
    fit = mlm.glmer("use ~ age + urban + (urban | district)", mlm.load_contraception())
    n_bytes = len(pickle.dumps(fit))
    data_bytes = len(pickle.dumps(fit.call.data))
    arrays = fit.design.X.nbytes + sum(term.Z.nbytes for term in fit.design.terms)
    assert n_bytes < data_bytes + 5 * arrays
