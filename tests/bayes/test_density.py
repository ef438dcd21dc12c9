"""With flat priors the PyMC model has the joint log density of the ML side."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from mixedlm_pt.bayes import to_pymc
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.design import build_design
from mixedlm_pt.families import FAMILIES
from mixedlm_pt.graph import GLMMGraph, data_of, joint_logp
from mixedlm_pt.model import GLMM
from tests.contracts.problems import FAMILY_LINKS, TERMS, problem

WITH_LIKELIHOOD = [(f, link) for f, link in FAMILY_LINKS if FAMILIES[f].has_likelihood]

# phi as a function of the parameter on its natural scale.
PHI = {"sigma": np.square, "shape": np.reciprocal, "theta": np.positive}


def random_point(model, centre, rng):
    """Values of all parameters: natural ones for PyMC, and (beta, theta, log phi, u) for ML."""
    beta = np.concatenate([[centre], 0.1 * rng.normal(size=model.p - 1)])
    natural, theta, u = {"beta": beta}, [], []
    for f, factor in enumerate(model.design.factors):
        sds = []
        for t in model.factor_terms[f]:
            k = model.term_widths[t]
            root = np.linalg.cholesky(random_correlation(k, rng))
            sds.append(0.05 + 0.1 * rng.random(k))
            Lambda = np.diag(sds[-1]) @ root
            natural[f"cholesky[{model.design.terms[t].label}]"] = root
            # lme4's order: the lower triangle column by column.
            theta.append(np.concatenate([Lambda[c:, c] for c in range(k)]))
        natural[f"sd_{factor.name}"] = np.concatenate(sds)
        effects = rng.normal(size=(factor.n_levels, sum(map(len, sds))))
        natural[f"u_{factor.name}"] = effects
        u.append(effects.ravel())
    log_phi = 0.0
    if model.family.estimates_phi:
        name, value = Dispersion.of(model).name, 0.5 + rng.random()
        natural[name], log_phi = value, np.log(PHI[name](value))
    join = lambda parts: np.concatenate([np.empty(0), *parts])  # noqa: E731
    return natural, (beta, join(theta), np.asarray(log_phi), join(u))


def random_correlation(k, rng):
    factor = rng.normal(size=(k, k + 2))
    covariance = factor @ factor.T
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)


def pymc_logp(model, natural):
    """Joint log density without Jacobians at values of the variables on their own scales."""
    means = model["X"].get_value().mean(axis=0)
    given = dict(natural)
    centred = given["beta"].copy()
    centred[0] += means[1:] @ centred[1:]
    given["beta_centred"] = centred
    point = {}
    for rv in model.free_RVs:
        transform, value = model.rvs_to_transforms[rv], np.asarray(given[rv.name])
        if transform is not None:
            value = transform.forward(pt.constant(value), *rv.owner.inputs).eval(mode=NUMPY)
        point[model.rvs_to_values[rv].name] = value
    logp = model.logp(jacobian=False)
    function = model.compile_fn(logp, inputs=model.value_vars, mode=NUMPY)
    return float(function(point))


def ml_logp(model, arguments):
    graph = GLMMGraph.of(model)
    inputs = [*graph.data, *graph.parameters, graph.u]
    function = pytensor.function(inputs, joint_logp(graph), mode=NUMPY, on_unused_input="ignore")
    return float(function(*data_of(model), *arguments))


def lkj_constant(natural):
    """Log density of the Cholesky factors where all correlation matrices are equally likely.

    The volume of the correlation matrices, Joe (2006), J. Multivar. Anal. 97, 2177-2189, section
    5; and the determinant of the map from the factor to the matrix.
    """
    total = 0.0
    for name, root in natural.items():
        k = len(root) if name.startswith("cholesky") else 1
        volume = {1: 1.0, 2: 2.0, 3: np.pi**2 / 2.0}[k]
        if k > 1:
            total += np.sum((k - np.arange(1, k + 1)) * np.log(np.diag(root)))
            total -= np.log(volume)
    return total


def assert_same_density(model, centre, seed):
    rng = np.random.default_rng(seed)
    natural, arguments = random_point(model, centre, rng)
    expected = ml_logp(model, arguments) - 0.5 * model.q * np.log(2.0 * np.pi)
    own = pymc_logp(to_pymc(model, priors="flat"), natural)
    assert np.isfinite(expected)
    assert own == pytest.approx(expected + lkj_constant(natural), rel=1e-11, abs=1e-9)


@pytest.mark.parametrize(("family", "link"), WITH_LIKELIHOOD)
def test_every_family_and_link_has_the_density_of_the_ml_side(family, link):
    model, par = problem(family, link, "slopes")
    assert_same_density(model, par[0], seed=1)


@pytest.mark.parametrize("structure", TERMS)
@pytest.mark.parametrize("family", ["binomial", "negative_binomial"])
def test_every_structure_has_the_density_of_the_ml_side(family, structure):
    model, par = problem(family, FAMILIES[family].default_link, structure)
    assert_same_density(model, par[0], seed=2)


def test_lkj_with_eta_one_is_uniform_over_correlation_matrices():
    # Volume of the 3 x 3 correlation matrices: pi^2 / 2.
    root = np.linalg.cholesky(random_correlation(3, np.random.default_rng(5)))
    assert lkj_constant({"cholesky": root}) == pytest.approx(
        np.log(2.0 / np.pi**2) + np.log(root[1, 1])
    )
    logp = pm.logp(pm.LKJCorr.dist(n=3, eta=1.0), root).eval(mode=NUMPY)
    assert logp == pytest.approx(np.log(2.0 / np.pi**2) + np.log(root[1, 1]))


@pytest.mark.parametrize(
    "terms", ["(x + z | g)", "(x | g) + (0 + z + w | g)", "(x + z || g) + (1 | h)"]
)
def test_three_effects_and_two_correlated_terms_have_the_density_of_the_ml_side(terms):
    rng = np.random.default_rng(7)
    n = 60
    table = pd.DataFrame({name: rng.normal(size=n) for name in "xzw"})
    table["g"], table["h"] = rng.integers(0, 8, n).astype(str), rng.integers(0, 5, n).astype(str)
    table["y"], table["exposure"] = rng.poisson(2.0, n), rng.uniform(0.5, 2.0, n)
    family = FAMILIES["poisson"]()
    formula = f"y ~ x + z + offset(log(exposure)) + {terms}"
    model = GLMM(build_design(formula, table, family), family)
    assert_same_density(model, 0.4, seed=3)
