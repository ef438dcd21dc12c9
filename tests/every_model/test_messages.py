"""Wrong calls: the message names the argument and says what is allowed."""

from dataclasses import replace

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt import families
from mixedlm_pt.errors import ArgumentError, EstimationError, MixedlmError
from tests.every_method import cbpp_with_x

WRONG = [
    ("emmeans", (3,), {}, "specs is 3; it must be a name or a list of names"),
    ("emmeans", ("period",), {"at": {"x": "a"}}, r"at\['x'\] is 'a'; it must be a finite number"),
    ("emmeans", ("period",), {"at": 3}, "at is 3; it must be a mapping such as"),
    ("emmeans", ("period",), {"at": {"period": "9"}}, "unknown level of 'period' '9'; known: 1, 2"),
    ("emmeans", ("period",), {"offset": "a"}, "offset is 'a'"),
    ("emtrends", ("period", ["x"]), {}, r"unknown predictor \['x'\]; known: period, x"),
    ("avg_slopes", (5,), {}, "variables is 5; it must be a name"),
    ("avg_comparisons", ("Period",), {}, "Did you mean 'period'"),
    ("confint", (3,), {}, "parm is 3; it must be a name"),
    ("confint", ("nope",), {}, r"unknown parm 'nope'; known: sd_\(Intercept\)\|herd"),
    ("confint", (), {"level": "a"}, "level is 'a'; it must lie between 0 and 1"),
    ("confint", (), {"method": "boot", "nsim": 2, "n_jobs": 0}, "n_jobs is 0; it must be"),
    ("profile", (2,), {}, "it must be a name"),
    ("getME", (5,), {}, "name is 5; it must be a name"),
    ("qqmath", (5,), {}, "group is 5; it must be a name"),
    ("simulate", (), {"seed": "a"}, "seed is 'a'; it must be a non-negative integer"),
    ("simulate", (), {"seed": -1}, "seed is -1; it must be a non-negative integer"),
    ("simulate", (), {"nsim": 0}, "nsim is 0; it must be a positive integer"),
    ("predict", (), {"interval": "prediction", "seed": 1.5}, "seed is 1.5"),
    ("residuals", ("quantile",), {"seed": "a"}, "seed is 'a'"),
    ("cross_validate", (), {"seed": "a"}, "seed is 'a'"),
    ("cross_validate", (), {"metrics": "rmse"}, "Did you mean 'RMSE'"),
    ("allFit", (), {"optimizers": "bfgs"}, "Did you mean 'BFGS'"),
    ("update", (5,), {}, "formula is 5; it must be text"),
    ("bootMer", (5,), {"nsim": 2}, "FUN is 5; it must be a function of a fit"),
    ("linear_hypothesis", (5,), {}, "hypotheses is 5; it must be equations"),
    ("linear_hypothesis", ("x = ",), {}, "something on both sides of '='"),
    ("drop1", (), {"k": "a"}, "k is 'a'; it must be a finite number"),
    ("power", ("x", {"x": "a"}), {"nsim": 2}, r"effect\['x'\] is 'a'"),
    ("isSingular", ("a",), {}, "tol is 'a'"),
    ("tidy", (), {"sede": 3}, "hands sede to confint"),
]


@pytest.fixture(scope="module")
def fit():
    return mlm.glmer("incidence / size ~ period + x + (1 | herd)", cbpp_with_x())


@pytest.mark.parametrize(("name", "given", "named", "message"), WRONG)
def test_a_wrong_call_is_told_what_is_wrong(fit, name, given, named, message):
    with pytest.raises(MixedlmError, match=message):
        getattr(fit, name)(*given, **named)


def test_weights_of_contrasts_are_numbers(fit):
    with pytest.raises(ArgumentError, match=r"weights of contrasts are .* must be numbers"):
        fit.emmeans("period").contrast({"a": ["p", "q", "r", "s"]})


def test_functions_of_a_custom_family_are_checked():
    def logp(y, mean, phi):
        return -mean.log_mu - y / mean.mu

    with pytest.raises(ArgumentError, match=r"random of family 'e' .* function of \(rng, mu, phi"):
        families.CustomFamily("e", logp, "log", random=lambda rng, mu, phi: mu)
    with pytest.raises(ArgumentError, match=r"logp of family 'e' .* function of \(y, mean, phi\)"):
        families.CustomFamily("e", lambda y, mean: y, "log")
    scalar = families.CustomFamily("e", logp, "log", random=lambda rng, mu, phi, w: 1.0)
    with pytest.raises(ArgumentError, match=r"random of family 'e' returned .* shape \(\)"):
        scalar.draw(np.random.default_rng(1), np.ones(3), 1.0, np.ones(3))


def test_means_outside_their_range_cannot_be_simulated():
    data = mlm.load_cbpp()
    fit = mlm.glmer("incidence / size ~ 1 + (1 | herd)", data, families.Binomial(link="log"))
    wide = fit.replace(estimate=replace(fit.estimate, theta=np.array([5.0])))
    with pytest.raises(EstimationError, match="link 'log' leaves the means of binomial, 0 to 1"):
        wide.simulate(seed=1)
    boot = fit.bootMer(nsim=60, seed=1)
    assert len(boot.t) + sum(boot.failures.values()) == 60


def test_contrasts_of_a_factor_that_leaves_are_forgotten():
    data = cbpp_with_x()
    fit = mlm.glmer("incidence / size ~ period + x + (1 | herd)", data, contrasts={"period": "sum"})
    smaller = fit.update(". ~ . - period")
    assert list(smaller.fixef().index) == ["(Intercept)", "x"]
    assert list(fit.update(". ~ . - x").fixef().index)[1] == "period1"
    with pytest.raises(ArgumentError, match="unknown factor in contrasts 'period'"):
        fit.update(". ~ . - period", contrasts={"period": "sum"})


def test_rows_without_trials_have_intervals_for_one_trial():
    data = mlm.load_cbpp().assign(share=lambda d: d["incidence"] / d["size"])
    data.loc[[0, 5], ["size", "share"]] = [[0, 0.0], [0, 0.0]]
    fit = mlm.glmer("share ~ period + (1 | herd)", data, weights="size")
    limits = fit.predict(interval="prediction", seed=1)
    assert np.isfinite(limits.to_numpy()).all()
    assert set(limits.loc[[0, 5], ["lower", "upper"]].to_numpy().ravel()) <= {0.0, 1.0}


def test_quasi_deviance_exists_at_a_count_of_zero():
    data = mlm.load_grouseticks()
    family = families.QuasiFamily(variance_func="mu^1.5", link="log")
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", data, family)
    zero = data["TICKS"].to_numpy() == 0
    # The integral of t / t^1.5 from 0 to mu, twice, with the sign of y - mu.
    expected = -np.sqrt(4.0 * np.sqrt(fit.fitted()[zero]))
    np.testing.assert_allclose(fit.residuals("deviance")[zero], expected, rtol=1e-6)


def test_what_cannot_be_estimated_is_explained():
    data = cbpp_with_x().assign(twice=lambda d: 2.0 * d["x"])
    with pytest.warns(mlm.errors.RankDeficiencyWarning):
        fit = mlm.glmer("incidence / size ~ period + x + twice + (1 | herd)", data)
    table = fit.avg_slopes("x")
    assert np.isnan(table.to_frame()["estimate"]).all()
    assert "not estimable" in str(table)
    assert "Dropped: twice" in table.notes[-1]
