import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.inference.sandwich import cluster_codes, cluster_scores


@pytest.fixture(scope="module")
def contraception():
    return mlm.load_contraception()


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


def test_a_glm_has_the_sandwich_of_r(contraception):
    # R 4.2, sandwich 3.0-2: g <- glm(use ~ age + urban, binomial, Contraception) and then its
    # functions vcovHC(g, type = "HC0") and vcovCL(g, ~district, type = "HC0", cadjust = FALSE).
    fit = mlm.glmer("use ~ age + urban", contraception)
    rows = fit.vcov(type="sandwich").to_numpy()
    assert rows[0] == pytest.approx(
        [3.24052442876e-03, -2.37960882902e-06, -3.24227313037e-03], rel=1e-8
    )
    assert rows[2, 2] == pytest.approx(1.03910671927e-02, rel=1e-8)
    plain = fit.vcov(type="sandwich", cluster="district").to_numpy()
    assert plain[0] == pytest.approx(
        [0.010184532136800, 1.11974106825e-04, -0.008324094307499], rel=1e-8
    )
    adjusted = fit.vcov(type="sandwich", cluster=contraception["district"], cadjust=True).to_numpy()
    assert adjusted[2, 2] == pytest.approx(3.16691168272e-02, rel=1e-8)


@pytest.mark.parametrize(
    ("response", "family", "expected"),
    [
        # R: sqrt(diag(vcovCL(glm(TICKS ~ YEAR, quasipoisson, grouseticks), ~BROOD, type = "HC0",
        # cadjust = FALSE))) and the same for glm(TICKS + 1 ~ YEAR, Gamma("log"), ...)
        ("TICKS", mlm.families.QuasiFamily("poisson"), [0.4818789229, 0.5335115992, 0.5130074480]),
        ("I(TICKS + 1)", "gamma", [0.4125310336, 0.4629249133, 0.4231563980]),
    ],
)
def test_a_dispersion_cancels_out_of_the_sandwich(response, family, expected):
    family = mlm.families.Gamma("log") if family == "gamma" else family
    fit = mlm.glmer(f"{response} ~ YEAR", mlm.load_grouseticks(), family)
    se = np.sqrt(np.diag(fit.vcov(type="sandwich", cluster="BROOD")))
    assert se == pytest.approx(expected, rel=1e-6)


def test_scores_are_gradients_of_the_clusters_own_likelihoods():
    # 25 nodes are exact to 1e-10 here, so the reference is the integral itself.
    data = mlm.load_cbpp()
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", data, nAGQ=25)
    codes = cluster_codes(fit)
    scores = cluster_scores(fit, codes)
    X, y, w = fit.design.X, fit.design.response.y, fit.design.response.weights

    def cluster_loglik(par, rows):
        eta = X[rows] @ par[:4]

        def integrand(b):
            mu = 1.0 / (1.0 + np.exp(-(eta + b)))
            k = w[rows] * y[rows]
            return np.exp((k * np.log(mu) + (w[rows] - k) * np.log1p(-mu)).sum(axis=1))

        # The trapezoidal rule is exact to rounding for an analytic function that dies out.
        b = np.linspace(-6, 6, 4001)
        return np.log(np.trapezoid(integrand(b[:, None]) * norm.pdf(b, scale=par[4]), b))

    par, h = np.append(fit.beta, fit.theta), 1e-4
    for g in (0, 7, 14):
        rows = np.flatnonzero(codes == g)
        numeric = [
            (cluster_loglik(par + h * e, rows) - cluster_loglik(par - h * e, rows)) / (2 * h)
            for e in np.eye(5)
        ]
        assert scores[g] == pytest.approx(numeric, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("formula", "name", "family"),
    [
        ("use ~ age + urban + (urban | district)", "contraception", "binomial"),
        ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", "grouseticks", "nbinom2"),
        ("mass ~ 1 + (1 | a / b)", "nested", mlm.families.Gaussian()),
    ],
)
def test_scores_add_up_to_the_gradient_of_the_fit(formula, name, family):
    rng = np.random.default_rng(1)
    a = np.repeat(np.arange(12), 10)
    nested = {"a": a, "b": np.tile(np.repeat([0, 1], 5), 12)}
    nested["mass"] = rng.normal(size=12)[a] + np.repeat(rng.normal(size=24), 5)
    nested["mass"] += rng.normal(size=120)
    data = nested if name == "nested" else getattr(mlm, f"load_{name}")()
    fit = mlm.glmer(formula, data, family)
    scores = cluster_scores(fit, cluster_codes(fit))
    assert len(scores) == fit.design.factors[-1].n_levels
    assert scores.sum(axis=0) == pytest.approx(fit.outcome.gradient, abs=1e-8)
    assert np.abs(scores).max() > 0.1


def test_the_robust_covariance_is_near_the_usual_one_if_the_model_is_right():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(300), 4)
    x = rng.normal(size=1200)
    y = rng.poisson(np.exp(0.5 + 0.3 * x + 0.4 * rng.normal(size=300)[g])).astype(float)
    fit = mlm.glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, "poisson")
    robust, usual = (np.sqrt(np.diag(fit.vcov(True, kind))) for kind in ("sandwich", "hessian"))
    # The relative sampling error of a variance from 300 clusters is sqrt(2 / 300) = 8 percent.
    assert robust == pytest.approx(usual, rel=0.15)


def test_a_parameter_on_the_boundary_stays_known():
    rng = np.random.default_rng(2)
    data = {"g": np.repeat(np.arange(30), 5), "y": rng.poisson(2.0, 150).astype(float)}
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("y ~ 1 + (1 | g)", data, "poisson", control=control)
    assert fit.theta[0] == 0.0
    V = fit.vcov(full=True, type="sandwich")
    assert V.iloc[1].isna().all()
    assert V.iloc[0, 0] > 0.0


def test_clusters_that_split_levels_are_refused_by_name(cbpp):
    data = mlm.load_cbpp()
    with pytest.raises(ArgumentError, match=r"level '1' of 'herd' has rows in more than one clus"):
        cbpp.vcov(type="sandwich", cluster="period")
    pairs = data["herd"].astype(int).to_numpy() // 2
    coarser = cbpp.vcov(type="sandwich", cluster=pairs)
    assert not np.allclose(coarser, cbpp.vcov(type="sandwich"))


def test_crossed_factors_have_no_cluster_of_their_own():
    rng = np.random.default_rng(3)
    data = {"id": np.repeat(np.arange(12), 8), "item": np.tile(np.arange(8), 12)}
    b = rng.normal(size=12)[data["id"]] + rng.normal(size=8)[data["item"]]
    data["y"] = rng.poisson(np.exp(1 + b)).astype(float)
    fit = mlm.glmer("y ~ 1 + (1 | id) + (1 | item)", data, "poisson")
    with pytest.raises(ArgumentError, match="'id' and 'item' are crossed"):
        fit.vcov(type="sandwich")


def test_rows_left_out_do_not_shift_the_clusters(contraception):
    data = contraception.copy()
    data["district"] = data["district"].astype(int)
    data.loc[[3, 50, 700], "age"] = np.nan
    kept = data.dropna()
    fit, short = (mlm.glmer("use ~ age", frame) for frame in (data, kept))
    expected = short.vcov(type="sandwich", cluster="district")
    for cluster in ("district", data["district"], kept["district"]):
        pd.testing.assert_frame_equal(fit.vcov(type="sandwich", cluster=cluster), expected)


def test_arguments_that_make_no_sense_are_refused(cbpp):
    fast = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), nAGQ=0)
    with pytest.raises(ArgumentError, match="needs nAGQ >= 1"):
        fast.vcov(type="sandwich")
    with pytest.raises(ArgumentError, match="belong to type='sandwich'"):
        cbpp.vcov(cluster="herd")
    with pytest.raises(ArgumentError, match="at least two clusters"):
        cbpp.vcov(type="sandwich", cluster=np.zeros(56))
    with pytest.raises(ArgumentError, match="cluster has 3 labels; the model has 56 rows"):
        cbpp.vcov(type="sandwich", cluster=[1, 2, 3])
    with pytest.raises(ArgumentError, match="cluster has no label in 4 of 56 rows"):
        cbpp.vcov(type="sandwich", cluster=np.where(np.arange(56) > 3, 1.0, np.nan))
