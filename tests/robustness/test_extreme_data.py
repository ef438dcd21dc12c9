"""Data at the limits of what a model can say, and what is promised there (docs/extreme_data.md)."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import mixedlm_pt as mlm
from mixedlm_pt.bayes import Normal
from mixedlm_pt.errors import (
    ConvergenceWarning,
    DataError,
    RankDeficiencyWarning,
    SingularFitWarning,
)

N_LEVELS, SIZE = 20, 15
N = N_LEVELS * SIZE


@pytest.fixture(scope="module")
def data():
    """300 rows in 20 groups, with responses of every kind."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(N_LEVELS), SIZE)
    x = rng.normal(size=N)
    eta = 0.4 + 0.5 * x + 0.7 * rng.normal(size=N_LEVELS)[g]
    return pd.DataFrame(
        {
            "g": g,
            "x": x,
            "y": (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(int),
            "count": rng.poisson(np.exp(eta)),
            "size": rng.gamma(3.0, np.exp(eta) / 3.0),
            "score": eta + rng.normal(size=N),
        }
    )


def fit(formula, data, family="poisson", **arguments):
    return mlm.glmer(formula, data, family, **arguments)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_complete_separation_is_named_and_cured_by_a_prior(data, family):
    separated = data.assign(c=(data.x > 1.5).astype(float), y=data.y * (data.x <= 1.5))
    with pytest.warns(ConvergenceWarning, match="rises without end in the coefficient of c"):
        fit("y ~ c + (1 | g)", separated, family)
    cured = fit("y ~ c + (1 | g)", separated, family, priors={"coefficients": Normal(0.0, 2.5)})
    assert cured.checkConv().ok
    assert abs(cured.beta[1]) < 10.0


def test_a_threshold_that_divides_all_responses_is_separation(data):
    with pytest.warns(ConvergenceWarning, match="rises without end in the coefficients? of .*x"):
        fit("s ~ x", data.assign(s=(data.x > 0.1).astype(int)), "binomial")


@pytest.mark.parametrize(
    ("family", "value"), [("binomial", 0), ("binomial", 1), ("poisson", 0), ("poisson", 7)]
)
def test_a_constant_response_is_refused(data, family, value):
    with pytest.raises(DataError, match=f"'c' is constant \\({value} in every row\\)"):
        fit("c ~ x + (1 | g)", data.assign(c=value), family)


def test_counts_of_ten_millions_are_fitted_like_their_logarithms(data):
    # At these counts a Poisson says next to nothing but its mean: log y is normal with sd 3e-4.
    rng = np.random.default_rng(2)
    b = rng.normal(size=N_LEVELS)
    big = data.assign(big=rng.poisson(1e7 * np.exp(0.3 * data.x + b[data.g])))
    model = fit("big ~ x + (1 | g)", big)
    linear = fit("l ~ x + (1 | g)", big.assign(l=np.log(big.big)), "gaussian")
    assert model.checkConv().ok
    np.testing.assert_allclose(model.beta, linear.beta, atol=1e-4)
    np.testing.assert_allclose(model.theta, linear.theta, rtol=1e-3)


def test_a_level_for_every_row_is_an_overdispersed_poisson():
    rng = np.random.default_rng(3)
    n = 100_000
    eta = 0.5 + 0.8 * rng.normal(size=n)
    data = {"y": rng.poisson(np.exp(eta)), "g": np.arange(n)}
    model = fit("y ~ 1 + (1 | g)", data, nAGQ=15)
    counts, times = np.unique(data["y"], return_counts=True)
    u = np.linspace(-8.0, 8.0, 401)
    weight = stats.norm.pdf(u) * (u[1] - u[0])

    def minus_loglik(par):
        mass = stats.poisson.pmf(counts[:, None], np.exp(par[0] + par[1] * u)) @ weight
        return -times @ np.log(mass)

    best = optimize.minimize(minus_loglik, [0.5, 0.8], method="BFGS", options={"gtol": 1e-2})
    assert model.logLik() == pytest.approx(-best.fun, rel=1e-7)
    np.testing.assert_allclose([model.beta[0], model.theta[0]], best.x, atol=1e-4)


def test_collinear_columns_are_dropped_with_a_warning(data):
    doubled = data.assign(z=2.0 * data.x - 1.0)
    with pytest.warns(RankDeficiencyWarning, match="column z is determined by others"):
        model = fit("count ~ x + z + (1 | g)", doubled)
    assert model.logLik() == pytest.approx(fit("count ~ x + (1 | g)", data).logLik(), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("formula", ["{} ~ x + (1 | g)", "{} ~ x + (x | g)"])
@pytest.mark.parametrize(("response", "family"), [("count", "poisson"), ("score", "gaussian")])
def test_units_of_a_predictor_from_1e_8_to_1e8_only_rescale(data, scale, formula, response, family):
    control = mlm.GlmerControl(check_singular=False)
    formula = formula.format(response)
    one = fit(formula, data, family, control=control)
    other = fit(formula, data.assign(x=scale * data.x), family, control=control)
    assert other.logLik() == pytest.approx(one.logLik(), rel=1e-9)
    np.testing.assert_allclose(other.beta * [1.0, scale], one.beta, rtol=1e-4)
    se = [np.sqrt(np.diag(m.vcov())) for m in (one, other)]
    np.testing.assert_allclose(se[1] * [1.0, scale], se[0], rtol=1e-4)


@pytest.mark.parametrize("offset", [-50.0, 50.0])
@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_an_offset_of_50_moves_the_intercept_alone(data, offset, family):
    response = "y" if family == "binomial" else "count"
    one = fit(f"{response} ~ x + (1 | g)", data, family)
    other = fit(f"{response} ~ x + (1 | g)", data, family, offset=np.full(N, offset))
    np.testing.assert_allclose(other.beta, one.beta - np.array([offset, 0.0]), atol=1e-6)
    assert other.logLik() == pytest.approx(one.logLik(), rel=1e-10)


def test_weights_of_a_million_are_that_many_rows(data):
    # Information per group is then all there is: group means, each known without error.
    heavy = fit("count ~ 1 + (1 | g)", data, weights=np.full(N, 1e6))
    means = np.log(data.groupby("g")["count"].mean())
    assert heavy.beta[0] == pytest.approx(means.mean(), abs=1e-4)
    assert heavy.theta[0] == pytest.approx(means.std(ddof=0), rel=1e-4)


def test_a_level_with_one_row_is_shrunk_and_no_trouble(data):
    lone = pd.concat([data, data.iloc[:1].assign(g=99, count=30)])
    model = fit("count ~ x + (1 | g)", lone)
    assert model.checkConv().ok
    effect = float(model.ranef()["g"].iloc[-1, 0])
    alone = np.log(30.0) - model.predict(re_form="~0", type="link")[-1]
    assert 0.0 < effect < alone


def test_groups_of_constant_responses_have_a_large_sd_and_a_word_about_it():
    g = np.repeat(np.arange(40), 20)
    constant = {"y": (g < 20).astype(int), "g": g}
    with pytest.warns(SingularFitWarning, match="40 of 40 levels of g have only zeros or only"):
        model = fit("y ~ 1 + (1 | g)", constant, "binomial")
    assert model.theta[0] > 10.0


@pytest.mark.parametrize("optimizer", ["quasi-newton", "L-BFGS-B", "Nelder-Mead"])
@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_a_gaussian_response_that_is_constant_within_groups_is_an_exact_fit(data, optimizer, unit):
    means = unit * np.random.default_rng(0).normal(size=N_LEVELS)
    control = mlm.GlmerControl(optimizer=optimizer)
    with pytest.warns(ConvergenceWarning, match="fits the response exactly"):
        model = fit("f ~ 1 + (1 | g)", data.assign(f=means[data.g]), "gaussian", control=control)
    np.testing.assert_allclose(model.fitted(), means[data.g], atol=1e-6 * unit)
    assert model.outcome.n_evaluations < 200


@pytest.mark.parametrize("family", ["gaussian", "gamma", "inverse_gaussian"])
@pytest.mark.parametrize("formula", ["f ~ x + (1 | g)", "f ~ x + (x | g)"])
def test_a_response_computed_from_predictors_and_groups_is_an_exact_fit(data, family, formula):
    eta = 0.5 * data.x + 0.3 * np.random.default_rng(0).normal(size=N_LEVELS)[data.g]
    declared = {
        "gaussian": mlm.families.Gaussian(),
        "gamma": mlm.families.Gamma(link="log"),
        "inverse_gaussian": mlm.families.InverseGaussian(link="log"),
    }[family]
    y = eta if family == "gaussian" else np.exp(eta)
    with pytest.warns(ConvergenceWarning, match="fits the response exactly"):
        model = fit(formula, data.assign(f=y), declared)
    np.testing.assert_allclose(model.fitted(), y, atol=1e-5)
    assert model.outcome.n_evaluations < 200


def test_a_response_computed_from_the_fixed_effects_is_an_exact_fit():
    days = mlm.load_sleepstudy()
    days["y"] = 2.0 * days["Days"]
    with pytest.warns(ConvergenceWarning, match="fits the response exactly"):
        model = fit("y ~ Days + (1 | Subject)", days, "gaussian")
    np.testing.assert_allclose(model.beta, [0.0, 2.0], atol=1e-12)
    assert model.outcome.n_evaluations < 20


def test_a_residual_of_a_ten_thousandth_is_not_called_exact(data):
    noise = np.random.default_rng(1).normal(size=N)
    near = data.assign(f=100.0 * np.sin(data.g) + 1e-2 * noise)
    model = fit("f ~ 1 + (1 | g)", near, "gaussian")
    within = near.f - near.groupby("g")["f"].transform("mean")
    assert model.phi == pytest.approx((within**2).sum() / (N - N_LEVELS), rel=1e-4)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_a_gamma_response_moves_the_intercept_alone(data, unit):
    one, other = (fit("size ~ x + (1 | g)", data.assign(size=data["size"] * c), "gamma")
                  for c in (1.0, unit))  # fmt: skip
    np.testing.assert_allclose(other.beta, one.beta + np.array([np.log(unit), 0.0]), atol=1e-6)
    assert other.logLik() == pytest.approx(one.logLik() - N * np.log(unit), rel=1e-9)


def test_one_gamma_value_of_1e_12_among_others_is_fitted(data):
    tiny = data.assign(size=np.where(np.arange(N) == 5, 1e-12, data["size"]))
    model = fit("size ~ x + (1 | g)", tiny, "gamma")
    assert model.checkConv().ok
    assert model.phi > 1.2 * fit("size ~ x + (1 | g)", data, "gamma").phi


def test_binomial_rows_without_trials_say_nothing(data):
    counted = data.assign(n=np.where(np.arange(N) % 7 == 0, 0, 5), s=data.y)
    counted["s"] = counted.s.where(counted.n > 0, 0)
    one = fit("s / n ~ x + (1 | g)", counted, "binomial")
    other = fit("s / n ~ x + (1 | g)", counted[counted.n > 0], "binomial")
    assert one.logLik() == pytest.approx(other.logLik(), rel=1e-12)
    np.testing.assert_allclose(one.beta, other.beta, atol=1e-8)


def test_underdispersed_counts_make_a_negative_binomial_a_poisson(data):
    even = data.assign(even=np.rint(np.exp(1.0 + 0.3 * data.x)))
    with pytest.warns(SingularFitWarning, match="theta of negative_binomial runs to infinity"):
        model = fit("even ~ x", even, "nbinom2")
    assert model.logLik() == pytest.approx(fit("even ~ x", even).logLik(), abs=1e-6)


@pytest.mark.parametrize("link", ["inverse", "identity"])
def test_no_mean_of_a_positive_response_is_negative(link):
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.normal(size=12)
        y = rng.wald(np.exp(0.5 * x), 1.0)
        family = mlm.families.InverseGaussian(link=link)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mlm.errors.MixedlmWarning)
            try:
                model = mlm.glmer("y ~ x", {"y": y, "x": x}, family)
            except mlm.errors.EstimationError:
                continue
        assert (model.fitted() > 0.0).all()
