"""Many responses fitted together: each as if it were alone."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt import families
from mixedlm_pt.design import replace_response
from mixedlm_pt.estimation.batch import chunk_size, fit, fit_responses
from mixedlm_pt.fit import refitted, refitted_together
from mixedlm_pt.prediction import draw

CBPP = "incidence / size ~ period + (1 | herd)"


def grouped(n_groups, n, seed=0):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_groups), n)
    x, b = rng.normal(size=len(g)), rng.normal(size=n_groups)[g]
    return rng, pd.DataFrame({"g": g, "x": x, "eta": 0.5 + 0.4 * x + 0.5 * b})


def gamma():
    rng, data = grouped(20, 6)
    data["y"] = rng.gamma(4.0, np.exp(data["eta"]) / 4.0)
    return mlm.glmer("y ~ x + (1 | g)", data, families.Gamma("log"))


def negative_binomial():
    rng, data = grouped(25, 8)
    data["log_size"] = rng.normal(size=len(data)) * 0.3
    mu = np.exp(data["eta"] + data["log_size"])
    data["y"] = rng.negative_binomial(3, 3 / (3 + mu))
    return mlm.glmer_nb("y ~ x + offset(log_size) + (1 | g)", data)


def nested():
    rng, data = grouped(15, 16, seed=1)
    data["class"] = np.arange(len(data)) // 4
    data["w"] = rng.integers(1, 4, len(data))
    eta = data["eta"] + 0.5 * rng.normal(size=60)[data["class"]]
    data["y"] = rng.poisson(np.exp(eta))
    return mlm.glmer("y ~ x + (x | g) + (1 | class)", data, "poisson", weights=data["w"])


def crossed():
    rng, data = grouped(24, 10, seed=2)
    data["item"] = np.arange(len(data)) % 10
    eta = data["eta"] + 0.6 * rng.normal(size=10)[data["item"]]
    data["y"] = (rng.random(len(data)) < 1 / (1 + np.exp(-eta))).astype(int)
    return mlm.glmer("y ~ x + (1 | g) + (1 | item)", data)


def ticks():
    formula = "TICKS ~ YEAR + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)"
    return mlm.glmer(formula, mlm.load_grouseticks(), "poisson")


def expected_weights():
    control = mlm.GlmerControl(laplace_weights="expected")
    return mlm.glmer(CBPP, mlm.load_cbpp(), families.Binomial("probit"), control=control)


FITS = {
    "cbpp": lambda: mlm.glmer(CBPP, mlm.load_cbpp()),
    "quadrature": lambda: mlm.glmer(CBPP, mlm.load_cbpp(), nAGQ=7),
    "no random effects": lambda: mlm.glmer("incidence / size ~ period", mlm.load_cbpp()),
    "expected weights": expected_weights,
    "slopes": lambda: mlm.glmer("use ~ urban + (1 + urban | district)", mlm.load_contraception()),
    "gamma": gamma,
    "negative binomial with offset": negative_binomial,
    "nested with weights": nested,
    "crossed": crossed,
    "three factors": ticks,
}


@pytest.fixture(scope="module", params=FITS)
def fitted(request):
    original = FITS[request.param]()
    return original, drawn(original, 6)


def drawn(original, R, seed=3):
    """Responses (R, n) simulated from a fit."""
    return np.array([draw(original, rng) for rng in np.random.default_rng(seed).spawn(R)])


def together(original, Y, **options):
    arguments = original.model, Y, original.approximation, original.control, original.restart
    return fit_responses(*arguments, **options)


def par(estimate):
    return np.concatenate([estimate.beta, estimate.theta, [np.log(estimate.phi)]])


def test_each_is_the_fit_of_its_response_from_other_starting_values(fitted):
    original, Y = fitted
    estimates = together(original, Y)
    # A likelihood with a long ridge is climbed alone.
    assert sum(found is None for found in estimates) <= 1
    for y, found in zip(Y, estimates, strict=True):
        if found is None:
            continue
        model = original.model.with_design(replace_response(original.design, y))
        alone = refitted(original, model).estimate
        assert found.loglik == pytest.approx(alone.loglik, abs=1e-8)
        free = ~alone.outcome.on_boundary
        np.testing.assert_array_equal(found.outcome.on_boundary, ~free)
        se = np.sqrt(np.diag(alone.covariance))[free]
        away = (par(found) - par(alone))[: len(free)][free] / se
        np.testing.assert_allclose(away, 0.0, atol=1e-5)
        # The information is that of the point, 1e-5 standard errors away, where a search ended.
        scale = np.outer(se, se)
        difference = (found.covariance - alone.covariance)[np.ix_(free, free)]
        np.testing.assert_allclose(difference / scale, 0.0, atol=1e-4)
        np.testing.assert_allclose(found.covariance_rx, alone.covariance_rx, rtol=1e-4, atol=1e-9)
        np.testing.assert_allclose(found.u, alone.u, atol=1e-4)


def test_none_depends_on_the_others_to_the_last_bit(fitted):
    original, Y = fitted
    for r, found in enumerate(together(original, Y, has_covariance=False)):
        (alone,) = together(original, Y[r : r + 1], has_covariance=False)
        if found is None:
            assert alone is None
            continue
        assert alone.loglik == found.loglik
        np.testing.assert_array_equal(par(alone), par(found))
        np.testing.assert_array_equal(alone.u, found.u)


@pytest.fixture(scope="module")
def cbpp():
    return FITS["cbpp"]()


def responses(original, Y):
    return [replace_response(original.design, y).response for y in Y]


def test_those_that_take_long_are_fitted_alone(cbpp, monkeypatch):
    Y = drawn(cbpp, 8)
    whole = list(refitted_together(cbpp, cbpp.model, responses(cbpp, Y), start=cbpp.restart))
    n_evaluations = [again.outcome.n_evaluations for again in whole]
    limit = sorted(n_evaluations)[4]
    monkeypatch.setattr(fit, "MAX_EVALUATIONS", limit)
    missing = [found is None for found in together(cbpp, Y)]
    assert missing == [n > limit for n in n_evaluations]
    assert 0 < sum(missing) < 8
    some = refitted_together(cbpp, cbpp.model, responses(cbpp, Y), start=cbpp.restart)
    for again, before in zip(some, whole, strict=True):
        assert again.estimate.loglik == pytest.approx(before.estimate.loglik, abs=1e-8)
        assert again.outcome.has_information


def test_a_variance_that_is_zero_is_put_there(cbpp):
    size = mlm.load_cbpp()["size"].to_numpy()
    flat = np.round(0.2 * size) / size
    (found,) = together(cbpp, flat[None])
    assert found.theta.tolist() == [0.0]
    assert found.outcome.on_boundary.tolist() == [False] * 4 + [True]
    assert np.isnan(found.covariance[4]).all()
    assert np.isfinite(found.covariance[:4, :4]).all()


def test_a_shape_without_overdispersion_is_at_its_limit():
    original = negative_binomial()
    Y = np.random.default_rng(1).poisson(original.mu, (12, original.model.n)).astype(float)
    at_limit = [found.outcome.on_boundary[-1] for found in together(original, Y)]
    for y, is_limit in zip(Y, at_limit, strict=True):
        model = original.model.with_design(replace_response(original.design, y))
        assert refitted(original, model, start=original.restart).boundary_phi == is_limit
    assert 0 < sum(at_limit) < 12


@pytest.mark.parametrize(
    "change",
    [{"nAGQ": 0}, {"control": mlm.GlmerControl(optimizer="BFGS")}],
)
def test_what_has_no_batched_method_is_fitted_one_by_one(change):
    original = mlm.glmer(CBPP, mlm.load_cbpp(), **change)
    Y = drawn(original, 2)
    found = refitted_together(original, original.model, responses(original, Y))
    for again, y in zip(found, Y, strict=True):
        model = original.model.with_design(replace_response(original.design, y))
        assert again.estimate.loglik == refitted(original, model).estimate.loglik


def test_chunks_do_not_change_a_bootstrap(cbpp, monkeypatch):
    whole = cbpp.bootMer(nsim=30, seed=9).t
    monkeypatch.setattr(fit, "CHUNK", 56 * 2 * 4)
    assert chunk_size(cbpp.model, cbpp.approximation) == 8
    np.testing.assert_array_equal(cbpp.bootMer(nsim=30, seed=9).t, whole)
