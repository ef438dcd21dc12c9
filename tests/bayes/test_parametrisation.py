"""Centred and non-centred random effects: one density, two sets of free variables."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes import to_pymc
from mixedlm_pt.bayes.parametrisation import prior_shares
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import FAMILIES
from mixedlm_pt.model import GLMM

NO_WARNINGS = mlm.GlmerControl(check_singular=False)


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def contraception():
    formula = "use ~ age + (urban | district) + (1 | livch)"
    data, family = mlm.load_contraception(), FAMILIES["binomial"]()
    return GLMM(build_design(formula, data, family), family)


def names(variables):
    return [variable.name for variable in variables]


def density_at(model, b, sds, rest):
    """Log density without Jacobians of b, in either parametrisation."""
    values = dict(rest)
    for factor, term, own_b, sd in b:
        Lambda = sds[term]
        values[f"b_{factor}"] = own_b
        values[f"u_{factor}"] = np.linalg.solve(Lambda, own_b.T).T
        values[f"sd_{factor}"] = sd
    point = {}
    for rv in model.free_RVs:
        transform, value = model.rvs_to_transforms[rv], np.asarray(values[rv.name])
        if transform is not None:
            value = transform.forward(pt.constant(value), *rv.owner.inputs).eval(mode=NUMPY)
        point[model.rvs_to_values[rv].name] = value
    function = model.compile_fn(model.logp(jacobian=False), inputs=model.value_vars, mode=NUMPY)
    return float(function(point))


def test_centred_effects_have_the_same_density_but_for_their_jacobian(contraception):
    rng = np.random.default_rng(8)
    L = np.linalg.cholesky([[1.0, -0.4], [-0.4, 1.0]])
    sd = np.array([0.7, 0.3])
    sds = {0: sd[:, None] * L, 1: np.array([[0.5]])}
    b = [
        ("district", 0, rng.normal(0.0, 0.4, (60, 2)), sd),
        ("livch", 1, rng.normal(0.0, 0.4, (4, 1)), np.array([0.5])),
    ]
    rest = {"beta_centred": np.array([-0.5, 0.01]), "cholesky[urban | district]": L}
    free = density_at(to_pymc(contraception), b, sds, rest)
    jacobian = 60 * np.log(np.diag(sds[0])).sum() + 4 * np.log(0.5)
    own = density_at(to_pymc(contraception, centred=True), b, sds, rest)
    assert own == pytest.approx(free - jacobian)
    one = to_pymc(contraception, centred={"livch": True, "district": False})
    assert density_at(one, b, sds, rest) == pytest.approx(free - 4 * np.log(0.5))


def test_both_parametrisations_have_u_and_b(contraception):
    model = to_pymc(contraception, centred=["district"])
    assert {"b_district", "u_livch"} <= set(names(model.free_RVs))
    assert {"u_district", "b_livch"} <= set(names(model.deterministics))
    u, sd, corr, b = pm.draw(
        [model[name] for name in ("u_district", "sd_district", "corr_district", "b_district")],
        random_seed=1,
        mode=NUMPY,
    )
    np.testing.assert_allclose(b, u @ (sd[:, None] * np.linalg.cholesky(corr)).T, rtol=1e-8)


def test_independent_effects_can_be_centred():
    data, family = mlm.load_sleepstudy(), FAMILIES["gaussian"]()
    model = GLMM(build_design("Reaction ~ Days + (Days || Subject)", data, family), family)
    centred = to_pymc(model, centred=True)
    u, sd, b = pm.draw(
        [centred[name] for name in ("u_Subject", "sd_Subject", "b_Subject")], random_seed=2
    )
    np.testing.assert_allclose(b, u * sd)


def test_auto_centres_where_the_data_say_more_than_the_prior():
    rng = np.random.default_rng(9)
    table = pd.DataFrame({"g": np.repeat(np.arange(20), 50), "h": np.tile(np.arange(500), 2)})
    table["y"] = rng.poisson(np.exp(1.0 + rng.normal(0.0, 0.7, 20)[table["g"]]))
    fit = mlm.glmer("y ~ 1 + (1 | g) + (1 | h)", table, "poisson", control=NO_WARNINGS)
    # Of 50 rows with mean 3 and sd 0.7 the prior keeps 1 / (1 + 0.5 * 150); of 2 rows with an sd
    # near zero it keeps all.
    h, g = prior_shares(fit, fit.model)
    sd = fit.Lambda[1].item()
    mean = fit.fitted()
    information = np.bincount(table["g"], mean)
    assert [factor.name for factor in fit.design.factors] == ["h", "g"]
    assert g == pytest.approx(np.mean(1.0 / (1.0 + sd**2 * information)), rel=1e-6)
    assert h > 0.8
    free = names(to_pymc(fit, centred="auto").free_RVs)
    assert "b_g" in free
    assert "u_h" in free
    # Without a fit: a typical sd of 1 and the mean of the response.
    n = np.full(20, 50.0)
    expected = 1.0 / (1.0 + n * table["y"].mean())
    assert prior_shares(fit.model, fit.model)[1] == pytest.approx(expected.mean())


@pytest.mark.parametrize(
    ("centred", "message"),
    [
        ("yes", "centred is 'yes'; it must be True, False, 'auto'"),
        ({"hert": True}, "unknown grouping factor in centred 'hert'.*Did you mean 'herd'"),
        (3, "centred is 3; it must be"),
    ],
)
def test_impossible_parametrisations_are_refused(cbpp, centred, message):
    with pytest.raises(ArgumentError, match=message):
        to_pymc(cbpp, centred=centred)
