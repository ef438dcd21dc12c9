import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ConvergenceWarning, EstimationError, SingularFitWarning


@pytest.fixture(scope="module")
def extreme():
    """Groups that are nearly all zeros or all ones."""
    rng = np.random.default_rng(0)
    g, x = np.repeat(np.arange(30), 5), rng.normal(size=150)
    y = (rng.choice([-1, 1], 30)[g] > 0).astype(float)
    y[[3, 50]] = 1.0 - y[[3, 50]]
    return {"y": y, "x": x, "g": g}


def test_groups_with_constant_responses_are_named(extreme):
    with pytest.warns(SingularFitWarning, match=r"28 of 30 levels of g have only zeros or only"):
        fit = mlm.glmer("y ~ x + (1 | g)", extreme)
    assert fit.theta[0] > 10.0
    assert fit.checkConv().ok
    assert not fit.isSingular()


def test_a_separating_threshold_is_one_problem_and_no_runaway_variance():
    x, g = np.linspace(-1.0, 1.0, 60), np.repeat(np.arange(12), 5)
    with pytest.warns(ConvergenceWarning, match="coefficient of x: the response is completely"):
        fit = mlm.glmer("y ~ x + (1 | g)", {"y": (x > 0.01) * 1.0, "x": x, "g": g})
    assert not any("levels of g" in message for message in fit.checkConv().messages)


def test_a_large_sd_without_constant_groups_is_not_remarked_on():
    data = mlm.load_sleepstudy()
    fit = mlm.glmer("Reaction ~ Days + (1 | Subject)", data, "gaussian")
    assert fit.theta[0] > 10.0
    assert fit.checkConv().messages == ()


def test_a_response_computed_from_the_predictors_is_said_to_be_exact():
    x = np.random.default_rng(0).normal(size=60)
    with pytest.raises(EstimationError, match="reproduce the response exactly, so its dispersion"):
        mlm.glmer("y ~ x", {"y": 1.0 + 2.0 * x, "x": x}, "gaussian")
    with pytest.raises(EstimationError, match="reproduce the response exactly"):
        mlm.glmer("y ~ x", {"y": np.exp(1.0 + 0.5 * x), "x": x}, "gamma")


def test_random_effects_that_reproduce_the_response_are_said_to_be_exact():
    rng = np.random.default_rng(0)
    g, x = np.repeat(np.arange(30), 5), rng.normal(size=150)
    y = 1.0 + 0.5 * x + rng.normal(0.0, 0.3, 30)[g]
    with pytest.warns(
        ConvergenceWarning, match="fits the response exactly: its dispersion is zero"
    ):
        fit = mlm.glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, "gaussian")
    assert not fit.checkConv()


def test_the_report_has_html(extreme):
    with pytest.warns(SingularFitWarning):
        fit = mlm.glmer("y ~ x + (1 | g)", extreme)
    html = fit.checkConv()._repr_html_()
    assert html.startswith("<div><p><strong>converged; log-likelihood still to gain")
    assert "28 of 30 levels" in html
