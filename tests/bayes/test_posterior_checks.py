import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes.pit import ecdf_band
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.plotting import plot_loo_pit
from tests.bayes.made_posterior import around


@pytest.fixture(scope="module")
def cbpp():
    return around(mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp()), n=1000)


@pytest.fixture(scope="module")
def poisson():
    """Poisson draws for counts that are more dispersed."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(20), 10)
    mu = 3.0 * np.exp(0.4 * rng.standard_normal(20))[g] * rng.gamma(1.0, 1.0, 200)
    table = pd.DataFrame({"y": rng.poisson(mu), "g": g.astype(str)})
    return around(mlm.glmer("y ~ 1 + (1 | g)", table, "poisson"), n=400, spread=0.1)


def test_statistics_and_p_values_are_those_of_the_simulations(cbpp):
    found = cbpp.check(["mean", "zeros", np.median], nsim=200, seed=1)
    y, simulated = found.residuals.observed, found.residuals.simulations
    assert simulated.shape == (56, 200)
    table = found.to_frame()
    assert list(table.index) == ["mean", "zeros", "median"]
    assert table.loc["mean", "observed"] == pytest.approx(cbpp.fit.call.data["incidence"].mean())
    means = simulated.mean(axis=0)
    assert table.loc["mean", "P(sim >= obs)"] == (means >= y.mean()).mean()
    expected = [means.mean(), *np.percentile(means, [2.5, 97.5])]
    np.testing.assert_allclose(table.loc["mean"].iloc[1:4], expected)
    assert table.loc["zeros", "observed"] == (y == 0).mean()
    again = cbpp.check("mean", nsim=200, seed=1).to_frame()
    pd.testing.assert_frame_equal(again, table.iloc[:1])


def test_the_right_model_reproduces_the_statistics(cbpp):
    found = cbpp.check(seed=2)
    assert list(found.table.index) == ["mean", "sd", "zeros", "max", "dispersion"]
    assert str(found).endswith("The model reproduces these statistics.")
    assert "groups keep their random effects" in str(found)


def test_overdispersed_counts_are_more_than_a_poisson_model_predicts(poisson):
    found = poisson.check(nsim=200, seed=3)
    assert {"sd", "zeros", "dispersion"} <= set(found.surprising.index)
    row = found.table.loc["dispersion"]
    verdict = f"dispersion: {row['observed']:.4g} is more than the model predicts, "
    assert verdict in " ".join(str(found).split())
    assert poisson.simulate_residuals(200, seed=3).test_dispersion().p_value < 0.02


def test_groups_have_the_statistic_of_their_rows(cbpp):
    found = cbpp.check("sd", groups="herd", nsim=100, conditional=False, seed=4)
    data = cbpp.fit.call.data
    expected = data.groupby("herd", observed=True)["incidence"].std()
    np.testing.assert_allclose(found.table["observed"], expected)
    assert "15 groups of herd (sd) lie outside their limits (about 1 would by" in str(found)
    assert "groups have new effects" in str(found)
    assert not found.residuals.is_conditional


def test_new_effects_vary_more_than_those_of_the_posterior(poisson):
    arguments = {"groups": "g", "nsim": 200, "seed": 5}
    held = poisson.check(conditional=True, **arguments).table
    anew = poisson.check(conditional=False, **arguments).table
    spread = (anew["97.5 %"] - anew["2.5 %"]) / (held["97.5 %"] - held["2.5 %"])
    assert spread.median() > 1.3


def test_statistics_may_be_functions_and_unknown_ones_are_refused(cbpp):
    found = cbpp.check({"odd": lambda y: float((y % 2 == 1).sum())}, nsim=50, seed=1)
    assert list(found.table.index) == ["odd"]
    with pytest.raises(ArgumentError, match="unknown statistic 'men'; known: mean"):
        cbpp.check("men")
    with pytest.raises(ArgumentError, match="groups= takes one statistic, not 2: mean, sd"):
        cbpp.check(["mean", "sd"], groups="herd", nsim=50)


def test_loo_pit_is_the_weighted_distribution_function():
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), "gaussian")
    posterior = around(fit, n=1000)
    left_out = posterior.loo()
    draws, design = posterior.data["posterior"].dataset, fit.design
    eta = draws["beta"].to_numpy() @ design.X.T
    eta += draws["b_Subject"].to_numpy()[..., design.factors[0].codes, 0]
    below = st.norm.cdf(design.response.y, eta, draws["sigma"].to_numpy()[..., None])
    weights = np.exp(left_out.arviz.log_weights.transpose("chain", "draw", "obs").to_numpy())
    expected = (weights * below).sum(axis=(0, 1)) / weights.sum(axis=(0, 1))
    found = posterior.loo_pit(left_out)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    pd.testing.assert_series_equal(posterior.loo_pit(), found)


def test_loo_pit_of_counts_is_randomised_inside_the_step(cbpp):
    found = cbpp.loo_pit(seed=1)
    other = cbpp.loo_pit(seed=2)
    assert ((found > 0.0) & (found < 1.0)).all()
    assert not np.allclose(found, other)
    assert st.kstest(found, "uniform").pvalue > 0.01
    with pytest.raises(ArgumentError, match="leaves out groups of herd; PIT values need loo"):
        cbpp.loo_pit(cbpp.loo(by="herd"))


@pytest.mark.parametrize("n", [30, 500])
def test_the_band_holds_the_whole_distribution_function(n):
    points, lower, upper = ecdf_band(n)
    rng = np.random.default_rng(9)
    samples = np.sort(rng.random((4000, n)), axis=1)
    own = np.stack([np.searchsorted(sample, points, side="right") for sample in samples]) / n
    inside = ((own >= lower) & (own <= upper)).all(axis=1).mean()
    assert 0.94 < inside < 0.97
    assert points[-1] == lower[-1] == upper[-1] == 1.0


@pytest.mark.parametrize("arguments", [{}, {"groups": "herd", "conditional": False}])
def test_the_plot_shows_every_statistic_or_all_groups(cbpp, arguments):
    figure = cbpp.check(nsim=50, seed=1, **arguments).plot()
    titles = [ax.get_title("left") for ax in figure.axes]
    own = ["Groups"] if arguments else ["mean", "sd", "zeros", "max", "dispersion"]
    assert titles == ["Rootogram", "PIT with 95 % band", *own]
    rootogram = figure.axes[0].collections[1].get_offsets()
    counts = np.bincount(cbpp.fit.call.data["incidence"])
    np.testing.assert_allclose(rootogram[: len(counts), 1], np.sqrt(counts))


def test_binary_and_continuous_responses_have_panels_of_their_own(cbpp):
    table = pd.DataFrame({"y": np.tile([0, 1, 0, 0, 1], 12), "g": np.repeat(list("abcdef"), 10)})
    table.loc[:19, "y"] = 1
    binary = around(mlm.glmer("y ~ 1 + (1 | g)", table), n=50)
    assert binary.check(nsim=50).plot().axes[0].get_title("left") == "Calibration"
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy(), "gamma")
    continuous = around(fit, n=50).check(nsim=50)
    assert list(continuous.table.index) == ["mean", "sd", "min", "max"]
    assert continuous.plot().axes[0].get_title("left") == "Distribution"
    line = plot_loo_pit(cbpp.loo_pit(seed=1)).axes[0].lines[-1]
    assert line.get_ydata()[0] == line.get_ydata()[-1] == 0.0
