import sys
import types

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError

CONTROL = mlm.GlmerControl(check_singular=False)


@pytest.fixture(scope="module")
def women():
    return mlm.load_contraception()


@pytest.fixture(scope="module")
def fit(women):
    return mlm.glmer("use ~ age * urban + I(age^2) + livch + (1 + urban | district)", women)


def delta(fit, function):
    """Value and standard error of a function of beta, by central differences."""
    h, V = 1e-5, fit.vcov().to_numpy()
    steps = h * np.eye(len(fit.beta))
    gradient = [(function(fit.beta + e) - function(fit.beta - e)) / (2 * h) for e in steps]
    return function(fit.beta), float(np.sqrt(gradient @ V @ gradient))


def mean_probability(fit, frame, beta, re_form):
    """Average prediction of rows, without the code under test."""
    eta = fit.predict(frame, type="link", re_form=re_form)
    X = mlm.design.new_design(fit.design, frame, terms=()).X
    return (1 / (1 + np.exp(-(eta + X @ (beta - fit.beta))))).mean()


def test_average_comparisons_are_those_of_the_python_package(fit):
    # marginaleffects 0.6.1 (polars 1): avg_comparisons(as_marginaleffects(fit)); its gradient is a
    # finite difference, and its step of +1 is centred, unlike that of the R package and ours.
    found = fit.avg_comparisons(["livch", "urban"]).to_frame()
    columns = "term contrast estimate std_error statistic p_value conf_low conf_high"
    assert list(found) == columns.split()
    assert found["contrast"].tolist() == ["1 - 0", "2 - 0", "3+ - 0", "Y - N"]
    assert found["estimate"].tolist() == pytest.approx(
        [0.167129, 0.1853, 0.188733, 0.163946], abs=2e-6
    )
    assert found["std_error"].tolist() == pytest.approx(
        [0.032874, 0.037907, 0.037283, 0.035317], abs=2e-6
    )
    assert found[["conf_low", "conf_high"]].iloc[3].tolist() == pytest.approx(
        [0.094727, 0.233166], abs=2e-6
    )
    odds = fit.avg_comparisons({"age": "sd"}, comparison="lnor").to_frame().iloc[0]
    assert [odds["estimate"], odds["std_error"]] == pytest.approx([0.007743, 0.06615], abs=2e-6)
    ratio = fit.avg_comparisons("urban", comparison="ratio").to_frame().iloc[0]
    assert ratio["contrast"] == "Y / N"
    assert [ratio["estimate"], ratio["std_error"]] == pytest.approx([1.479039, 0.123187], abs=2e-6)
    assert ratio["statistic"] == pytest.approx(0.479039 / 0.123187, rel=1e-4)
    by = fit.avg_slopes("age", by="urban").to_frame()
    assert by["estimate"].tolist() == pytest.approx([0.000762, -0.0011], abs=1e-6)
    # The package's step of 1e-4 in the parameters moves its standard errors in the third digit.
    assert by["std_error"].tolist() == pytest.approx([0.001754, 0.002755], rel=3e-3)
    means = fit.avg_predictions(by="livch").to_frame()
    assert means["estimate"].tolist() == pytest.approx(
        [0.247325, 0.46087, 0.482903, 0.423769], abs=2e-6
    )
    assert means["std_error"].tolist() == pytest.approx(
        [0.021578, 0.030119, 0.03197, 0.023133], abs=2e-6
    )


@pytest.mark.parametrize("re_form", [None, "~0"])
def test_average_comparisons_by_brute_force(fit, women, re_form):
    def effect(beta):
        hi, lo = (women.assign(age=women["age"] + step) for step in (5.0, 0.0))
        return mean_probability(fit, hi, beta, re_form) - mean_probability(fit, lo, beta, re_form)

    found = fit.avg_comparisons({"age": 5}, re_form=re_form).to_frame().iloc[0]
    assert found["contrast"] == "+5"
    assert [found["estimate"], found["std_error"]] == pytest.approx(delta(fit, effect), rel=1e-6)


@pytest.mark.parametrize("re_form", [None, "~0"])
def test_average_slopes_by_brute_force(fit, women, re_form):
    def effect(beta):
        h = 1e-3
        hi, lo = (women.assign(age=women["age"] + step) for step in (h, -h))
        difference = mean_probability(fit, hi, beta, re_form)
        return (difference - mean_probability(fit, lo, beta, re_form)) / (2 * h)

    found = fit.avg_slopes("age", re_form=re_form).to_frame().iloc[0]
    assert found["contrast"] == "dY/dX"
    assert [found["estimate"], found["std_error"]] == pytest.approx(delta(fit, effect), rel=1e-5)


def test_unit_slopes_are_the_chain_rule(women):
    fit = mlm.glmer("use ~ poly(age, 3) * livch + (1 | district)", women)
    found = fit.slopes("age", re_form="~0").to_frame()
    assert len(found) == len(women)
    eta = fit.predict(type="link", re_form="~0")
    # A cubic in age through four points of each combination gives its derivative exactly.
    t = np.array([-3.0, -1.0, 1.0, 3.0])
    for row in (0, 100, 1500):
        frame = pd.concat([women.iloc[[row]]] * 4)
        along = fit.predict(frame.assign(age=frame["age"] + t), type="link", re_form="~0")
        slope = np.polyfit(t, along, 3)[2]
        mu = 1 / (1 + np.exp(-eta[row]))
        assert found["estimate"].iloc[row] == pytest.approx(slope * mu * (1 - mu), rel=1e-8)


def test_link_scale_comparisons_are_coefficients(fit):
    found = fit.avg_comparisons("livch", type="link").to_frame()
    k = [fit.design.coef_names.index(name) for name in ("livch1", "livch2", "livch3+")]
    assert found["estimate"].tolist() == pytest.approx(fit.beta[k])
    assert found["std_error"].tolist() == pytest.approx(np.sqrt(np.diag(fit.vcov())[k]))


def test_population_averages_integrate_the_random_effects(fit, women):
    def average(beta, theta, rows):
        # (1 + urban | district): Lambda is lower triangular.
        L = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        Z = np.column_stack([np.ones(len(rows)), rows["urban"] == "Y"])
        s = np.sqrt(((Z @ L) ** 2).sum(axis=1))
        eta = mlm.design.new_design(fit.design, rows, terms=()).X @ beta
        # The trapezoidal rule is exact to rounding for an analytic function that dies out.
        z = np.linspace(-9, 9, 2001)
        p = 1 / (1 + np.exp(-eta[:, None] - s[:, None] * z))
        return np.trapezoid(p * norm.pdf(z), z, axis=1).mean()

    some = women.iloc[:12]
    rows = [some.assign(urban=level) for level in ("Y", "N")]
    par = np.concatenate([fit.beta, fit.theta])

    def effect(par):
        p = len(fit.beta)
        return average(par[:p], par[p:], rows[0]) - average(par[:p], par[p:], rows[1])

    h = 1e-4
    gradient = [(effect(par + e) - effect(par - e)) / (2 * h) for e in h * np.eye(len(par))]
    V = fit.vcov(full=True).to_numpy()
    found = fit.avg_comparisons("urban", some, re_form="marginal").to_frame().iloc[0]
    assert found["estimate"] == pytest.approx(effect(par), rel=1e-8)
    assert found["std_error"] == pytest.approx(np.sqrt(gradient @ V @ gradient), rel=1e-5)


def test_population_averages_need_no_groups(fit):
    new = {"age": [0.0, 10.0], "urban": ["N", "Y"], "livch": ["0", "2"]}
    found = fit.predictions(new, re_form="marginal").to_frame()
    with_groups = fit.predictions({**new, "district": ["1", "2"]}, re_form="marginal").to_frame()
    assert found["estimate"].tolist() == pytest.approx(with_groups["estimate"].tolist())
    with pytest.raises(ColumnNotFoundError, match="no column 'district'"):
        fit.predictions(new)


def test_predictions_are_those_of_predict(fit, women):
    for re_form in (None, "~0"):
        found = fit.predictions(re_form=re_form).to_frame()
        assert found["estimate"].tolist() == pytest.approx(fit.predict(re_form=re_form).tolist())
    assert found["rowid"].tolist() == women.index.tolist()
    assert (found["conf_low"] > 0).all()
    assert (found["conf_high"] < 1).all()
    link = fit.predictions(type="link", re_form="~0").to_frame()
    assert found["conf_low"].tolist() == pytest.approx(
        (1 / (1 + np.exp(-link["conf_low"]))).tolist()
    )


def test_ways_to_change_a_predictor(fit, women):
    found = fit.avg_comparisons({"age": [-5, 5], "livch": "sequential", "urban": ["Y", "N"]})
    assert found.to_frame()["contrast"].tolist() == ["5 - -5", "1 - 0", "2 - 1", "3+ - 2", "N - Y"]
    assert (
        fit.avg_comparisons({"livch": "pairwise"}).to_frame()["contrast"].tolist()[-1] == "3+ - 2"
    )
    for way, label in (("iqr", "Q3 - Q1"), ("minmax", "Max - Min"), ("2sd", "(x + sd) - (x - sd)")):
        assert fit.avg_comparisons({"age": way}).to_frame()["contrast"].tolist() == [label]
    binary = women.assign(child=(women["livch"] != "0").astype(int))
    other = mlm.glmer("use ~ child + (1 | district)", binary)
    assert other.avg_comparisons().to_frame()["contrast"].tolist() == ["1 - 0"]


def test_a_poisson_ratio_is_the_exponential_of_its_coefficient():
    data = mlm.load_grouseticks()
    fit = mlm.glmer("TICKS ~ YEAR + cHEIGHT + offset(log(HEIGHT)) + (1 | BROOD)", data, "poisson")
    found = fit.avg_comparisons("YEAR", comparison="ratio").to_frame()
    assert found["estimate"].tolist() == pytest.approx(np.exp(fit.beta[1:3]).tolist())
    logs = fit.avg_comparisons("YEAR", comparison="lnratio").to_frame()
    assert logs["std_error"].tolist() == pytest.approx(np.sqrt(np.diag(fit.vcov())[1:3]).tolist())
    # HEIGHT is in the offset alone: no effect of it was estimated.
    assert set(fit.avg_comparisons().to_frame()["term"]) == {"YEAR", "cHEIGHT"}


def test_a_singular_fit_has_no_uncertainty_in_its_zero_variance():
    rng = np.random.default_rng(2)
    data = {"g": np.repeat(np.arange(30), 5), "x": rng.normal(size=150)}
    data["y"] = rng.poisson(np.exp(0.3 * data["x"])).astype(float)
    fit = mlm.glmer("y ~ x + (1 | g)", data, "poisson", control=CONTROL)
    assert fit.theta[0] == 0.0
    marginal, zero = (fit.avg_slopes(re_form=way).to_frame() for way in ("marginal", "~0"))
    assert marginal["std_error"].tolist() == pytest.approx(zero["std_error"].tolist())


def test_robust_covariances_reach_all_parameters(fit):
    V = fit.vcov(type="sandwich")
    found = fit.avg_comparisons("livch", type="link", vcov="sandwich").to_frame()
    assert found["std_error"].iloc[0] == pytest.approx(np.sqrt(V.loc["livch1", "livch1"]))
    marginal = fit.avg_comparisons("urban", re_form="marginal", vcov="sandwich").to_frame()
    usual = fit.avg_comparisons("urban", re_form="marginal").to_frame()
    assert marginal["std_error"].iloc[0] != usual["std_error"].iloc[0]


def test_missing_rows_are_left_out(fit, women):
    data = women.copy()
    data.loc[5, "age"] = np.nan
    other = mlm.glmer("use ~ age + (1 | district)", data, na_action="exclude")
    assert 5 not in set(other.predictions().to_frame()["rowid"])
    new = women.iloc[:4].assign(age=[1.0, np.nan, 2.0, 3.0])
    assert fit.comparisons("urban", new).to_frame()["rowid"].tolist() == [0, 2, 3]


def test_a_cell_without_data_gives_no_estimate(women):
    data = women[~((women["livch"] == "2") & (women["urban"] == "Y"))]
    with pytest.warns(mlm.errors.RankDeficiencyWarning):
        glm = mlm.glmer("use ~ age + livch * urban", data)
    found = glm.avg_comparisons("urban", by="livch").to_frame()
    assert found["estimate"].isna().tolist() == [False, False, True, False]


def test_long_tables_are_printed_by_their_ends(fit):
    text = str(fit.slopes("age"))
    assert len(text.splitlines()) < 30
    assert "1933" in text
    assert "..." in text


def test_bad_arguments_are_refused(fit):
    with pytest.raises(ArgumentError, match=r"unknown predictor 'ag'.*Did you mean 'age'"):
        fit.avg_comparisons("ag")
    with pytest.raises(ArgumentError, match="unknown comparison 'diff'"):
        fit.avg_comparisons(comparison="diff")
    with pytest.raises(ArgumentError, match="averages means, not linear predictors"):
        fit.avg_slopes(type="link", re_form="marginal")
    with pytest.raises(ArgumentError, match="compares probabilities"):
        fit.avg_comparisons(type="link", comparison="lnor")
    with pytest.raises(ArgumentError, match="unknown level of 'livch' '9'"):
        fit.avg_comparisons({"livch": ["0", "9"]})
    with pytest.raises(ArgumentError, match="unknown comparison of levels of 'livch' 'sd'"):
        fit.avg_comparisons({"livch": "sd"})
    with pytest.raises(ArgumentError, match="variables asks 'pairwise' of 'age'"):
        fit.avg_comparisons({"age": "pairwise"})
    with pytest.raises(ColumnNotFoundError, match="no column 'country'"):
        fit.avg_comparisons(by="country")


def test_the_adapter_serves_what_marginaleffects_asks_for(fit, women, monkeypatch):
    # The real package is not installed here; these are the calls of its 0.6.1.
    class ModelAbstract:
        def __init__(self, model, vault):
            self.model, self.vault = model, vault

    class ModelVault(types.SimpleNamespace):
        pass

    classes = types.ModuleType("marginaleffects.classes")
    classes.ModelAbstract, classes.ModelVault = ModelAbstract, ModelVault
    monkeypatch.setitem(sys.modules, "marginaleffects", types.ModuleType("marginaleffects"))
    monkeypatch.setitem(sys.modules, "marginaleffects.classes", classes)
    model = fit.as_marginaleffects()
    data = model.vault.modeldata
    assert model.vault.formula == "response ~ `age` + `urban` + `livch`"
    assert model.vault.variable_names == ["response", "age", "urban", "livch"]
    assert data["livch"].dtype.categories.to_list() == ["0", "1", "2", "3+"]
    found = model.get_predict(fit.beta, model.get_exog(data))
    assert found["estimate"].to_list() == pytest.approx(fit.fitted().tolist())
    moved = fit.beta + 0.1 * np.eye(len(fit.beta))[0]
    eta = fit.predict(type="link") + 0.1
    assert model.get_predict(moved, data)["estimate"].to_list() == pytest.approx(
        (1 / (1 + np.exp(-eta))).tolist()
    )
    assert model.get_vcov(True).tolist() == fit.vcov().to_numpy().tolist()
    assert model.get_vcov(False) is None
