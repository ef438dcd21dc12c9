import numpy as np
import pytest
from scipy.special import polygamma

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics.variance_explained import distribution_variances, variance_parts
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def ticks():
    formula = "TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)"
    return mlm.glmer(formula, mlm.load_grouseticks(), "poisson")


def test_a_logistic_model_has_the_values_of_performance(cbpp):
    # performance 0.10.2: r2_nakagawa(fm), icc(fm) of the lme4 fit.
    found, shares = cbpp.r2(), cbpp.icc()
    assert found.conditional == pytest.approx(0.1872123335, rel=1e-3)
    assert found.marginal == pytest.approx(0.0853636013, rel=1e-3)
    assert shares.adjusted == pytest.approx(0.1113543396, rel=1e-3)
    assert shares.unadjusted == pytest.approx(0.1018487322, rel=1e-3)


def test_poisson_shares_are_those_of_the_published_formulas(ticks):
    # Nakagawa, Johnson and Schielzeth (2017), table 2 and equation 5.8, written out.
    null = mlm.glmer("TICKS ~ 1 + (1 | BROOD) + (1 | LOCATION)", ticks.call.data, "poisson")
    mean = np.exp(null.beta[0] + 0.5 * (null.theta**2).sum())
    fixed = np.var(ticks.design.X @ ticks.beta, ddof=1)
    random = (ticks.theta**2).sum()
    table = ticks.r2().to_frame()
    own = {"lognormal": np.log1p(1 / mean), "trigamma": polygamma(1, mean), "delta": 1 / mean}
    assert list(table.index) == list(own)
    for name, distribution in own.items():
        total = fixed + random + distribution
        expected = [fixed / total, (fixed + random) / total]
        np.testing.assert_allclose(table.loc[name], expected, rtol=1e-5)


def test_insight_has_the_same_variances_but_for_its_mean(ticks):
    # insight 0.19.0, get_variance(gp): it takes the mean of the null model at b = 0 (1.7), where
    # the paper takes the marginal mean (6.0; the data have 6.4).
    parts = variance_parts(ticks)
    assert parts.fixed == pytest.approx(0.8965467934, rel=0.01)
    assert parts.random["BROOD"] == pytest.approx(0.5271612363, rel=0.01)
    assert parts.random["LOCATION"] == pytest.approx(1.1010070122, rel=0.01)
    assert parts.mean == pytest.approx(ticks.design.response.y.mean(), rel=0.1)
    at_theirs = 1.0 / np.expm1(0.4643103649)
    found = distribution_variances(ticks, float(at_theirs))["lognormal"]
    assert found == pytest.approx(0.4643103649)


def test_an_observation_level_effect_counts_as_residual():
    # insight 0.19.0: var.dispersion 0.2972855490, var.random 1.5214027616.
    data = mlm.load_grouseticks()
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD) + (1 | INDEX)", data, "poisson")
    found = fit.icc()
    assert list(found.to_frame().index) == ["adjusted", "unadjusted", "BROOD"]
    distribution = fit.r2().notes[0]
    assert "random 1.52" in distribution
    assert "observation level 0.297" in distribution


def test_a_linear_mixed_model_has_the_exact_variances():
    # r2_nakagawa(lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE)): Johnson's
    # mean over the rows, with Var(b0) + 2 d Cov + d^2 Var(b1) for the days d = 0, ..., 9.
    fit = mlm.glmer("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gaussian")
    S = fit.Lambda[0] @ fit.Lambda[0].T
    days = np.arange(10.0)
    random = (S[0, 0] + 2 * days * S[0, 1] + days**2 * S[1, 1]).mean()
    fixed = fit.beta[1] ** 2 * np.var(np.tile(days, 18), ddof=1)
    total = fixed + random + fit.phi
    found = fit.r2()
    assert found.marginal == pytest.approx(fixed / total)
    assert found.conditional == pytest.approx((fixed + random) / total)


@pytest.mark.parametrize(
    ("link", "variance"), [("probit", 1.0), ("cloglog", np.pi**2 / 6), ("logit", np.pi**2 / 3)]
)
def test_binary_links_have_latent_variances(link, variance):
    fit = mlm.glmer(
        "incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), mlm.families.Binomial(link)
    )
    random = fit.theta[0] ** 2
    assert fit.icc().adjusted == pytest.approx(random / (random + variance))


def test_the_delta_method_of_a_logit_is_one_over_the_variance(cbpp):
    found = distribution_variances(cbpp, 0.2)["delta"]
    assert found == pytest.approx(1.0 / (0.2 * 0.8))


def test_a_gamma_and_a_negative_binomial_have_the_published_variances():
    gamma = mlm.glmer(
        "Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), mlm.families.Gamma("log")
    )
    found = distribution_variances(gamma, 300.0)
    shape = 1.0 / gamma.phi
    assert found["lognormal"] == pytest.approx(np.log1p(1.0 / shape))
    assert found["trigamma"] == pytest.approx(polygamma(1, shape))
    counts = mlm.glmer_nb("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks())
    found = distribution_variances(counts, 6.0)
    assert found["delta"] == pytest.approx(1.0 / 6.0 + 1.0 / counts.phi)
    assert found["trigamma"] == pytest.approx(polygamma(1, 1.0 / (1.0 / 6.0 + 1.0 / counts.phi)))


def test_offsets_stay_in_the_null_model():
    # Counts per exposure: the mean count, not that at exposure one.
    rng = np.random.default_rng(1)
    g, exposure, x = np.repeat(np.arange(30), 10), rng.uniform(50, 150, 300), rng.normal(size=300)
    y = rng.poisson(exposure * np.exp(-3.0 + 0.3 * x + rng.normal(0, 0.3, 30)[g]))
    data = {"y": y, "x": x, "g": g, "log_e": np.log(exposure)}
    fit = mlm.glmer("y ~ x + offset(log_e) + (1 | g)", data, "poisson")
    assert variance_parts(fit).mean == pytest.approx(y.mean(), rel=0.05)


def test_without_random_effects_both_r2_agree_and_there_is_no_icc():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    assert fit.r2().marginal == fit.r2().conditional
    with pytest.raises(ArgumentError, match="no random effects"):
        fit.icc()


def test_an_unknown_method_is_refused(cbpp):
    with pytest.raises(
        ArgumentError, match="unknown method 'lognormal'; known: theoretical, delta"
    ):
        cbpp.icc("lognormal")
    assert cbpp.icc("delta").adjusted < cbpp.icc().adjusted
