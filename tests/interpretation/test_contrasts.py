"""Against emmeans 1.8.4-1; e <- emmeans(m, "period", df = Inf), m as in test_emmeans.py."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.interpretation.adjustment import ADJUSTMENTS, FamilyOfTests

NEAR = {"rel": 3e-4}


@pytest.fixture(scope="module")
def means():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    return fit.emmeans("period")


@pytest.fixture(scope="module")
def response(means):
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    return fit.emmeans("period", type="response")


def test_pairs_are_adjusted_by_tukey(means):
    # In R: summary(pairs(e), infer = TRUE)
    found = means.pairs().to_frame()
    assert list(found) == [
        "contrast", "estimate", "SE", "df", "asymp.LCL", "asymp.UCL", "z.ratio", "p.value",
    ]  # fmt: skip
    assert found["contrast"].tolist()[:2] == ["period1 - period2", "period1 - period3"]
    assert found["estimate"].iloc[0] == pytest.approx(0.992332293, **NEAR)
    assert found[["asymp.LCL", "asymp.UCL"]].iloc[0].tolist() == pytest.approx(
        [0.204557979, 1.78010661], rel=1e-3
    )
    expected = [0.00664947920, 0.00308442409, 0.00124742851, 0.98427430646, 0.59468936, 0.78733157]
    assert found["p.value"].tolist() == pytest.approx(expected, rel=1e-3)


def test_pairs_on_the_response_scale_are_odds_ratios(response):
    # In R: summary(pairs(e, type = "response"), infer = TRUE)
    found = response.pairs().to_frame()
    assert found["contrast"].iloc[2] == "period1 / period4"
    columns = ["odds.ratio", "SE", "asymp.LCL", "asymp.UCL", "null", "z.ratio", "p.value"]
    assert found[columns].iloc[2].tolist() == pytest.approx(
        [4.85647899, 2.075836850, 1.619658764, 14.56194890, 1, 3.697188541, 0.00124742851], rel=1e-3
    )


def test_differences_of_probabilities_by_regrid(means):
    # In R: summary(pairs(regrid(e)), infer = TRUE)
    found = means.regrid().pairs().to_frame()
    columns = ["estimate", "SE", "asymp.LCL", "asymp.UCL", "z.ratio", "p.value"]
    assert found[columns].iloc[0].tolist() == pytest.approx(
        [0.11417712805, 0.0352847468, 0.0235294922, 0.2048247639, 3.235877776, 0.006654964],
        rel=1e-3,
    )
    with pytest.raises(ArgumentError, match="no other scale"):
        means.regrid().regrid()


@pytest.mark.parametrize(
    ("method", "adjust", "p", "lower"),
    [
        # In R: summary(contrast(e, "trt.vs.ctrl", adjust = "sidak"), infer = TRUE) and so on
        ("trt.vs.ctrl", "sidak", [0.003630574610, 0.001647394168, 0.000653858743], -1.72451420),
        ("trt.vs.ctrl", "holm", [0.001211659061, 0.001098866422, 0.000654001305], -1.72642823),
        ("eff", "fdr", [2.38563072e-06, 0.772112262, 0.542147489, 0.0730016376], 0.462383469),
        ("eff", None, [2.38563072e-06, 0.772112262, 0.542147489, 0.0730016376], 0.462383469),
        (
            "trt.vs.ctrl",
            "bonferroni",
            3 * norm.sf([3.2361212, 3.4554215, 3.6971885]) * 2,
            -1.72642823,
        ),
    ],
)
def test_methods_and_adjustments_are_emmeans(means, method, adjust, p, lower):
    found = means.contrast(method, adjust=adjust).to_frame()
    assert found["p.value"].tolist() == pytest.approx(list(p), rel=2e-3)
    assert found["asymp.LCL"].iloc[0] == pytest.approx(lower, rel=1e-3)


def test_joint_normal_adjustment_is_mvtnorms(means):
    # In R: contrast(e, "consec", adjust = "mvt"): the Monte Carlo error of mvtnorm is 1e-4
    found = means.contrast("consec").to_frame()
    assert found["p.value"].tolist() == pytest.approx(
        [0.00356434826, 0.97010642938, 0.67945336824], abs=2e-4
    )
    assert found["asymp.LCL"].iloc[0] == pytest.approx(-1.71503874, rel=1e-3)
    again = means.contrast("consec").to_frame()
    pd.testing.assert_frame_equal(found, again)


def test_polynomial_contrasts_have_emmeans_weights(means):
    # In R: contrast(e, "poly")
    found = means.contrast("poly").to_frame()
    assert found["contrast"].tolist() == ["linear", "quadratic", "cubic"]
    assert found["estimate"].tolist() == pytest.approx(
        [-4.87728006593, 0.54068990328, -1.17129667313], rel=1e-3
    )
    # In R: emmeans:::poly.emmc(1:5)
    from mixedlm_pt.interpretation.contrast_families import polynomial_rows

    _, C = polynomial_rows(list("abcde"), " - ")
    assert C.tolist() == [
        [-2, -1, 0, 1, 2],
        [2, -1, -2, -1, 2],
        [-1, 2, 0, -2, 1],
        [1, -4, 6, -4, 1],
    ]


def test_own_weights_in_all_forms(means, response):
    weights = [0.5, 0.5, -0.5, -0.5]
    found = [
        means.contrast({"early - late": weights}).to_frame(),
        means.contrast(pd.DataFrame({"early - late": weights})).to_frame(),
        means.contrast(np.array(weights)).to_frame().assign(contrast="early - late"),
    ]
    emmean = means.to_frame()["emmean"]
    assert found[0]["estimate"].iloc[0] == pytest.approx(float(weights @ emmean))
    for other in found[1:]:
        pd.testing.assert_frame_equal(other, found[0])
    ratio = response.contrast({"early - late": weights}).to_frame()
    assert ratio["odds.ratio"].iloc[0] == pytest.approx(np.exp(weights @ emmean))
    total = response.contrast({"sum": [1, 1, 1, 1]})
    assert total.to_frame()["estimate"].iloc[0] == pytest.approx(emmean.sum())
    assert "sum to zero" in total.notes[0]


def test_groups_are_families_of_their_own():
    # In R: pairs(emmeans(m, ~ livch | urban)), use ~ age*urban + I(age^2) + livch + (1|district)
    fit = mlm.glmer(
        "use ~ age * urban + I(age^2) + livch + (1 | district)", mlm.load_contraception()
    )
    found = fit.emmeans("~ livch | urban").pairs().to_frame()
    assert found["contrast"].iloc[2] == "0 - (3+)"
    assert found["urban"].tolist() == ["N"] * 6 + ["Y"] * 6
    assert found["p.value"].iloc[[0, 3, 6]].tolist() == pytest.approx(
        [3.61530636e-06, 9.34300823e-01, 3.61530636e-06], rel=2e-3
    )
    assert found["asymp.LCL"].iloc[0] == pytest.approx(-1.239290689, **NEAR)


def test_links_without_ratios_stay_on_the_link_scale():
    # In R: cl <- glm(use ~ age + livch, binomial("cloglog"));
    # In R: contrast(emmeans(cl, "livch", type = "response"), "trt.vs.ctrl", adjust = "none")
    family = mlm.families.Binomial("cloglog")
    fit = mlm.glmer("use ~ age + livch", mlm.load_contraception(), family)
    means = fit.emmeans("livch", type="response")
    assert means.to_frame()["prob"].iloc[0] == pytest.approx(0.2246024866, rel=1e-7)
    found = means.contrast("trt.vs.ctrl", adjust="none")
    assert found.to_frame()["contrast"].iloc[2] == "(3+) - 0"
    assert found.to_frame()["estimate"].iloc[2] == pytest.approx(0.8902884866, rel=1e-6)
    # The observed information of a link that is not canonical is not glm's expected one.
    assert found.to_frame()["SE"].iloc[2] == pytest.approx(0.1346936347, rel=0.02)
    assert "cloglog have no ratio" in found.notes[0]


def test_reversed_pairs_change_sign(means):
    one, other = (means.pairs(reverse=turn).to_frame().set_index("contrast") for turn in (0, 1))
    assert other.loc["period3 - period2", "estimate"] == pytest.approx(
        -one.loc["period2 - period3", "estimate"]
    )
    assert other.loc["period3 - period2", "p.value"] == pytest.approx(
        one.loc["period2 - period3", "p.value"]
    )


def test_tukey_for_other_contrasts_becomes_sidak_with_a_note(means):
    found = means.contrast("consec", adjust="tukey")
    expected = means.contrast("consec", adjust="sidak")
    assert "sidak" in found.notes[0]
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_adjusted_p_values_lie_between_single_and_bonferroni(name):
    rng = np.random.default_rng(0)
    z = np.array([0.3, 2.2, 8.5, -3.0, 1.1, 0.0])
    A = rng.normal(size=(6, 6))
    R = A @ A.T / np.sqrt(np.outer((A**2).sum(1), (A**2).sum(1)))
    tests = FamilyOfTests(z, R, 4)
    adjustment = ADJUSTMENTS[name]
    single = 2 * norm.sf(np.abs(z))
    p = adjustment.p_values(tests)
    assert (p >= single * (1 - 1e-12)).all()
    assert (p <= np.minimum(6 * single, 1) * (1 + 1e-12)).all()
    c = adjustment.quantile(tests, 0.95)
    assert norm.ppf(0.975) <= c <= -norm.ppf(0.025 / 6) + 1e-9


def test_simultaneous_limits_cover_jointly():
    # Five correlated contrasts, simulated: a joint level by Monte Carlo within 3 standard errors.
    rng = np.random.default_rng(1)
    L = np.linalg.cholesky(0.6 * np.ones((5, 5)) + 0.4 * np.eye(5))
    R = L @ L.T
    c = ADJUSTMENTS["mvt"].quantile(FamilyOfTests(np.ones(5), R, 0), 0.9)
    draws = np.abs(rng.normal(size=(200_000, 5)) @ L.T).max(axis=1)
    assert (draws <= c).mean() == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 200_000))


def test_bad_arguments_are_refused(means):
    with pytest.raises(ArgumentError, match="unknown method 'pairwse'"):
        means.contrast("pairwse")
    with pytest.raises(ArgumentError, match="unknown adjust 'scheffe'"):
        means.pairs(adjust="scheffe")
    with pytest.raises(ArgumentError, match=r"'a' has weights of shape \(2,\); there are 4 means"):
        means.contrast({"a": [1, -1]})
    with pytest.raises(ArgumentError, match=r"shape \(1, 3\)"):
        means.contrast([[1, 0, -1]])
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    with pytest.raises(ArgumentError, match="only one: 'period1'"):
        fit.emmeans("period", at={"period": 1}).pairs()
