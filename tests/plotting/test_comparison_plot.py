import matplotlib.pyplot as plt
import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from tests.bayes.made_up import posterior_of

FORMULA = "incidence / size ~ period + (1 | herd)"
ROWS = ["sd_(Intercept)|herd", "(Intercept)", "period2", "period3", "period4"]


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp())


@pytest.fixture(scope="module")
def posterior(cbpp):
    return posterior_of(cbpp)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def curves(ax):
    """Lines of more than two points, by colour."""
    return {line.get_color(): line for line in ax.lines if len(line.get_xdata()) > 2}


@pytest.mark.parametrize("profile", [True, False])
def test_likelihoods_stand_above_the_line_and_posteriors_below(cbpp, posterior, profile):
    figure = mlm.compare(cbpp, posterior).plot(profile=profile)
    figure.draw_without_rendering()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ROWS
    for ax in figure.axes:
        above, below = curves(ax).values()
        assert (np.asarray(above.get_ydata()) >= 0.0).all()
        assert (np.asarray(below.get_ydata()) <= 0.0).all()
    (legend,) = figure.legends
    kind = "profile likelihood" if profile else "normal approximation"
    assert [text.get_text() for text in legend.get_texts()] == [f"ML: {kind}", "Posterior: density"]


def test_both_densities_have_the_same_area(cbpp, posterior):
    ax = mlm.compare(cbpp, posterior).plot(parm="period2").axes[0]
    above, below = curves(ax).values()
    areas = [np.trapezoid(line.get_ydata(), line.get_xdata()) for line in (above, below)]
    assert areas[0] == pytest.approx(-areas[1], rel=0.02)


def test_the_drawn_likelihood_is_the_profile(cbpp, posterior):
    ax = mlm.compare(cbpp, posterior).plot(parm=ROWS[0]).axes[0]
    above, _ = curves(ax).values()
    x, y = np.asarray(above.get_xdata()), np.asarray(above.get_ydata())
    limits = cbpp.confint(ROWS[0], method="profile").to_numpy()[0]
    # At the limits of 95 % the likelihood is exp(-1.96^2 / 2) of its maximum.
    np.testing.assert_allclose(np.interp(limits, x, y) / y.max(), 0.14650, rtol=2e-3)


def test_intervals_are_those_of_the_table(cbpp, posterior):
    comparison = mlm.compare(cbpp, posterior)
    figure = comparison.plot("interval")
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "Fixed effects",
        "Random effects and dispersion",
    ]
    fixed = figure.axes[0]
    drawn = {
        tuple(np.round(segment[:, 0], 9))
        for lines in fixed.collections
        if hasattr(lines, "get_segments")
        for segment in lines.get_segments()
    }
    frame = comparison.to_frame()
    for name in comparison.results:
        limits = frame[name].loc[ROWS[1:], ["lower", "upper"]].to_numpy(float)
        assert drawn.issuperset(tuple(row) for row in np.round(limits, 9).tolist())


def test_random_effects_are_sorted_by_the_fit(cbpp, posterior):
    ax = mlm.compare(cbpp, posterior, what="ranef").plot().axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(cbpp.ranef()["herd"]["(Intercept)"].sort_values().index)


@pytest.mark.parametrize("what", ["ranef", "predictions"])
def test_scatter_plots_have_a_panel_a_result(cbpp, posterior, what):
    figure = mlm.compare(cbpp, posterior, posterior_of(cbpp, seed=2), what=what).plot("scatter")
    figure.draw_without_rendering()
    assert [ax.get_ylabel() for ax in figure.axes] == ["Posterior (1)", "Posterior (2)"]
    assert {ax.get_xlabel() for ax in figure.axes} == {"ML"}


def test_a_shape_is_drawn_on_the_posterior_s_scale():
    rng = np.random.default_rng(12)
    g = np.repeat(np.arange(20), 8)
    mu = np.exp(0.5 + rng.normal(0.0, 0.5, 20)[g])
    fit = mlm.glmer("y ~ 1 + (1 | g)", {"y": rng.gamma(3.0, mu / 3.0), "g": g.astype(str)}, "Gamma")
    ax = mlm.compare(fit, posterior_of(fit)).plot(parm="shape").axes[0]
    above, _ = curves(ax).values()
    x, y = np.asarray(above.get_xdata()), np.asarray(above.get_ydata())
    assert x[y.argmax()] == pytest.approx(1.0 / fit.phi, rel=0.01)


def test_kinds_and_parameters_that_are_not_there_are_refused(cbpp, posterior):
    comparison = mlm.compare(cbpp, posterior)
    with pytest.raises(ArgumentError, match="unknown kind for parameters 'scatter'"):
        comparison.plot("scatter")
    with pytest.raises(ArgumentError, match="unknown parm 'period9'"):
        comparison.plot(parm="period9")
    with pytest.raises(ArgumentError, match="unknown group 'x'"):
        mlm.compare(cbpp, posterior, what="ranef").plot(parm="x")
