"""`bootMer`: replicates, their intervals, and what is kept when something fails."""

import os

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.refitting import Bootstrap
from mixedlm_pt.refitting.bootstrap import as_series

FORMULA = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp())


@pytest.fixture(scope="module")
def boot(cbpp):
    return cbpp.bootMer(nsim=300, seed=7)


# sd of the herds, intercept, period2, period3; of period4 a separated replicate spoils the moments.
FIRST = slice(0, 4)


def test_default_replicates_have_lme4s_bias_and_spread(boot):
    # R: b <- bootMer(fm, function(f) c(sd = getME(f, "theta"), fixef(f)), nsim = 1000, seed = 1);
    # colMeans(b$t) - b$t0; apply(b$t, 2, sd); mean(b$t[, 1] < 1e-4).
    bias = np.array([-0.06185775, -0.00296406, -0.01796408, -0.02162658])
    sd = np.array([0.2002516, 0.236261, 0.288341, 0.3221955])
    # Monte Carlo errors of 300 and 1,000 replicates: of a mean, and of a standard deviation.
    error = np.sqrt(1 / 300 + 1 / 1000)
    np.testing.assert_allclose(boot.bias[FIRST] / sd, bias / sd, atol=3 * error)
    np.testing.assert_allclose(boot.se[FIRST] / sd, 1.0, atol=3 * error)
    assert boot.singular / 300 == pytest.approx(0.011, abs=3 * np.sqrt(0.011 / 300))


def test_use_u_holds_the_random_effects(cbpp, boot):
    # R: the same with use.u = TRUE and nsim = 500.
    held = cbpp.bootMer(nsim=100, seed=7, use_u=True)
    bias = np.array([-0.1439475, 0.01967192, -0.1148456, -0.1226531])
    sd = np.array([0.1780368, 0.1628711, 0.3104261, 0.3446903])
    np.testing.assert_allclose(held.bias[FIRST] / sd, bias / sd, atol=3 * np.sqrt(0.012))
    np.testing.assert_allclose(held.se[FIRST] / sd, 1.0, atol=3 * np.sqrt(0.012 / 2))
    # New herds move the intercept, the same herds do not.
    assert held.se["(Intercept)"] < boot.se["(Intercept)"]
    same = cbpp.bootMer(nsim=3, seed=7, re_form="~ (1 | herd)")
    np.testing.assert_array_equal(same.t, held.t.iloc[:3])


def test_a_replicate_is_the_fit_of_its_simulated_response(cbpp, boot):
    # Simulation j of `simulate` has the seed of replicate j.
    response = cbpp.simulate(nsim=3, seed=7)["sim_3"]
    alone = mlm.diagnostics.natural_parameters(cbpp.refit(response))
    np.testing.assert_allclose(boot.t.loc[3], alone, atol=2e-5)


def test_replicates_depend_on_their_own_seed_only(cbpp, boot):
    few = cbpp.bootMer(nsim=4, seed=7)
    np.testing.assert_array_equal(few.t, boot.t.iloc[:4])
    unseeded = cbpp.bootMer(nsim=2)
    np.testing.assert_array_equal(cbpp.bootMer(nsim=2, seed=unseeded.seed).t, unseeded.t)


def test_two_processes_give_the_same_replicates(cbpp, boot, monkeypatch):
    # The workers are new processes, which need what conftest.py sets here.
    monkeypatch.setenv("PYTENSOR_FLAGS", os.environ["PYTENSOR_FLAGS"])
    two = cbpp.bootMer(nsim=4, seed=7, n_jobs=2)
    np.testing.assert_array_equal(two.t, boot.t.iloc[:4])


def made_of(t, t0=0.25):
    names = pd.Index(["a"])
    table = pd.DataFrame(np.asarray(t)[:, None], columns=names)
    return Bootstrap(pd.Series([t0], index=names), table, {}, 0, len(t), 1)


def test_intervals_are_those_of_boot_ci():
    # R: t <- qnorm((1:199) / 200)^3 + 0.3; b <- structure(list(t0 = 0.25, t = matrix(t), R = 199,
    # sim = "parametric"), class = "boot"); boot.ci(b, conf = c(.83, .95), t0 = .25, t = t,
    # type = c("perc", "basic", "norm")). 0.83 * 200 is no whole number: R interpolates.
    from scipy.special import ndtri

    boot = made_of(ndtri(np.arange(1, 200) / 200) ** 3 + 0.3)
    theirs = {
        ("perc", 0.83): [-2.283781959, 2.883781959],
        ("perc", 0.95): [-7.229120937, 7.829120937],
        ("basic", 0.83): [-2.383781959, 2.783781959],
        ("basic", 0.95): [-7.329120937, 7.729120937],
        ("norm", 0.83): [-4.079425356, 4.479425356],
        ("norm", 0.95): [-5.912444462, 6.312444462],
    }
    for (type_, level), limits in theirs.items():
        np.testing.assert_allclose(boot.confint(level, type_).loc["a"], limits, rtol=1e-8)


def test_extreme_levels_end_at_the_extreme_replicates():
    boot = made_of([3.0, 1.0, 2.0])
    assert boot.confint(0.999).loc["a"].tolist() == [1.0, 3.0]


def test_limits_have_the_names_of_confint(cbpp, boot):
    limits, wald = boot.confint(level=0.9), cbpp.confint(level=0.9)
    assert limits.index.equals(wald.index)
    assert limits.columns.equals(wald.columns)
    assert boot.confint(parm="period2").index.to_list() == ["period2"]
    with pytest.raises(ArgumentError, match=r"unknown parm 'perod2'.*Did you mean 'period2'"):
        boot.confint(parm="perod2")
    with pytest.raises(ArgumentError, match="unknown type 'bca'"):
        boot.confint(type="bca")
    with pytest.raises(ArgumentError, match=r"level is 95; it must lie between 0 and 1"):
        boot.confint(level=95)


def test_failures_are_counted_with_their_reason(cbpp, boot):
    def steep(fit):
        if fit.beta[1] > -0.9:
            raise EstimationError("period2 is too high")
        return fit.beta

    failing = cbpp.bootMer(steep, nsim=20, seed=7)
    is_good = boot.t["period2"].iloc[:20] <= -0.9
    assert failing.t.index.to_list() == list(boot.t.index[:20][is_good])
    assert failing.failures == {"EstimationError: period2 is too high": int((~is_good).sum())}
    assert "replicates failed: EstimationError: period2 is too high" in str(failing)

    def first_only(fit):
        if fit.beta[1] != cbpp.beta[1]:
            raise EstimationError("another fit")
        return fit.beta

    with pytest.raises(EstimationError, match=r"every replicate .* failed. 3 times: .*another fit"):
        cbpp.bootMer(first_only, nsim=3)


def test_a_constant_replicate_is_a_failure():
    data = pd.DataFrame({"y": [0, 0, 0, 1, 0, 0, 0, 1], "g": list("aabbccdd")})
    fit = mlm.glmer("y ~ 1", data)
    boot = fit.bootMer(nsim=40, seed=2)
    (reason,) = [reason for reason in boot.failures if "0 in every row" in reason]
    # All eight zeros have the probability 0.75^8 = 0.1.
    assert 1 <= boot.failures[reason] <= 10
    assert len(boot.t) == 40 - sum(boot.failures.values())


def test_a_bug_in_fun_is_not_swallowed(cbpp):
    with pytest.raises(AttributeError):
        cbpp.bootMer(lambda fit: fit.no_such_thing, nsim=2)
    with pytest.raises(ArgumentError, match="FUN returned 'high'; it must return a number"):
        cbpp.bootMer(lambda fit: "high", nsim=2)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (2.0, ["t1"]),
        (np.array([[1.0, 2.0]]), ["t1", "t2"]),
        ({"a": 1, "b": 2}, ["a", "b"]),
        (pd.Series([1, 2], index=["x", "y"]), ["x", "y"]),
    ],
)
def test_fun_may_return_numbers_of_any_form(value, names):
    assert as_series(value).index.to_list() == names
    assert as_series(value).dtype == np.float64


def test_standard_errors_exist_where_they_are_asked_for(cbpp):
    def se(fit):
        return np.sqrt(fit.vcov().loc["period2", "period2"])

    with_them = cbpp.bootMer(se, nsim=3, seed=1, has_covariance=True)
    assert with_them.t.notna().all(axis=None)
    assert cbpp.bootMer(se, nsim=3, seed=1).t.isna().all(axis=None)


def test_an_interrupted_bootstrap_keeps_what_is_done(cbpp):
    calls = []

    def interrupted(fit):
        calls.append(fit)
        # The first call is of the fit itself.
        if len(calls) == 5:
            raise KeyboardInterrupt
        return fit.beta

    boot = cbpp.bootMer(interrupted, nsim=50, seed=1)
    assert boot.interrupted
    assert boot.t.index.to_list() == [1, 2, 3]
    assert "Interrupted after 3 of 50 replicates" in str(boot)


def test_a_shape_that_the_fit_put_at_its_limit_is_estimated_again():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.arange(200) % 10, "x": rng.normal(size=200)})
    data["y"] = rng.binomial(8, 1 / (1 + np.exp(-0.3 * data["x"])))
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer_nb("y ~ x + (1 | g)", data)
    assert fit.boundary_phi
    boot = fit.bootMer(nsim=10, seed=3)
    # Poisson samples look overdispersed half of the time.
    assert (boot.t.iloc[:, 1] < 1e4).any()


def test_what_cannot_be_simulated_is_refused_at_once(cbpp):
    quasi = mlm.glmer(FORMULA, mlm.load_cbpp(), "quasibinomial")
    with pytest.raises(ArgumentError, match="no distribution: it cannot be simulated"):
        quasi.bootMer(nsim=10)
    with pytest.raises(ArgumentError, match=r"nsim is 0; it must be a positive integer"):
        cbpp.bootMer(nsim=0)
    with pytest.raises(ArgumentError, match="give use_u=True"):
        cbpp.bootMer(use_u=True, re_form="~0")


def test_it_prints_as_text_and_html(boot):
    text = str(boot)
    assert text.startswith("Parametric bootstrap: 300 replicates, seed 7")
    assert "original" in text
    assert f"{boot.singular} of them are singular fits." in text
    assert "<table" in boot._repr_html_()
    assert list(boot.to_frame()) == ["original", "bias", "std. error", "2.5 %", "97.5 %"]
