"""The pieces of a fit against lme4's, and against the definitions that tie them together."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError

# lme4 1.1-31 at our estimates (par: theta, beta), which to five digits are lme4's own: made by
# glFormula, mkGlmerDevfun, updateGlmerDevfun, dev(par) three times, then mkMerMod; each matrix x as
# sum(x * cos(seq_along(x) - 1)); L as the factor of A W A' + I by Cholesky(., perm = FALSE).
# lme4's modes stop at 1e-7 and its weights are one step behind: hence five digits.
LME4 = {
    "cbpp": {
        "Z": -0.471281176141,
        "Lambda": 0.171861694836,
        "A": 0.521462340848,
        "u": 3.67668076829,
        "b": 2.36139031566,
        "theta": 0.642261448429,
        "mu": 0.169622276626,
        "L": 0.964713107913,
        "W": -1.61157910117,
        "RZX": 3.27256788243,
        "RX": 1.39851990215,
    },
    "slopes": {
        "Z": -27.9132723191,
        "Lambda": 0.025624453635,
        "A": 11.7674290274,
        "u": -3.26448691784,
        "b": -0.164115505829,
        "theta": 0.118699292873,
        "mu": -0.594286479183,
        "L": 0.0699284107016,
        "W": -0.126911170621,
        "RZX": -618.574309198,
        "RX": -1784.48345606,
    },
    "ticks": {
        "Z": 7.59035611981,
        "Lambda": -0.347731937129,
        "A": 94.9990711509,
        "u": 6.16998786244,
        "b": 3.89534488237,
        "theta": 0.726728633895,
        "mu": 100.304208891,
        "L": 177.853244868,
        "W": 100.304207002,
        "RZX": -95.151085644,
        "RX": 3047.33679111,
    },
}
LME4_CMP = {
    "cbpp": [16.90104112511, 9.63000308848, 63.07828627206, 9.72312110636, 73.47172336786],
    "slopes": [73.5633021256, 44.8239890426, 1804.5348030463, 46.3298514255, 2240.7172990838],
    "ticks": [431.7503000487, 21.4924841248, 163.2106839625, 196.8688836426, 220.9248165135],
}
FORMULAS = {
    "cbpp": ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, "binomial"),
    "slopes": (
        "use ~ age + I(age^2) + urban + livch + (urban | district)",
        mlm.load_contraception,
        "binomial",
    ),
    "ticks": (
        "TICKS ~ YEAR + HEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        mlm.load_grouseticks,
        "poisson",
    ),
    "scale": ("Reaction ~ Days + (Days || Subject)", mlm.load_sleepstudy, "gamma"),
    "glm": ("incidence / size ~ period", mlm.load_cbpp, "binomial"),
}


@pytest.fixture(scope="module")
def fits():
    return {
        name: mlm.glmer(formula, load(), family)
        for name, (formula, load, family) in FORMULAS.items()
    }


def weighted_sum(matrix):
    """One number that every entry and its place decide."""
    dense = matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix, np.float64)
    entries = dense.ravel(order="F")
    return float(entries @ np.cos(np.arange(entries.size)))


@pytest.mark.parametrize("name", LME4)
def test_components_are_lme4s(fits, name):
    found = {key: weighted_sum(fits[name].getME(key)) for key in LME4[name]}
    for key, expected in LME4[name].items():
        assert found[key] == pytest.approx(expected, rel=5e-5, abs=1e-4), key


@pytest.mark.parametrize("name", LME4)
def test_deviance_components_are_lme4s(fits, name):
    cmp = fits[name].getME("devcomp")["cmp"]
    np.testing.assert_allclose(
        cmp[["ldL2", "ldRX2", "wrss", "ussq", "drsum"]], LME4_CMP[name], rtol=1e-5
    )
    assert cmp["pwrss"] == cmp["wrss"] + cmp["ussq"]


@pytest.mark.parametrize("name", FORMULAS)
def test_the_pieces_fit_together(fits, name):
    fit = fits[name]
    me = fit.getME("ALL")
    Lambda, A, W = me["Lambda"], me["A"], me["W"]
    np.testing.assert_allclose(Lambda @ me["u"], me["b"], rtol=1e-10, atol=1e-12)
    eta = me["X"] @ me["beta"] + me["Z"] @ me["b"] + me["offset"]
    np.testing.assert_allclose(eta, me["eta"], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(me["Lambdat"].data, me["theta"].to_numpy()[me["Lind"]])
    H = (A * W) @ A.T + sp.eye_array(me["q"])
    np.testing.assert_allclose((me["L"] @ me["L"].T).toarray(), H.toarray(), atol=1e-8)
    assert (sp.triu(me["L"], 1)).nnz == 0
    B = (A * W) @ me["X"]
    np.testing.assert_allclose(me["L"] @ me["RZX"], B, rtol=1e-8, atol=1e-8)
    S = me["X"].T @ (W[:, None] * me["X"])
    found = me["RX"].T @ me["RX"] + me["RZX"].T @ me["RZX"]
    np.testing.assert_allclose(found, S, rtol=1e-10, atol=1e-10)
    by_level = [block.sum(axis=1) for block in me["Ztlist"].values()]
    sums = np.sort(np.concatenate([np.empty(0), *by_level]))
    np.testing.assert_allclose(sums, np.sort(me["Zt"].sum(axis=1)), atol=1e-10)


@pytest.mark.parametrize("name", ["cbpp", "slopes", "scale"])
def test_the_fixed_effects_block_is_their_conditional_covariance(fits, name):
    # lme4: vcov(m, use.hessian = FALSE) == sigma(m)^2 * chol2inv(getME(m, "RX"))
    fit = fits[name]
    RX = fit.getME("RX")
    expected = fit.vcov(type="rx")
    np.testing.assert_allclose(fit.sigma**2 * np.linalg.inv(RX.T @ RX), expected, rtol=1e-7)


def test_lambda_is_relative_to_sigma(fits):
    fit = fits["scale"]
    block, slope = fit.getME("Tlist").values()
    sds = [fit.VarCorr().sd["Subject"].iloc[0], fit.VarCorr().sd["Subject.1"].iloc[0]]
    np.testing.assert_allclose(fit.sigma * np.array([block[0, 0], slope[0, 0]]), sds)
    assert list(fit.getME("cnms")) == ["Subject", "Subject.1"]
    assert fit.getME("theta").index.tolist() == ["Subject.(Intercept)", "Subject.Days"]


def test_counts_and_names_are_lme4s(fits):
    fit = fits["ticks"]
    # getME(m, "Gp"), names(getME(m, "Ztlist")), getME(m, "Tp").
    assert fit.getME("Gp").tolist() == [0, 403, 521, 584]
    assert list(fit.getME("Ztlist")) == [
        "INDEX.(Intercept)",
        "BROOD.(Intercept)",
        "LOCATION.(Intercept)",
    ]
    assert fit.getME("Tp").to_dict() == {"beg__": 0, "INDEX": 1, "BROOD": 2, "LOCATION": 3}
    assert fit.getME("q_i").to_dict() == {"1 | INDEX": 403, "1 | BROOD": 118, "1 | LOCATION": 63}
    slopes = fits["slopes"]
    # getME(m, "Lind") - 1, getME(m, "lower").
    assert slopes.getME("Lind")[:9].tolist() == [0, 1, 2] * 3
    assert slopes.getME("lower").tolist() == [0.0, -np.inf, 0.0]
    assert slopes.getME("theta").index.tolist() == [
        "district.(Intercept)",
        "district.urbanY.(Intercept)",
        "district.urbanY",
    ]
    assert slopes.getME("cnms") == {"district": ["(Intercept)", "urbanY"]}
    assert slopes.getME("flist")["district"].categories.size == 60


def test_three_effects_have_lme4s_order_of_theta():
    quiet = mlm.GlmerControl(check_singular=False)
    formula = "use ~ age + (1 + age + urban | district)"
    fit = mlm.glmer(formula, mlm.load_contraception(), nAGQ=0, control=quiet)
    # lme4: head(getME(m, "Lind"), 6) for a term of three columns: 1 2 4 3 5 6.
    assert fit.getME("Lind")[:6].tolist() == [0, 1, 3, 2, 4, 5]
    Lambda = fit.getME("Lambda")[:3, :3].toarray()
    np.testing.assert_array_equal(Lambda, fit.getME("Tlist")["district"])
    np.testing.assert_allclose(Lambda @ Lambda.T, fit.VarCorr()["district"], rtol=1e-12)


def test_the_nearest_name_is_suggested(fits):
    with pytest.raises(ArgumentError, match="Did you mean 'Lambdat'"):
        fits["cbpp"].getME("lambdat")


def test_several_names_give_a_mapping(fits):
    found = fits["cbpp"].getME(["n", "beta"])
    assert found["n"] == 56
    np.testing.assert_array_equal(found["beta"], fits["cbpp"].beta)


def test_the_shape_of_a_negative_binomial_has_lme4s_name():
    data = mlm.load_epil2()
    fit = mlm.glmer_nb("y ~ trt + (1 | subject)", data)
    assert fit.getME("glmer.nb.theta") == fit.phi
    # A shape is no scale: theta is absolute.
    assert fit.getME("theta").iloc[0] == fit.VarCorr().sd["subject"].iloc[0]


def test_the_scipy_matrices_keep_entries_that_were_estimated_as_zero():
    quiet = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("incidence / size ~ 1 + (period | herd)", mlm.load_cbpp(), control=quiet)
    assert fit.isSingular()
    assert fit.getME("Lambda").nnz == 15 * 10
    assert isinstance(fit.getME("Lambda"), sp.csc_array)
    assert isinstance(fit.getME("theta"), pd.Series)
