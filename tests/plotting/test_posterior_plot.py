"""Plots of a posterior show its draws, its intervals and the fit beside them."""

from dataclasses import fields

import matplotlib.pyplot as plt
import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.plotting import plot_posterior
from mixedlm_pt.plotting.posterior_plot import DrawnPosterior
from tests.bayes.normal_posterior import normal_posterior


@pytest.fixture(scope="module")
def posterior():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    return normal_posterior(fit, 200)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def line(ax, label):
    return next(part for part in ax.lines if part.get_label() == label)


def test_densities_have_the_draws_beside_the_fit(posterior):
    figure = plot_posterior(posterior, parm="beta_")
    assert len(figure.axes) == 8
    density, trace = figure.axes[2:4]
    assert density.get_title(loc="left") == "period2"
    assert line(density, "ML estimate").get_xdata()[0] == posterior.fit.beta[1]
    curve = density.lines[0]
    peak = curve.get_xdata()[np.argmax(curve.get_ydata())]
    assert abs(peak - posterior.fixef()["period2"]) < 0.15
    np.testing.assert_array_equal(trace.lines[1].get_ydata(), posterior.draws["period2"][1])


def test_the_curve_of_a_fit_is_its_normal_approximation(posterior):
    density = plot_posterior(posterior, parm="period3").axes[0]
    curve = line(density, "ML, normal")
    x, y = curve.get_xdata(), curve.get_ydata()
    se = np.sqrt(posterior.fit.vcov().loc["period3", "period3"])
    z = (x - posterior.fit.beta[2]) / se
    np.testing.assert_allclose(y / y.max(), np.exp(-0.5 * z**2), atol=1e-4)


def test_ranks_of_all_chains_are_those_of_all_draws(posterior):
    ranks = plot_posterior(posterior, "trace", "sd_(Intercept)|herd").axes[1]
    counts = np.array([patch.get_data().values for patch in ranks.patches[-2:]])
    assert counts.sum() == 200
    np.testing.assert_array_equal(counts.sum(axis=0), 10)


def test_a_forest_has_the_fit_s_intervals_below_the_posterior_s(posterior):
    figure = plot_posterior(posterior, "forest", level=0.9)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Fixed effects", "Random effects"]
    segments = np.concatenate([c.get_segments() for c in figure.axes[0].collections[:3]])
    ends = segments[:, :, 0]
    np.testing.assert_allclose(ends[:4], posterior.confint("beta_", level=0.9))
    np.testing.assert_allclose(ends[4:8], posterior.confint("beta_", level=0.5))
    np.testing.assert_allclose(ends[8:], posterior.fit.confint("beta_", level=0.9))


def test_the_caterpillar_has_credible_limits(posterior):
    ax = plot_posterior(posterior, "ranef", "herd").axes[0]
    ends = np.concatenate([c.get_segments() for c in ax.collections if hasattr(c, "get_segments")])
    limits = posterior.ranef().limits()[["2.5 %", "97.5 %"]].to_numpy()
    np.testing.assert_allclose(np.sort(ends[:, :, 0], axis=0), np.sort(limits, axis=0))
    assert ax.get_xlabel() == "Posterior mean and 95 % interval"


def test_a_drawn_posterior_stays_one(posterior):
    drawn = DrawnPosterior(**{f.name: getattr(posterior, f.name) for f in fields(posterior)})
    assert drawn.plot("forest").axes
    assert isinstance(drawn.with_posterior_predictive(seed=1), DrawnPosterior)


def test_unknown_kinds_and_parameters_are_refused(posterior):
    with pytest.raises(ArgumentError, match="unknown kind 'pairs'; known: density, trace"):
        plot_posterior(posterior, "pairs")
    with pytest.raises(ArgumentError, match="unknown parm"):
        plot_posterior(posterior, parm="sd")
    with pytest.raises(ArgumentError, match="kind='trace' has several"):
        plot_posterior(posterior, "trace", ax=plt.figure().subplots())
