import numpy as np
import pandas as pd
import pytest
import scipy.linalg as sl

import mixedlm_pt as mlm


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def many_terms():
    """Two terms of one factor, slopes and a crossed factor, in data with 90 rows."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        {
            "g": rng.integers(0, 9, 90).astype(str),
            "h": rng.integers(0, 5, 90).astype(str),
            "x": rng.normal(size=90),
            "z": rng.normal(size=90),
        }
    )
    b = 0.8 * rng.normal(size=(9, 3))
    rows = b[data.g.astype(int)]
    eta = 0.5 + rows[:, 0] + rows[:, 1] * data.x + rows[:, 2] * data.z
    eta += 0.6 * rng.normal(size=5)[data.h.astype(int)]
    data["y"] = rng.poisson(np.exp(eta)).astype(float)
    return mlm.glmer("y ~ x + (x | g) + (0 + z | g) + (1 | h)", data, "poisson")


def test_modes_and_conditional_sds_are_lme4s(cbpp):
    # lme4 1.1-31, reference cbpp_logit_lme4.
    frame = cbpp.ranef().to_frame()[:3]
    assert frame.condval.tolist() == pytest.approx(
        [0.590020033270873, -0.298897212598514, 0.406255573557735], rel=1e-6
    )
    assert frame.condsd.tolist() == pytest.approx(
        [0.348265056250506, 0.36555820666634, 0.297318487021481], rel=1e-6
    )


def test_expected_information_gives_lme4s_conditional_sds_for_a_probit():
    control = mlm.GlmerControl(laplace_weights="expected")
    family = mlm.families.Binomial(link="probit")
    fit = mlm.glmer(
        "incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), family, control=control
    )
    # lme4 1.1-31, reference cbpp_probit_lme4.
    assert fit.ranef().se["herd"].iloc[:3, 0].tolist() == pytest.approx(
        [0.191830967696325, 0.189054503556951, 0.161620425154502], rel=1e-6
    )


def test_crossed_factors_have_lme4s_conditional_sds():
    fit = mlm.glmer(
        "TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        mlm.load_grouseticks(),
        "poisson",
    )
    # lme4 1.1-31, reference grouseticks_3re_lme4: levels 1 and 2, 501 and 502 of BROOD.
    expected = {
        "INDEX": [0.513368744200573, 0.513368744200573],
        "BROOD": [0.634785417640217, 0.655083654943134],
        "LOCATION": [0.400877390688735, 0.46154480594783],
    }
    effects = fit.ranef(condVar=True)
    assert set(effects) == set(expected)
    for group, sds in expected.items():
        assert effects.se[group].iloc[:2, 0].tolist() == pytest.approx(sds, rel=1e-5)


def test_conditional_covariances_are_blocks_of_the_dense_inverse(many_terms):
    fit = many_terms
    design = fit.design
    blocks, Lambdas, where = [], [], {}
    first = 0
    for term, Lambda in zip(design.terms, fit.Lambda, strict=True):
        factor = design.factors[term.factor]
        one = np.eye(factor.n_levels)[factor.codes]
        blocks.append((one[:, :, None] * term.Z[:, None, :]).reshape(len(one), -1))
        Lambdas += [Lambda] * factor.n_levels
        k = len(term.columns)
        positions = first + np.arange(factor.n_levels * k).reshape(-1, k)
        where.setdefault(factor.name, []).append(positions)
        first += factor.n_levels * k
    Z, Lambda = np.concatenate(blocks, axis=1), sl.block_diag(*Lambdas)
    ZL = Z @ Lambda
    # Poisson, log link: the information of a row is its mean.
    H = np.eye(first) + ZL.T @ (fit.mu[:, None] * ZL)
    covariance = Lambda @ np.linalg.inv(H) @ Lambda.T
    effects = fit.ranef(condVar=True)
    assert list(effects["g"].columns) == ["(Intercept)", "x", "z"]
    for group, positions in where.items():
        columns = np.concatenate(positions, axis=1)
        expected = covariance[columns[:, :, None], columns[:, None, :]]
        np.testing.assert_allclose(effects.condVar[group], expected, rtol=1e-8, atol=1e-12)


def test_condvar_is_the_same_whether_asked_for_at_once_or_later(cbpp):
    np.testing.assert_array_equal(
        cbpp.ranef(condVar=True).condVar["herd"], cbpp.ranef().condVar["herd"]
    )


def test_coef_adds_fixed_effects_and_modes(many_terms):
    coefficients, modes = many_terms.coef(), many_terms.ranef()
    fixed = many_terms.fixef()
    np.testing.assert_allclose(coefficients["g"]["x"], fixed["x"] + modes["g"]["x"])
    assert (coefficients["h"]["x"] == fixed["x"]).all()


def test_a_random_effect_without_a_fixed_one_has_its_own_column_in_coef(many_terms):
    coefficients = many_terms.coef()["g"]
    assert list(coefficients.columns) == ["(Intercept)", "x", "z"]
    np.testing.assert_allclose(coefficients["z"], many_terms.ranef()["g"]["z"])


def test_frame_has_one_row_an_effect_in_rs_order(many_terms):
    frame = many_terms.ranef().to_frame()
    assert list(frame.columns) == ["group", "term", "level", "condval", "condsd"]
    assert frame.groupby(["group", "term"], sort=False).size().to_dict() == {
        ("g", "(Intercept)"): 9,
        ("g", "x"): 9,
        ("g", "z"): 9,
        ("h", "(Intercept)"): 5,
    }
    assert frame.condsd.notna().all()


def test_rows_keep_the_original_levels(cbpp):
    modes = cbpp.ranef()["herd"]
    assert modes.index.name == "herd"
    assert list(map(str, modes.index)) == [str(i) for i in range(1, 16)]


def test_a_model_without_random_effects_has_none():
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    assert len(fit.ranef()) == 0
    assert fit.ranef().to_frame().empty
    assert fit.coef() == {}


def test_text_and_html_name_group_and_terms(cbpp):
    effects = cbpp.ranef()
    assert str(effects).startswith("herd\n")
    assert "(Intercept)" in effects._repr_html_()


def test_levels_without_rows_have_no_effects():
    data = mlm.load_cbpp()
    data["herd"] = pd.Categorical(data["herd"].astype(str), [str(i) for i in range(99)])
    effects = mlm.glmer("incidence / size ~ period + (1 | herd)", data).ranef(condVar=True)
    assert effects["herd"].shape == (15, 1)
    assert effects.condVar["herd"].shape == (15, 1, 1)


# lme4 1.1-31, a = age / 10, tolerances 1e-14: head(ranef(m)$district, 2) and the attribute postVar
# of the first district. Its optimum is 1e-4 standard errors away.
# fmt: off
LME4 = {
    "(a || district)": (
        [[-0.6026863152, -0.0363752067], [0.0476309706, 0.0143569613]],
        [[[0.0351572007]], [[0.0109813793]]],
    ),
    "(0 + urban | district)": (
        [[-0.8291750679, -0.41719259737], [0.0719340194, -0.00837213608]],
        [[[0.09306967813, -0.00243595396], [-0.00243595396, 0.05136130994]]],
    ),
    "(urban | district) + (0 + a | district)": (
        [[-0.8275811102, 0.4091876089, -0.01222641679],
         [0.0726228508, -0.0809265669, 0.00535093687]],
        [[[0.0932387280, -0.0956675698], [-0.0956675698, 0.1494565637]], [[0.00449511425]]],
    ),
}
# fmt: on


@pytest.mark.parametrize("terms", LME4)
def test_independent_slopes_factor_slopes_and_several_terms_are_lme4s(terms):
    data = mlm.load_contraception().assign(a=lambda d: d["age"] / 10)
    fit = mlm.glmer(f"use ~ a + urban + {terms}", data)
    modes, blocks = LME4[terms]
    effects = fit.ranef(condVar=True)
    np.testing.assert_allclose(effects["district"].iloc[:2], modes, atol=1e-4)
    covariance, first = effects.condVar["district"][0], 0
    for block in map(np.array, blocks):
        own = covariance[first : first + len(block), first : first + len(block)]
        np.testing.assert_allclose(own, block, rtol=2e-4)
        first += len(block)
    assert first == len(covariance)
