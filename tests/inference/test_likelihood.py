import copy
import pickle

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def quasi():
    family = mlm.families.QuasiFamily("binomial")
    return mlm.glmer("incidence / size ~ period", mlm.load_cbpp(), family)


def test_the_log_likelihood_is_a_float_that_knows_its_df(cbpp):
    loglik = cbpp.logLik()
    assert isinstance(loglik, float)
    # glmmTMB 1.1.5 and lme4 at a tight tolerance, reference cbpp_logit_lme4.
    assert loglik == pytest.approx(-92.0262818647571, abs=1e-7)
    assert (loglik.df, loglik.nobs) == (5, 56)
    assert str(loglik) == repr(loglik) == "'log Lik.' -92.02628 (df=5)"


def test_the_log_likelihood_survives_copies(cbpp):
    loglik = cbpp.logLik()
    for twin in (pickle.loads(pickle.dumps(loglik)), copy.copy(loglik)):
        assert twin == loglik
        assert (twin.df, twin.nobs) == (loglik.df, loglik.nobs)


def test_criteria_are_rs(cbpp):
    # R: AIC and BIC of reference cbpp_logit_lme4.
    assert cbpp.AIC() == pytest.approx(194.052563729514, abs=1e-6)
    assert cbpp.BIC() == pytest.approx(204.17932218319, abs=1e-6)
    # Hurvich and Tsai's correction: 2 * 5 * 6 / (56 - 5 - 1).
    assert cbpp.AICc() == pytest.approx(194.052563729514 + 1.2, abs=1e-6)
    assert cbpp.deviance() == pytest.approx(73.4717233667611, abs=1e-5)


def test_counts(cbpp):
    assert (cbpp.nobs(), cbpp.npar(), cbpp.df_residual()) == (56, 5, 51)
    assert cbpp.ngrps().to_dict() == {"herd": 15}


def test_a_dispersion_counts_as_a_parameter():
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), "gamma")
    assert fit.npar() == 4
    assert fit.logLik().df == 4


@pytest.mark.parametrize("verb", ["logLik", "AIC", "AICc", "BIC"])
def test_quasi_families_are_refused_by_name(quasi, verb):
    with pytest.raises(ArgumentError, match=rf"{verb}\(\) does not exist .*'quasibinomial'"):
        getattr(quasi, verb)()


def test_quasi_standard_errors_are_scaled_by_pearsons_dispersion(quasi):
    plain = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    # R 4.2.2: summary(glm(..., family = quasibinomial))$dispersion, epsilon = 1e-15.
    assert quasi.phi == pytest.approx(2.19015134509, rel=1e-10)
    np.testing.assert_allclose(quasi.vcov(), quasi.phi * plain.vcov(), rtol=1e-6)
    np.testing.assert_allclose(quasi.fixef(), plain.fixef(), rtol=1e-9)
