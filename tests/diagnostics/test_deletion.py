import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics.deletion import without
from mixedlm_pt.errors import ArgumentError

# lme4 1.1-31, bobyqa with rhoend = 1e-9:
#   inf <- influence(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp,
#                          binomial), groups = "herd")
# then rows 1, 3 and 11 of dfbeta(inf), and column 2 of dfbeta(inf, which = "var.cov").
CBPP = pd.DataFrame(
    [
        [0.02355133078, -0.1701449007, -0.3455023114, -0.0029730956],
        [-0.09366719968, 0.0650544815, 0.2152646919, -0.0444458799],
        [0.12760395128, -0.3719813499, -0.2708456116, -0.1299180109],
    ],
    index=["1", "3", "11"],
)
CBPP_VARIANCE = {"1": -0.0223968455, "3": 0.0460926554, "11": 0.0187161320}

# The same of glmer(use ~ urban + age + (1 | district), binomial) on districts 1 to 12 of
# Contraception; cooks.distance(inf) has (n - p) / (n p) with n = 12 districts instead of 1 / p.
DISTRICTS = np.array(
    [
        [0.135215440173, 0.44522961181, 9.849604132e-05],
        [-0.055174753751, 0.02875184560, -2.304448223e-03],
        [-0.018999572995, -0.05745632865, 7.054714880e-04],
        [-0.016449482724, -0.24749972010, -5.780676353e-04],
        [-0.075508694691, 0.07208260368, 2.635698940e-03],
        [-0.002703158229, -0.04878510097, 4.172447409e-03],
        [-0.021614628187, 0.02178443866, 6.996683415e-04],
        [-0.061639724475, -0.02836611149, -6.430704306e-03],
        [-0.010727029404, 0.00203508206, 8.903979227e-04],
        [0.068242936259, -0.03549571487, 1.522984040e-03],
        [0.139941092872, -0.13337388945, -1.533564655e-03],
        [-0.065902749282, 0.21757502377, -7.784161911e-04],
    ]
)
DISTRICT_COOK = [
    *(0.823674664283, 0.024301060776, 0.015138297150, 0.186804670550, 0.044921999527),
    *(0.033891609171, 0.003637797917, 0.090336984617, 0.001832018117, 0.028416218121),
    *(0.122456735224, 0.126150395586),
]


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def by_herd(cbpp):
    return cbpp.influence("herd", exact=True)


def test_deleting_a_herd_changes_the_estimates_as_in_lme4(cbpp, by_herd):
    # lme4's own refits stop 1e-4 short of the optimum.
    np.testing.assert_allclose(by_herd.dfbeta.loc[CBPP.index], CBPP, atol=3e-4)
    name = "sd_(Intercept)|herd"
    sd = by_herd.estimates[name]
    for herd, change in CBPP_VARIANCE.items():
        ours = (sd + by_herd.changes.loc[herd, name]) ** 2 - sd**2
        assert ours == pytest.approx(change, abs=3e-3)


def test_deleting_a_district_changes_the_estimates_as_in_lme4():
    data = mlm.load_contraception()
    data = data[data["district"].astype(int) <= 12]
    fit = mlm.glmer("use ~ urban + age + (1 | district)", data)
    found = fit.influence("district", exact=True)
    np.testing.assert_allclose(found.dfbeta, DISTRICTS, atol=3e-4)
    np.testing.assert_allclose(found.cooks_distance * 9.0 / 12.0, DISTRICT_COOK, rtol=0.01)


def test_a_refit_without_the_rows_is_the_fit_of_the_other_rows(cbpp, by_herd):
    data = cbpp.call.data
    rest = mlm.glmer("incidence / size ~ period + (1 | herd)", data[data["herd"] != "11"])
    np.testing.assert_allclose(by_herd.dfbeta.loc["11"], rest.fixef() - cbpp.fixef(), atol=1e-6)
    se = np.sqrt(np.diag(rest.vcov()))
    np.testing.assert_allclose(by_herd.standard_errors.loc["11"], se, rtol=1e-4)
    np.testing.assert_allclose(by_herd.dfbetas.loc["11"], by_herd.dfbeta.loc["11"] / se, rtol=1e-4)
    ratio = np.linalg.det(rest.vcov()) / np.linalg.det(cbpp.vcov())
    assert by_herd.covratio["11"] == pytest.approx(ratio, rel=1e-3)
    d = by_herd.dfbeta.loc["11"].to_numpy()
    cook = d @ np.linalg.solve(cbpp.vcov().to_numpy(), d) / 4.0
    assert by_herd.cooks_distance["11"] == pytest.approx(cook)


@pytest.mark.parametrize("groups", ["herd", None])
def test_one_step_is_close_to_the_refits(cbpp, groups):
    exact = cbpp.influence(groups, exact=True)
    step = cbpp.influence(groups)
    for name in exact.changes:
        slope = np.polyfit(exact.changes[name], step.changes[name], 1)[0]
        assert np.corrcoef(exact.changes[name], step.changes[name])[0, 1] > 0.99, name
        assert (0.8 if name.startswith("sd_") else 0.95) < slope < 1.03, name
    assert np.corrcoef(exact.cooks_distance, step.cooks_distance)[0, 1] > 0.99


def test_one_step_of_a_glm_is_pregibons():
    # Pregibon (1981), equation 10. R's cooks.distance(g)[1:3] is made of it, while its dfbeta of a
    # glm takes deviance residuals for the working ones and is further from a refit.
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    found, X = fit.influence(), fit.design.X
    W = fit.design.response.weights * fit.mu * (1.0 - fit.mu)
    score = X * (fit.design.response.weights * fit.residuals("response"))[:, None]
    step = np.linalg.solve(X.T @ (W[:, None] * X), score.T).T / (1.0 - fit.hatvalues())[:, None]
    np.testing.assert_allclose(found.dfbeta, -step, atol=1e-8)
    cook = [0.006689904377, 0.074593303167, 0.238356714105]
    np.testing.assert_allclose(found.cooks_distance.iloc[:3], cook, rtol=1e-6)
    np.testing.assert_allclose(found.cooks_distance, fit.cooks_distance(), rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "data", "family", "groups"),
    [
        ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", mlm.load_grouseticks, "poisson", "YEAR"),
        ("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy, "gaussian", "Subject"),
    ],
)
def test_crossed_effects_slopes_and_dispersions_are_followed(formula, data, family, groups):
    table = data()
    if groups == "YEAR":
        groups = (table["INDEX"].astype(int) // 40).tolist()
    fit = mlm.glmer(formula, table, family)
    exact, step = fit.influence(groups, exact=True), fit.influence(groups)
    assert not exact.failures
    for name in exact.dfbeta:
        assert np.corrcoef(exact.changes[name], step.changes[name])[0, 1] > 0.95, name
    if family == "gaussian":
        assert np.corrcoef(exact.changes["sigma"], step.changes["sigma"])[0, 1] > 0.95


def test_a_group_that_alone_determines_a_coefficient_is_a_failure_by_name(cbpp):
    data = cbpp.call.data.assign(late=(cbpp.call.data["herd"] == "4").astype(float))
    fit = mlm.glmer("incidence / size ~ period + late + (1 | herd)", data)
    for exact in (True, False):
        found = fit.influence("herd", exact=exact)
        assert dict(found.failures) == {"4": "no other rows determine late"}
        assert found.dfbeta.loc["4"].isna().all()
        assert found.dfbeta.drop(index="4").notna().all(axis=None)
        assert "Without 4: no other rows determine late." in str(found)


def test_a_deletion_that_separates_the_data_is_a_failure():
    rng = np.random.default_rng(2)
    g, f = np.repeat(np.arange(10), 12), np.tile([0, 0, 1], 40)
    p = 1.0 / (1.0 + np.exp(-rng.normal(0.0, 1.5, 10)))[g]
    y = (rng.random(120) < p) * (f == 0)
    y[(f == 1) & (g == 3)] = [1, 0, 1, 1]
    found = mlm.glmer("y ~ f + (1 | g)", {"y": y, "f": f, "g": g}).influence("g", exact=True)
    assert list(found.failures) == [3]
    assert "f: the response is completely separated" in found.failures[3]


def test_a_singular_fit_keeps_its_variance_at_zero_in_one_step():
    data = {"s": [10, 11, 9, 10, 10, 12], "n": [20] * 6, "g": list("abcabc")}
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer("s / n ~ 1 + (1 | g)", data)
    assert (fit.influence("g").changes["sd_(Intercept)|g"] == 0.0).all()


def test_a_deletion_travels_to_other_processes(cbpp, by_herd):
    rows = np.flatnonzero(cbpp.call.data["herd"] == "11")
    deletion = pickle.loads(pickle.dumps(partial(without, cbpp)))(rows)
    answer = pickle.loads(pickle.dumps(deletion))
    change = answer.fit.beta - cbpp.beta
    np.testing.assert_array_equal(change, by_herd.dfbeta.loc["11"])


def test_rows_are_labelled_and_printed_by_cooks_distance(cbpp):
    found = cbpp.influence()
    assert found.changes.index.equals(cbpp.design.index)
    assert list(found.to_frame().columns[:2]) == ["cooks_distance", "covratio"]
    text = str(found)
    assert "56 deletions by one Newton step" in text
    assert text.splitlines()[3].startswith("36 ")
    assert "<table" in found._repr_html_()


def test_a_column_of_the_data_serves_as_groups(cbpp):
    found = cbpp.influence("period", exact=False)
    assert list(found.failures.values()) == [
        "no other rows determine period4" if i == 0 else f"no other rows determine period{i + 1}"
        for i in range(4)
    ]


def test_bad_groups_are_named(cbpp):
    with pytest.raises(ArgumentError, match="groups has 2 labels; the model has 56 rows"):
        cbpp.influence(["a", "b"])
    with pytest.raises(ArgumentError, match="groups has one level, 'a'"):
        cbpp.influence(["a"] * 56)
    labels = ["a", None] * 28
    with pytest.raises(ArgumentError, match="groups has no label in 28 of 56 rows, first at row 1"):
        cbpp.influence(labels)


def test_nothing_in_the_fit_changes(cbpp):
    before = (cbpp.beta.copy(), cbpp.theta.copy(), cbpp.u.copy(), cbpp.estimate.covariance.copy())
    cbpp.influence("herd")
    cbpp.influence("herd", exact=True)
    after = (cbpp.beta, cbpp.theta, cbpp.u, cbpp.estimate.covariance)
    for was, is_now in zip(before, after, strict=True):
        np.testing.assert_array_equal(was, is_now)
