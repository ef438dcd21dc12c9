from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics import singularities
from mixedlm_pt.errors import ConvergenceWarning, SingularFitWarning


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def data():
    """Bernoulli responses in 20 groups; y is never 1 in category "c" of f."""
    rng = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 20, n).astype(str),
            "x": rng.normal(size=n),
            "f": rng.choice(["a", "b", "c"], n),
            "year": 2000.0 + rng.integers(0, 10, n),
        }
    )
    u = 0.7 * rng.normal(size=20)
    mu = 1.0 / (1.0 + np.exp(-(frame.x + u[frame.g.astype(int)])))
    frame["any"] = (rng.random(n) < mu).astype(float)
    frame["y"] = frame["any"].where(frame.f != "c", 0.0)
    return frame


@pytest.fixture(scope="module")
def three_effects(data):
    control = mlm.GlmerControl(check_singular=False)
    rng = np.random.default_rng(1)
    z, n = rng.normal(size=len(data)), len(data)
    eta = 1.0 + (rng.normal(size=(20, 3))[data.g.astype(int)] * np.c_[np.ones(n), data.x, z]).sum(1)
    data = data.assign(z=z, count=rng.poisson(np.exp(eta)))
    return mlm.glmer("count ~ x + (x + z | g)", data, "poisson", control=control)


def test_an_unremarkable_fit_has_nothing_to_say(cbpp):
    found = cbpp.checkConv()
    assert found.ok
    assert bool(found)
    assert found.messages == ()
    assert 0.0 <= found.decrement < 1e-8
    assert str(found).startswith("converged; log-likelihood still to gain: ")


def test_the_gradient_is_named_by_parameter(cbpp):
    gradient = cbpp.checkConv().gradient
    names = ["(Intercept)", "period2", "period3", "period4", "herd.(Intercept)"]
    assert list(gradient.index) == names
    assert np.abs(gradient).max() < 1e-5


def test_with_nagq_zero_the_gradient_has_no_beta():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), nAGQ=0)
    assert list(fit.checkConv().gradient.index) == ["herd.(Intercept)"]


def test_stopping_early_is_reported_with_what_is_left_to_gain(cbpp):
    outcome = replace(cbpp.outcome, decrement=0.02, gradient=np.array([0.0, 1.0, 0.0, 0.0, 0.0]))
    stopped = cbpp.replace(estimate=replace(cbpp.estimate, outcome=outcome))
    found = stopped.checkConv()
    assert not found
    (message,) = found.messages
    assert "could still gain 0.02 (limit 0.0001), most of it in period2" in message
    assert "start=fit" in message


def test_missing_information_is_reported(cbpp):
    outcome = replace(cbpp.outcome, decrement=np.nan, has_information=False)
    found = cbpp.replace(estimate=replace(cbpp.estimate, outcome=outcome)).checkConv()
    assert not found.ok
    assert "information is not positive definite" in found.messages[0]
    assert str(found).startswith("NOT converged; log-likelihood still to gain: unknown")


@pytest.mark.parametrize(("random", "nAGQ"), [("", 1), (" + (1 | g)", 0), (" + (1 | g)", 1)])
def test_a_category_without_successes_is_named_as_separated(data, random, nAGQ):
    with pytest.warns(ConvergenceWarning, match=r"coefficient of fc: the response is completely"):
        fit = mlm.glmer(f"y ~ x + f{random}", data, nAGQ=nAGQ)
    assert not fit.checkConv().ok


def test_zero_counts_in_a_category_are_named_as_separated(data):
    counts = np.random.default_rng(3).poisson(3.0, len(data))
    zeros = data.assign(count=np.where(data.f == "c", 0, counts))
    with pytest.warns(ConvergenceWarning, match=r"coefficient of fc: the response is completely"):
        mlm.glmer("count ~ x + f", zeros, "poisson")


def test_a_separated_reference_level_names_every_coefficient_that_compensates(data):
    other = data.assign(f=data.f.map({"c": "0", "a": "a", "b": "b"}))
    with pytest.warns(ConvergenceWarning, match=r"coefficients of \(Intercept\), fa, fb: the resp"):
        mlm.glmer("y ~ f", other)


def test_collinear_predictors_with_huge_standard_errors_are_not_called_separated(data):
    fit = mlm.glmer("any ~ year + I(year^2) + (1 | g)", data)
    assert fit.vcov().to_numpy()[0, 0] > 1e6
    assert fit.checkConv().ok


def test_a_rare_but_not_empty_category_is_not_called_separated(data):
    rare = data.copy()
    rare.loc[data.index[data.f == "c"][0], "y"] = 1.0
    assert mlm.glmer("y ~ x + f + (1 | g)", rare).checkConv().ok


def test_a_variance_of_zero_is_singular_but_converged():
    # Groups that differ less than binomial counts of equal probability would.
    data = {"s": [10, 11, 9, 10, 10], "n": [20] * 5, "g": list("abcde")}
    with pytest.warns(SingularFitWarning, match=r"of \(Intercept\) in \(1 \| g\) is zero"):
        fit = mlm.glmer("s / n ~ 1 + (1 | g)", data)
    assert fit.isSingular()
    assert fit.checkConv().ok
    assert len(fit.checkConv().messages) == 1


def test_cbpp_is_not_singular(cbpp):
    assert not cbpp.isSingular()


@pytest.mark.parametrize("sign", ["+1", "-1"])
def test_a_perfect_correlation_names_both_effects(three_effects, sign):
    L = np.array([[0.5, 0.0, 0.0], [float(sign) * 0.2, 0.0, 0.0], [0.1, 0.0, 0.3]])
    fit = three_effects.replace(
        estimate=replace(three_effects.estimate, theta=L.T[np.triu_indices(3)])
    )
    (finding,) = singularities(fit)
    assert finding == f"the correlation of (Intercept) and x in (x + z | g) is {sign}"


def test_a_lost_direction_of_three_effects_is_written_out(three_effects):
    # z is the sum of the other two: no pair is perfectly correlated, the three are dependent.
    L = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.5, 0.0]])
    fit = three_effects.replace(
        estimate=replace(three_effects.estimate, theta=L.T[np.triu_indices(3)])
    )
    (finding,) = singularities(fit)
    assert "(x + z | g) vary in 2 of 3 directions" in finding
    # In units of sds, 0.5, 0.5 and sqrt(0.5): z - sqrt(1/2) (intercept + x), of length one.
    assert "0.71 z" in finding
    assert "-0.50 (Intercept) -0.50 x" in finding


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
def test_the_unit_of_a_predictor_does_not_decide_about_singularity(three_effects, unit):
    L = np.array([[0.5, 0.0, 0.0], [0.2, 0.3, 0.0], [0.1, 0.1, 0.3]])
    L[1] *= unit
    design = three_effects.design
    (term,) = design.terms
    rescaled = replace(term, Z=term.Z * np.array([1.0, 1.0 / unit, 1.0]))
    model = replace(three_effects.model, design=replace(design, terms=(rescaled,)))
    fit = three_effects.replace(
        model=model, estimate=replace(three_effects.estimate, theta=L.T[np.triu_indices(3)])
    )
    assert not fit.isSingular()


def test_a_term_without_any_variance_names_all_its_sds(three_effects):
    fit = three_effects.replace(estimate=replace(three_effects.estimate, theta=np.zeros(6)))
    assert singularities(fit) == tuple(
        f"the standard deviation of {name} in (x + z | g) is zero"
        for name in ("(Intercept)", "x", "z")
    )
