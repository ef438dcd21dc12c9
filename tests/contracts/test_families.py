"""Every family of the table with every link it allows: density, derivatives, tails, sampler."""

from decimal import Decimal, localcontext

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import grad
from pytensor.tensor.elemwise import Elemwise
from scipy import stats

from mixedlm_pt.families import FAMILIES, LINKS, Binomial, NegativeBinomial
from mixedlm_pt.families.density import derivatives, log_density, unit_deviance, variance
from mixedlm_pt.families.support import Counts, PositiveNumbers, Proportions, RealNumbers
from tests.contracts.high_precision import LARGEST, MEANS, SMALLEST, information

PY = Mode(linker="py", optimizer="fast_compile")
PAIRS = [(name, link) for name, family in FAMILIES.items() for link in family.links]
LIKELIHOODS = [name for name, family in FAMILIES.items() if family.has_likelihood]
POWERS = ("identity", "inverse", "sqrt", "1/mu^2")
PHI = 0.7

# What scipy.stats calls the distribution of unit weight; w is the number of trials.
REFERENCE = {
    "gaussian": lambda y, w, mu, phi: stats.norm.logpdf(y, mu, np.sqrt(phi)),
    "binomial": lambda y, w, mu, phi: stats.binom.logpmf(np.rint(w * y), w, mu),
    "poisson": lambda y, w, mu, phi: stats.poisson.logpmf(y, mu),
    "negative_binomial": lambda y, w, mu, phi: stats.nbinom.logpmf(y, phi, phi / (phi + mu)),
    "gamma": lambda y, w, mu, phi: stats.gamma.logpdf(y, 1 / phi, scale=mu * phi),
    "inverse_gaussian": lambda y, w, mu, phi: stats.invgauss.logpdf(y, mu * phi, scale=1 / phi),
}
VARIANCE = {
    "gaussian": lambda mu, phi: np.ones_like(mu),
    "binomial": lambda mu, phi: mu * (1 - mu),
    "poisson": lambda mu, phi: mu,
    "negative_binomial": lambda mu, phi: mu + mu**2 / phi,
    "gamma": lambda mu, phi: mu**2,
    "inverse_gaussian": lambda mu, phi: mu**3,
    "quasibinomial": lambda mu, phi: mu * (1 - mu),
    "quasipoisson": lambda mu, phi: mu,
}


def xlogy(x, y):
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y)))


# family$dev.resids of R 4.3 (stats) and of MASS::negative.binomial, unit weight.
DEVIANCE = {
    "gaussian": lambda y, mu, phi: (y - mu) ** 2,
    "binomial": lambda y, mu, phi: 2 * (xlogy(y, y / mu) + xlogy(1 - y, (1 - y) / (1 - mu))),
    "poisson": lambda y, mu, phi: 2 * (xlogy(y, y / mu) - (y - mu)),
    "negative_binomial": lambda y, mu, phi: (
        2 * (y * np.log(np.maximum(1, y) / mu) - (y + phi) * np.log((y + phi) / (mu + phi)))
    ),
    "gamma": lambda y, mu, phi: -2 * (np.log(y / mu) - (y - mu) / mu),
    "inverse_gaussian": lambda y, mu, phi: (y - mu) ** 2 / (y * mu**2),
}
DEVIANCE |= {"quasibinomial": DEVIANCE["binomial"], "quasipoisson": DEVIANCE["poisson"]}


def make(name, link=None):
    return FAMILIES[name](link=link)


def phi_of(name):
    return PHI if FAMILIES[name].has_dispersion else 1.0


def compiled(build, mode=PY):
    """``build(y, w, eta, phi)`` as a function of arrays and a float."""
    y, w, eta = pt.dvectors("y", "w", "eta")
    phi = pt.dscalar("phi")
    function = pytensor.function(
        [y, w, eta, phi], build(y, w, eta, phi), mode=mode, on_unused_input="ignore"
    )

    def call(y, w, eta, phi):
        rows = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (y, w, eta))
        return function(*(v.copy() for v in np.broadcast_arrays(*rows)), phi)

    return call


def all_derivatives(family):
    def build(y, w, eta, phi):
        d = derivatives(family, y, w, eta, phi)
        third = grad(d.observed.sum(), eta, disconnected_inputs="ignore")
        return [d.logp, d.score, d.observed, d.expected, third]

    return build


def mean_of(family, eta):
    x = pt.dvector()
    return pytensor.function([x], family.link.mean(x), mode=PY)(np.asarray(eta, dtype=float))


def etas(link, rng, n):
    """Random linear predictors in the domain of the link with means of moderate size."""
    low, high = {"log": (-2.5, -0.2), "cauchit": (-3, 3)}.get(link, (-2.0, 1.2))
    if link in POWERS:
        low, high = 0.4, 2.5
    return rng.uniform(low, high, n)


def responses(family, rng, n):
    """Random responses of the family's support, its ends included, and weights."""
    w = rng.integers(1, 9, n).astype(float)
    if isinstance(family.support, Proportions):
        return rng.binomial(w.astype(int), rng.uniform(0, 1, n)) / w, w
    if isinstance(family.support, Counts):
        return rng.poisson(rng.choice([0.5, 3.0, 40.0], n)).astype(float), w
    if isinstance(family.support, PositiveNumbers):
        return rng.gamma(1.5, 1.0, n) + 1e-3, w
    return rng.normal(0, 2, n), w


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_density_equals_scipys(name):
    family, rng = make(name), np.random.default_rng(1)
    y, w = responses(family, rng, 60)
    eta = etas(family.link.name, rng, 60)
    total = compiled(lambda *a: log_density(family, *a))
    unit = REFERENCE[name](y, w, mean_of(family, eta), PHI)
    weight = 1 if isinstance(family.support, Proportions) else w
    np.testing.assert_allclose(total(y, w, eta, PHI), weight * unit, rtol=1e-11, atol=1e-11)


def _grid(family):
    """Points and masses that sum or integrate over the whole support, and a weight."""
    match family.support:
        case Proportions():
            return np.arange(8) / 7, np.ones(8), 7.0
        case Counts():
            return np.arange(4000.0), np.ones(4000), 1.0
        case PositiveNumbers():
            log_y = np.linspace(-40, 12, 60_001)
            return np.exp(log_y), np.exp(log_y) * (log_y[1] - log_y[0]), 1.0
        case RealNumbers():
            y = np.linspace(-60, 60, 60_001)
            return y, np.full(y.size, y[1] - y[0]), 1.0


@pytest.mark.parametrize(("name", "link"), [p for p in PAIRS if p[0] in LIKELIHOODS])
def test_density_has_mass_one_mean_mu_and_the_information_it_claims(name, link):
    family, rng = make(name, link), np.random.default_rng(2)
    y, mass, w = _grid(family)
    evaluate = compiled(all_derivatives(family))
    for eta in etas(link, rng, 3):
        logp, score, observed, expected, _ = evaluate(y, w, eta, PHI)
        p = np.exp(logp) * mass
        assert p.sum() == pytest.approx(1, rel=1e-9)
        assert (p * y).sum() == pytest.approx(mean_of(family, [eta])[0], rel=1e-8)
        assert (p * score).sum() == pytest.approx(0, abs=1e-8)
        assert (p * observed).sum() == pytest.approx(expected[0], rel=1e-7)
        assert (p * score**2).sum() == pytest.approx(expected[0], rel=1e-7)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_derivatives_in_eta_equal_central_differences(name, link):
    family, rng = make(name, link), np.random.default_rng(3)
    y, w = responses(family, rng, 40)
    eta, h = etas(link, rng, 40), 1e-5
    evaluate = compiled(all_derivatives(family))
    _, score, observed, _, third = evaluate(y, w, eta, PHI)
    high, low = evaluate(y, w, eta + h, PHI), evaluate(y, w, eta - h, PHI)
    slope = [(a - b) / (2 * h) for a, b in zip(high, low, strict=True)]
    scale = 1 + np.abs(high[0])
    np.testing.assert_allclose(slope[0] / scale, score / scale, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(-slope[1], observed, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(slope[2], third, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.has_dispersion])
def test_first_and_second_derivative_in_phi_equal_central_differences(name):
    family, rng = make(name), np.random.default_rng(4)
    y, w = responses(family, rng, 40)
    eta = etas(family.link.name, rng, 40)

    def build(y, w, eta, phi):
        total = log_density(family, y, w, eta, phi).sum()
        slope = grad(total, phi)
        return [total, slope, grad(slope, phi)]

    evaluate = compiled(build)
    for phi in (0.05, 0.7, 9.0, 31.0):
        h = 1e-5 * phi
        high, low = evaluate(y, w, eta, phi + h), evaluate(y, w, eta, phi - h)
        _, slope, curvature = evaluate(y, w, eta, phi)
        assert (high[0] - low[0]) / (2 * h) == pytest.approx(slope, rel=1e-6, abs=1e-6)
        assert (high[1] - low[1]) / (2 * h) == pytest.approx(curvature, rel=1e-6, abs=1e-6)


def tail_points(link):
    """Linear predictors from end to end of the range of doubles, as far as the link allows."""
    if link in POWERS:
        return (1e-3, 0.3, 3.0, 50.0, 700.0)
    if link == "cloglog":
        return (-700.0, -300.0, -38.0, -20.0, -2.1, 2.3, 6.0)
    return (-700.0, -300.0, -38.0, -20.0, -2.1, 2.3, 20.0, 38.0, 300.0, 700.0)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_score_and_informations_are_exact_in_both_tails(name, link):
    family = make(name, link)
    is_proportion = isinstance(family.support, Proportions)
    points = [eta for eta in tail_points(link) if not (is_proportion and link == "log" and eta > 0)]
    values = (0.0, 0.3, 1.0) if is_proportion else (0.0, 1.0, 30.0)
    if isinstance(family.support, PositiveNumbers):
        values = (0.01, 2.0)
    evaluate = compiled(all_derivatives(family))
    for y in values:
        logp, *ours = np.array(evaluate(y, 1.0, points, phi_of(name)))
        assert not np.isnan(logp).any()
        for eta, *row in zip(points, *ours[:3], strict=True):
            truth = information(name, link, y, eta, phi_of(name))
            for value, exact in zip(row, truth[:3], strict=True):
                if SMALLEST < abs(exact) < LARGEST:
                    assert value == pytest.approx(float(exact), rel=1e-8), (y, eta)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_third_derivative_is_exact_where_fits_end(name, link):
    family = make(name, link)
    points = [
        eta for eta in tail_points(link) if abs(eta) <= 38 and not (link == "log" and eta > 0)
    ]
    y = 0.3 if isinstance(family.support, Proportions) else 2.0
    third = compiled(all_derivatives(family))(y, 1.0, points, phi_of(name))[-1]
    for eta, value in zip(points, third, strict=True):
        truth = information(name, link, y, eta, phi_of(name))
        scale = float(max(abs(v) for v in truth))
        assert value == pytest.approx(float(truth[3]), rel=1e-7, abs=1e-8 * scale), eta


def test_every_family_and_link_has_a_high_precision_truth():
    assert set(LINKS) == set(MEANS)
    assert set(LIKELIHOODS) == set(REFERENCE)
    assert set(FAMILIES) == set(VARIANCE) == set(DEVIANCE)


@pytest.mark.parametrize("theta", [0.1, 3.0, 1e4, 1e8, 1e12])
def test_negative_binomial_keeps_its_digits_towards_the_poisson_limit(theta):
    y, mu, h = 7, 4.0, Decimal("1e-40")

    def exact(log_theta):
        t = log_theta.exp()
        choose = sum(((t + j) / (j + 1)).ln() for j in range(y))
        return (
            choose + t * (t / (t + Decimal(mu))).ln() + y * (Decimal(mu) / (t + Decimal(mu))).ln()
        )

    family = NegativeBinomial()
    evaluate = compiled(
        lambda y, w, eta, phi: [
            log_density(family, y, w, eta, phi),
            phi * grad(log_density(family, y, w, eta, phi).sum(), phi),
        ]
    )
    value, slope = evaluate(y, 1.0, np.log(mu), theta)
    with localcontext(prec=120):
        x = Decimal(theta).ln()
        truth, truth_slope = exact(x), (exact(x + h) - exact(x - h)) / (2 * h)
    assert value[0] == pytest.approx(float(truth), rel=1e-12)
    # In log theta the slope dies off as 1 / theta; what is left of rounding is far below it.
    assert slope == pytest.approx(float(truth_slope), rel=1e-7, abs=1e-14)


@pytest.mark.parametrize("name", FAMILIES)
def test_unit_deviance_is_rs(name):
    family, rng = make(name), np.random.default_rng(5)
    y, _ = responses(family, rng, 60)
    mu = mean_of(family, etas(family.link.name, rng, 60))
    evaluate = compiled(lambda y, w, mu, phi: unit_deviance(family, y, mu, phi))
    ours = evaluate(y, 1.0, mu, PHI)
    np.testing.assert_allclose(ours, DEVIANCE[name](y, mu, PHI), rtol=1e-9, atol=1e-12)


def test_unit_deviance_of_a_mean_survives_where_mu_has_rounded_to_one():
    family = Binomial()
    evaluate = compiled(
        lambda y, w, eta, phi: unit_deviance(family, y, family.link.inverse(eta), phi)
    )
    np.testing.assert_allclose(evaluate([1.0, 0.0], 1.0, 50.0, 1.0), [2 * np.exp(-50), 100])


@pytest.mark.parametrize("name", FAMILIES)
def test_variance_function_is_the_textbook_one(name):
    family = make(name)
    mu = np.array([0.1, 0.35, 0.8])
    ours = compiled(lambda y, w, mu, phi: variance(family, mu, phi))(0.0, 1.0, mu, PHI)
    np.testing.assert_allclose(ours, VARIANCE[name](mu, PHI), rtol=1e-12)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_random_draws_have_the_moments_of_the_family(name):
    family, n = make(name), 200_000
    rng = np.random.default_rng(6)
    mu = np.full(n, 0.4)
    weight = 5.0 if isinstance(family.support, Proportions) else 1.0
    y = family.random(rng, mu, PHI, np.full(n, weight))
    assert y.dtype == np.float64
    assert not family.support.check(y).any()
    scale = PHI if family.has_dispersion and family.phi_scales_variance else 1.0
    expected = scale * VARIANCE[name](mu[:1], PHI)[0] / weight
    assert y.mean() == pytest.approx(0.4, abs=5 * np.sqrt(expected / n))
    fourth = np.mean((y - y.mean()) ** 4)
    assert y.var() == pytest.approx(expected, abs=6 * np.sqrt((fourth - expected**2) / n))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_tails_are_those_of_the_density(name):
    """The probability between two responses is the sum or the integral of the density."""
    family = make(name)
    low, high = 0.4, 1.6
    y = np.linspace(low, high, 4001)
    if family.support.is_discrete:
        w = 5.0 if isinstance(family.support, Proportions) else 1.0
        y = np.arange(0.0, 6.0) / w
        below = family.support.below(y[1:], np.full(5, w))
        np.testing.assert_allclose(below, y[:-1])
        low, high = y[0], y[-1]
    else:
        w = 1.0
    mu, phi = 0.6, phi_of(name)
    eta = family.link.forward(pt.constant(mu)).eval()
    density = np.exp(compiled(lambda *rows: log_density(family, *rows))(y, w, eta, phi))
    lower, upper = family.tails(np.array([low, high]), np.array([mu, mu]), phi, np.array([w, w]))
    np.testing.assert_allclose(lower + upper, 1.0, rtol=1e-12)
    between = density[1:].sum() if family.support.is_discrete else np.trapezoid(density, y)
    assert lower[1] - lower[0] == pytest.approx(between, rel=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_responses_and_their_means_lie_in_the_range_of_means(name):
    family = make(name)
    lowest, highest = family.support.mean_range
    values = np.array([-1.0, -1e-3, 0.0, 0.3, 1.0, 2.0, 50.0])
    allowed = ~family.support.check(values)
    inside = (values >= lowest) & (values <= highest)
    assert inside[allowed].all()
    # No smaller interval holds them: just outside its ends nothing is allowed.
    assert not allowed[~inside].any()
    assert np.isinf(lowest) or not family.support.contains(np.array([lowest - 1e-6])).any()


@pytest.mark.parametrize("name", ["gaussian", "gamma", "inverse_gaussian"])
def test_prior_weights_divide_the_variance_of_draws(name):
    family, n = make(name), 100_000
    y = family.random(np.random.default_rng(7), np.full(n, 0.8), 0.1, np.full(n, 4.0))
    assert y.var() == pytest.approx(VARIANCE[name](np.array([0.8]), 0.1)[0] * 0.1 / 4, rel=0.05)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_no_elementwise_node_runs_as_a_python_loop(name, link):
    family = make(name, link)

    def build(y, w, eta, phi):
        d = derivatives(family, y, w, eta, phi)
        slopes = grad(d.logp.sum() + d.observed.sum(), [eta, phi], disconnected_inputs="ignore")
        return [d.logp, d.score, d.observed, d.expected, slopes[0], slopes[1]]

    y, w, eta = pt.dvectors("y", "w", "eta")
    phi = pt.dscalar("phi")
    function = pytensor.function(
        [y, w, eta, phi], build(y, w, eta, phi), mode=PY, on_unused_input="ignore"
    )
    loops = [
        node.op.scalar_op
        for node in function.maker.fgraph.apply_nodes
        if isinstance(node.op, Elemwise) and node.op.scalar_op.nfunc_spec is None
    ]
    assert loops == []


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_rows_are_independent(name):
    family, rng = make(name), np.random.default_rng(8)
    y, w = responses(family, rng, 12)
    eta = etas(family.link.name, rng, 12)
    evaluate = compiled(all_derivatives(family))
    together = evaluate(y, w, eta, PHI)
    alone = [evaluate(y[i], w[i], eta[i], PHI) for i in range(12)]
    for k, whole in enumerate(together):
        np.testing.assert_allclose(whole, [np.ravel(row[k])[0] for row in alone], rtol=1e-13)


def test_weight_two_of_a_binomial_row_is_the_row_twice_up_to_the_binomial_coefficient():
    family = Binomial()
    evaluate = compiled(lambda y, w, eta, phi: w * family.logp(y, family.link.inverse(eta), phi))
    once, twice = evaluate(1.0, 1.0, 0.3, 1.0), evaluate(1.0, 2.0, 0.3, 1.0)
    np.testing.assert_allclose(twice, 2 * once)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "link"), [("binomial", "cloglog"), ("negative_binomial", "log")])
def test_numba_compiles_the_same_density_and_derivatives(name, link):
    family = make(name, link)

    def build(y, w, eta, phi):
        d = derivatives(family, y, w, eta, phi)
        return [d.logp, d.score, d.observed]

    y, eta = np.array([0.0, 1.0, 1.0, 0.0]), np.array([-30.0, -2.0, 0.1, 2.0])
    reference = compiled(build)(y, 3.0, eta, PHI)
    for ours, theirs in zip(compiled(build, "NUMBA")(y, 3.0, eta, PHI), reference, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
