import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics.simulated_residuals import SimulatedResiduals, ranks
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def ticks():
    """Tick counts, overdispersed for a Poisson."""
    data = mlm.load_grouseticks()
    return mlm.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | LOCATION)", data, "poisson")


def ranked(observed, simulations, is_discrete=False):
    observed, simulations = np.asarray(observed, float), np.asarray(simulations, float)
    seed = np.random.SeedSequence(1)
    return SimulatedResiduals(
        residuals=ranks(observed, simulations, seed),
        observed=observed,
        fitted=np.zeros(len(observed)),
        simulations=simulations,
        index=pd.RangeIndex(len(observed)),
        is_discrete=is_discrete,
        is_conditional=True,
        seed=seed,
    )


def test_residuals_are_ranks_among_the_simulations():
    found = ranked([2.5, 0.0, 9.0], np.tile([1.0, 2.0, 3.0, 4.0], (3, 1)))
    np.testing.assert_array_equal(found.residuals, [0.5, 0.0, 1.0])
    np.testing.assert_array_equal(found.is_outlier, [False, True, True])


def test_ties_are_broken_uniformly():
    found = ranked(np.ones(5000), np.tile([0.0, 1.0, 1.0, 2.0], (5000, 1)), is_discrete=True)
    assert stats.kstest(found.residuals, "uniform", args=(0.25, 0.5)).pvalue > 0.01


@pytest.mark.parametrize("is_discrete", [True, False])
def test_all_tests_have_their_size_under_the_model(is_discrete):
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(60):
        draws = rng.poisson(3.0, (100, 101)) if is_discrete else rng.gamma(2.0, 1.0, (100, 101))
        found = ranked(draws[:, 0], draws[:, 1:], is_discrete)
        p_values.append([test.p_value for test in found.results])
    shares = (np.array(p_values) < 0.1).mean(axis=0)
    # 60 replicates at level 0.1: 0.217 is three standard errors above it.
    assert (shares < 0.217).all()


def test_a_sound_model_passes(cbpp):
    found = cbpp.simulate_residuals(seed=1)
    assert all(test.p_value > 0.05 for test in found.results)
    assert ((found.residuals >= 0.0) & (found.residuals <= 1.0)).all()


def test_an_overdispersed_one_fails_uniformity_dispersion_and_outliers(ticks):
    found = ticks.simulate_residuals(seed=1)
    assert found.test_dispersion().statistic > 2.0
    for test in (found.test_uniformity(), found.test_dispersion(), found.test_outliers()):
        assert test.p_value < 0.02
    assert found.test_dispersion(alternative="less").p_value > 0.9


def test_excess_zeros_are_found():
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(40), 10)
    y = rng.poisson(np.exp(1.0 + rng.normal(0.0, 0.4, 40))[g]) * (rng.random(400) > 0.2)
    fit = mlm.glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, "poisson")
    test = fit.simulate_residuals(seed=1).test_zero_inflation()
    assert test.statistic > 1.3
    assert test.p_value < 0.02


def test_binomial_responses_are_numbers_of_successes(cbpp):
    found = cbpp.simulate_residuals(nsim=20, seed=1)
    np.testing.assert_array_equal(found.observed, cbpp.call.data["incidence"])
    assert found.simulations.shape == (56, 20)
    assert np.array_equal(found.simulations, np.rint(found.simulations))


def test_conditional_simulations_hold_the_random_effects(ticks):
    held = ticks.simulate_residuals(nsim=100, seed=1).simulations
    free = ticks.simulate_residuals(nsim=100, seed=1, conditional=False).simulations
    np.testing.assert_allclose(held.mean(axis=1).mean(), ticks.mu.mean(), rtol=0.02)
    assert free.var(axis=1).mean() > 3.0 * held.var(axis=1).mean()


def test_groups_are_sums_and_their_effects_are_drawn_by_default(cbpp):
    found = cbpp.simulate_residuals(seed=1, groups="herd")
    by_herd = cbpp.call.data.groupby("herd", observed=True)["incidence"].sum()
    np.testing.assert_array_equal(found.observed, by_herd.reindex(found.index).to_numpy())
    assert not found.is_conditional
    assert found.test_uniformity().p_value > 0.05
    labels = cbpp.call.data["period"].tolist()
    assert len(cbpp.simulate_residuals(nsim=10, seed=1, groups=labels).residuals) == 4


def test_a_seed_gives_the_same_residuals_and_more_simulations_keep_the_first(cbpp):
    found, again = (cbpp.simulate_residuals(nsim=30, seed=2) for _ in range(2))
    np.testing.assert_array_equal(found.residuals, again.residuals)
    more = cbpp.simulate_residuals(nsim=40, seed=2)
    np.testing.assert_array_equal(more.simulations[:, :30], found.simulations)


def test_the_table_has_all_tests_as_text_and_html(ticks):
    found = ticks.simulate_residuals(seed=1)
    text = str(found)
    for word in ("uniformity", "dispersion", "outliers", "zero inflation", "403 residuals", "**"):
        assert word in text
    assert "<table" in found._repr_html_()
    assert str(found.test_uniformity()).startswith("uniformity: Kolmogorov-Smirnov D = 0.")


def test_a_statistic_of_ones_own_is_compared(cbpp):
    found = cbpp.simulate_residuals(seed=1)
    test = found.test_statistic(np.max, "greater", "maximum")
    expected = (1 + (found.simulations.max(axis=0) >= found.observed.max()).sum()) / 251
    assert test.p_value == pytest.approx(expected)


def test_bad_arguments_are_named(cbpp):
    with pytest.raises(ArgumentError, match="nsim is 1"):
        cbpp.simulate_residuals(nsim=1)
    with pytest.raises(ArgumentError, match="unknown alternative 'more'"):
        cbpp.simulate_residuals(nsim=5).test_dispersion("more")
    with pytest.raises(ColumnNotFoundError, match="no column 'herds'"):
        cbpp.simulate_residuals(groups="herds")
    with pytest.raises(ArgumentError, match="groups has 3 labels; the model has 56 rows"):
        cbpp.simulate_residuals(groups=[1, 2, 3])
    with pytest.raises(ArgumentError, match="cannot be simulated"):
        mlm.glmer("incidence / size ~ period", cbpp.call.data, "quasibinomial").simulate_residuals()


def test_rows_left_out_are_absent_and_labels_of_all_rows_are_understood():
    data = mlm.load_cbpp()
    data["x"] = np.arange(56.0)
    data.loc[[4, 9], "x"] = np.nan
    fit = mlm.glmer("incidence / size ~ x + (1 | herd)", data, na_action="exclude")
    found = fit.simulate_residuals(nsim=20, seed=1, groups=data["period"])
    assert found.observed.sum() == data["incidence"].drop([4, 9]).sum()
    assert len(fit.simulate_residuals(nsim=5, seed=1).residuals) == 54
