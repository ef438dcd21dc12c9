"""Fits of R 4.2.2 and lme4 1.1.31 (tolPwrss=1e-13, bobyqa to rhoend=1e-9) and 1.1.5 of glmmTMB.

tests/reference has the whole records; here are models that are not among them.
"""

import numpy as np
import pytest
from scipy import stats

import mixedlm_pt as mlm
from mixedlm_pt.families import Binomial

EXPECTED = mlm.GlmerControl(laplace_weights="expected")
CBPP = "incidence / size ~ period + (1 | herd)"
DISTRICT = "use ~ age + urban + (1 | district)"

# logLik, fixef, theta.
LME4 = {
    (CBPP, "cauchit"): (
        -90.8011482677,
        [-1.66134388436, -2.29632513699, -2.37484862697, -5.10107950483],
        1.14070145628,
    ),
    (CBPP, "log"): (
        -91.6362202149,
        [-1.64977235171, -0.841048722833, -0.944912086276, -1.38817449856],
        0.527354575773,
    ),
    (DISTRICT, "probit"): (
        -1249.97837735,
        [-0.436373897036, 0.00557664544404, 0.405677011394],
        0.270105117282,
    ),
    (DISTRICT, "cloglog"): (
        -1251.477052,
        [-0.908728241246, 0.00655079330802, 0.479542242713],
        0.330461918612,
    ),
    (DISTRICT, "cauchit"): (
        -1251.56127356,
        [-0.588730851789, 0.00780675867377, 0.545681823717],
        0.377498135731,
    ),
}
# glmmTMB, whose information is the observed one.
GLMMTMB = {
    "probit": (
        -1249.84127672,
        [-0.434835930312, 0.00555798666037, 0.403869390056],
        0.271267555331,
    ),
    "cloglog": (
        -1251.42588734,
        [-0.913515870462, 0.00651102341898, 0.4772892044],
        0.330786270948,
    ),
}


def data_of(formula):
    return mlm.load_cbpp() if formula.startswith("incidence") else mlm.load_contraception()


def assert_fit(fit, loglik, beta, theta):
    assert fit.estimate.loglik == pytest.approx(loglik, abs=1e-6)
    se = np.sqrt(np.diag(fit.estimate.covariance))
    moved = np.r_[fit.beta - beta, fit.theta - theta] / se
    assert moved == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("formula", "link"), LME4)
def test_expected_information_is_lme4s(formula, link):
    fit = mlm.glmer(formula, data_of(formula), Binomial(link=link), control=EXPECTED)
    assert_fit(fit, *LME4[formula, link])


@pytest.mark.parametrize("link", GLMMTMB)
def test_observed_information_is_glmmtmbs(link):
    assert_fit(mlm.glmer(DISTRICT, mlm.load_contraception(), Binomial(link=link)), *GLMMTMB[link])


def test_the_log_link_fits_where_both_fail():
    # lme4: "PIRLS loop resulted in NaN value"; glmmTMB: NaN at the starting parameters.
    fit = mlm.glmer(DISTRICT, mlm.load_contraception(), Binomial(link="log"))
    assert fit.checkConv().ok
    assert (fit.fitted() < 1.0).all()


def test_nagq_zero_is_lme4s():
    fit = mlm.glmer(CBPP, mlm.load_cbpp(), nAGQ=0)
    assert fit.estimate.loglik == pytest.approx(-92.0542954728, rel=1e-9)
    beta = [-1.3604717553, -0.976177471008, -1.11107689338, -1.55968051571]
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-5)
    assert fit.theta == pytest.approx([0.641815069925], rel=1e-5)
    se = [0.227574622228, 0.303287348726, 0.323511803008, 0.424455501298]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov())), se, rtol=1e-4)


def test_nagq_zero_of_contraception_is_lme4s():
    formula = "use ~ age + I(age^2) + urban + livch + (1 | district)"
    fit = mlm.glmer(formula, mlm.load_contraception(), nAGQ=0)
    assert fit.estimate.loglik == pytest.approx(-1186.3922146, rel=1e-9)
    beta = [-1.01527633342, 0.00351345536876, -0.00448669546044, 0.684401288845]
    beta += [0.801880987388, 0.901017388443, 0.89941180137]
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-5)
    assert fit.theta == pytest.approx([0.474688862942], rel=1e-5)
    se = [0.173972405042, 0.00921057235779, 0.000722835012468, 0.119684129559]
    se += [0.16186661982, 0.184770937372, 0.185400795877]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov())), se, rtol=1e-4)


# glm(): logLik, coefficients, standard errors (for the cloglog link of the expected information).
GLM = {
    "logit": (
        -99.0291994894,
        [-1.26902348937, -1.17076272514, -1.30140533386, -1.78227863534],
        [0.144919762468, 0.291467789119, 0.312881430987, 0.413056457603],
    ),
    "cloglog": (
        -99.0291994894,
        [-1.39544102399, -1.08642964575, -1.2120730053, -1.67905650516],
        [0.128364516452, 0.274472649264, 0.296544049401, 0.399199220792],
    ),
}


@pytest.mark.parametrize("nAGQ", [0, 1])
@pytest.mark.parametrize("link", GLM)
def test_without_random_effects_it_is_a_glm(link, nAGQ):
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp(), Binomial(link=link), nAGQ=nAGQ)
    loglik, beta, se = GLM[link]
    assert fit.estimate.loglik == pytest.approx(loglik, rel=1e-11)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-8)
    # A saturated model: the residuals of every cell sum to zero, observed and expected agree.
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov())), se, rtol=1e-6)


def test_a_poisson_glm_is_rs():
    data = mlm.load_grouseticks()
    fit = mlm.glmer("TICKS ~ YEAR + I((HEIGHT - 450) / 100)", data, "poisson")
    assert fit.estimate.loglik == pytest.approx(-2187.40552083, rel=1e-11)
    beta = [1.87858343248, 0.409645768794, -1.68514104775, -2.14518421118]
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-8)
    se = [0.0381744807789, 0.0453478017451, 0.0898007212653, 0.071039701709]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov())), se, rtol=1e-6)


def test_a_negative_binomial_glm_is_mass():
    # MASS 7.3: glm.nb(), which estimates theta and beta in turns.
    data = mlm.load_grouseticks()
    fit = mlm.glmer_nb("TICKS ~ YEAR + I((HEIGHT - 450) / 100)", data)
    assert fit.estimate.loglik == pytest.approx(-965.857971627, rel=1e-9)
    beta = [1.49200742638, 0.968338484224, -1.2423044072, -2.4923347843]
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-5)
    assert fit.phi == pytest.approx(0.779517523315, rel=1e-5)


def test_a_gaussian_glm_is_least_squares():
    fit = mlm.glmer("Reaction ~ Days", mlm.load_sleepstudy(), "gaussian")
    np.testing.assert_allclose(fit.beta, [251.405104848, 10.4672859596], rtol=1e-9)
    assert fit.estimate.loglik == pytest.approx(-950.146528178, rel=1e-11)


def test_models_without_coefficients():
    # glm(cbind(incidence, size - incidence) ~ 0): every probability is one half.
    data = mlm.load_cbpp()
    none = mlm.glmer("incidence / size ~ 0", data)
    half = stats.binom.logpmf(data.incidence, data["size"], 0.5).sum()
    assert none.estimate.loglik == pytest.approx(half, rel=1e-12)
    herds = mlm.glmer("incidence / size ~ 0 + (1 | herd)", data)
    assert herds.fixef().empty
    assert herds.estimate.loglik > none.estimate.loglik
    assert "Fixed effects:\n(none)" in str(herds.summary())
