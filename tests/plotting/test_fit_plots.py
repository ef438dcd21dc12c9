"""The plots of a fit draw the numbers that the verbs compute."""

from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.plotting.qqmath import normal_quantiles
from mixedlm_pt.plotting.smoothing import local_linear


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def slopes():
    formula = "use ~ age + I(age^2) + urban + livch + (urban | district)"
    return mlm.glmer(formula, mlm.load_contraception())


@pytest.fixture(scope="module")
def ticks():
    formula = "TICKS ~ YEAR + HEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)"
    return mlm.glmer(formula, mlm.load_grouseticks(), "poisson")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def drawn_points(ax):
    """Coordinates of all points of a panel."""
    parts = [c for c in ax.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(part.get_offsets()) for part in parts])


def test_dotplot_draws_sorted_modes_with_their_intervals(cbpp):
    ax = cbpp.dotplot().axes[0]
    modes = cbpp.ranef()["herd"]["(Intercept)"].sort_values()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(modes.index)
    points = drawn_points(ax)
    found = points[np.argsort(points[:, 1])]
    np.testing.assert_array_equal(found[:, 0], modes)
    lines = [c for c in ax.collections if isinstance(c, LineCollection)]
    segments = np.concatenate([line.get_segments() for line in lines])
    widths = np.sort(segments[:, 1, 0] - segments[:, 0, 0])
    se = np.sort(cbpp.ranef().se["herd"]["(Intercept)"].to_numpy())
    np.testing.assert_allclose(widths, 2 * 1.959963984540054 * se)


def test_dotplot_has_one_panel_an_effect_and_one_order_a_group(slopes, ticks):
    figure = slopes.dotplot()
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "(Intercept) | district",
        "urbanY | district",
    ]
    # Levels are named once a group.
    assert not figure.axes[1].get_yticks().size
    assert len(ticks.dotplot().axes) == 3
    assert len(ticks.dotplot(["BROOD", "LOCATION"]).axes) == 2


def test_hundreds_of_levels_are_counted_instead_of_named(ticks):
    ax = ticks.dotplot("INDEX").axes[0]
    assert not ax.get_yticks().size
    assert ax.get_ylabel() == "403 levels, sorted"


def test_names_of_levels_do_not_overlap(slopes):
    figure = slopes.dotplot()
    figure.canvas.draw()
    labels = [t.get_window_extent() for t in figure.axes[0].get_yticklabels()]
    assert all(not a.overlaps(b) for a, b in pairwise(labels))


def test_the_random_effects_themselves_can_be_drawn(cbpp):
    assert drawn_points(mlm.dotplot(cbpp.ranef()).axes[0]).size
    assert drawn_points(mlm.qqmath(cbpp.ranef(condVar=True)).axes[0]).size


def test_qqmath_draws_modes_against_normal_quantiles(slopes):
    figure = slopes.qqmath()
    assert len(figure.axes) == 2
    points = drawn_points(figure.axes[1])
    np.testing.assert_array_equal(points[:, 1], np.sort(slopes.ranef()["district"]["urbanY"]))
    np.testing.assert_array_equal(points[:, 0], normal_quantiles(60))


def test_normal_quantiles_are_rs():
    # sort(qqnorm(1:5)$x) and sort(qqnorm(1:12)$x)[1:3].
    expected = [-1.1797611, -0.4972006, 0.0, 0.4972006, 1.1797611]
    np.testing.assert_allclose(normal_quantiles(5), expected, atol=1e-7)
    expected = [-1.731664396, -1.150349380, -0.812217801]
    np.testing.assert_allclose(normal_quantiles(12)[:3], expected, rtol=1e-8)


def test_the_smooth_is_rs_lowess():
    # x <- (1:60)^1.5; y <- sin(x / 40) + x / 300
    # lowess(x, y, f = 2/3, iter = 0, delta = 0)$y[c(1, 10, 30, 45, 60)]
    x = np.arange(1.0, 61.0) ** 1.5
    places, curve = local_linear(x, np.sin(x / 40) + x / 300)
    np.testing.assert_allclose(places, x)
    expected = [0.7224873620, 0.6914089089, 0.2995373736, 1.0299923711, 1.0808318438]
    np.testing.assert_allclose(curve[[0, 9, 29, 44, 59]], expected, rtol=1e-6)


def test_the_smooth_survives_ties_and_few_values():
    x = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0], [100, 1, 1, 1, 1])
    places, curve = local_linear(x, x**2)
    assert np.isfinite(curve).all()
    assert len(local_linear(np.array([1.0, 2.0, 1.0]), np.ones(3))[0]) == 0
    assert set(places) <= set(x)


def test_plot_draws_pearson_residuals_against_fitted_values(cbpp):
    ax = cbpp.plot().axes[0]
    points = drawn_points(ax)
    np.testing.assert_allclose(points, np.column_stack([cbpp.fitted(), cbpp.residuals("pearson")]))
    assert ax.get_xlabel() == "Fitted value"
    link = cbpp.plot(type="deviance", scale="link", smooth=False).axes[0]
    np.testing.assert_allclose(drawn_points(link)[:, 0], cbpp.predict(type="link"))
    with pytest.raises(ArgumentError, match="unknown scale 'eta'"):
        cbpp.plot(scale="eta")


def test_plots_draw_where_they_are_told(cbpp, slopes):
    figure, axes = plt.subplots(1, 3)
    for verb, ax in zip((cbpp.plot, cbpp.dotplot, cbpp.qqmath), axes, strict=True):
        assert verb(ax=ax) is figure
        assert len(ax.collections)
    assert len(figure.axes) == 3
    with pytest.raises(ArgumentError, match="one panel; this one has 2"):
        slopes.dotplot(ax=axes[0])


def test_the_four_panels_hold_quantile_residuals(slopes):
    figure = slopes.plot_diagnostics(seed=4)
    assert len(figure.axes) == 4
    residuals = slopes.residuals("quantile", seed=4)
    np.testing.assert_allclose(drawn_points(figure.axes[0])[:, 1], residuals)
    np.testing.assert_allclose(drawn_points(figure.axes[1])[:, 1], np.sort(residuals))
    np.testing.assert_allclose(drawn_points(figure.axes[2])[:, 1], np.sqrt(np.abs(residuals)))
    assert {t.get_text() for t in figure.axes[3].get_legend().get_texts()} == {
        "(Intercept) | district",
        "urbanY | district",
    }


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("incidence / size ~ period", "binomial"),
        ("incidence / size ~ period + (1 | herd)", "quasibinomial"),
    ],
)
def test_the_four_panels_do_without_random_effects_and_without_a_likelihood(formula, family):
    if family == "quasibinomial":
        family = mlm.families.QuasiFamily("binomial")
    fit = mlm.glmer(formula, mlm.load_cbpp(), family)
    figure = fit.plot_diagnostics()
    figure.canvas.draw()
    kind = "Pearson" if fit.design.terms else "Quantile"
    assert figure.axes[0].get_ylabel() == f"{kind} residual"


def test_missing_rows_are_left_out_of_the_plots():
    data = mlm.load_epil2()
    data.loc[3, "Age"] = np.nan
    fit = mlm.glmer("y ~ Age + (1 | subject)", data, "poisson", na_action="exclude")
    assert len(drawn_points(fit.plot().axes[0])) == len(data) - 1
    fit.plot_diagnostics().canvas.draw()


def test_an_effect_that_does_not_vary_can_be_drawn():
    quiet = mlm.GlmerControl(check_singular=False)
    data = mlm.load_cbpp()
    data["copy"] = data["herd"].to_numpy()[::-1].copy()
    rng = np.random.default_rng(3)
    data["y"] = rng.poisson(3.0, 56)
    fit = mlm.glmer("y ~ 1 + (1 | herd)", data, "poisson", control=quiet)
    assert fit.isSingular()
    for verb in (fit.dotplot, fit.qqmath, fit.plot_diagnostics):
        verb().canvas.draw()


def test_models_and_groups_that_are_not_there_are_refused(cbpp):
    glm = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    with pytest.raises(ArgumentError, match="no random effects"):
        glm.dotplot()
    with pytest.raises(ArgumentError, match="unknown group 'hurd'"):
        cbpp.qqmath("hurd")
    with pytest.raises(ArgumentError, match="level is 95"):
        cbpp.dotplot(level=95)


def test_the_users_settings_stay(cbpp):
    before = dict(mpl.rcParams)
    cbpp.plot_diagnostics()
    assert dict(mpl.rcParams) == before
