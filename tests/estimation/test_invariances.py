"""What must not change a fit, or must change it in a known way."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln

import mixedlm_pt as mlm

# A singular fit is as good as any here.
CONTROL = mlm.GlmerControl(check_singular=False)
N_ROWS, N_LEVELS = 48, 8
FAMILIES = ("binomial", "poisson", "nbinom2", "gamma", "gaussian")

examples = settings(max_examples=6)
seeds = st.integers(0, 10_000)


def draw(seed):
    """A data set with one response a family; all of them well inside their supports."""
    rng = np.random.default_rng(seed)
    level = rng.permutation(np.arange(N_ROWS) % N_LEVELS)
    x = rng.normal(size=N_ROWS)
    eta = 0.3 * x + 0.8 * rng.normal(size=N_LEVELS)[level]
    return pd.DataFrame(
        {
            "g": [f"level{code}" for code in level],
            "x": x,
            "n": rng.integers(4, 12, N_ROWS),
            "gaussian": eta + rng.normal(size=N_ROWS),
            "poisson": rng.poisson(np.exp(1.0 + eta)),
            "nbinom2": rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(1.0 + eta))),
            "gamma": np.exp(eta) * rng.gamma(2.0, 0.5, N_ROWS),
        }
    ).assign(s=lambda d: rng.binomial(d.n, 1.0 / (1.0 + np.exp(-eta))))


def fit(data, family, *, fixed="x", random="(1 | g)", **arguments):
    response = "s / n" if family == "binomial" else family
    formula = f"{response} ~ {fixed} + {random}"
    return mlm.glmer(formula, data, family, control=CONTROL, **arguments)


def se(model):
    return np.sqrt(np.diag(model.estimate.covariance))[: model.model.p]


def assert_same(one, other):
    assert other.estimate.loglik == pytest.approx(one.estimate.loglik, rel=1e-10, abs=1e-9)
    assert np.abs(other.beta - one.beta) / se(one) == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(se(other), se(one), rtol=1e-6)
    np.testing.assert_allclose(other.theta, one.theta, rtol=1e-5, atol=1e-5)


@examples
@given(seeds, st.sampled_from(FAMILIES))
def test_row_order_does_not_matter(seed, family):
    data = draw(seed)
    shuffled = data.sample(frac=1.0, random_state=seed)
    one, other = fit(data, family), fit(shuffled, family)
    assert_same(one, other)
    fitted = pd.Series(other.fitted(), shuffled.index)[data.index]
    np.testing.assert_allclose(fitted, one.fitted(), rtol=1e-6)


@examples
@given(seeds, st.sampled_from(FAMILIES), st.permutations(range(N_LEVELS)))
def test_names_of_levels_do_not_matter(seed, family, order):
    data = draw(seed)
    names = {f"level{code}": f"herd {place}" for code, place in enumerate(order)}
    one, other = fit(data, family), fit(data.replace({"g": names}), family)
    assert_same(one, other)
    effects = one.ranef()["g"].rename(index=names)
    np.testing.assert_allclose(other.ranef()["g"].loc[effects.index], effects, atol=1e-6)


@examples
@given(seeds, st.sampled_from(("poisson", "nbinom2", "gamma", "gaussian")))
def test_weight_two_is_the_row_twice(seed, family):
    data = draw(seed)
    twice = np.arange(N_ROWS) % 3 == 0
    weighted = fit(data, family, weights=np.where(twice, 2.0, 1.0))
    assert_same(weighted, fit(pd.concat([data, data[twice]]), family))


@examples
@given(seeds)
def test_binomial_weight_two_is_the_row_twice_up_to_the_coefficient(seed):
    data = draw(seed)
    pooled = fit(data.assign(s=2 * data.s, n=2 * data.n), "binomial")
    repeated = fit(pd.concat([data, data]), "binomial")
    constant = log_choose(2 * data.n, 2 * data.s) - 2.0 * log_choose(data.n, data.s)
    loglik = repeated.estimate.loglik + constant.sum()
    assert pooled.estimate.loglik == pytest.approx(loglik, rel=1e-10)
    np.testing.assert_allclose(repeated.beta, pooled.beta, atol=1e-6)
    np.testing.assert_allclose(se(repeated), se(pooled), rtol=1e-6)


def log_choose(n, k):
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


@examples
@given(seeds, st.sampled_from(FAMILIES), st.floats(-5.0, 5.0))
def test_a_constant_offset_moves_the_intercept(seed, family, c):
    data = draw(seed)
    one, other = fit(data, family), fit(data.assign(c=c), family, fixed="x + offset(c)")
    np.testing.assert_allclose(other.beta, one.beta - [c, 0.0], atol=1e-6)
    assert other.estimate.loglik == pytest.approx(one.estimate.loglik, rel=1e-10)
    np.testing.assert_allclose(se(other), se(one), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@examples
@given(seeds, st.sampled_from(FAMILIES))
def test_the_unit_of_a_predictor_does_not_matter(scale, seed, family):
    data = draw(seed)
    one, other = fit(data, family), fit(data.assign(x=scale * data.x), family)
    units = np.array([1.0, scale])
    assert np.abs(other.beta * units - one.beta) / se(one) == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(se(other) * units, se(one), rtol=1e-6)
    assert other.estimate.loglik == pytest.approx(one.estimate.loglik, rel=1e-10)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@examples
@given(seeds)
def test_the_unit_of_a_random_slope_does_not_matter(scale, seed):
    data = draw(seed)
    data["poisson"] += np.rint(np.exp(1.0 + data.x * np.where(data.g < "level4", 1.0, -1.0)))
    scaled = data.assign(x=scale * data.x)
    one, other = (fit(d, "poisson", random="(x | g)") for d in (data, scaled))
    assert other.estimate.loglik == pytest.approx(one.estimate.loglik, rel=1e-9)
    np.testing.assert_allclose(other.theta * [1.0, scale, scale], one.theta, atol=1e-5)


@examples
@given(seeds, st.sampled_from((1e-6, 1e6)))
def test_the_unit_of_a_gamma_response_moves_intercept_and_density(seed, scale):
    data = draw(seed)
    one, other = (fit(d, "gamma") for d in (data, data.assign(gamma=scale * data.gamma)))
    np.testing.assert_allclose(other.beta, one.beta + np.array([np.log(scale), 0.0]), atol=1e-6)
    assert other.phi == pytest.approx(one.phi, rel=1e-6)
    expected = one.estimate.loglik - N_ROWS * np.log(scale)
    assert other.estimate.loglik == pytest.approx(expected, rel=1e-10)


@examples
@given(seeds)
def test_swapping_success_and_failure_changes_signs(seed):
    data = draw(seed)
    one, other = fit(data, "binomial"), fit(data.assign(s=data.n - data.s), "binomial")
    np.testing.assert_allclose(other.beta, -one.beta, atol=1e-6)
    np.testing.assert_allclose(other.theta, one.theta, atol=1e-5)
    assert other.estimate.loglik == pytest.approx(one.estimate.loglik, rel=1e-10)


@pytest.mark.parametrize("nAGQ", [0, 1])
@pytest.mark.parametrize("origin", [8.0, 2008.0, 1e5])
def test_the_origin_of_a_random_slope_costs_nothing(origin, nAGQ):
    rng = np.random.default_rng(4)
    level, x = rng.integers(0, 30, 600), rng.integers(-7, 8, 600).astype(float)
    b = rng.normal(size=(30, 2)) * [0.7, 0.1]
    y = rng.poisson(np.exp(1.0 + 0.05 * x + b[level, 0] + b[level, 1] * x))
    data = pd.DataFrame({"g": level, "x": x, "poisson": y})
    moved = data.assign(x=x + origin)
    one, other = (fit(d, "poisson", random="(x | g)", nAGQ=nAGQ) for d in (data, moved))
    assert other.outcome.n_evaluations <= 20
    assert other.checkConv().ok
    assert other.estimate.loglik == pytest.approx(one.estimate.loglik, rel=1e-10)
    assert other.beta[1] == pytest.approx(one.beta[1], abs=1e-5 * se(one)[1])
    assert se(other)[1] == pytest.approx(se(one)[1], rel=1e-3)
    # The covariance of (intercept, slope) at the old origin.
    shift = np.array([[1.0, origin], [0.0, 1.0]])
    Lambda = shift @ other.Lambda[0]
    expected = one.Lambda[0] @ one.Lambda[0].T
    np.testing.assert_allclose(Lambda @ Lambda.T, expected, rtol=1e-4, atol=1e-6)
    again = fit(moved, "poisson", random="(x | g)", nAGQ=nAGQ, start=other)
    assert again.outcome.n_evaluations <= 2
