import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, FormulaError


@pytest.fixture(scope="module")
def fit():
    return mlm.glmer("use ~ age * urban + urban * livch + (1 | district)", mlm.load_contraception())


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


def test_the_joint_test_is_cars(fit):
    # R: linearHypothesis(a, c("urbanY:livch1 = urbanY:livch2", "2*age - urbanY = 0.5"),
    #    vcov. = vcov(a)$cond, coef. = fixef(a)$cond) with a as in test_wald_tests.py
    found = fit.linear_hypothesis(["urbanY:livch1 = urbanY:livch2", "2*age - urbanY = 0.5"])
    statistic, df, p = found.to_frame().iloc[0]
    assert statistic == pytest.approx(34.6675267, rel=1e-4)
    assert df == 2
    assert p == pytest.approx(2.96511973e-08, rel=1e-3)


def test_a_term_stands_for_its_coefficients(fit):
    found = fit.linear_hypothesis("livch").to_frame()
    table = fit.anova(type=3).to_frame().loc["livch"]
    assert found.iloc[0].tolist() == pytest.approx(table.tolist())


@pytest.mark.parametrize(
    ("hypotheses", "rhs"),
    [
        ("period2 = period3", None),
        ("period2 - period3", None),
        ("-(period3 - period2) / 2 == 0", None),
        ("2*period2 + (Intercept) = period3 * 2 + `(Intercept)`", None),
        ({"period2": 1, "period3": -1}, None),
        ({"difference": {"period2": 1, "period3": -1}}, 0.0),
        ([[0, 1, -1, 0]], None),
        (np.array([0.0, 1.0, -1.0, 0.0]), [0.0]),
        (pd.DataFrame({"period3": [-1.0], "period2": [1.0]}), None),
    ],
)
def test_all_forms_say_the_same(cbpp, hypotheses, rhs):
    V = cbpp.vcov()
    difference = cbpp.beta[1] - cbpp.beta[2]
    variance = V.iloc[1, 1] + V.iloc[2, 2] - 2 * V.iloc[1, 2]
    found = cbpp.linear_hypothesis(hypotheses, rhs=rhs)
    assert found.to_frame()["Chisq"].iloc[0] == pytest.approx(difference**2 / variance)
    z = found.estimates.to_frame()["z value"].iloc[0]
    assert abs(z) == pytest.approx(abs(difference) / np.sqrt(variance))


def test_single_hypotheses_are_left_minus_right_side(cbpp):
    row = cbpp.linear_hypothesis("3 * period4 = -4.5 + period2").estimates.to_frame().iloc[0]
    assert row["Estimate"] == pytest.approx(3 * cbpp.beta[3] - cbpp.beta[1] + 4.5)
    given = cbpp.linear_hypothesis("period4", rhs=-1.5).estimates.to_frame().iloc[0]
    assert given["Estimate"] == pytest.approx(cbpp.beta[3] + 1.5)


def test_unusual_names_are_read_with_and_without_backticks():
    data = mlm.load_contraception()
    fit = mlm.glmer("use ~ poly(age, 2) + I(age^3) + livch + (1 | district)", data)
    found = fit.linear_hypothesis(["`poly(age, 2)1` = `livch3+`", "I(age^3)", "`livch3+`"])
    assert found.K.tolist() == [
        [0, 1, 0, 0, 0, 0, -1],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
    ]


def test_both_tables_are_printed(cbpp):
    text = str(cbpp.linear_hypothesis("period"))
    assert "Joint Wald test" in text
    assert text.count("period3") == 1
    assert "<table" in cbpp.linear_hypothesis("period")._repr_html_()


@pytest.mark.parametrize(
    ("hypotheses", "error", "message"),
    [
        ("period2 * period3 = 0", FormulaError, "linear in the coefficients"),
        ("1 / period2", FormulaError, "linear in the coefficients"),
        ("period2 = 1 = 2", FormulaError, "one '='"),
        ("perid2 = 0", FormulaError, "Did you mean 'period2'"),
        ("log(period2)", FormulaError, r"log\(period2\) is no coefficient"),
        ("3 = 4", ArgumentError, "no coefficient in it"),
        ({"period9": 1}, ArgumentError, "unknown coefficient 'period9'"),
        (["period2", "2 * period2"], ArgumentError, "only 1 independent"),
        ([[1, 0]], ArgumentError, r"shape \(1, 2\); it needs one column for each of the 4"),
        ([], ArgumentError, "no hypothesis"),
    ],
)
def test_what_is_no_linear_hypothesis_is_refused(cbpp, hypotheses, error, message):
    with pytest.raises(error, match=message):
        cbpp.linear_hypothesis(hypotheses)


def test_a_right_side_is_given_once(cbpp):
    with pytest.raises(ArgumentError, match="not in both"):
        cbpp.linear_hypothesis("period2 = 1", rhs=2)
    with pytest.raises(ArgumentError, match=r"rhs has shape \(2,\); there are 1"):
        cbpp.linear_hypothesis("period2", rhs=[1, 2])
