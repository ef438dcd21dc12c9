"""What docs/extending.md promises of one's own families, links and covariance structures."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import stats

import mixedlm_pt as mlm
from mixedlm_pt.covariance import Covariance
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.families import CustomFamily
from mixedlm_pt.families.support import Counts
from tests.contracts.test_covariances import check_promises

TERM = "0 + visit | subject"
SEIZURES = f"y ~ Base * trt + Age + Visit + ({TERM})"


class AR1(Covariance):
    """One standard deviation, and correlation ``rho^|s - t|``."""

    name = "ar1"

    def n_theta(self, k):
        return 2

    def columns(self, k):
        return (np.array([0]),)

    def powers(self, rho, k):
        return pt.stack([pt.ones(())] + [rho**lag for lag in range(1, k)])

    def factor(self, theta, k):
        rho = theta[1] / pt.sqrt(1 + theta[1] ** 2)
        lag = np.subtract.outer(np.arange(k), np.arange(k))
        innovation = pt.switch(np.arange(k) == 0, 1.0, pt.sqrt(1 - rho**2))
        return theta[0] * (lag >= 0) * self.powers(rho, k)[np.maximum(lag, 0)] * innovation


class NotSmoothAtZero(AR1):
    def powers(self, rho, k):
        return pt.power(rho, np.arange(k))


class CompoundSymmetry(Covariance):
    """A standard deviation for each effect, on the log scale, and one correlation."""

    name = "cs"

    def n_theta(self, k):
        return k + 1

    def columns(self, k):
        return ()

    def factor(self, theta, k):
        lowest = -1 / (k - 1)
        rho = lowest + (1 - lowest) * pt.sigmoid(theta[k] + np.log(-lowest))
        R = rho + (1 - rho) * np.eye(k)
        return pt.exp(theta[:k])[:, None] * pt.linalg.cholesky(R)


@pytest.fixture(scope="module")
def seizures():
    data = mlm.load_epil2()
    data["visit"] = data["period"].astype(str)
    return data


@pytest.fixture(scope="module")
def fit(seizures):
    return mlm.glmer(SEIZURES, seizures, "poisson", covariance={TERM: AR1()})


@pytest.mark.parametrize("structure", [AR1(), CompoundSymmetry()])
def test_structures_of_ones_own_keep_the_promises(structure):
    check_promises(structure, 4)


def test_an_ar1_fit_is_that_of_glmmtmb(fit):
    # glmmTMB 1.1.5, ar1(visit + 0 | subject).
    assert fit.estimate.loglik == pytest.approx(-625.209797526, abs=1e-6)
    sd, tangent = fit.theta
    assert sd == pytest.approx(0.57098, abs=1e-5)
    assert tangent / np.sqrt(1 + tangent**2) == pytest.approx(0.674, abs=5e-4)
    coefficients = [-1.60760680, 0.88728488, -0.97992061, 0.53826815, -0.25086702, 0.35936540]
    errors = [1.101167, 0.121659, 0.375861, 0.323271, 0.199235, 0.189175]
    np.testing.assert_allclose(fit.fixef(), coefficients, atol=2e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov())), errors, rtol=1e-4)


def test_compound_symmetry_is_that_of_glmmtmb(fit):
    cs = fit.update(covariance={TERM: CompoundSymmetry()})
    # glmmTMB 1.1.5, cs(visit + 0 | subject).
    assert cs.estimate.loglik == pytest.approx(-619.874183973, abs=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(cs.Lambda[0], axis=1),
        [0.5442346, 0.6004487, 0.7104087, 0.4035100],
        rtol=1e-4,
    )
    correlations = cs.VarCorr().terms[0].correlation.to_numpy()[np.triu_indices(4, 1)]
    np.testing.assert_allclose(correlations, 0.6540357, rtol=1e-4)


def test_anova_tests_a_structure_within_the_unstructured_one_only(fit):
    cs = fit.update(covariance={TERM: CompoundSymmetry()})
    unstructured = fit.update(covariance=None)
    table = fit.anova(cs, unstructured)
    assert np.isnan(table.to_frame()["Pr(>Chisq)"].iloc[1])
    assert "which need not contain 'ar1'" in " ".join(str(table).split())
    statistic = 2 * (unstructured.estimate.loglik - cs.estimate.loglik)
    assert table.to_frame()["Pr(>Chisq)"].iloc[2] == pytest.approx(stats.chi2.sf(statistic, 5))


def test_standard_errors_of_a_structure_follow_by_the_delta_method(fit):
    lower, upper = fit.confint(["cor_visit2.visit1|subject"]).iloc[0]
    z = np.arctanh([lower, upper])
    tangent = fit.theta[1]
    # atanh of tangent / sqrt(1 + tangent^2) is asinh of the tangent.
    slope = 1 / np.sqrt(1 + tangent**2)
    se = slope * np.sqrt(fit.estimate.covariance[-1, -1])
    assert z.mean() == pytest.approx(np.arcsinh(tangent))
    assert (z[1] - z[0]) / 2 == pytest.approx(stats.norm.ppf(0.975) * se)


def test_update_keeps_a_structure_and_takes_it_away(fit):
    assert fit.update(". ~ . - Age").model.covariances == (AR1(),)
    assert fit.update(covariance=None).model.n_theta == 10


def test_parameters_of_a_structure_have_names(fit):
    names = fit.vcov(full=True).index
    assert list(names[-2:]) == ["subject.ar1[0]", "subject.ar1[1]"]


def test_coefficients_of_a_structured_fit_have_profiles(fit, seizures):
    data = seizures.copy()
    lower, upper = fit.profile("trtprogabide").confint().iloc[0]
    without = {}
    for value in (lower, upper):
        data["held"] = value * (data["trt"] == "progabide")
        formula = f"y ~ Base + Base:trt + Age + Visit + offset(held) + ({TERM})"
        without[value] = mlm.glmer(formula, data, "poisson", covariance={TERM: AR1()})
    for held in without.values():
        drop = 2 * (fit.estimate.loglik - held.estimate.loglik)
        assert drop == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-5)


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (lambda fit: fit.to_pymc(), r"structure 'ar1', and there are priors, and so posteriors"),
        (lambda fit: fit.update(priors="default"), r"only for unstructured covariances"),
        (lambda fit: fit.profile("theta_"), r"profile\(\) has standard deviations"),
    ],
)
def test_what_takes_only_unstructured_covariances_says_so(fit, verb, message):
    with pytest.raises(ArgumentError, match=message):
        verb(fit)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (AR1(), r"covariance is AR1\(\); it must be a mapping from terms to structures"),
        ({"visit | subject": AR1()}, r"unknown random-effects term in covariance.*Did you mean"),
        ({TERM: "ar2"}, r"unknown covariance structure 'ar2'; known: us"),
    ],
)
def test_a_wrong_covariance_argument_is_refused(seizures, covariance, message):
    with pytest.raises(ArgumentError, match=message):
        mlm.glmer(SEIZURES, seizures, "poisson", covariance=covariance)


def test_a_derivative_that_does_not_exist_is_told_from_a_density_that_does_not(seizures):
    with pytest.raises(EstimationError, match=r"but not its gradient.*such as a power of zero"):
        mlm.glmer(SEIZURES, seizures, "poisson", covariance={TERM: NotSmoothAtZero()})


def log_density(y, mean, phi):
    root = pt.sqrt(phi)
    rate = (mean.mu + y * (root - 1)) / root
    return mean.log_mu - pt.log(phi) / 2 + (y - 1) * pt.log(rate) - rate - pt.gammaln(y + 1)


def generalized_poisson(**facts):
    return CustomFamily(
        "generalized Poisson",
        log_density,
        "log",
        support=Counts(),
        has_dispersion=True,
        phi_scales_variance=False,
        **facts,
    )


def owls(family):
    formula = "SiblingNegotiation ~ FoodTreatment + ArrivalTime + (1 | Nest)"
    return mlm.glmer(formula, mlm.load_owls(), family)


def test_a_family_of_ones_own_fits_as_in_glmmtmb():
    fit = owls(generalized_poisson(variance=lambda mu, phi: phi * mu))
    # glmmTMB 1.1.5, genpois.
    assert fit.estimate.loglik == pytest.approx(-1699.03420257, abs=1e-6)
    assert fit.phi == pytest.approx(8.0067099, rel=1e-5)
    pearson = (fit.design.response.y - fit.fitted()) / np.sqrt(fit.phi * fit.fitted())
    np.testing.assert_allclose(fit.residuals("pearson"), pearson, rtol=1e-12)


def test_a_variance_that_does_not_follow_is_not_invented():
    fit = owls(generalized_poisson())
    for verb in (lambda: fit.residuals("pearson"), fit.r2, fit.overdispersion):
        with pytest.raises(ArgumentError, match=r"not linear in the response, so its variance"):
            verb()
    assert "Scaled residuals" not in str(fit.summary())
    assert fit.summary().scaled_residuals.isna().all()


def test_a_family_is_another_one_with_another_variance():
    assert generalized_poisson() != generalized_poisson(variance=lambda mu, phi: phi * mu)
    with pytest.raises(ArgumentError, match=r"variance of family 'generalized Poisson' is 3"):
        generalized_poisson(variance=3)
