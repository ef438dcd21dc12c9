"""Against emmeans 1.8.4-1 and R 4.2, run now; the R lines stand beside the numbers.

m <- glmmTMB(..., control = glmmTMBControl(optCtrl = list(rel.tol = 1e-15, x.tol = 1e-12)));
glmmTMB 1.1.5 stops about 1e-4 standard errors short of the optimum, which sets the tolerance;
glm() does not.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, FormulaError

NEAR = {"rel": 2e-4}


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def women():
    return mlm.load_contraception()


@pytest.fixture(scope="module")
def use(women):
    return mlm.glmer("use ~ age * urban + I(age^2) + livch + (1 | district)", women)


def numbers(means):
    return means.table.iloc[:, len(means.keys) :].drop(columns="df").to_numpy()


def test_means_of_cbpp_are_emmeans(cbpp):
    # In R: emmeans(m, "period", df = Inf)
    means = cbpp.emmeans("period")
    assert list(means.to_frame()) == ["period", "emmean", "SE", "df", "asymp.LCL", "asymp.UCL"]
    assert np.isinf(means.to_frame()["df"]).all()
    expected = [
        [-1.39853247, 0.232472051, -1.85416931, -0.94289562],
        [-2.39086476, 0.310213978, -2.99887298, -1.78285654],
        [-2.52720376, 0.330275160, -3.17453118, -1.87987635],
        [-2.97884615, 0.430071955, -3.82177170, -2.13592061],
    ]
    assert numbers(means) == pytest.approx(np.array(expected), **NEAR)


def test_response_scale_transforms_estimates_and_limits(cbpp):
    # In R: summary(emmeans(m, "period", df = Inf), type = "response")
    means = cbpp.emmeans("period", type="response")
    assert means.to_frame().columns[1] == "prob"
    assert numbers(means)[3] == pytest.approx(
        [0.0483907346, 0.0198044142, 0.0214201212, 0.105654237], **NEAR
    )


def test_the_bias_adjustment_is_emmeans(cbpp):
    # In R: summary(e, type = "response", bias.adjust = TRUE, sigma = 0.642261672235)
    means = cbpp.emmeans("period", type="response", bias_adjust=True)
    assert numbers(means)[0] == pytest.approx(
        [0.2178315810, 0.0372807925, 0.1529897017, 0.298597334], **NEAR
    )
    assert numbers(means)[3] == pytest.approx(
        [0.0569691632, 0.0227605060, 0.0255581800, 0.121024934], **NEAR
    )
    assert "sigma = 0.6423" in means.notes[-1]


def test_the_exact_average_is_an_integral(cbpp):
    means = cbpp.emmeans("period", type="response", bias_adjust="exact").to_frame()
    eta, s = cbpp.beta[0] + cbpp.beta[2], cbpp.theta[0]
    expected = quad(lambda b: norm.pdf(b, scale=s) / (1 + np.exp(-eta - b)), -8, 8)[0]
    assert means["prob"].iloc[2] == pytest.approx(expected, rel=1e-8)
    h = 1e-5
    slope = (
        quad(lambda b: norm.pdf(b, scale=s) / (1 + np.exp(-eta - h - b)), -8, 8)[0]
        - quad(lambda b: norm.pdf(b, scale=s) / (1 + np.exp(-eta + h - b)), -8, 8)[0]
    ) / (2 * h)
    link_se = cbpp.emmeans("period").to_frame()["SE"].iloc[2]
    assert means["SE"].iloc[2] == pytest.approx(slope * link_se, rel=1e-6)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("equal", [-0.372058489, 0.107163825, 0.327667334, 0.133224091]),
        ("proportional", [-0.387584092, 0.105828693, 0.312141731, 0.132297857]),
        ("outer", [-0.387584092, 0.105828693, 0.312141731, 0.132297857]),
        ("cells", [-0.376093633, 0.105198793, 0.284090291, 0.133131724]),
    ],
)
def test_weights_are_those_of_emmeans(use, weights, expected):
    # In R: emmeans(m, "urban", weights = ...), use ~ age*urban + I(age^2) + livch + (1|district)
    found = use.emmeans("urban", weights=weights).to_frame()
    assert found[["emmean", "SE"]].to_numpy().ravel().tolist() == pytest.approx(expected, **NEAR)


def test_by_and_at_make_groups_at_chosen_values(use):
    # In R: emmeans(m, ~ livch | urban, at = list(age = 5), type = "response")
    means = use.emmeans("~ livch | urban", at={"age": 5}, type="response")
    found = means.to_frame()
    assert found["livch"].tolist() == ["0", "1", "2", "3+"] * 2
    assert found["urban"].tolist() == ["N"] * 4 + ["Y"] * 4
    assert found["prob"].tolist() == pytest.approx(
        [
            0.248175693,
            0.427929454,
            0.453041865,
            0.452810925,
            0.380251562,
            0.581657462,
            0.606231175,
            0.606008666,
        ],
        **NEAR,
    )
    assert use.emmeans("livch", by="urban", at={"age": 5}, type="response").to_frame().equals(found)
    # In R: emmeans(m, ~ urban + age, at = list(age = c(-5, 5)))
    found = use.emmeans("~ urban + age", at={"age": [-5, 5]}).to_frame()
    assert found["age"].tolist() == [-5, -5, 5, 5]
    assert found["emmean"].tolist() == pytest.approx(
        [-0.530369836, 0.249266916, -0.444094290, 0.175790826], **NEAR
    )


def test_covariates_with_two_values_keep_both(women):
    # In R: k <- glmmTMB(use ~ age*child + urban + (1|district)), child <- as.numeric(livch != "0")
    data = women.assign(child=(women["livch"] != "0").astype(float))
    fit = mlm.glmer("use ~ age * child + urban + (1 | district)", data)
    found = fit.emmeans("urban").to_frame()["emmean"].tolist()
    assert found == pytest.approx([-0.989737321, -0.269925129], **NEAR)
    found = fit.emmeans("urban", weights="proportional").to_frame()["emmean"].tolist()
    assert found == pytest.approx([-0.72543066148, -0.00561846868], rel=1e-3)
    assert fit.emmeans("child").to_frame()["child"].tolist() == [0.0, 1.0]


def test_offsets_are_evaluated_at_the_means_of_their_columns():
    # In R: p <- glmmTMB(TICKS ~ YEAR + HEIGHT + offset(log(HEIGHT/100)) + (1|BROOD), poisson)
    data = mlm.load_grouseticks()
    fit = mlm.glmer(
        "TICKS ~ YEAR + HEIGHT + offset(log(HEIGHT / 100)) + (1 | BROOD)", data, "poisson"
    )
    expected = [0.511770575, 1.647907633, -0.489226759]
    assert fit.emmeans("YEAR").to_frame()["emmean"].tolist() == pytest.approx(expected, rel=1e-3)
    rate = fit.emmeans("YEAR", type="response").to_frame()
    assert rate["rate"].tolist() == pytest.approx(np.exp(expected), rel=1e-3)
    # In R: emmeans(p, "YEAR", offset = 0)
    expected = [-1.019144978, 0.116992079, -2.020142313]
    found = fit.emmeans("YEAR", offset=0).to_frame()["emmean"].tolist()
    assert found == pytest.approx(expected, rel=1e-3)
    rows = np.log(data["HEIGHT"] / 100)
    array = mlm.glmer("TICKS ~ YEAR + HEIGHT + (1 | BROOD)", data, "poisson", offset=rows)
    shift = rows.mean() - np.log(data["HEIGHT"].mean() / 100)
    assert array.emmeans("YEAR").to_frame()["emmean"].tolist() == pytest.approx(
        fit.emmeans("YEAR").to_frame()["emmean"] + shift, rel=1e-5
    )


def test_cells_without_data_are_not_estimable(women):
    # In R: C <- droplevels(Contraception[!(livch == "2" & urban == "Y"), ])
    # In R: g <- glm(use ~ age + livch*urban, binomial, C); emmeans(g, ~ livch | urban)
    data = women[~((women["livch"] == "2") & (women["urban"] == "Y"))]
    with pytest.warns(mlm.errors.RankDeficiencyWarning):
        fit = mlm.glmer("use ~ age + livch * urban", data)
    means = fit.emmeans("~ livch | urban")
    expected = [-1.7125467436, -0.4845902758, -0.2368697520, -0.3156753037]
    expected += [-0.6016412417, 0.2142334438, np.nan, 0.3966590508]
    found = means.to_frame()
    assert found["emmean"].tolist() == pytest.approx(expected, rel=1e-8, nan_ok=True)
    assert found["SE"].isna().tolist() == np.isnan(expected).tolist()
    assert "not estimable" in means.notes[-1]
    # In R: pairs(e, adjust = "none")
    pairs = means.pairs(adjust="none").to_frame()
    assert pairs["estimate"].isna().sum() == 3
    assert pairs["p.value"].iloc[11 - 1 - 0] == pytest.approx(4.734625637e-01, rel=1e-7)
    assert fit.emmeans("urban").to_frame()["emmean"].isna().tolist() == [False, True]
    # In R: emmeans(g, "urban", at = list(livch = c("0", "1")))
    found = fit.emmeans("urban", at={"livch": ["0", "1"]}).to_frame()
    assert found["emmean"].tolist() == pytest.approx([-1.098568510, -0.193703899], rel=1e-8)
    assert found["SE"].tolist() == pytest.approx([0.1065686984, 0.1302481595], rel=1e-7)


def test_transforms_are_evaluated_in_the_grid(women):
    # In R: p <- glm(use ~ poly(age, 2)*urban, binomial)
    # In R: emmeans(p, "urban", at = list(age = c(-3, 4)))
    fit = mlm.glmer("use ~ poly(age, 2) * urban", women)
    found = fit.emmeans("urban", at={"age": [-3, 4]}).to_frame()
    assert found["emmean"].tolist() == pytest.approx([-0.2664573427, 0.4325648806], rel=1e-7)
    assert found["SE"].tolist() == pytest.approx([0.07402468194, 0.11298587498], rel=1e-7)
    # In R: emtrends(p, ~ urban, var = "age", delta.var = 1e-6)
    found = fit.emtrends("urban", "age").to_frame()
    assert found["age.trend"].tolist() == pytest.approx([0.03498075317, 0.01933629568], rel=1e-5)
    assert found["SE"].tolist() == pytest.approx([0.007607152053, 0.010715534180], rel=1e-5)


def test_contrast_codings_give_the_same_means(women):
    # In R: s <- glm(use ~ age + livch, binomial, contrasts = list(livch = "contr.sum")), means are
    # those of any coding; C as above
    women = women[~((women["livch"] == "2") & (women["urban"] == "Y"))]
    expected = [-1.2724319778, -0.2465691778, -0.2373462080, -0.1445669686]
    for coding in ("sum", "treatment", "helmert"):
        fit = mlm.glmer("use ~ age + livch", women, contrasts={"livch": coding})
        found = fit.emmeans("livch").to_frame()["emmean"].tolist()
        assert found == pytest.approx(expected, rel=1e-8)


def test_trends_are_derivatives(use):
    b = dict(zip(use.design.coef_names, use.beta, strict=True))
    at = use.emtrends("urban", "age", at={"age": 3.0}).to_frame()["age.trend"].tolist()
    slope = b["age"] + 6.0 * b["I(age^2)"]
    assert at == pytest.approx([slope, slope + b["age:urbanY"]], rel=1e-9)
    difference = use.emtrends("urban", "age").pairs().to_frame().iloc[0]
    # In R: pairs(emtrends(m, ~ urban, var = "age"))
    assert difference["contrast"] == "N - Y"
    assert difference["SE"] == pytest.approx(0.0128684133, **NEAR)
    assert difference["p.value"] == pytest.approx(0.214448972, rel=1e-3)


def test_columns_that_are_numbers_and_factors_in_the_formula(women):
    data = women.assign(children=women["livch"].map({"0": 0, "1": 1, "2": 2, "3+": 3}))
    fit = mlm.glmer("use ~ age + factor(children) + (1 | district)", data)
    plain = mlm.glmer("use ~ age + livch + (1 | district)", data)
    means = fit.emmeans("children")
    assert means.to_frame()["children"].tolist() == [0, 1, 2, 3]
    assert numbers(means) == pytest.approx(numbers(plain.emmeans("livch")))
    assert means.pairs().to_frame()["contrast"].iloc[0] == "children0 - children1"


def test_rows_left_out_and_truth_values_do_not_disturb(women):
    data = women.assign(town=women["urban"] == "Y")
    data.loc[[2, 30], "age"] = np.nan
    fit = mlm.glmer("use ~ age + town + (1 | district)", data, na_action="exclude")
    short = mlm.glmer("use ~ age + urban + (1 | district)", data.dropna())
    found = fit.emmeans("town")
    assert found.to_frame()["town"].tolist() == [False, True]
    assert numbers(found) == pytest.approx(numbers(short.emmeans("urban")), rel=1e-6)


def test_a_robust_covariance_is_used(cbpp):
    V = cbpp.vcov(type="sandwich")
    found = cbpp.emmeans("period", vcov="sandwich").to_frame()
    assert found["SE"].iloc[0] == pytest.approx(np.sqrt(V.iloc[0, 0]))
    assert cbpp.emmeans("period", vcov=V).to_frame()["SE"].tolist() == found["SE"].tolist()


def test_wald_limits_of_a_gaussian_model_have_one_scale():
    data = mlm.load_sleepstudy()
    fit = mlm.glmer("Reaction ~ Days + (Days | Subject)", data, "gaussian")
    means = fit.emmeans("Days", at={"Days": [0, 9]}, type="response")
    assert means.to_frame()["emmean"].tolist() == pytest.approx(
        [fit.beta[0], fit.beta[0] + 9 * fit.beta[1]]
    )
    assert means.pairs().to_frame()["estimate"].iloc[0] == pytest.approx(-9 * fit.beta[1])


def test_interactions_averaged_over_are_mentioned(use):
    assert any("interaction age:urban" in note for note in use.emmeans("urban").notes)
    assert "averaged over the levels of: livch" in use.emmeans("urban").notes[0]


def test_printing_names_rows_by_levels(use):
    text = str(use.emmeans("~ livch | urban", type="response"))
    assert text.splitlines()[2].split() == [
        "livch",
        "urban",
        "prob",
        "SE",
        "df",
        "asymp.LCL",
        "asymp.UCL",
    ]
    assert text.splitlines()[3].split()[:2] == ["0", "N"]
    assert "<table" in use.emmeans("livch")._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"specs": "perod"}, ArgumentError, "unknown predictor 'perod'; known: period"),
        ({"specs": "period", "at": {"x": 1}}, ArgumentError, "unknown predictor 'x'"),
        (
            {"specs": "period", "at": {"period": "5"}},
            ArgumentError,
            "unknown level of 'period' '5'",
        ),
        ({"specs": "period", "at": {"period": []}}, ArgumentError, "no value for 'period'"),
        ({"specs": "period", "weights": "even"}, ArgumentError, "unknown weights 'even'"),
        ({"specs": "period", "type": "prob"}, ArgumentError, "unknown type 'prob'"),
        ({"specs": "period", "level": 95}, ArgumentError, "level is 95"),
        ({"specs": "period", "bias_adjust": "yes"}, ArgumentError, "bias_adjust is 'yes'"),
        ({"specs": "pairwise ~ period"}, FormulaError, "has a left side"),
        ({"specs": "~ log(period)"}, FormulaError, "no list of factors"),
    ],
)
def test_bad_arguments_are_refused(cbpp, arguments, error, message):
    with pytest.raises(error, match=message):
        cbpp.emmeans(**arguments)


def test_factors_have_no_trend(cbpp):
    with pytest.raises(ArgumentError, match="'period' is not numeric"):
        cbpp.emtrends("period", "period")


def test_data_changed_after_the_fit_are_noticed():
    data = mlm.load_cbpp()
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", data)
    data.loc[56] = data.loc[0]
    with pytest.raises(mlm.errors.DataError, match="57 rows now, 56 when the model was fitted"):
        fit.emmeans("period")


def test_a_missing_column_is_named():
    data = mlm.load_cbpp()
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", data)
    del data["period"]
    with pytest.raises(ColumnNotFoundError, match="no column 'period'"):
        fit.emmeans("period")


def test_results_travel(cbpp):
    means = pickle.loads(pickle.dumps(cbpp.emmeans("period", type="response", bias_adjust=True)))
    pd.testing.assert_frame_equal(
        means.pairs().to_frame(), cbpp.emmeans("period", type="response").pairs().to_frame()
    )


def test_the_overall_mean_averages_all_levels(cbpp):
    found = cbpp.emmeans("~ 1").to_frame()["emmean"].tolist()
    assert found == pytest.approx([cbpp.emmeans("period").to_frame()["emmean"].mean()])


def test_a_grid_that_is_too_large_names_the_culprit():
    rng = np.random.default_rng(0)
    sizes = {"a": 65, "b": 60, "c": 55}
    data = {name: [f"{name}{i % k}" for i in rng.permutation(300)] for name, k in sizes.items()}
    data["y"] = rng.normal(size=300)
    fit = mlm.glmer("y ~ a + b + c", data, "gaussian")
    with pytest.raises(ArgumentError, match="214,500 rows; 'a' alone has 65 levels"):
        fit.emmeans("b")


def test_nothing_changes_the_means(cbpp):
    means = cbpp.emmeans("period", type="response")
    before = means.to_frame()
    means.pairs()
    means.regrid()
    frame = means.to_frame()
    frame.iloc[0, 1] = 0.0
    pd.testing.assert_frame_equal(means.to_frame(), before)
