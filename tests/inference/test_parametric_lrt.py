import numpy as np
import pandas as pd
import pytest
from scipy.stats import f, gamma

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.inference import parametric_lrt

CONTROL = mlm.GlmerControl(check_singular=False)


@pytest.fixture(scope="module")
def cbpp():
    return {
        x: mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", mlm.load_cbpp())
        for x in ("1", "period")
    }


@pytest.fixture(scope="module")
def balanced():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(6), 5)
    frame = pd.DataFrame({"g": g.astype(str), "x": rng.normal(size=30), "z": rng.normal(size=30)})
    y = 0.4 * rng.normal(size=6)[g] + rng.normal(size=30) + 0.3 * frame.x
    return frame.assign(y=y)


@pytest.fixture(scope="module")
def tested(cbpp):
    return mlm.pb_lrt(cbpp["1"], cbpp["period"], nsim=60, seed=1)


def test_in_a_linear_model_it_is_the_f_test(balanced):
    # The likelihood ratio is a function of F alone, so the simulated p-value estimates that of F.
    null = mlm.glmer("y ~ 1", balanced, "gaussian")
    full = mlm.glmer("y ~ x + z", balanced, "gaussian")
    ratio = np.exp(2 * (full.logLik() - null.logLik()) / 30)
    exact = f.sf((ratio - 1) * 27 / 2, 2, 27)
    found = mlm.pb_lrt(null, full, nsim=400, seed=2)
    assert found.p_value == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / 400))
    assert found.p_interval[0] < exact < found.p_interval[1]
    rows = found.to_frame()["Pr(>Chisq)"]
    # The chi-square distribution is too short here; the corrections mend it without counting.
    assert rows["LRT"] < exact - 0.02
    assert rows[["Bartlett", "Gamma"]].tolist() == pytest.approx([exact, exact], abs=0.04)


def test_a_variance_component_has_the_p_value_of_the_analysis_of_variance(balanced):
    # One-way balanced layout: where the estimate is positive, the ratio is a function of F.
    null = mlm.glmer("y ~ 1", balanced, "gaussian")
    full = mlm.glmer("y ~ 1 + (1 | g)", balanced, "gaussian")
    means = balanced.groupby("g").y.transform("mean")
    between = ((means - balanced.y.mean()) ** 2).sum() / 5
    exact = f.sf(between / (((balanced.y - means) ** 2).sum() / 24), 5, 24)
    found = mlm.pb_lrt(null, full, nsim=300, seed=2)
    assert found.p_interval[0] < exact < found.p_interval[1]
    # The asymptotic mixture is conservative with six groups.
    assert found.to_frame().loc["Mixture", "Pr(>Chisq)"] > exact + 0.1
    assert found.to_frame().index.tolist() == ["LRT", "Mixture", "PBtest"]


def test_the_rows_are_pbkrtests(tested):
    # pbkrtest 0.5: p.PB = (1 + n.extreme) / (1 + n), Bartlett = T / (mean / df), and a gamma
    # distribution with the mean and variance of the simulated statistics.
    T, reference = tested.statistic, tested.reference
    assert tested.statistic == pytest.approx(25.6100634447195, abs=1e-5)
    assert tested.p_value == (1 + (reference >= T).sum()) / 61
    table = tested.to_frame()
    assert table.index.tolist() == ["LRT", "PBtest", "Bartlett", "Gamma"]
    assert table.loc["Bartlett", "Chisq"] == pytest.approx(3 * T / reference.mean())
    mean, variance = reference.mean(), reference.var(ddof=1)
    assert table.loc["Gamma", "Pr(>Chisq)"] == pytest.approx(
        gamma.sf(T, mean**2 / variance, scale=variance / mean)
    )
    assert table.loc["LRT", "Pr(>Chisq)"] == pytest.approx(1.15093669430748e-05, rel=1e-4)


def test_the_statistics_are_those_of_full_fits_to_the_same_responses(cbpp, tested):
    seed = np.random.SeedSequence(1).spawn(3)[2]
    y = mlm.prediction.draw(cbpp["1"], np.random.default_rng(seed))
    logliks = [cbpp[x].refit(y).logLik() for x in ("1", "period")]
    assert tested.reference[2] == pytest.approx(2 * (logliks[1] - logliks[0]), abs=1e-6)


def test_a_seed_gives_the_same_in_any_order_and_length(cbpp, tested):
    again = mlm.pb_lrt(cbpp["period"], cbpp["1"], nsim=10, seed=1)
    np.testing.assert_array_equal(again.reference, tested.reference[:10])
    assert cbpp["1"].pb_lrt(cbpp["period"], nsim=3, seed=1).reference[2] == tested.reference[2]


def test_ties_with_a_statistic_of_zero_count(balanced):
    # y is alike in all groups, so the variance is zero and every simulated statistic reaches it.
    flat = balanced.assign(y=np.tile([1.0, 2.0, 4.0, 5.0, 3.0], 6))
    null = mlm.glmer("y ~ 1", flat, "gaussian")
    full = mlm.glmer("y ~ 1 + (1 | g)", flat, "gaussian", control=CONTROL)
    found = mlm.pb_lrt(null, full, nsim=20, seed=1)
    assert found.p_value == 1.0
    assert found.p_interval == pytest.approx((0.025 ** (1 / 20), 1.0))


def test_failures_are_counted_and_left_out(cbpp, monkeypatch):
    original = parametric_lrt.fits_of

    def unlucky(*arguments, **options):
        for j, fit in enumerate(original(*arguments, **options)):
            yield EstimationError("no optimum") if j % 4 == 1 else fit

    monkeypatch.setattr(parametric_lrt, "fits_of", unlucky)
    found = mlm.pb_lrt(cbpp["1"], cbpp["period"], nsim=12, seed=1)
    assert len(found.reference) == 12 - sum(found.failures.values()) == 9
    assert found.p_value == 1 / (1 + len(found.reference))
    assert "simulations failed: EstimationError: no optimum" in found.notes[1]


def test_an_interrupt_keeps_what_is_finished(cbpp, monkeypatch):
    original = parametric_lrt.fits_of

    def stopped(*arguments, **options):
        for j, fit in enumerate(original(*arguments, **options)):
            if j == 5:
                raise KeyboardInterrupt
            yield fit

    monkeypatch.setattr(parametric_lrt, "fits_of", stopped)
    found = mlm.pb_lrt(cbpp["1"], cbpp["period"], nsim=50, seed=1)
    assert len(found.reference) == 5
    assert found.notes[-1] == "Interrupted after 5 of 50 simulations."


def test_models_that_are_not_nested_are_refused(cbpp):
    data = mlm.load_cbpp().assign(x=np.arange(56.0))
    other = mlm.glmer("incidence / size ~ x + (1 | herd)", data)
    with pytest.raises(ArgumentError, match=r"needs nested models: m2, .* lacks the fixed effects"):
        mlm.pb_lrt(other, cbpp["period"])
    with pytest.raises(ArgumentError, match="has as many parameters as m1"):
        mlm.pb_lrt(cbpp["1"], cbpp["1"])
    probit = mlm.glmer(
        "incidence / size ~ 1 + (1 | herd)", data, mlm.families.Binomial(link="probit")
    )
    with pytest.raises(ArgumentError, match=r"pb_lrt\(\) cannot compare .* different families"):
        mlm.pb_lrt(probit, cbpp["period"])
    with pytest.raises(ArgumentError, match="nsim is 0; it must be a positive integer"):
        mlm.pb_lrt(cbpp["1"], cbpp["period"], nsim=0)


def test_the_text_says_how_sure_the_p_value_is(tested):
    text = str(tested)
    assert text.startswith("Parametric bootstrap likelihood ratio test\n m1: incidence / size ~ 1")
    assert "PBtest is from 60 simulations, seed 1; Monte Carlo interval (95 %)" in text
    assert "<strong>Parametric bootstrap" in tested._repr_html_()
