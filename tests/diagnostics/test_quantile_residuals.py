import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import stats

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics.residuals import quantile_residuals
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import FAMILIES
from mixedlm_pt.families.support import Counts

MU = np.array([0.05, 0.4, 0.9])
W = np.array([3.0, 1.0, 20.0])
PHI = 0.7

# The same distributions in scipy's parameters, drawn with prior weights as `random` does.
SCIPY = {
    "binomial": lambda mu, w: stats.binom(w, mu),
    "poisson": lambda mu, w: stats.poisson(mu),
    "negative_binomial": lambda mu, w: stats.nbinom(PHI, PHI / (PHI + mu)),
    "gaussian": lambda mu, w: stats.norm(mu, np.sqrt(PHI / w)),
    "gamma": lambda mu, w: stats.gamma(w / PHI, scale=mu * PHI / w),
    "inverse_gaussian": lambda mu, w: stats.invgauss(mu * PHI / w, scale=w / PHI),
}


def test_every_family_with_a_distribution_is_tested():
    assert {name for name, family in FAMILIES.items() if family.has_likelihood} == set(SCIPY)


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("position", [0, 1, 2, 5])
def test_both_tails_are_those_of_scipy(name, position):
    family, reference = FAMILIES[name](), SCIPY[name](MU, W)
    value = reference.ppf(np.array([0.02, 0.5, 0.999999])) + position * family.support.is_discrete
    if name == "binomial":
        value = np.minimum(value, W)
        y = value / W
    else:
        y = value
    lower, upper = family.tails(y, MU, PHI, W)
    np.testing.assert_allclose(lower, reference.cdf(value), rtol=1e-10)
    np.testing.assert_allclose(upper, reference.sf(value), rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize("name", SCIPY)
def test_the_tails_fit_the_sampler(name):
    family = FAMILIES[name]()
    rng = np.random.default_rng(5)
    for mu, w in zip(MU, W, strict=True):
        y = family.random(rng, np.full(4000, mu), PHI, np.full(4000, w))
        for point in np.unique(np.quantile(y, [0.1, 0.5, 0.9])):
            lower, upper = family.tails(*(np.array([v]) for v in (point, mu)), PHI, np.array([w]))
            p = float(lower[0])
            assert p + float(upper[0]) == pytest.approx(1.0)
            # Four standard errors of a share of 4,000 draws.
            spread = 4.0 * np.sqrt(p * (1.0 - p) / 4000) + 1e-12
            assert abs((y <= point + 1e-12).mean() - p) < spread


def simulated(family, seed, n=1800):
    """A fit to data that its own model has drawn, with random effects."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(n // 30), 30), rng.normal(size=n)
    trials = rng.integers(1, 6, n).astype(float)
    w = trials if family.name == "binomial" else np.ones(n)
    eta = 0.3 * x + rng.normal(0.0, 0.3, n // 30)[g]
    mu = family.link.mean(pt.as_tensor(eta)).eval()
    y = family.random(rng, mu, 0.5, w)
    return mlm.glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, family, weights=w)


@pytest.mark.parametrize("name", ["binomial", "poisson", "negative_binomial", "gamma"])
def test_quantile_residuals_are_standard_normal_under_the_model(name):
    fit = simulated(FAMILIES[name](), 11)
    residuals = fit.residuals("quantile", seed=2)
    # With 30 rows a group the modes take up little: 1.02 and more would be a wrong distribution.
    assert stats.kstest(residuals, "norm").pvalue > 0.05
    assert abs(residuals.std() - 1.0) < 0.05


def test_quantile_residuals_find_overdispersion():
    fit = simulated(mlm.families.NegativeBinomial(), 11)
    poisson = mlm.glmer("y ~ x + (1 | g)", fit.call.data, "poisson")
    assert stats.kstest(poisson.residuals("quantile", seed=1), "norm").pvalue < 1e-6


def test_gaussian_quantile_residuals_are_the_scaled_residuals():
    # statmod::qresiduals of a gaussian glm are residuals over sigma, too.
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), "gaussian")
    np.testing.assert_allclose(fit.residuals("quantile"), fit.residuals("pearson") / fit.sigma)


def test_a_seed_fixes_the_random_part_and_the_limits_hold():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    first = fit.residuals("quantile", seed=3)
    np.testing.assert_array_equal(first, fit.residuals("quantile", seed=3))
    assert not np.array_equal(first, fit.residuals("quantile", seed=4))
    response = fit.design.response
    k, n = np.rint(response.y * response.weights), response.weights
    assert (first >= stats.norm.ppf(stats.binom.cdf(k - 1, n, fit.mu))).all()
    assert (first <= stats.norm.ppf(stats.binom.cdf(k, n, fit.mu))).all()


def test_far_tails_keep_their_digits():
    class Extreme:
        family = mlm.families.Gaussian()
        mu, phi = np.array([0.0, 0.0]), 1.0
        model = type("Model", (), {"n": 2})
        design = type("Design", (), {})
        design.response = type("R", (), {"y": np.array([-20.0, 20.0]), "weights": np.ones(2)})

    residuals = quantile_residuals(Extreme, np.random.default_rng(1))
    np.testing.assert_allclose(residuals, [-20.0, 20.0])


def test_rows_of_weight_zero_have_none():
    data = mlm.load_grouseticks()
    w = np.ones(len(data))
    w[3] = 0.0
    residuals = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", data, "poisson", weights=w).residuals(
        "quantile", seed=1
    )
    assert np.flatnonzero(np.isnan(residuals)).tolist() == [3]


def test_quasi_families_are_refused_by_name():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp(), "quasibinomial")
    with pytest.raises(ArgumentError, match="quasibinomial has a mean and a variance but no dist"):
        fit.residuals("quantile")


def geometric(y, mean, phi):
    return y * mean.log_mu - (y + 1) * pt.log1p(mean.mu)


@pytest.mark.parametrize("has_cdf", [True, False])
def test_a_custom_family_has_them_with_its_distribution_function(has_cdf):
    def cdf(y, mu, phi, w):
        return 1.0 - (mu / (1.0 + mu)) ** (y + 1.0)

    family = mlm.families.CustomFamily(
        "geometric", geometric, "log", support=Counts(), cdf=cdf if has_cdf else None
    )
    y = np.random.default_rng(1).geometric(0.4, 400) - 1
    fit = mlm.glmer("y ~ 1", {"y": y}, family)
    if has_cdf:
        assert stats.kstest(fit.residuals("quantile", seed=2), "norm").pvalue > 0.05
    else:
        with pytest.raises(ArgumentError, match=r"'geometric' has no distribution .* cdf=function"):
            fit.residuals("quantile")
