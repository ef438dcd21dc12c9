"""The verbs as functions of the package."""

import pickle

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from tests.errors import setting


@pytest.fixture(scope="module")
def names():
    return setting.names()


def test_a_function_of_the_package_is_the_method_of_any_result_that_has_it(names):
    fit, posterior = names["fit"], names["posterior"]
    pd.testing.assert_series_equal(mlm.fixef(posterior), posterior.fixef())
    pd.testing.assert_series_equal(mlm.fixef(fit=fit), fit.fixef())
    pd.testing.assert_frame_equal(mlm.confint(posterior, level=0.5), posterior.confint(level=0.5))
    assert not np.allclose(mlm.fixef(posterior), mlm.fixef(fit))


def test_a_function_of_the_package_can_be_pickled():
    for name in ("fixef", "sample", "emmeans"):
        assert pickle.loads(pickle.dumps(getattr(mlm, name))) is getattr(mlm, name)


def test_weights_given_for_new_data_replace_those_of_the_fit(names):
    cbpp = names["cbpp"]
    data = cbpp.assign(p=cbpp["incidence"] / cbpp["size"], two=2)
    fit = mlm.glmer("p ~ period + (1 | herd)", data, weights="size")
    limits = fit.predict(data, interval="prediction", weights="two", seed=1)
    # Of two trials none, one or both succeed.
    assert set(limits[["lower", "upper"]].to_numpy().ravel()) <= {0.0, 0.5, 1.0}
    own = fit.predict(data, interval="prediction", seed=1)
    assert not set(own["upper"]) <= {0.0, 0.5, 1.0}


def test_a_model_without_random_effects_is_sampled(names):
    fit = mlm.glmer("incidence / size ~ period", names["cbpp"])
    posterior = fit.sample(300, 200, chains=1, cores=1, random_seed=1, progressbar=False)
    # A likelihood near normal under wide priors: the mean is the estimate to a part of its error.
    shift = (posterior.fixef() - fit.fixef()) / np.sqrt(np.diag(fit.vcov()))
    assert np.abs(shift).max() < 0.35
