"""What is handed to nutpie, and what is kept of draws that were not finished."""

import arviz as az
import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes.whitened_sampling import complete
from mixedlm_pt.errors import ArgumentError


def unfinished(*lengths, draws=10):
    """Draws of chains that were stopped after so many, NaN from there on."""
    x = np.random.default_rng(1).normal(size=(len(lengths), draws, 3))
    for chain, length in enumerate(lengths):
        x[chain, length:] = np.nan
    return az.from_dict({"posterior": {"z": x}}), x


def test_draws_that_every_chain_has_are_kept():
    data, x = unfinished(7, 4, 9)
    kept = complete(data)["posterior"]["z"].to_numpy()
    np.testing.assert_array_equal(kept, x[:, :4])
    assert np.isfinite(kept).all()


def test_a_chain_without_a_draw_makes_an_interruption_of_it():
    with pytest.raises(KeyboardInterrupt):
        complete(unfinished(7, 0)[0])
    empty = {"posterior": {"z": np.empty((2, 0, 3))}}
    none_drawn = az.from_dict(empty, check_conventions=False)
    with pytest.raises(KeyboardInterrupt):
        complete(none_drawn)


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


def test_an_argument_that_nutpie_does_not_know_is_refused_by_name(cbpp):
    with pytest.raises(ArgumentError, match=r"hands no_such_setting to nutpie\.sample, which ref"):
        cbpp.sample(draws=10, tune=10, chains=1, progressbar=False, no_such_setting=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "joint"}, "'joint'"),
        ({"target_accept": 1.2}, "target_accept is 1.2"),
        ({"target": "laplace", "sampler": "pymc"}, "'pymc'"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_sampling(cbpp, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        cbpp.sample(**arguments)
