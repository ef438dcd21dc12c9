from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import chi2

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.estimation import Objective
from mixedlm_pt.plotting.profile_pairs import region

ROWS = ["sd_(Intercept)|herd", "(Intercept)", "period2", "period3", "period4"]


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def profile(cbpp):
    return cbpp.profile()


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("kind", ["zeta", "absolute", "density"])
def test_every_parameter_has_a_panel(profile, kind):
    figure = profile.plot(kind)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ROWS
    figure.draw_without_rendering()


def test_lines_stand_at_the_limits(profile):
    ax = profile.plot(parm="period2").axes[0]
    places = {
        round(float(segment[0, 0]), 9)
        for lines in ax.collections
        for segment in lines.get_segments()
    }
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        assert places.issuperset(profile.confint("period2", level).round(9).iloc[0])
    assert len(places) == 10


def test_absolute_values_are_not_negative(profile):
    ax = profile.plot("absolute", "sd_(Intercept)|herd").axes[0]
    assert all((np.asarray(line.get_ydata()) >= 0.0).all() for line in ax.lines)


def test_a_density_integrates_to_its_level(profile):
    for curve in profile.curves:
        smooth = curve.smooth(2001)
        mass = np.trapezoid(smooth["density"], smooth["value"])
        assert mass == pytest.approx(0.99, abs=1e-4)


def test_curves_between_unequal_points_do_not_overshoot(profile):
    # Under separation the points are far apart and the slopes between them unlike.
    curve = profile["period2"]
    coordinate = np.array([2.0, 3.5, 8.0, 34.0, 220.0])
    zeta = np.array([-2.6, -1.9, -0.7, 0.0, 1e-7])
    flat = replace(
        curve, coordinate=coordinate, zeta=zeta, slope=np.array([0.4, 0.5, 0.2, -0.1, 0.0])
    )
    assert (np.diff(flat.smooth(1001)["zeta"]) >= -1e-12).all()


def test_a_limit_at_the_end_of_the_range_has_no_line():
    data = {"s": [10, 11, 9, 10, 10], "n": [20] * 5, "g": list("abcde")}
    control = mlm.GlmerControl(check_singular=False)
    profile = mlm.glmer("s / n ~ 1 + (1 | g)", data, control=control).profile("theta_")
    ax = profile.plot().axes[0]
    places = [s[0, 0] for lines in ax.collections for s in lines.get_segments()]
    assert min(places) > 0.1
    profile.plot("density").draw_without_rendering()


def test_joint_regions_are_those_of_the_likelihood(cbpp, profile):
    # Along the outline twice the log-likelihood lost, all others estimated anew, is the quantile.
    radius = float(np.sqrt(chi2.ppf(0.8, 2)))
    x, y = region(profile[ROWS[0]], profile["period2"], profile.to_frame(), radius)
    objective = Objective(cbpp.model, cbpp.approximation)
    held = [4, 1]
    free = [0, 2, 3]
    information = np.linalg.inv(cbpp.estimate.covariance)
    inverse = np.linalg.inv(information[np.ix_(free, free)])
    for i in range(0, len(x), 25):
        par = np.concatenate([cbpp.beta, cbpp.theta])
        par[held] = x[i], y[i]
        for _ in range(30):
            par[free] += inverse @ objective(par).gradient[free]
        lost = 2.0 * (cbpp.logLik() - objective(par).loglik)
        assert lost == pytest.approx(radius**2, rel=0.03)


def test_pairs_have_a_panel_each(profile):
    figure = profile.plot("pairs")
    figure.draw_without_rendering()
    drawn = [ax for ax in figure.axes if ax.axison]
    assert len(drawn) == 10
    # Two traces, four regions and the estimate.
    assert all(len(ax.lines) == 7 for ax in drawn)


def test_one_parameter_goes_into_given_axes(profile):
    figure, ax = plt.subplots()
    assert profile.plot(parm="period3", ax=ax) is figure
    assert ax.get_title(loc="left") == "period3"


def test_unknown_kinds_and_parameters_are_refused(profile):
    with pytest.raises(ArgumentError, match=r"unknown kind 'zetas'; .* Did you mean 'zeta'"):
        profile.plot("zetas")
    with pytest.raises(ArgumentError, match="unknown parm 'period9'"):
        profile.plot(parm="period9")
