import matplotlib as mpl
import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.plotting.residual_plots import local_quantiles, plot_simulated_residuals

mpl.use("Agg")


@pytest.fixture(scope="module")
def ticks():
    return mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks(), "poisson")


def test_the_panels_show_the_residuals_and_the_tests(ticks):
    found = ticks.simulate_residuals(seed=1)
    figure = found.plot()
    left, right = figure.axes
    shown = left.collections[-1].get_offsets()
    np.testing.assert_allclose(shown[:, 1], np.sort(found.residuals))
    text = left.texts[0].get_text()
    assert f"dispersion: p = {found.test_dispersion().p_value:.2g} *" in text
    n_shown = sum(len(c.get_offsets()) for c in right.collections)
    assert n_shown == len(found.residuals)
    assert len(right.collections[-1].get_offsets()) == found.is_outlier.sum() > 0


def test_a_fit_is_simulated_first_and_a_second_simulation_is_refused(ticks):
    figure = plot_simulated_residuals(ticks, nsim=50, seed=1)
    assert len(figure.axes) == 2
    with pytest.raises(ArgumentError, match="nsim can only be given with a fit"):
        plot_simulated_residuals(ticks.simulate_residuals(nsim=20, seed=1), nsim=30)


def test_grouped_residuals_are_drawn_too(ticks):
    found = ticks.simulate_residuals(nsim=50, seed=1, groups="BROOD")
    assert len(found.plot().axes[0].collections[-1].get_offsets()) == 118


def test_local_quantiles_are_flat_for_uniform_residuals_and_follow_a_trend():
    rng = np.random.default_rng(1)
    x = (np.arange(20_000) + 0.5) / 20_000
    places, quartiles = local_quantiles(x, rng.random(20_000))
    np.testing.assert_allclose(quartiles, np.array([[0.25], [0.5], [0.75]]) + 0 * places, atol=0.03)
    _, quartiles = local_quantiles(x, x)
    assert (np.diff(quartiles[1]) > 0).all()


def test_the_users_settings_stay(ticks):
    before = dict(mpl.rcParams)
    plot_simulated_residuals(ticks, nsim=10, seed=1)
    assert dict(mpl.rcParams) == before
