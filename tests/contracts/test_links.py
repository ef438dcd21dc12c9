"""Every link of the table: inverse of itself, exact in both tails, differentiable, fast."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import grad
from pytensor.tensor.elemwise import Elemwise

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import LINKS, Binomial, Link, make_link
from mixedlm_pt.families.links import Saturated, UnitInterval
from mixedlm_pt.families.scalar import SpecialFunction, StirlingCurvature
from tests.contracts.high_precision import LARGEST, SMALLEST, log_mean

PY = Mode(linker="py", optimizer="fast_compile")
UNIT_INTERVAL = sorted(name for name, link in LINKS.items() if issubclass(link, UnitInterval))
MODERATE = np.array([0.07, 0.31, 0.64, 0.98, 1.7, 3.2])
# The complementary log-log mean is 1 - exp(-1e13) at 30 already.
TAILS = {"cloglog": (-700.0, -300.0, -38.0, -20.0, -2.1, 2.3, 6.0, 30.0), "log": (-700.0, -1e-9)}
BOTH_TAILS = (-700.0, -300.0, -38.0, -20.0, -2.1, 2.3, 20.0, 38.0, 300.0, 700.0)


def evaluate(function, *arrays):
    inputs = [pt.dvector() for _ in arrays]
    outputs = function(*inputs)
    compiled = pytensor.function(inputs, outputs, mode=PY, on_unused_input="ignore")
    return compiled(*(np.atleast_1d(np.asarray(a, dtype=float)) for a in arrays))


def special_functions(base=SpecialFunction):
    for cls in base.__subclasses__():
        yield cls
        yield from special_functions(cls)


@pytest.mark.parametrize("name", LINKS)
def test_forward_undoes_the_mean(name):
    link = LINKS[name]()
    eta = -MODERATE if name in UNIT_INTERVAL else MODERATE
    back = evaluate(lambda e: link.forward(link.mean(e)), eta)
    np.testing.assert_allclose(back, eta, rtol=1e-12)


@pytest.mark.parametrize("name", LINKS)
def test_scales_of_the_mean_agree_where_all_are_exact(name):
    mean = LINKS[name]().inverse
    eta = -MODERATE if name in ("log", "cloglog") else MODERATE
    mu, log_mu, log1m_mu, *powers = evaluate(
        lambda e: [
            mean(e).mu,
            mean(e).log_mu,
            mean(e).log1m_mu,
            *(mean(e).power(k) for k in (-2, -1, 0.5, 3)),
        ],
        eta,
    )
    np.testing.assert_allclose(log_mu, np.log(mu), rtol=1e-12, atol=1e-14)
    inside = mu < 1
    np.testing.assert_allclose(log1m_mu[inside], np.log1p(-mu[inside]), rtol=1e-12)
    for k, power in zip((-2, -1, 0.5, 3), powers, strict=True):
        np.testing.assert_allclose(power, mu**k, rtol=1e-12)


@pytest.mark.parametrize("complement", [False, True], ids=["log_mu", "log1m_mu"])
@pytest.mark.parametrize("name", [*UNIT_INTERVAL, "log"])
def test_log_mean_and_two_derivatives_are_exact_in_both_tails(name, complement):
    link = LINKS[name]()

    def derivatives(eta):
        value = link.log1m_mean(eta) if complement else link.log_mean(eta)
        slope = grad(value.sum(), eta)
        second = grad(slope.sum(), eta, disconnected_inputs="ignore")
        return [value, slope, second]

    points = TAILS.get(name, BOTH_TAILS)
    ours = np.array(evaluate(derivatives, points)).T
    assert not np.isnan(ours).any()
    for eta, row in zip(points, ours, strict=True):
        for value, truth in zip(row, log_mean(name, eta, complement), strict=True):
            if SMALLEST < abs(truth) < LARGEST:
                assert value == pytest.approx(float(truth), rel=1e-8)


@pytest.mark.parametrize("name", UNIT_INTERVAL)
@pytest.mark.parametrize("eta", [-700.0, 700.0])
def test_no_scale_of_a_probability_is_nan_at_the_ends(name, eta):
    mean = LINKS[name]().inverse
    values = evaluate(lambda e: [mean(e).mu, mean(e).log_mu, mean(e).log1m_mu], eta)
    assert not np.isnan(values).any()
    assert 0 <= values[0] <= 1


def test_sqrt_link_has_a_mean_for_both_signs():
    link = make_link("sqrt")
    values = evaluate(lambda e: [link.mean(e), link.log_mean(e)], [-3.0, 3.0])
    np.testing.assert_allclose(values, [[9, 9], [np.log(9), np.log(9)]])


@pytest.mark.parametrize("name", ["log", "inverse", "1/mu^2", "identity"])
def test_logarithm_of_a_mean_outside_its_domain_is_nan_not_clipped(name):
    link = make_link(name)
    scale = link.log1m_mean if name == "log" else link.log_mean
    assert np.isnan(evaluate(scale, 2.0 if name == "log" else -2.0)).all()


def test_saturated_mean_has_finite_logarithms_at_the_ends():
    mean = Saturated().inverse
    log_mu, log1m_mu = evaluate(lambda y: [mean(y).log_mu, mean(y).log1m_mu], [0.0, 0.25, 1.0, 7.0])
    tiny = np.finfo(float).tiny
    np.testing.assert_allclose(log_mu, np.log([tiny, 0.25, 1, 7]))
    np.testing.assert_allclose(log1m_mu, np.log([1, 0.75, tiny, tiny]))


def test_third_derivative_of_the_stirling_error_is_refused():
    x = pt.dvector("x")
    with pytest.raises(NotImplementedError, match="StirlingCurvature has no further derivative"):
        grad(Elemwise(StirlingCurvature())(x).sum(), x)


DIFFERENTIABLE = [op for op in special_functions() if op is not StirlingCurvature]


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.__name__)
def test_special_function_derivative_equals_differences(op):
    x = np.array([0.2, 0.9, 2.3, 4.0, 9.5, 12.0, 40.0])
    if op.__name__ in ("Log1mExp", "ExpOdds"):
        x = -x
    step = 1e-5 * np.abs(x)
    function = Elemwise(op())
    low, high, slope = evaluate(
        lambda a, b, c: [function(a), function(b), grad(function(c).sum(), c)],
        x - step,
        x + step,
        x,
    )
    np.testing.assert_allclose((high - low) / (2 * step), slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("op", list(special_functions()), ids=lambda op: op.__name__)
def test_special_function_and_its_expansion_are_the_same_function(op):
    x = np.array([1e-3, 0.2, 0.9, 2.3, 4.0, 9.5, 12.0, 40.0])
    if not op.__name__.startswith("Stirling"):
        x = np.concatenate([-x[::-1], x])
    if op.__name__ in ("Log1mExp", "ExpOdds"):
        x = x[x < 0]
    symbol = pt.dvector("x")
    compiled = pytensor.function([symbol], Elemwise(op())(symbol), mode=Mode("py", "fast_run"))
    left = [n for n in compiled.maker.fgraph.apply_nodes if _is_special(n.op)]
    assert not left or op().nfunc_spec[0].startswith("scipy.special.")
    kernel = evaluate(Elemwise(op()), x)
    np.testing.assert_allclose(compiled(x), kernel, rtol=1e-10, atol=1e-14)


def _is_special(op):
    return isinstance(getattr(op, "scalar_op", None), SpecialFunction)


def test_kernels_do_not_depend_on_the_length_of_their_argument():
    link = make_link("logit")
    eta = np.linspace(-40, 40, 30_011)
    whole = evaluate(link.log_mean, eta)
    parts = np.concatenate([evaluate(link.log_mean, part) for part in np.array_split(eta, 7)])
    np.testing.assert_array_equal(whole, parts)


def test_unknown_link_suggests_the_nearest():
    with pytest.raises(ArgumentError, match=r"unknown link 'porbit'; known: logit.*'probit'\?"):
        make_link("porbit")


def test_something_that_is_no_link_is_refused():
    with pytest.raises(ArgumentError, match=r"link is 3; it must be a name \(logit, .*Link"):
        make_link(3)


def test_name_class_and_instance_make_the_same_link():
    for name, cls in LINKS.items():
        assert make_link(name) == make_link(cls) == make_link(cls())
        assert hash(make_link(name)) == hash(cls())
    assert make_link("logit") != make_link("probit")


class Loglog(UnitInterval):
    """A link of a user's own."""

    name = "loglog"

    def forward(self, mu):
        return -pt.log(-pt.log(mu))

    def log_mean(self, eta):
        return -pt.exp(-eta)

    def log1m_mean(self, eta):
        return pt.log1mexp(-pt.exp(-eta))


def test_a_link_of_ones_own_works_in_any_family():
    family = Binomial(link=Loglog())
    assert isinstance(family.link, Link)
    assert evaluate(family.link.mean, 0.0) == pytest.approx(np.exp(-1))


@pytest.mark.parametrize("name", [name for name in UNIT_INTERVAL if LINKS[name].latent_variance])
def test_latent_variance_is_that_of_the_distribution_whose_function_the_mean_is(name):
    eta = np.linspace(-60.0, 60.0, 120_001)
    below = evaluate(LINKS[name]().mean, eta)
    mass, middle = np.diff(below), 0.5 * (eta[1:] + eta[:-1])
    mean = mass @ middle
    variance = mass @ (middle - mean) ** 2
    assert LINKS[name].latent_variance == pytest.approx(variance, rel=1e-6)


def test_only_the_cauchit_has_no_latent_variance():
    assert [name for name in UNIT_INTERVAL if LINKS[name].latent_variance is None] == ["cauchit"]


@pytest.mark.parametrize("name", LINKS)
def test_a_closed_average_of_the_mean_is_its_integral(name):
    link = LINKS[name]()
    eta, s = np.array([-1.3, 0.2, 1.1]), np.array([0.4, 1.2, 2.5])
    e, t = pt.dvectors("eta", "s")
    if link.averaged_mean(e, t) is None:
        assert name in {"logit", "cloglog", "cauchit", "inverse", "1/mu^2"}
        return
    # The trapezoidal rule is exact for analytic integrands (Trefethen and Weideman 2014).
    z = np.arange(-12.0, 12.0, 0.05)
    density = 0.05 * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    means = evaluate(link.mean, (eta[:, None] + s[:, None] * z).ravel()).reshape(3, -1)
    closed = evaluate(link.averaged_mean, eta, s)
    np.testing.assert_allclose(closed, means @ density, rtol=1e-10)
