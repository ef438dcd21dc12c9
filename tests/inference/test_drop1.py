from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import mixedlm_pt as mlm
from mixedlm_pt.compile import functions
from mixedlm_pt.errors import ArgumentError, DataError, RankDeficiencyWarning


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n = 200
    frame = pd.DataFrame(
        {
            "h": rng.integers(0, 15, n).astype(str),
            "f": rng.choice(["a", "b", "c"], n),
            "g": rng.choice(["u", "v"], n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "t": rng.uniform(1, 3, n),
        }
    )
    b = 0.5 * rng.normal(size=15)[frame.h.astype(int)]
    return frame.assign(y=rng.poisson(np.exp(0.5 + b + 0.4 * frame.x)).astype(float))


@pytest.fixture(scope="module")
def contraception():
    return mlm.glmer(
        "use ~ poly(age, 2) * urban + livch + (1 | district)", mlm.load_contraception()
    )


def test_interactions_and_polynomials_are_dropped_as_by_lme4(contraception):
    # lme4 1.1-31, drop1(glmer(use ~ poly(age, 2) * urban + livch + (1 | district), d, binomial,
    # control = glmerControl("bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-8))),
    # test = "Chisq"); with nlminb it stops 3.5e-3 lower. urban stays: it is in an interaction.
    table = contraception.drop1().to_frame()
    assert table.index.tolist() == ["<none>", "livch", "poly(age, 2):urban"]
    assert table.columns.tolist() == ["npar", "AIC", "LRT", "Pr(Chi)"]
    assert table["npar"].tolist()[1:] == [3, 2]
    expected = [2390.921096439, 2420.455527985, 2388.728582366]
    assert table["AIC"].tolist() == pytest.approx(expected, abs=1e-6)
    assert table["LRT"].tolist()[1:] == pytest.approx([35.534431546726, 1.807485927479], abs=1e-6)
    expected = [9.392997800202e-08, 4.050507286719e-01]
    assert table["Pr(Chi)"].tolist()[1:] == pytest.approx(expected, rel=1e-6)
    assert table.iloc[0].isna().tolist() == [True, False, True, True]


def test_a_scope_and_a_penalty_are_lme4s(contraception):
    # drop1(fit, scope = ~ urban + livch, test = "Chisq", k = log(1934)), same control: urban goes
    # although poly(age, 2):urban stays, whose coding then changes.
    table = contraception.drop1(scope="~ urban + livch", k=np.log(1934)).to_frame()
    assert table.index.tolist() == ["<none>", "urban", "livch"]
    expected = [2446.594553199, 2471.055719208, 2459.426947717]
    assert table["AIC"].tolist() == pytest.approx(expected, abs=1e-6)
    assert table["LRT"].tolist()[1:] == pytest.approx([32.02851168568, 35.53443154673], abs=1e-6)


@pytest.mark.parametrize("scope", [["urban:poly(age, 2)"], "~ urban:poly(age, 2)"])
def test_variables_of_a_term_in_scope_have_any_order(contraception, scope):
    table = contraception.drop1(scope=scope, test="none").to_frame()
    assert table.index.tolist() == ["<none>", "poly(age, 2):urban"]
    assert table.columns.tolist() == ["npar", "AIC"]


def test_crossed_random_effects_are_kept():
    # lme4 1.1-31, drop1(test = "Chisq") with glmerControl("nlminbwrap", tolPwrss = 1e-13); it stops
    # 1.4e-5 early without the height.
    data = mlm.load_grouseticks()
    bars = "(1 | BROOD) + (1 | INDEX) + (1 | LOCATION)"
    fit = mlm.glmer(f"TICKS ~ YEAR + scale(HEIGHT) + {bars}", data, "poisson")
    table = fit.drop1(data).to_frame()
    expected = [1794.542660189, 1851.660566009, 1827.284517345]
    assert table["AIC"].tolist() == pytest.approx(expected, abs=5e-5)
    assert table["LRT"].tolist()[1:] == pytest.approx([61.11790582034, 34.74185715674], abs=5e-5)
    assert table["Pr(Chi)"].tolist()[1:] == pytest.approx(
        [5.350758848802e-14, 3.764499775626e-09], rel=1e-4
    )


def test_rows_are_those_of_the_fit_also_where_only_the_dropped_variable_is_missing(data):
    # R's drop1 gives up here: "number of rows in use has changed".
    holes = data.assign(z=data.z.where(data.index % 7 > 0))
    fit = mlm.glmer("y ~ x + z + (1 | h)", holes, "poisson", na_action="exclude")
    shorter = mlm.glmer("y ~ x + (1 | h)", holes.dropna(), "poisson")
    table = fit.drop1().to_frame()
    assert table.loc["z", "AIC"] == pytest.approx(shorter.AIC(), abs=1e-6)
    assert table.loc["z", "LRT"] == pytest.approx(2 * (fit.logLik() - shorter.logLik()), abs=1e-6)


@pytest.mark.parametrize(
    ("formula", "term", "without"),
    [
        # Without x:f the slope of every level of g is coded by R's rule for the new formula.
        ("y ~ x:f + x:g + (1 | h)", "x:f", "y ~ x:g + (1 | h)"),
        ("y ~ 0 + f + g + (1 | h)", "f", "y ~ 0 + g + (1 | h)"),
        ("y ~ 0 + x + (1 | h)", "x", "y ~ 0 + (1 | h)"),
        ("y ~ I(x^2) + log(t) + offset(log(t)) + (1 | h)", "I(x^2)", None),
        ("y ~ scale(x) + f + (x || h)", "f", "y ~ scale(x) + (x || h)"),
        ("y ~ x + f + (1 | h / g)", "x", "y ~ f + (1 | h / g)"),
        ("y ~ x * f", "x:f", "y ~ x + f"),
    ],
)
def test_the_model_without_a_term_is_the_one_that_glmer_fits(data, formula, term, without):
    control = mlm.GlmerControl(check_singular=False)
    without = without or formula.replace(f"{term} + ", "")
    fit = mlm.glmer(formula, data, "poisson", control=control)
    other = mlm.glmer(without, data, "poisson", control=control)
    row = fit.drop1().to_frame().loc[term]
    assert row["npar"] == fit.npar() - other.npar()
    assert row["AIC"] == pytest.approx(other.AIC(), abs=1e-5)
    assert row["Pr(Chi)"] == pytest.approx(chi2.sf(row["LRT"], row["npar"]))


@pytest.mark.parametrize("nAGQ", [0, 9])
def test_the_approximation_of_the_fit_is_kept(nAGQ):
    cbpp = mlm.load_cbpp()
    full, null = (
        mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", cbpp, nAGQ=nAGQ) for x in ("period", "1")
    )
    assert full.drop1().to_frame().loc["period", "AIC"] == pytest.approx(null.AIC(), abs=1e-6)


def test_the_response_is_that_of_the_fit_after_a_refit():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    again = fit.refit(fit.simulate(1, seed=3)["sim_1"])
    row = again.drop1().to_frame().loc["period"]
    null = fit.update(". ~ . - period").refit(again.design.response.y)
    assert row["LRT"] == pytest.approx(2 * (again.logLik() - null.logLik()), abs=1e-6)


def test_nothing_is_compiled_and_the_fit_stays_as_it_was(data):
    fit = mlm.glmer("y ~ x + f + z + (1 | h)", data, "poisson")
    compiled, before = list(functions._cache), str(fit.summary())
    fit.drop1()
    assert list(functions._cache) == compiled
    assert str(fit.summary()) == before


def test_the_corrected_criterion_and_sorted_rows(data):
    fit = mlm.glmer("y ~ x + f + z + (1 | h)", data, "poisson")
    table = fit.drop1(criterion="AICc", sorted=True).to_frame()
    assert table["AICc"].is_monotonic_increasing
    without = mlm.glmer("y ~ x + z + (1 | h)", data, "poisson")
    assert table.loc["f", "AICc"] == pytest.approx(without.AICc(), abs=1e-6)
    table = fit.drop1(criterion="BIC").to_frame()
    assert table.loc["f", "BIC"] == pytest.approx(without.BIC(), abs=1e-6)


def test_a_term_that_others_determine_has_nothing_to_test(data):
    twice = data.assign(x2=2 * data.x)
    with pytest.warns(RankDeficiencyWarning, match="x2"):
        fit = mlm.glmer("y ~ x + x2 + (1 | h)", twice, "poisson")
    table = fit.drop1().to_frame()
    assert table.loc["x2", "npar"] == 0
    assert table.loc["x2", "LRT"] == pytest.approx(0.0, abs=1e-8)
    assert np.isnan(table.loc["x2", "Pr(Chi)"])
    assert table.loc["x", "npar"] == 0


def test_data_in_which_something_changed_are_refused(data):
    fit = mlm.glmer("y ~ x + f + (1 | h)", data, "poisson")
    with pytest.raises(DataError, match=r"have other rows than those of the fit \(50 and 200\)"):
        fit.drop1(data[:50])
    with pytest.raises(DataError, match="columns of the data have changed"):
        fit.drop1(data.assign(x=data.x + data.z))


def test_what_cannot_be_done_is_named(data):
    fit = mlm.glmer("y ~ x + f + (1 | h)", data, "poisson")
    with pytest.raises(ArgumentError, match=r"unknown term in scope 'w'; known: x, f\."):
        fit.drop1(scope="~ w")
    with pytest.raises(ArgumentError, match="unknown test 'F'; known: Chisq, none"):
        fit.drop1(test="F")
    with pytest.raises(ArgumentError, match="unknown criterion 'QAIC'"):
        fit.drop1(criterion="QAIC")
    with pytest.raises(ArgumentError, match="k is the penalty of the AIC; BIC has its own"):
        fit.drop1(criterion="BIC", k=3)
    quasi = mlm.glmer("y ~ x", data, mlm.families.QuasiFamily("poisson"))
    with pytest.raises(ArgumentError, match=r"drop1\(\) does not exist"):
        quasi.drop1()


def test_a_better_model_without_a_term_is_a_sign_of_an_unfinished_fit(data):
    fit = mlm.glmer("y ~ x + z + (1 | h)", data, "poisson")
    unfinished = fit.replace(estimate=replace(fit.estimate, loglik=fit.logLik() - 2))
    found = unfinished.drop1()
    assert found.to_frame().loc["z", "LRT"] < -2
    assert "Without z the log-likelihood is higher by" in found.notes[0]


def test_a_model_without_fixed_effects_has_nothing_to_drop(data):
    fit = mlm.glmer("y ~ 1 + (1 | h)", data, "poisson")
    assert fit.drop1().to_frame().index.tolist() == ["<none>"]
    assert "<none>" in str(fit.drop1())
