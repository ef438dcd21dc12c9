"""Variances of which only a sum is determined are said to be tied, and no others."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes import Gamma
from mixedlm_pt.diagnostics.identifiability import tied_variances
from mixedlm_pt.errors import ConvergenceWarning


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(30), 4)
    y = rng.normal(size=120) + rng.normal(size=30)[group]
    return pd.DataFrame({"y": y, "group": group, "row": np.arange(120)})


def test_an_effect_for_every_row_is_tied_to_the_residual_of_a_normal_response(rows):
    with pytest.warns(ConvergenceWarning, match=r"variances of \(1 \| row\) and sigma\^2 apart"):
        fit = mlm.glmer("y ~ 1 + (1 | group) + (1 | row)", rows, "gaussian")
    # The sum is the residual variance of the model without it.
    plain = mlm.glmer("y ~ 1 + (1 | group)", rows, "gaussian")
    sd = fit.VarCorr().to_frame().set_index("grp")["sdcor"]
    assert fit.logLik() == pytest.approx(plain.logLik(), abs=1e-6)
    assert sd["row"] ** 2 + sd["Residual"] ** 2 == pytest.approx(plain.sigma**2, rel=1e-5)
    assert not fit.checkConv().ok


def test_a_factor_that_repeats_another_is_tied_to_it():
    cbpp = mlm.load_cbpp().assign(copy=lambda data: data.herd)
    with pytest.warns(ConvergenceWarning, match=r"of \(1 \| herd\) and \(1 \| copy\) apart"):
        fit = mlm.glmer("incidence / size ~ period + (1 | herd) + (1 | copy)", cbpp)
    one = mlm.glmer("incidence / size ~ period + (1 | herd)", cbpp)
    assert fit.logLik() == pytest.approx(one.logLik(), abs=1e-8)


def test_a_prior_unties_them():
    cbpp = mlm.load_cbpp().assign(copy=lambda data: data.herd)
    formula = "incidence / size ~ period + (1 | herd) + (1 | copy)"
    fit = mlm.glmer(formula, cbpp, priors={"sd": Gamma(2.0, 1.0)})
    assert fit.checkConv().ok


@pytest.mark.parametrize(
    ("formula", "data", "family"),
    [
        ("incidence / size ~ period + (1 | herd) + (1 | row)", mlm.load_cbpp(), "binomial"),
        ("Reaction ~ Days + (Days || Subject)", mlm.load_sleepstudy(), "gaussian"),
        ("Reaction ~ Days + (1 | Subject) + (1 | row)", mlm.load_sleepstudy(), "gamma"),
        ("y ~ Base + (1 | row)", mlm.load_epil2(), "nbinom2"),
    ],
)
def test_effects_for_every_row_that_the_family_tells_apart_are_not_tied(formula, data, family):
    fit = mlm.glmer(formula, data.assign(row=np.arange(len(data))), family)
    assert tied_variances(fit) == ()
