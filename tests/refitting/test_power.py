"""`power` against the power that is known, and R's intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.prediction import draw
from mixedlm_pt.refitting.power_simulation import extended, is_nested, rejections, with_effects
from mixedlm_pt.tasks import spawn_seeds


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


def test_limits_are_clopper_pearsons():
    # R: binom.test(13, 20)$conf.int; binom.test(0, 20)$conf.int; binom.test(20, 20)$conf.int
    theirs = {13: (0.4078114655, 0.8460907952), 0: (0.0, 0.168433471), 20: (0.831566529, 1.0)}
    for k, limits in theirs.items():
        p = np.where(np.arange(20) < k, 0.01, 0.5)
        row = rejections(pd.DataFrame({"p": p, "estimate": 0.0, "failure": ""}), 0.05)
        assert row["power"] == k / 20
        np.testing.assert_allclose([row["lower"], row["upper"]], limits, rtol=1e-8)


@pytest.mark.parametrize("method", ["Wald", "LRT"])
def test_the_power_of_a_known_test_is_found(method):
    # Two means of 40 counts each near 20: z is normal with variance one.
    data = pd.DataFrame({"x": np.repeat([0.0, 1.0], 40)})
    data["y"] = np.random.default_rng(0).poisson(20, 80)
    fit = mlm.glmer("y ~ x", data, "poisson")
    effect = 0.12
    mu = np.exp(fit.beta[0] + np.array([0.0, effect]))
    shift = effect / np.sqrt((1 / (40 * mu)).sum())
    exact = norm.cdf(shift - 1.959964) + norm.cdf(-shift - 1.959964)
    found = fit.power("x", {"x": effect}, nsim=300, seed=1, method=method).table.iloc[0]
    assert found["lower"] < exact < found["upper"]
    assert found["estimate"] == pytest.approx(effect, abs=4 * 0.05 / np.sqrt(300))


def test_without_an_effect_it_is_the_level_of_the_test(cbpp):
    found = cbpp.power("period3", {"period3": 0.0}, nsim=60, seed=2)
    assert found.table.loc[0, "lower"] < 0.05 < found.table.loc[0, "upper"]


def test_more_levels_have_more_power_and_tighter_estimates(cbpp):
    found = cbpp.power("period3", {"period3": -0.7}, nsim=25, extend={"herd": [10, 45]}, seed=2)
    few, many = found.table.iloc[0], found.table.iloc[1]
    assert found.table["levels"].to_list() == [10, 45]
    assert few["power"] < many["power"]
    se = found.replicates.groupby("size")["se"].mean()
    # Information grows as the number of herds.
    assert se[0] / se[1] == pytest.approx(np.sqrt(45 / 10), rel=0.15)


def test_a_term_is_tested_with_all_its_columns(cbpp):
    found = cbpp.power("period", nsim=2, seed=1)
    assert found.replicates["df"].tolist() == [3, 3]
    assert found.replicates["estimate"].isna().all()
    assert "Truth: period2 = -0.9923, period3 = -1.129, period4 = -1.58" in str(found)


def test_one_study_is_simulate_refit_and_test(cbpp):
    found = cbpp.power("period2", {"period2": -0.4}, nsim=3, seed=9)
    lrt = cbpp.power("period", {"period2": -0.4}, nsim=3, seed=9, method="LRT")
    truth = with_effects(cbpp, {"period2": -0.4})
    seed = spawn_seeds(spawn_seeds(9, 1)[0], 3)[2]
    study = cbpp.refit(draw(truth, np.random.default_rng(seed)))
    table = study.summary().coefficients
    assert found.replicates.loc[2, "p"] == pytest.approx(table.loc["period2", "Pr(>|z|)"])
    null = cbpp.update(". ~ . - period").refit(study.design.response.y)
    statistic = 2 * (study.logLik() - null.logLik())
    assert lrt.replicates.loc[2, "statistic"] == pytest.approx(statistic, abs=1e-6)
    # The fit itself keeps its estimates.
    assert cbpp.beta[1] == pytest.approx(-0.9923, abs=1e-4)


def test_an_extended_design_repeats_rows_with_new_levels(cbpp):
    longer = extended(cbpp.design, 0, 33)
    herd = longer.factors[0]
    assert herd.n_levels == 33
    sizes = np.bincount(cbpp.design.factors[0].codes)
    np.testing.assert_array_equal(
        np.sort(np.bincount(herd.codes)), np.sort(np.r_[sizes, sizes, sizes[:3]])
    )
    assert {"1", "1.2", "1.3", "3.3"} <= set(herd.levels)
    assert "4.3" not in herd.levels
    shorter = extended(cbpp.design, 0, 4)
    assert shorter.factors[0].levels.tolist() == cbpp.design.factors[0].levels[:4].tolist()


def test_nested_factors_get_new_levels_and_crossed_ones_keep_theirs():
    rng = np.random.default_rng(0)
    row = np.arange(72)
    data = pd.DataFrame({"school": row // 12, "class_": row // 4, "item": row % 4})
    data["y"] = rng.poisson(np.exp(1 + 0.5 * rng.normal(size=18)[data["class_"]]))
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("y ~ 1 + (1 | school / class_) + (1 | item)", data, "poisson", control=control)
    names = [factor.name for factor in fit.design.factors]
    longer = extended(fit.design, names.index("school"), 15)
    n_levels = {factor.name: factor.n_levels for factor in longer.factors}
    assert n_levels == {"class_:school": 45, "school": 15, "item": 4}
    by_name = {factor.name: factor for factor in longer.factors}
    assert is_nested(by_name["class_:school"], by_name["school"])
    assert not is_nested(by_name["item"], by_name["school"])
    assert longer.n == 180


def test_results_depend_on_the_seed_only(cbpp):
    one = cbpp.power("period2", nsim=2, seed=4)
    more = cbpp.power("period2", nsim=3, seed=4)
    pd.testing.assert_frame_equal(one.replicates, more.replicates.iloc[:2])


def test_what_is_unknown_is_refused_by_name(cbpp):
    with pytest.raises(ArgumentError, match="unknown coefficient or term in test 'perod'"):
        cbpp.power("perod")
    with pytest.raises(ArgumentError, match="unknown coefficient in effect 'period5'"):
        cbpp.power("period", {"period5": 1.0})
    with pytest.raises(ArgumentError, match="unknown grouping factor in extend 'cow'"):
        cbpp.power("period", extend={"cow": 5})
    with pytest.raises(ArgumentError, match="give test="):
        cbpp.power()
    with pytest.raises(ArgumentError, match="unknown method 'F'"):
        cbpp.power("period", method="F")
    with pytest.raises(
        ArgumentError, match=r"extend\['herd'\] is 0; it must be an integer of at least 2"
    ):
        cbpp.power("period", extend={"herd": 0})


def test_failures_count_as_not_rejecting():
    data = pd.DataFrame({"y": [0, 1, 0, 0, 0, 1, 0, 1] * 2, "x": np.arange(16.0) % 4})
    fit = mlm.glmer("y ~ x", data)
    found = fit.power("x", {"x": 0.0, "(Intercept)": -3.0}, nsim=12, seed=1)
    (row,) = found.table.to_dict("records")
    assert row["failures"] == sum(found.failures.values()) > 0
    assert row["power"] == (found.replicates["p"] < 0.05).sum() / 12
    assert "simulations failed" in str(found)
