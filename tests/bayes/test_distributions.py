"""Every prior's density is SciPy's and PyMC's, and its draws have that distribution."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.stats as st
from scipy.integrate import quad

from mixedlm_pt.bayes import (
    LKJ,
    Cauchy,
    Decov,
    Exponential,
    Flat,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
    Normal,
    Relative,
    StudentT,
    Uniform,
)
from mixedlm_pt.bayes.distributions import sum_logp
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.errors import ArgumentError

half_t = st.t(3.0, scale=1.5)
REFERENCES = [
    (Normal(1.0, 2.0), st.norm(1.0, 2.0)),
    (StudentT(3.0, 1.0, 2.0), st.t(3.0, 1.0, 2.0)),
    (Cauchy(1.0, 2.0), st.cauchy(1.0, 2.0)),
    (Uniform(-1.0, 3.0), st.uniform(-1.0, 4.0)),
    (Uniform(0.0, 3.0), st.uniform(0.0, 3.0)),
    (HalfNormal(1.5), st.halfnorm(scale=1.5)),
    (HalfStudentT(3.0, 1.5), st.foldnorm(0.0)),
    (HalfCauchy(1.5), st.halfcauchy(scale=1.5)),
    (Exponential(0.5), st.expon(scale=2.0)),
    (Gamma(2.5, 0.1), st.gamma(2.5, scale=10.0)),
    (InverseGamma(2.5, 0.7), st.invgamma(2.5, scale=0.7)),
    (LogNormal(0.3, 1.2), st.lognorm(1.2, scale=np.exp(0.3))),
]


class HalfT:
    """SciPy has no half Student t."""

    def logpdf(self, x):
        return np.where(x >= 0.0, np.log(2.0) + half_t.logpdf(x), -np.inf)

    def cdf(self, x):
        return 2.0 * half_t.cdf(x) - 1.0


REFERENCES[6] = (REFERENCES[6][0], HalfT())
IDS = [str(prior) for prior, _ in REFERENCES]


def value_of(expression):
    return expression.eval(mode=NUMPY)


def log_density(prior):
    values = pt.vector("values", dtype="float64", shape=(prior.width,))
    return pytensor.function([values], prior.logp(values), mode=NUMPY)


@pytest.mark.parametrize(("prior", "reference"), REFERENCES, ids=IDS)
@pytest.mark.parametrize("value", [-2.0, 0.03, 0.7, 2.9, 25.0])
def test_densities_are_scipy_s_and_pymc_s(prior, reference, value):
    own = value_of(prior.logp(value))
    assert own.dtype == np.float64
    assert own == pytest.approx(float(reference.logpdf(value)), rel=1e-12)
    arguments = dict(zip(prior.keywords, prior.numbers, strict=True))
    pymc = pm.logp(getattr(pm, prior.distribution).dist(**arguments), value)
    assert own == pytest.approx(float(value_of(pymc)), rel=1e-6)


@pytest.mark.parametrize(("prior", "reference"), REFERENCES, ids=IDS)
def test_draws_have_the_distribution(prior, reference):
    draws = prior.draw(np.random.default_rng(1), 4000)
    assert st.kstest(draws, reference.cdf).pvalue > 1e-3


def test_a_vector_s_density_is_the_sum_over_its_priors():
    priors = [prior for prior, _ in REFERENCES for _ in range(2)]
    rng = np.random.default_rng(2)
    values = rng.uniform(0.1, 2.0, len(priors))
    expected = sum(
        float(reference.logpdf(value))
        for (_, reference), pair in zip(REFERENCES, values.reshape(-1, 2), strict=True)
        for value in pair
    )
    order = rng.permutation(len(priors))
    shuffled = sum_logp([priors[i] for i in order], pt.stack(list(values[order])))
    assert value_of(shuffled) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("prior", [Flat(), HalfFlat()])
def test_flat_densities_are_one(prior):
    assert value_of(prior.logp(3.0)) == 0.0
    assert value_of(prior.logp(-3.0)) == (-np.inf if prior.is_positive else 0.0)


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_the_density_of_correlation_matrices_integrates_to_one(eta):
    r = pt.dscalar("r")
    L = pt.stack([pt.stack([1.0, 0.0]), pt.stack([r, pt.sqrt(1.0 - r**2)])])
    density = pytensor.function([r], pt.exp(LKJ(eta).logp(L)), mode=NUMPY)
    assert quad(density, -1.0, 1.0, epsabs=1e-6)[0] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_lkj_has_pymc_s_density_and_its_distribution_of_a_correlation(eta, k):
    draws = LKJ(eta).draw_cholesky(np.random.default_rng(3), 3000, k)
    np.testing.assert_allclose((draws**2).sum(axis=2), 1.0)
    R = draws @ draws.transpose(0, 2, 1)
    # Every correlation is beta(eta + k/2 - 1, same) on (-1, 1): Lewandowski et al., section 2.4.
    beta = st.beta(eta + 0.5 * k - 1.0, eta + 0.5 * k - 1.0, -1.0, 2.0)
    for i, j in zip(*np.tril_indices(k, -1), strict=True):
        assert st.kstest(R[:, i, j], beta.cdf).pvalue > 1e-3
    L = draws[0]
    own = value_of(LKJ(eta).logp(pt.constant(L)))
    # PyMC has the density of the factor; this is the determinant between them.
    jacobian = np.sum((k - np.arange(1, k + 1)) * np.log(np.diag(L)))
    pymc = value_of(pm.logp(pm.LKJCorr.dist(n=k, eta=eta), L))
    assert own == pytest.approx(float(pymc) - jacobian, rel=1e-10)


def test_decov_of_two_effects_is_the_density_of_its_definition():
    # E g(sds) under our density, by integration, is E g under tau and pi as rstanarm defines them.
    prior = Decov(concentration=2.0, shape=3.0, scale=0.5).for_term(2)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    nodes, weights = 4.0 * (nodes + 1.0), 4.0 * weights
    a, b = np.meshgrid(nodes, nodes, indexing="ij")
    logp = log_density(prior)
    density = np.exp([logp(np.array(pair)) for pair in zip(a.ravel(), b.ravel(), strict=True)])
    weights = density.reshape(a.shape) * np.outer(weights, weights)
    assert weights.sum() == pytest.approx(1.0, abs=2e-3)
    rng = np.random.default_rng(4)
    tau, share = rng.gamma(3.0, 0.5, 200_000), rng.beta(2.0, 2.0, 200_000)
    sds = tau[:, None] * np.sqrt(2.0 * np.column_stack([share, 1.0 - share]))
    for g in (lambda s, t: s, lambda s, t: s * t, lambda s, t: np.log(s / t) ** 2):
        assert (weights * g(a, b)).sum() == pytest.approx(g(*sds.T).mean(), rel=0.02)
    draws = prior.draw(rng, 4000)
    for column in range(2):
        assert st.ks_2samp(draws[:, column], sds[:, column]).pvalue > 1e-3


@pytest.mark.parametrize("k", [1, 3])
def test_decov_with_unit_concentration_has_the_density_from_polar_coordinates(k):
    # Monte Carlo of its definition against our density: an average ratio to another density of
    # the same draws, E_p[q / p] = 1 for any density q within its support.
    prior = Decov().for_term(k)
    draws = prior.draw(np.random.default_rng(5), 2000)
    q = st.gamma(3.0, scale=0.25).pdf(draws).prod(axis=1)
    logp = log_density(prior)
    ratio = q / np.exp([logp(sds) for sds in draws])
    assert ratio.mean() == pytest.approx(1.0, abs=5.0 * ratio.std() / np.sqrt(2000))


def test_decov_of_one_effect_is_tau():
    assert value_of(Decov().for_term(1).logp(np.array([0.7]))) == pytest.approx(-0.7)
    own = Decov(shape=2.0, scale=3.0).for_term(1).logp(np.array([0.7]))
    assert value_of(own) == pytest.approx(st.gamma(2.0, scale=3.0).logpdf(0.7))


def test_a_relative_prior_is_that_of_the_ratio():
    priors = [Relative(Exponential(1.0)), HalfNormal(1.0)]
    own = sum_logp(priors, pt.stack([0.7, 0.2]), pt.constant(2.5))
    expected = st.expon(scale=2.5).logpdf(0.7) + st.halfnorm.logpdf(0.2)
    assert value_of(own) == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="it must be a prior of all positive numbers"):
        Relative(Normal(0.0, 1.0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0.0, -1.0), "scale of Normal is -1.0; it must be a positive finite number"),
        (lambda: Exponential(np.inf), "rate of Exponential is inf"),
        (lambda: Normal("0", 1.0), "location of Normal is '0'; it must be a finite number"),
        (lambda: Uniform(2.0, 1.0), "upper of Uniform is 1.0; it must be above lower, 2.0"),
        (lambda: Gamma(0.0, 1.0), "shape of Gamma is 0.0"),
    ],
)
def test_impossible_numbers_are_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
