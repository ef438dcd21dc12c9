from dataclasses import replace

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError

# First three rows by lme4 1.1-31 and glmmTMB 1.1.5, from the reference fits named.
REFERENCE = {
    "cbpp_logit_lme4": (
        ("incidence / size ~ period + (1 | herd)", "cbpp", mlm.families.Binomial(), None),
        {
            "response": [-0.165350503967414, 0.108251746284732, 0.318486915849249],
            "pearson": [-1.33986165184699, 1.07512590812211, 2.87961559181994],
            "deviance": [-1.43803189602974, 0.988743181835615, 2.35699782592798],
            "working": [-0.775508131866847, 0.889820686491187, 2.8929100359643],
        },
    ),
    "Salamanders_weights_lme4": (
        ("count ~ mined + (1 | site)", "salamanders", mlm.families.Poisson(), "sample"),
        {
            "response": [-0.26208076268537, -0.95547732484228, -0.0410578307616798],
            "pearson": [-0.511938241085163, -0.977485204410931, -0.202627319879822],
            "deviance": [-0.723990003640064, -1.38237283309698, -0.286558303881356],
            "working": [-1, -1, -1],
        },
    ),
    "sleepstudy_Gamma_inverse_glmmTMB": (
        ("Reaction ~ Days + (1 | Subject)", "sleepstudy", mlm.families.Gamma("inverse"), None),
        {
            "response": [-36.1953998116686, -36.8486610313957, -55.2464820360599],
            "pearson": [-0.126665672234099, -0.124676846518695, -0.18051628418908],
            "working": [0.000443266067124469, 0.000421842086598537, 0.000589831744149125],
        },
    ),
    "Owls_nbinom2_glmmTMB": (
        (
            "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)",
            "owls",
            mlm.families.NegativeBinomial(),
            None,
        ),
        {
            "response": [-2.88966072654392, -3.743611457435, -4.88966072654392],
            "pearson": [-0.363300372985317, -0.829089096783917, -0.614748835185811],
            "working": [-0.419419887456994, -1, -0.709709943728497],
        },
    ),
}


@pytest.fixture(scope="module")
def fits():
    return {
        name: mlm.glmer(formula, getattr(mlm, f"load_{data}")(), family, weights=weights)
        for name, ((formula, data, family, weights), _) in REFERENCE.items()
    }


@pytest.mark.parametrize(
    ("name", "type"), [(name, type) for name, (_, kinds) in REFERENCE.items() for type in kinds]
)
def test_residuals_are_those_of_the_reference(fits, name, type):
    expected = REFERENCE[name][1][type]
    np.testing.assert_allclose(fits[name].residuals(type)[:3], expected, rtol=1e-5)


def test_squared_deviance_residuals_sum_to_the_deviance(fits):
    # deviance(fit) of lme4 1.1-31.
    for name, deviance in {
        "cbpp_logit_lme4": 73.4717233667611,
        "Salamanders_weights_lme4": 3842.22439542341,
    }.items():
        assert (fits[name].residuals("deviance") ** 2).sum() == pytest.approx(deviance, rel=1e-6)
        assert fits[name].deviance() == pytest.approx(deviance, rel=1e-6)


def test_deviance_residuals_are_the_default(fits):
    fit = fits["cbpp_logit_lme4"]
    np.testing.assert_array_equal(fit.residuals(), fit.residuals("deviance"))


def test_an_unknown_type_is_refused(fits):
    with pytest.raises(ArgumentError, match=r"unknown type 'person'; known: .* mean 'pearson'"):
        fits["cbpp_logit_lme4"].residuals("person")


def test_means_that_round_to_the_response_have_residual_zero(fits):
    fit = fits["cbpp_logit_lme4"]
    y = fit.design.response.y
    beta = np.array([-800.0, 0.0, 0.0, 0.0])
    extreme = fit.replace(estimate=replace(fit.estimate, beta=beta, u=0.0 * fit.u))
    for type in ("pearson", "working", "deviance", "response"):
        assert (extreme.residuals(type)[y == 0.0] == 0.0).all()
    assert np.isinf(extreme.residuals("pearson")[y > 0.0]).all()
