"""The argument ``priors`` of `glmer`: what it takes, keeps and hands on."""

import pickle

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes import Exponential, Flat, Gamma, Normal, prior_summary
from mixedlm_pt.errors import ArgumentError

CBPP = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def data():
    return mlm.load_cbpp()


def test_a_mapping_penalises_what_it_names_and_nothing_else(data):
    fit = mlm.glmer(CBPP, data, priors={"sd_herd": Gamma(2.0, 0.1)})
    assert fit.priors.coefficients == (Flat(),) * 4
    assert fit.priors.sds == ((Gamma(2.0, 0.1),),)
    assert "gamma(shape = 2, rate = 0.1)" in str(prior_summary(fit))


def test_a_mapping_may_name_the_preset_that_it_changes(data):
    fit = mlm.glmer(CBPP, data, priors={"preset": "default", "period2": Normal(0.0, 0.1)})
    default = mlm.glmer(CBPP, data, priors="default")
    assert fit.priors.coefficients[1] == Normal(0.0, 0.1)
    assert fit.priors.coefficients[2:] == default.priors.coefficients[2:]
    assert abs(fit.fixef()["period2"]) < abs(default.fixef()["period2"])


def test_resolved_priors_are_taken_as_they_are(data):
    fit = mlm.glmer(CBPP, data, priors="default")
    again = mlm.glmer(CBPP, data, priors=fit.priors)
    np.testing.assert_array_equal(fit.par, again.par)


def test_changing_the_mapping_afterwards_changes_no_fit(data):
    priors = {"sd": Gamma(2.0, 1.0)}
    fit = mlm.glmer(CBPP, data, priors=priors)
    priors["sd"] = Exponential(50.0)
    np.testing.assert_array_equal(fit.update().par, fit.par)


def test_presets_follow_the_data_of_an_update(data):
    fit = mlm.glmer(CBPP, data, priors="rstanarm")
    fewer = fit.update(data=data[data.period != "4"])
    assert len(fewer.priors.coefficients) == 3
    with pytest.raises(ArgumentError, match="period4"):
        fit.update(priors={"period4": Normal(0.0, 1.0)}).update(data=data[data.period != "4"])


def test_a_penalised_fit_travels(data):
    fit = mlm.glmer(CBPP, data, priors={"coefficients": Normal(0.0, 1.0)})
    other = pickle.loads(pickle.dumps(fit))
    assert other.priors == fit.priors
    assert other.log_prior() == fit.log_prior() == mlm.log_prior(fit)
    np.testing.assert_array_equal(other.refit(data.incidence / data["size"]).par, fit.par)
    assert str(other.summary()) == str(fit.summary())


def test_glmer_nb_takes_priors():
    data = mlm.load_grouseticks()
    priors = {"theta": Gamma(2.0, 2.0), "coefficients": Normal(0.0, 1.0)}
    fit = mlm.glmer_nb("TICKS ~ YEAR + (1 | BROOD)", data, priors=priors)
    assert fit.priors.dispersion == Gamma(2.0, 2.0)
    assert fit.checkConv().ok
