"""Quasi-families: a variance function as text or code, exact derivatives, no likelihood."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import grad
from scipy import integrate

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import FAMILIES, Binomial, Gamma, NegativeBinomial, Poisson, QuasiFamily
from mixedlm_pt.families.density import derivatives, unit_deviance, variance

PY = Mode(linker="py", optimizer="fast_compile")

# Variance functions that no family has, with one value of y where they vanish or nearly do.
OWN = {
    "mu^1.5": (lambda m: m**1.5, 0.0),
    "mu + mu^2 / 2": (lambda m: m + m**2 / 2, 0.0),
    "exp(mu)": (np.exp, 0.1),
    "sqrt(mu) * (1 + log(1 + mu))": (lambda m: np.sqrt(m) * (1 + np.log(1 + m)), 0.02),
}


def run(build, *arrays):
    inputs = [pt.dvector() for _ in arrays]
    function = pytensor.function(inputs, build(*inputs), mode=PY, on_unused_input="ignore")
    return function(*(np.asarray(a, dtype=float) for a in arrays))


@pytest.mark.parametrize("text", OWN)
def test_quasi_likelihood_is_wedderburns_integral(text):
    family = QuasiFamily(variance_func=text, link="log")
    v, edge = OWN[text]
    y, eta = np.repeat([edge, 0.5, 2.0, 9.0], 3), np.tile([-2.0, 0.1, 2.5], 4)
    ones = np.ones_like(y)
    ours = run(lambda y, w, e: derivatives(family, y, w, e, pt.constant(1.0)).logp, y, ones, eta)
    for value, a, m in zip(ours, y, np.exp(eta), strict=True):
        exact, _ = integrate.quad(lambda t, a=a: (a - t) / v(t), a, m, epsabs=0, epsrel=1e-12)
        assert value == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("text", OWN)
def test_quasi_score_and_informations_follow_from_mean_and_variance(text):
    family = QuasiFamily(variance_func=text, link="log")
    v, edge = OWN[text]
    y, eta = np.repeat([edge, 0.5, 2.0, 9.0], 3), np.tile([-2.0, 0.1, 2.5], 4)
    w, phi, h = np.linspace(1, 3, 12), 1.7, 1e-5

    def build(y, w, e):
        d = derivatives(family, y, w, e, pt.constant(phi))
        return [d.score, d.observed, d.expected, grad(d.observed.sum(), e)]

    score, observed, expected, third = run(build, y, w, eta)
    high, low = run(build, y, w, eta + h), run(build, y, w, eta - h)
    mu = np.exp(eta)
    np.testing.assert_allclose(score, w * (y - mu) * mu / v(mu) / phi, rtol=1e-13)
    np.testing.assert_allclose(expected, w * mu**2 / v(mu) / phi, rtol=1e-13)
    np.testing.assert_allclose(-(high[0] - low[0]) / (2 * h), observed, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose((high[1] - low[1]) / (2 * h), third, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("text", OWN)
def test_variance_and_deviance_of_an_own_function(text):
    family = QuasiFamily(variance_func=text, link="log")
    mu = np.array([0.2, 1.0, 6.0])
    ours, zero = run(
        lambda m: [
            variance(family, m, pt.constant(2.5)),
            unit_deviance(family, m, m, pt.constant(2.5)),
        ],
        mu,
    )
    np.testing.assert_allclose(ours, OWN[text][0](mu), rtol=1e-13)
    np.testing.assert_array_equal(zero, 0)


@pytest.mark.parametrize(
    ("variance_func", "base"),
    [
        ("mu*(1-mu)", "binomial"),
        ("mu(1-mu)", "binomial"),
        ("mu - mu**2", "binomial"),
        ("mu", "poisson"),
        ("constant", "gaussian"),
        ("1", "gaussian"),
        ("mu^2", "gamma"),
        ("mu*mu", "gamma"),
        ("mu^3", "inverse_gaussian"),
        (lambda mu: mu * (1 - mu), "binomial"),
        (lambda mu: 1.0, "gaussian"),
    ],
)
def test_standard_variance_functions_are_recognised(variance_func, base):
    family = QuasiFamily(variance_func=variance_func)
    assert family.name == f"quasi{base}"
    assert type(family.base) is FAMILIES[base]
    assert family.link.name == FAMILIES[base].default_link


def test_precedence_of_a_variance_function_is_that_of_r():
    family = QuasiFamily(variance_func="-mu^2 / 4 + 3 * mu", link="log")
    ours = run(lambda m: variance(family, m, pt.constant(1.0)), [1.5])
    np.testing.assert_allclose(ours, -(1.5**2) / 4 + 4.5)


def test_a_constant_in_a_variance_function_keeps_double_precision():
    family = QuasiFamily(variance_func="sqrt(2) * mu", link="log")
    ours = run(lambda m: variance(family, m, pt.constant(1.0)), [1.0])
    np.testing.assert_allclose(ours, np.sqrt(2), rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("mu + foo", "'foo'"),
        ("mu.real", "'mu.real'"),
        ("__import__('os')", "\"__import__('os')\""),
        ("mu if mu else 1", "'mu if mu else 1'"),
        ("'a'", "\"'a'\""),
        ("[mu]", "'[mu]'"),
        ("sin(mu)", "'sin(mu)'"),
        ("True * mu", "'True'"),
    ],
)
def test_variance_functions_are_parsed_not_evaluated(text, piece):
    with pytest.raises(
        ArgumentError, match=r"allowed are mu, numbers, .* exp, log, sqrt"
    ) as caught:
        QuasiFamily(variance_func=text, link="log")
    assert f"contains {piece}" in str(caught.value)


def test_unparsable_variance_function_is_named():
    with pytest.raises(ArgumentError, match=r"variance_func 'mu\*\*' cannot be read"):
        QuasiFamily(variance_func="mu**", link="log")


def test_quasi_family_has_no_likelihood_and_a_pearson_dispersion():
    family = QuasiFamily("binomial")
    assert not family.has_likelihood
    assert not family.estimates_phi
    assert family.has_pearson_dispersion
    assert family.fixed_phi == 1.0
    known = QuasiFamily(Poisson(link="sqrt"), phi=2.0)
    assert not known.has_pearson_dispersion
    assert known.fixed_phi == 2.0
    assert known.link.name == "sqrt"


def test_quasi_likelihood_of_a_base_family_is_minus_half_its_deviance_over_phi():
    y, mu = np.array([0.0, 1.0, 4.0]), np.array([0.5, 2.0, 3.0])
    base = NegativeBinomial(theta=2.0)

    def build(y, m):
        phi, theta = pt.constant(1.6), pt.constant(2.0, dtype="float64")
        quasi = derivatives(QuasiFamily(base), y, pt.ones_like(y), pt.log(m), phi)
        return [quasi.logp, unit_deviance(base, y, m, theta)]

    logp, deviance = run(build, y, mu)
    np.testing.assert_allclose(logp, -deviance / 2 / 1.6, rtol=1e-10, atol=1e-14)


def test_quasi_family_takes_exactly_one_description():
    for arguments in ({}, {"base_family": "poisson", "variance_func": "mu"}):
        with pytest.raises(ArgumentError, match="needs either base_family or variance_func"):
            QuasiFamily(**arguments)


def test_quasi_family_of_an_unknown_shape_is_refused():
    with pytest.raises(ArgumentError, match="negative_binomial as a base family needs a fixed th"):
        QuasiFamily(NegativeBinomial())


def test_own_variance_function_asks_for_a_link():
    with pytest.raises(ArgumentError, match=r"variance function 'mu\^1\.5', so the link has no d"):
        QuasiFamily(variance_func="mu^1.5")


@pytest.mark.parametrize("phi", [0.0, -1.0, np.inf])
def test_dispersion_that_is_not_positive_is_refused(phi):
    with pytest.raises(ArgumentError, match="it must be positive and finite, or None"):
        QuasiFamily("poisson", phi=phi)


def test_nothing_can_be_simulated_from_a_quasi_family():
    with pytest.raises(ArgumentError, match="quasipoisson has a mean and a variance but no distr"):
        QuasiFamily("poisson").random(np.random.default_rng(1), np.ones(2), 1.0, np.ones(2))


def test_quasi_families_differ_by_their_variance():
    assert QuasiFamily("poisson") == QuasiFamily(variance_func="mu")
    assert QuasiFamily("poisson") != QuasiFamily(Gamma())
    assert QuasiFamily(Binomial()).key != Binomial().key
    own = QuasiFamily(variance_func="mu^1.5", link="log")
    assert own == QuasiFamily(variance_func="mu^1.5", link="log")
    assert own != QuasiFamily(variance_func="mu^1.4", link="log")
