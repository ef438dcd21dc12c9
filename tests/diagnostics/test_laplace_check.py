"""The check of Laplace's approximation, against quadrature and refits."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def toenail():
    """Few binary responses a group and a large standard deviation."""
    rng = np.random.default_rng(3)
    g, t = np.repeat(np.arange(150), 5), np.tile(np.arange(5), 150)
    y = rng.random(750) < expit(-2.0 - 0.4 * t + 4.0 * rng.normal(size=150)[g])
    return mlm.glmer(
        "y ~ t + (1 | g)", pd.DataFrame({"y": y * 1, "t": t, "g": g}), family="binomial"
    )


def test_importance_sampling_gives_the_likelihood_of_quadrature(cbpp):
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(100), 8)
    y = rng.random(800) < expit(-0.5 + 1.2 * rng.normal(size=100)[g])
    binary = mlm.glmer("y ~ 1 + (1 | g)", pd.DataFrame({"y": y * 1, "g": g}), family="binomial")
    for fit in (cbpp, binary):
        table = fit.check_laplace(draws=4000, random_seed=1).log_likelihoods
        assert table.loc["Laplace", "logLik"] == pytest.approx(float(fit.logLik()), abs=1e-8)
        exact = table.loc["nAGQ = 25", "logLik"]
        estimate, se = table.loc["importance sampling"]
        assert abs(exact - table.loc["Laplace", "logLik"]) > 5.0 * se
        assert estimate == pytest.approx(exact, abs=4.0 * se)


def test_contributions_sum_to_the_difference(cbpp):
    check = cbpp.check_laplace(random_seed=1)
    table = check.log_likelihoods["logLik"]
    total = check.to_frame()["difference"].sum()
    assert total == pytest.approx(table["importance sampling"] - table["Laplace"], abs=1e-9)
    assert check.groups["n"].sum() == cbpp.nobs()
    assert list(check.groups.index.get_level_values("level")) == list(cbpp.design.factors[0].levels)


def test_shifts_are_those_of_a_refit_with_quadrature(cbpp):
    exact = cbpp.update(nAGQ=25)
    moved = (exact.par - cbpp.par) / np.sqrt(np.diag(cbpp.estimate.covariance))
    np.testing.assert_allclose(cbpp.check_laplace().shifts, moved, atol=0.003)


def test_sampled_shifts_agree_with_those_of_quadrature(cbpp):
    from mixedlm_pt.diagnostics.laplace_error import LaplaceError

    error = LaplaceError(cbpp, 4000, 1)
    gradient = error.quadrature_gradient()
    size = np.sqrt(np.diag(cbpp.estimate.covariance))
    for j, h in enumerate(size):
        direction = h * np.eye(len(size))[j]
        assert error.slope(direction) == pytest.approx(h * gradient[j], abs=0.01)


def test_cbpp_is_good_enough(cbpp):
    check = cbpp.check_laplace(random_seed=1)
    assert check.is_good
    assert check.conclusion.startswith("Laplace is good enough: the exact likelihood would move no")
    assert (check.groups["k_hat"] <= 0.7).all()


def test_few_binary_responses_with_a_large_sd_are_not(toenail):
    check = toenail.check_laplace(random_seed=1)
    assert not check.is_good
    assert "not good enough, use nAGQ = 25" in check.conclusion
    worst = check.groups["k_hat"].idxmax()
    assert check.groups["k_hat"].max() > 0.7
    assert f"g {worst[1]}" in check.conclusion


def test_a_large_shift_is_not_given_as_a_number(toenail):
    check = toenail.check_laplace(random_seed=1)
    exact = toenail.update(nAGQ=50)
    moved = (exact.par - toenail.par) / np.sqrt(np.diag(toenail.estimate.covariance))
    assert np.abs(moved).max() > 3.0
    assert "by several standard errors" in check.conclusion
    assert "one Newton step: above 3 they say that an estimate is far off" in check.method


def test_what_is_not_scalar_is_sampled():
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(60), 5), np.tile(np.linspace(-1, 1, 5), 60)
    b = 3.0 * rng.normal(size=(60, 2))
    y = rng.random(300) < expit(b[g, 0] + b[g, 1] * x)
    data = pd.DataFrame({"y": y * 1, "x": x, "g": g})
    fit = mlm.glmer("y ~ x + (x || g)", data, family="binomial")
    check = fit.check_laplace(random_seed=1)
    assert "sample" in check.conclusion
    assert "nAGQ" not in check.conclusion
    assert list(check.log_likelihoods.index) == ["Laplace", "importance sampling"]


def test_crossed_factors_have_groups_of_each_and_one_joint_shape():
    rng = np.random.default_rng(2)
    a, b = np.repeat(np.arange(12), 10), np.tile(np.arange(10), 12)
    y = rng.poisson(np.exp(0.3 + 0.5 * rng.normal(size=12)[a] + 0.4 * rng.normal(size=10)[b]))
    fit = mlm.glmer(
        "y ~ 1 + (1 | a) + (1 | b)", pd.DataFrame({"y": y, "a": a, "b": b}), family="poisson"
    )
    check = fit.check_laplace(random_seed=1)
    assert np.isfinite(check.joint_k_hat)
    assert check.groups.loc["a"].shape[0] == 12
    assert check.groups.loc["b"].shape[0] == 10
    assert "joint k-hat" in str(check)
    table = check.log_likelihoods
    # Their parts, one at a time, make up most of the joint error.
    total = table.loc["importance sampling", "logLik"] - table.loc["Laplace", "logLik"]
    assert check.groups["difference"].sum() == pytest.approx(total, abs=0.05)


def test_seeds_repeat_and_nothing_else_does(cbpp):
    first, again, other = (cbpp.check_laplace(random_seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first.groups, again.groups)
    assert not first.groups["difference"].equals(other.groups["difference"])


def test_it_prints_its_conclusion_first_in_text_and_html(cbpp):
    check = cbpp.check_laplace(random_seed=1)
    assert str(check).splitlines()[1].startswith("Laplace is good enough")
    html = check._repr_html_()
    assert "Laplace is good enough" in html
    assert html.count("<table") == 3


def test_its_plot_has_a_point_a_group(cbpp):
    figure = cbpp.check_laplace(random_seed=1).plot()
    for ax in figure.axes:
        assert len(ax.collections[-1].get_offsets()) == 15


def test_a_model_without_random_effects_is_refused():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    with pytest.raises(ArgumentError, match="no random effects"):
        fit.check_laplace()


def test_few_draws_are_refused(cbpp):
    with pytest.raises(ArgumentError, match="at least 100"):
        cbpp.check_laplace(draws=50)
