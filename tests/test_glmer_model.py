import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes import Normal, PriorSummary
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, SingularFitWarning

FORMULA = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def described():
    return mlm.glmer_model(FORMULA, mlm.load_cbpp())


def test_fitting_it_is_glmer(described):
    for arguments in ({}, {"nAGQ": 5}, {"priors": {"coefficients": Normal(0.0, 1.0)}}):
        fit = described.fit(**arguments)
        direct = mlm.glmer(FORMULA, mlm.load_cbpp(), **arguments)
        assert isinstance(fit, mlm.GlmerResult)
        assert fit.logLik() == direct.logLik()
        np.testing.assert_array_equal(fit.par, direct.par)
        assert fit.call.arguments.keys() == direct.call.arguments.keys()
        assert fit.model is described.model


def test_a_fit_of_it_can_be_updated(described):
    shorter = described.fit().update(". ~ . - period")
    assert (
        shorter.logLik() == mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp()).logLik()
    )


def test_arguments_that_define_the_model_are_those_of_glmer():
    data = mlm.load_grouseticks()
    arguments = {"offset": np.full(len(data), 0.3), "contrasts": {"YEAR": "sum"}}
    call = ("TICKS ~ YEAR + (1 | BROOD)", data, "poisson")
    fit = mlm.glmer_model(*call, **arguments).fit()
    assert fit.logLik() == mlm.glmer(*call, **arguments).logLik()


def test_it_prints_what_it_is_of(described):
    assert str(described) == repr(described)
    assert "not fitted" in str(described)
    assert "Formula: incidence / size ~ period + (1 | herd)" in str(described)
    assert "(1 | herd)    (Intercept)                            15 herd" in str(described)
    html = described._repr_html_()
    assert "<table" in html
    assert "15 herd" in html


def test_priors_pymc_model_and_prior_draws_need_no_fit(described):
    assert isinstance(described.prior_summary("brms"), PriorSummary)
    assert [v.name for v in described.to_pymc(centred=True).free_RVs][-1] == "b_herd"
    assert described.prior_predictive(draws=3, random_seed=1).y.shape == (3, 56)


def test_a_fit_has_the_same_verbs(described):
    fit = described.fit()
    assert str(fit.prior_summary("bambi")) == str(described.prior_summary("bambi"))
    one, other = (m.prior_predictive(draws=3, random_seed=1).y for m in (fit, described))
    np.testing.assert_array_equal(one, other)


def test_a_penalised_fit_knows_its_priors(described):
    fit = described.fit(priors={"coefficients": Normal(0.0, 1.0)})
    assert "period2      ~ normal(location = 0, scale = 1)" in str(fit.prior_summary())


def test_sampling_it_starts_at_the_fit(described):
    posterior = described.sample(
        60, 60, 2, cores=1, random_seed=1, progressbar=False, priors="rstanarm"
    )
    np.testing.assert_array_equal(posterior.fit.par, described.fit().par)
    assert posterior.n_draws == 60
    assert posterior.priors.coefficients[0] == Normal(0.0, 2.5)


def test_fitting_warns_as_glmer_does():
    table = pd.DataFrame({"y": [0, 1] * 20, "g": np.repeat(np.arange(10), 4)})
    described = mlm.glmer_model("y ~ 1 + (1 | g)", table)
    with pytest.warns(SingularFitWarning, match="g"):
        described.fit()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"formula": "y ~ 1 + (1 | herd)"}, ColumnNotFoundError, "y"),
        ({"family": "binomal"}, ArgumentError, "unknown family 'binomal'"),
        ({"control": 3}, ArgumentError, "control is 3"),
    ],
)
def test_wrong_arguments_are_refused_at_once(change, error, message):
    arguments = {"formula": FORMULA, "data": mlm.load_cbpp(), **change}
    with pytest.raises(error, match=message):
        mlm.glmer_model(**arguments)
