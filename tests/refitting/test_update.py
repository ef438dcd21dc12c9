"""`update` makes what `glmer` makes of the changed arguments."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, RankDeficiencyWarning


@pytest.fixture(scope="module")
def data():
    cbpp = mlm.load_cbpp()
    rng = np.random.default_rng(1)
    cbpp["z"] = rng.normal(size=len(cbpp))
    cbpp["late"] = np.where(np.arange(len(cbpp)) < 6, np.nan, cbpp["z"])
    cbpp["prop"] = cbpp["incidence"] / cbpp["size"]
    return cbpp


@pytest.fixture(scope="module")
def fit(data):
    return mlm.glmer("incidence / size ~ period + (1 | herd)", data)


def same(one, other):
    np.testing.assert_array_equal(one.beta, other.beta)
    np.testing.assert_array_equal(one.theta, other.theta)
    assert one.estimate.loglik == other.estimate.loglik
    assert one.design.coef_names == other.design.coef_names
    assert type(one) is type(other)


@pytest.mark.parametrize(
    ("change", "whole"),
    [
        (". ~ . + z", "incidence / size ~ period + z + (1 | herd)"),
        ("~ . - period + z", "incidence / size ~ z + (1 | herd)"),
        (". ~ . - (1 | herd)", "incidence / size ~ period"),
        (". ~ . + period:z", "incidence / size ~ period + period:z + (1 | herd)"),
        ("incidence / size ~ z + (1 | herd)", "incidence / size ~ z + (1 | herd)"),
    ],
)
def test_a_formula_with_dots_finds_its_columns_in_the_remembered_data(fit, data, change, whole):
    same(fit.update(change), mlm.glmer(whole, data))


CHANGES = [
    {"family": mlm.families.Binomial(link="probit")},
    {"nAGQ": 7},
    {"nAGQ": 0},
    {"offset": "0.2 * z"},
    {"contrasts": {"period": "sum"}},
    {"control": mlm.GlmerControl(optimizer="BFGS")},
    {"backend": "numpy"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_an_argument_is_replaced_and_the_others_are_kept(fit, data, change):
    updated = fit.update(**change)
    same(updated, mlm.glmer("incidence / size ~ period + (1 | herd)", data, **change))
    # A second update keeps the first.
    same(
        updated.update(". ~ . + z"),
        mlm.glmer("incidence / size ~ period + z + (1 | herd)", data, **change),
    )


def test_weights_and_na_action_travel(data):
    arguments = {"weights": "size", "na_action": "exclude"}
    fit = mlm.glmer("prop ~ period + (1 | herd)", data, **arguments)
    updated = fit.update(". ~ . + late")
    same(updated, mlm.glmer("prop ~ period + late + (1 | herd)", data, **arguments))
    # Six rows have no value of the new covariate; results are padded to all.
    assert updated.nobs() == fit.nobs() - 6
    assert np.isnan(updated.fitted()).sum() == 6


def test_other_data_and_starting_values_are_taken(fit, data):
    half = data[data["herd"].astype(int) <= 9]
    same(fit.update(data=half), mlm.glmer(fit.call.formula, half))
    warm = fit.update(start=fit)
    assert warm.estimate.loglik == pytest.approx(fit.estimate.loglik, abs=1e-9)
    assert warm.outcome.n_evaluations < fit.outcome.n_evaluations


def test_the_old_fit_stays_as_it_was(fit, data):
    before = (fit.beta.copy(), fit.call.formula, dict(fit.call.arguments))
    fit.update(". ~ z + (1 | herd)", nAGQ=3)
    np.testing.assert_array_equal(fit.beta, before[0])
    assert (fit.call.formula, dict(fit.call.arguments)) == before[1:]


def test_what_is_unknown_is_refused_by_name(fit):
    with pytest.raises(ArgumentError, match=r"unknown argument 'famly'.*Did you mean 'family'"):
        fit.update(famly="poisson")
    with pytest.raises(ColumnNotFoundError, match="no column 'zz'"):
        fit.update(". ~ . + zz")


def test_warnings_point_at_the_users_line(fit, data):
    twice = data.assign(again=data["z"])
    with pytest.warns(RankDeficiencyWarning) as caught:
        fit.update(". ~ . + z + again", data=twice)
    assert caught[0].filename == __file__


def test_glmer_nb_warns_at_the_users_line():
    rng = np.random.default_rng(3)
    counts = pd.DataFrame({"y": rng.binomial(6, 0.5, 60), "g": np.arange(60) % 6})
    with pytest.warns(mlm.errors.SingularFitWarning) as caught:
        mlm.glmer_nb("y ~ 1 + (1 | g)", counts)
    assert {warning.filename for warning in caught} == {__file__}
