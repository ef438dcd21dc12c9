import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def nested():
    return mlm.glmer(
        "deaths ~ uvb + offset(log(expected)) + (1 | nation / region)",
        mlm.load_mmmec(),
        "poisson",
    )


NEW = pd.DataFrame({"herd": ["1", "7", "99", "99"], "period": ["1", "3", "1", "4"]})


def test_new_data_and_an_unseen_level_are_predicted_as_by_lme4(cbpp):
    # lme4 1.1-31, reference cbpp_newdata; its own optimum is 1e-7 away.
    link = [-0.808512091624784, -1.6378102951591, -1.39853210982465, -2.97884606077611]
    response = [0.308207650551257, 0.162763236343586, 0.198049146769708, 0.0483907388709071]
    population = [-1.39853210982465, -2.52720424311399, -1.39853210982465, -2.97884606077611]
    new = {"newdata": NEW, "allow_new_levels": True}
    np.testing.assert_allclose(cbpp.predict(type="link", **new), link, rtol=1e-6)
    np.testing.assert_allclose(cbpp.predict(**new), response, rtol=1e-6)
    np.testing.assert_allclose(
        cbpp.predict(type="link", re_form="~0", **new), population, rtol=1e-6
    )


def test_an_unseen_level_is_an_error_that_names_it(cbpp):
    with pytest.raises(DataError, match=r"grouping factor 'herd' has a level .* '99' at row 2"):
        cbpp.predict(NEW)


@pytest.mark.parametrize("re_form", ["~0", "~ 0", "NA"])
def test_without_random_effects_the_grouping_factor_is_not_needed(cbpp, re_form):
    predicted = cbpp.predict(NEW[["period"]], type="link", re_form=re_form)
    beta = cbpp.fixef()
    assert predicted[0] == pytest.approx(beta["(Intercept)"])
    assert predicted[1] == pytest.approx(beta["(Intercept)"] + beta["period3"])


def test_the_fitted_rows_as_new_data_give_the_fitted_values(nested):
    data = mlm.load_mmmec()
    np.testing.assert_allclose(nested.predict(data), nested.fitted(), rtol=1e-12)
    np.testing.assert_allclose(nested.predict(), nested.fitted(), rtol=1e-12)


def test_some_terms_only_are_added(nested):
    nation = nested.ranef()["nation"]["(Intercept)"]
    codes = next(f.codes for f in nested.design.factors if f.name == "nation")
    expected = nested.predict(type="link", re_form="~0") + nation.to_numpy()[codes]
    predicted = nested.predict(type="link", re_form="~ (1 | nation)")
    np.testing.assert_allclose(predicted, expected, rtol=1e-12)
    new = nested.predict(mlm.load_mmmec(), type="link", re_form="~(1|nation)")
    np.testing.assert_allclose(new, expected, rtol=1e-12)


def test_the_offset_of_new_data_counts(nested):
    data = mlm.load_mmmec()[:5]
    doubled = data.assign(expected=2.0 * data["expected"])
    np.testing.assert_allclose(nested.predict(doubled), 2.0 * nested.predict(data), rtol=1e-12)


def test_an_unknown_term_in_re_form_is_named(cbpp):
    with pytest.raises(
        FormulaError, match=r"re_form has the term \(1 \| cow\).*it has \(1 \| herd"
    ):
        cbpp.predict(re_form="~ (1 | cow)")


@pytest.mark.parametrize("re_form", [0, False, ["(1 | herd)"]])
def test_what_re_form_cannot_be_is_refused_with_what_it_can(cbpp, re_form):
    with pytest.raises(ArgumentError, match=r"is not available; there are None .*'~0'.*'marginal'"):
        cbpp.predict(re_form=re_form)


def test_an_unknown_type_is_refused(cbpp):
    with pytest.raises(ArgumentError, match=r"unknown type 'responce'; .* Did you mean 'response'"):
        cbpp.predict(type="responce")


def test_a_missing_column_is_named(cbpp):
    with pytest.raises(ColumnNotFoundError, match="period"):
        cbpp.predict({"herd": ["1"]})


def test_new_rows_with_missing_values_get_nan(cbpp):
    new = pd.DataFrame({"herd": ["1", None, "3"], "period": ["1", "2", "2"]})
    predicted = cbpp.predict(new)
    assert np.isnan(predicted).tolist() == [False, True, False]


@pytest.mark.parametrize(("na_action", "rows"), [("omit", 54), ("exclude", 56)])
def test_results_follow_na_action(na_action, rows):
    data = mlm.load_cbpp()
    data["x"] = np.linspace(-1.0, 1.0, 56)
    data.loc[[3, 7], "x"] = np.nan
    fit = mlm.glmer("incidence / size ~ x + (1 | herd)", data, na_action=na_action)
    for values in (fit.fitted(), fit.predict(), fit.residuals()):
        assert len(values) == rows
        missing = np.flatnonzero(np.isnan(values)).tolist()
        assert missing == ([3, 7] if na_action == "exclude" else [])


def test_new_data_may_be_a_dict_or_a_polars_frame(cbpp):
    polars = pytest.importorskip("polars")
    expected = cbpp.predict(NEW, allow_new_levels=True)
    columns = {name: NEW[name].tolist() for name in NEW}
    for new in (columns, polars.DataFrame(columns)):
        np.testing.assert_array_equal(cbpp.predict(new, allow_new_levels=True), expected)
        frame = cbpp.predict(new, allow_new_levels=True, se_fit=True)
        np.testing.assert_array_equal(frame["fit"], expected)
        assert frame.index.tolist() == [0, 1, 2, 3]


def test_transforms_keep_what_they_computed_from_the_fitted_data():
    data = mlm.load_grouseticks()
    formula = "TICKS ~ poly(scale(HEIGHT), 2) + (1 | BROOD)"
    fit = mlm.glmer(formula, data, "poisson")
    new = data.iloc[[3, 200]]
    np.testing.assert_allclose(fit.predict(new), fit.fitted()[[3, 200]], rtol=1e-12)
    np.testing.assert_allclose(
        fit.predict(new, se_fit=True)["se_fit"],
        fit.predict(se_fit=True)["se_fit"].iloc[[3, 200]],
        rtol=1e-10,
    )


def test_an_array_as_offset_has_to_be_given_for_new_data():
    data = mlm.load_mmmec()
    log_expected = np.log(data["expected"])
    fit = mlm.glmer("deaths ~ uvb + (1 | region)", data, "poisson", offset=log_expected)
    with pytest.raises(ArgumentError, match=r"give offset= for the new data"):
        fit.predict(data[:3])
    own = fit.predict(data[:3], offset=log_expected[:3] + np.log(2.0))
    np.testing.assert_allclose(own, 2.0 * fit.predict()[:3], rtol=1e-12)
    by_name = fit.predict(data[:3], offset="log(expected)", se_fit=True)
    np.testing.assert_allclose(by_name["fit"], fit.predict()[:3], rtol=1e-12)


def test_an_effect_that_is_averaged_over_needs_its_predictor_but_not_its_group():
    fit = mlm.glmer("use ~ urban + (age | district)", mlm.load_contraception())
    with pytest.raises(ColumnNotFoundError, match="age"):
        fit.predict({"urban": ["Y"]}, re_form="marginal")
    assert len(fit.predict({"urban": ["Y"], "age": [0.0]}, re_form="marginal")) == 1
    assert len(fit.predict({"urban": ["Y"]}, re_form="~0")) == 1


def test_a_held_term_needs_the_group_even_if_another_of_it_is_drawn():
    fit = mlm.glmer("use ~ urban + (1 | district) + (0 + age | district)", mlm.load_contraception())
    new = {"urban": ["Y", "Y"], "age": [1.0, 9.0]}
    arguments = {"re_form": "~ (1 | district)", "interval": "prediction", "seed": 1, "nsim": 20}
    with pytest.raises(ColumnNotFoundError, match="district"):
        fit.predict(new, **arguments)
    own = fit.predict(new | {"district": ["1", "1"]}, **arguments)
    assert own["fit"][0] == own["fit"][1]


def test_nothing_in_the_fit_changes(cbpp):
    before = {
        name: np.array(value) for name, value in vars(cbpp.estimate).items() if name != "restart"
    }
    for re_form in (None, "~0", "marginal"):
        cbpp.predict(re_form=re_form, interval="prediction", nsim=5)
    for name in ("beta", "theta", "u", "covariance"):
        np.testing.assert_array_equal(before[name], getattr(cbpp.estimate, name))
