"""Standard errors of predictions, against glmmTMB, R's glm and a dense joint Hessian."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.design import new_design
from mixedlm_pt.linalg import choose_structure
from mixedlm_pt.prediction.joint_covariance import joint_covariance, linear_predictor

# glmmTMB 1.1.5, R 4.2, rel.tol = x.tol = 1e-14. For every model and type:
#   predict(f, se.fit = TRUE, type = type)$se.fit[1:3]
#   predict(f, newdata = new, se.fit = TRUE, type = type, allow.new.levels = TRUE)$se.fit
#   predict(f, newdata = new, se.fit = TRUE, type = type, re.form = NA)$se.fit
# fmt: off
GLMMTMB = {
    "cbpp": {
        "link": (
            [0.37833013, 0.43020006, 0.44951077],
            [0.37833013, 0.43999225, 0.68303976, 0.77295662],
            [0.23247205, 0.33027516, 0.23247205, 0.43007195],
        ),
        "response": (
            [0.080665916, 0.052336295, 0.049487666],
            [0.080665916, 0.059958374, 0.10848423, 0.035593935],
            [0.036922524, 0.022624167, 0.036922524, 0.019804414],
        ),
    },
    "contraception": {
        "link": (
            [0.30757242, 0.24833656, 0.24911638],
            [0.25949082, 0.3361714, 0.46885535, 0.61634967],
            [0.14761813, 0.11513671, 0.1368693, 0.1200004],
        ),
        "response": (
            [0.046370989, 0.059812076, 0.062273168],
            [0.052057492, 0.083625754, 0.11088519, 0.14373074],
            [0.034864944, 0.028339257, 0.032369852, 0.027983705],
        ),
    },
    "grouseticks": {
        "link": (
            [0.802933, 0.802933, 0.78113259],
            [0.80284362, 0.96877154, 1.0216257, 1.0646874, 1.0980518],
            [0.19636723, 0.19684735, 0.19811046, 0.25178862, 0.30792192],
        ),
        "response": (
            [0.40381809, 0.40381809, 0.56050648],
            [0.43360539, 0.56490244, 9.5290809, 0.22565327, 0.82821068],
            [0.28671218, 0.26385055, 2.2152167, 0.058733554, 0.26453826],
        ),
    },
    "salamanders": {
        "link": (
            [0.38603492, 0.31978257, 0.53363147],
            [0.37540815, 0.41114055, 0.59812173],
            [0.27416182, 0.22464459, 0.25159597],
        ),
        "response": (
            [0.076342091, 0.20006096, 0.046173076],
            [0.085425246, 3.5752476, 0.52531581],
            [0.050932237, 0.58008284, 0.22097064],
        ),
    },
    "sleepstudy": {
        "link": (
            [0.042939229, 0.036697436, 0.031284494],
            [0.042939229, 0.057180982, 0.11565088, 0.19002664],
            [0.026276286, 0.0527812, 0.027345087, 0.044936033],
        ),
        "response": (
            [11.04217, 10.01411, 9.0590408],
            [11.04217, 22.881133, 32.35888, 65.142458],
            [6.6421087, 19.361126, 7.6510997, 15.404385],
        ),
    },
    "mmmec": {
        "link": (
            [0.11032089, 0.058266575, 0.058329],
            [0.11612462, 0.24355728, 0.45394672],
            [0.13353439, 0.13123289, 0.14385218],
        ),
        "response": (
            [7.8382473, 4.6090991, 2.6539564],
            [0.74197974, 2.445232, 0.39124867],
            [0.62628734, 1.3024513, 0.12398365],
        ),
    },
}
NEW = {
    "cbpp": {"period": ["1", "3", "1", "4"], "herd": ["1", "7", "99", "99"]},
    "contraception": {
        "a": [-1.0, 0.0, 0.5, 1.0], "urban": ["Y", "N", "Y", "N"],
        "district": ["1", "35", "999", "998"],
    },
    "grouseticks": {
        "YEAR": ["95", "95", "96", "97", "96"], "h": [0.0, 0.1, -1.0, 1.0, 2.0],
        "INDEX": ["1", "1", "9999", "9998", "400"],
        "BROOD": ["501", "502", "620", "7777", "600"], "LOCATION": ["32", "32", "1", "2", "888"],
    },
    "salamanders": {
        "mined": ["yes", "no", "no"], "spp": ["GP", "DM", "EC-A"], "site": ["R-1", "VF-2", "ZZ"],
    },
    "sleepstudy": {"Days": [0, 11, 3, 9], "Subject": ["308", "372", "1", "2"]},
    "mmmec": {
        "uvb": [0.0, -2.0, 3.0], "expected": [5.0, 10.0, 1.0],
        "nation": ["Belgium", "Italy", "Atlantis"], "region": ["1", "999", "998"],
    },
}
# fmt: on


def contraception():
    return mlm.load_contraception().assign(a=lambda d: d["age"] / 10)


def grouseticks():
    return mlm.load_grouseticks().assign(h=lambda d: (d["HEIGHT"] - 462) / 36)


MODELS = {
    "cbpp": ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, "binomial"),
    "contraception": (
        "use ~ a + I(a^2) + urban + (urban | district)",
        contraception,
        "binomial",
    ),
    "grouseticks": (
        "TICKS ~ YEAR + h + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        grouseticks,
        "poisson",
    ),
    "salamanders": ("count ~ mined + spp + (1 | site)", mlm.load_salamanders, "nbinom2"),
    "sleepstudy": (
        "Reaction ~ Days + (Days | Subject)",
        mlm.load_sleepstudy,
        mlm.families.Gamma(link="log"),
    ),
    "mmmec": (
        "deaths ~ uvb + offset(log(expected)) + (1 | nation / region)",
        mlm.load_mmmec,
        "poisson",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_standard_errors_are_glmmtmbs(name):
    formula, load, family = MODELS[name]
    fit = mlm.glmer(formula, load(), family)
    for type, (fitted, new, population) in GLMMTMB[name].items():
        # Two optimisers and glmmTMB's difference quotients of the information: 5e-5.
        own = fit.predict(type=type, se_fit=True)
        np.testing.assert_allclose(own["se_fit"][:3], fitted, rtol=5e-5)
        for re_form, expected in ((None, new), ("NA", population)):
            own = fit.predict(
                NEW[name], type=type, re_form=re_form, allow_new_levels=True, se_fit=True
            )
            np.testing.assert_allclose(own["se_fit"], expected, rtol=5e-5)


def crossed_data():
    """Counts with slopes by g and a crossed factor h, negative binomial."""
    rng = np.random.default_rng(2)
    n = 120
    data = pd.DataFrame({"g": rng.integers(0, 6, n), "h": rng.integers(0, 4, n)})
    data["x"] = rng.normal(size=n)
    b = rng.normal(size=(6, 2)) * [0.7, 0.5]
    eta = 1.0 + b[data.g, 0] + (0.3 + b[data.g, 1]) * data.x + 0.6 * rng.normal(size=4)[data.h]
    data["y"] = rng.negative_binomial(3.0, 3.0 / (3.0 + np.exp(eta))).astype(float)
    # Some combinations of levels are left for new data.
    seen = ~((data.g == 0) & (data.h == 0) | (data.g == 3) & (data.h == 2) | (data.g == data.h + 2))
    return data[seen].reset_index(drop=True)


CROSSED_NEW = pd.DataFrame(
    {
        "g": [0, 3, 2, 3, 1, 77, 77, 5],
        "h": [0, 2, 0, 1, 0, 1, 88, 88],
        "x": [0.5, -1.0, 2.0, 0.1, 0.0, 1.0, -1.0, 0.7],
    }
)


@pytest.fixture(scope="module")
def crossed():
    data = crossed_data()
    return mlm.glmer("y ~ x + (x | g) + (1 | h)", data, "nbinom2"), data


def test_variances_are_those_of_the_dense_joint_hessian(crossed):
    """Everything from scipy's density by differences, but for the covariance of the parameters."""
    fit, data = crossed
    # beta, theta (3 + 1), log phi, then u: g's two effects level by level, then h's.
    par = np.concatenate([fit.beta, fit.theta, [np.log(fit.phi)]])
    known = [(row.g, row.h, row.x) for row in data.itertuples()]

    def linear(point, rows):
        beta, (a, b, c, d), u = point[:2], point[2:6], point[7:]
        values = []
        for g, h, x in rows:
            eta = beta[0] + beta[1] * x
            if g < 6:
                u0, u1 = u[2 * g], u[2 * g + 1]
                eta += a * u0 + (b * u0 + c * u1) * x
            values.append(eta + (d * u[12 + h] if h < 4 else 0.0))
        return np.array(values)

    def joint(point):
        mu, theta = np.exp(linear(point, known)), np.exp(point[6])
        density = st.nbinom.logpmf(data.y, theta, theta / (theta + mu))
        return -density.sum() + 0.5 * point[7:] @ point[7:]

    at = np.concatenate([par, fit.u])
    H = hessian(joint, at)
    inverse = np.linalg.inv(H[7:, 7:])
    J = -inverse @ H[7:, :7]
    V = fit.estimate.covariance
    covariance = np.block([[V, V @ J.T], [J @ V, inverse + J @ V @ J.T]])
    rows = [(row.g, row.h, row.x) for row in CROSSED_NEW.itertuples()]
    steps = 1e-5 * np.eye(len(at))
    slopes = np.transpose([(linear(at + e, rows) - linear(at - e, rows)) / 2e-5 for e in steps])
    expected = ((slopes @ covariance) * slopes).sum(axis=1)
    a, b, c, d = fit.theta
    for i, (g, h, x) in enumerate(rows):
        expected[i] += ((a + b * x) ** 2 + (c * x) ** 2) * (g == 77) + d**2 * (h == 88)
    own = fit.predict(CROSSED_NEW, type="link", se_fit=True, allow_new_levels=True)
    np.testing.assert_allclose(own["se_fit"] ** 2, expected, rtol=1e-5)


def hessian(f, at, h=1e-3):
    """Central differences with one Richardson step."""

    def differences(h):
        steps = h * np.eye(len(at))
        H = np.empty((len(at), len(at)))
        for i, e in enumerate(steps):
            for j, g in enumerate(steps[: i + 1]):
                corners = f(at + e + g) - f(at + e - g) - f(at - e + g) + f(at - e - g)
                H[i, j] = H[j, i] = corners / (4.0 * h**2)
        return H

    return (4.0 * differences(h) - differences(2.0 * h)) / 3.0


@pytest.mark.parametrize("kind", ["crossed", "sparse", "dense"])
def test_every_structure_gives_the_same_variances(crossed, kind):
    fit, _ = crossed
    design = new_design(fit.design, CROSSED_NEW, allow_new_levels=True)
    expected = linear_predictor(fit, design, (0, 1))
    factors = fit.design.factors
    structure = choose_structure(
        [f.codes for f in factors],
        [f.n_levels for f in factors],
        [2, 1],
        [f.name for f in factors],
        kind=kind,
    )
    model = fit.model.with_design(fit.design)
    model.__dict__["structure"] = structure
    other = fit.replace(model=model)
    joint = joint_covariance(other)
    own = linear_predictor(other, design, (0, 1), joint)
    np.testing.assert_allclose(own.variance, expected.variance, rtol=1e-10)
    # The same numbers by solving for whole rows, and with covariances between rows.
    covariance = joint.combinations(np.eye(design.n), own.gradient, own.part)
    np.testing.assert_allclose(np.diag(covariance), own.variance, rtol=1e-10)
    # Rows 5 and 6 share a new level of g.
    assert covariance[5, 6] - (own.gradient @ joint.V @ own.gradient.T)[5, 6] == pytest.approx(
        own.part.M[5, :2] @ own.part.M[6, :2]
    )


def test_the_fitted_rows_as_new_data_have_the_fitted_standard_errors():
    data = mlm.load_mmmec()
    fit = mlm.glmer("deaths ~ uvb + offset(log(expected)) + (1 | nation / region)", data, "poisson")
    pd.testing.assert_frame_equal(fit.predict(data, se_fit=True), fit.predict(se_fit=True))


def test_some_terms_only_have_the_variance_of_these(crossed):
    fit, data = crossed
    own = fit.predict(type="link", re_form="~ (1 | h)", se_fit=True)["se_fit"] ** 2
    joint = joint_covariance(fit)
    predictor = linear_predictor(fit, fit.design, (1,), joint)
    h = predictor.part.M[:, 2]
    assert not predictor.part.M[:, :2].any()
    unit = np.eye(fit.model.q)[12 + fit.design.factors[1].codes] * h[:, None]
    inverse = fit.finder.solve(joint.packed, np.eye(fit.model.q))
    J = joint.J
    slopes = np.zeros((len(data), 7))
    slopes[:, :2] = fit.design.X
    slopes[:, 5] = fit.u[12 + fit.design.factors[1].codes]
    slopes += unit @ J
    expected = ((unit @ inverse) * unit).sum(1) + ((slopes @ joint.V) * slopes).sum(1)
    np.testing.assert_allclose(own, expected, rtol=1e-10)


def test_a_glm_has_the_standard_errors_of_rs_glm():
    # glm(cbind(incidence, size - incidence) ~ period, quasibinomial, cbpp);
    # predict(g, data.frame(period = factor(c(1, 4))), se.fit = TRUE, type = ...)
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp(), mlm.families.QuasiBinomial())
    new = {"period": ["1", "4"]}
    link = fit.predict(new, type="link", se_fit=True)["se_fit"]
    response = fit.predict(new, se_fit=True)["se_fit"]
    np.testing.assert_allclose(link, [0.214469158, 0.572431055], rtol=1e-6)
    np.testing.assert_allclose(response, [0.0367337126, 0.0246842278], rtol=1e-6)


def test_a_variance_of_zero_counts_as_known():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.arange(80) % 8, "x": rng.normal(size=80)})
    # Every group has the same counts: less variation between groups than by chance.
    data["y"] = np.repeat(rng.poisson(3.0, 10), 8).astype(float)
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer("y ~ x + (1 | g)", data, "poisson")
    plain = mlm.glmer("y ~ x", data, "poisson")
    np.testing.assert_allclose(
        fit.predict(se_fit=True)["se_fit"], plain.predict(se_fit=True)["se_fit"], rtol=1e-5
    )


def test_the_frame_has_the_rows_of_the_data():
    data = mlm.load_cbpp()
    data.index = [f"row {i}" for i in range(len(data))]
    data["x"] = np.linspace(-1.0, 1.0, 56)
    data.loc["row 3", "x"] = np.nan
    formula = "incidence / size ~ x + (1 | herd)"
    fit = mlm.glmer(formula, data, na_action="exclude")
    padded = fit.predict(se_fit=True)
    assert list(padded.columns) == ["fit", "se_fit"]
    assert padded.index.equals(data.index)
    assert padded.isna().any(axis=1).to_numpy().nonzero()[0].tolist() == [3]
    np.testing.assert_array_equal(padded["fit"], fit.predict())
    new = fit.predict(data.iloc[[5, 3, 7]], interval="confidence")
    assert list(new.columns) == ["fit", "se_fit", "lower", "upper"]
    assert new.index.tolist() == ["row 5", "row 3", "row 7"]
    assert new.loc["row 3"].isna().all()
    assert len(mlm.glmer(formula, data).predict(se_fit=True)) == 55


def test_without_a_covariance_of_the_estimates_there_are_no_standard_errors(crossed):
    fit, _ = crossed
    unknown = np.full_like(fit.estimate.covariance, np.nan)
    estimate = fit.estimate.__class__(**{**vars(fit.estimate), "covariance": unknown})
    assert fit.replace(estimate=estimate).predict(se_fit=True)["se_fit"].isna().all()
