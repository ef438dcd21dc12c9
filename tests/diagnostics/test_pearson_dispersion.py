import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError

# performance 0.10.2, check_overdispersion() of lme4 1.1-31 fits.
PERFORMANCE = {
    ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", "grouseticks", "poisson"): (
        683.6791971,
        398,
        1.717786927,
        2.054505718e-17,
    ),
    ("incidence / size ~ period + (1 | herd)", "cbpp", "binomial"): (
        63.06738096,
        51,
        1.236615313,
        0.1196653849,
    ),
}


@pytest.mark.parametrize("case", PERFORMANCE)
def test_the_ratio_is_that_of_performance(case):
    formula, data, family = case
    found = mlm.glmer(formula, getattr(mlm, f"load_{data}")(), family).overdispersion()
    row = found.to_frame().iloc[0].to_numpy()
    np.testing.assert_allclose(row[:3], PERFORMANCE[case][:3], rtol=3e-4)
    assert found.p_value == pytest.approx(PERFORMANCE[case][3], rel=0.02)
    assert found.ratio == row[2]


def test_an_overdispersed_poisson_is_sent_to_glmer_nb():
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks(), "poisson")
    assert "glmer_nb()" in str(fit.overdispersion())
    negative_binomial = mlm.glmer_nb("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks())
    assert "No evidence" in str(negative_binomial.overdispersion())


def test_binary_responses_get_a_caveat():
    rng = np.random.default_rng(1)
    fit = mlm.glmer("y ~ x", {"y": rng.integers(0, 2, 80), "x": rng.normal(size=80)})
    assert "cannot be overdispersed" in str(fit.overdispersion()).replace("\n", " ")
    assert fit.summary().dispersion_ratio is None


def test_an_estimated_dispersion_is_refused_by_name():
    fit = mlm.glmer("Reaction ~ Days", mlm.load_sleepstudy(), mlm.families.Gamma("log"))
    with pytest.raises(ArgumentError, match="dispersion of gamma is estimated"):
        fit.overdispersion()
    assert fit.summary().dispersion_ratio is None


def test_a_quasi_family_reports_its_dispersion():
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks(), "quasipoisson")
    assert fit.overdispersion().ratio == pytest.approx(fit.phi)
