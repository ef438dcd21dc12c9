"""The gradient is the derivative of the criterion, for every family, link, structure and nAGQ."""

import numpy as np
import pytest

from mixedlm_pt.compile import Approximation
from mixedlm_pt.estimation import Objective, ProfiledObjective
from mixedlm_pt.linalg import structure as linalg_structure
from tests.contracts.problems import FAMILY_LINKS, TERMS, problem

RELATIVE = 1e-6


def assert_gradient(objective, par):
    """Compare with fourth-order central differences."""
    best = objective(par)
    assert np.isfinite(best.loglik)
    step = 2e-3 * np.maximum(np.abs(par), 0.1)
    numeric = np.empty(len(par))
    for j in range(len(par)):
        direction = np.zeros(len(par))
        direction[j] = step[j]
        one = objective(par + direction).loglik - objective(par - direction).loglik
        two = objective(par + 2 * direction).loglik - objective(par - 2 * direction).loglik
        numeric[j] = (8.0 * one - two) / (12.0 * step[j])
    scale = np.abs(numeric).max()
    np.testing.assert_allclose(best.gradient, numeric, rtol=RELATIVE, atol=RELATIVE * scale)


@pytest.mark.parametrize("structure", TERMS)
@pytest.mark.parametrize(("family", "link"), FAMILY_LINKS)
def test_laplace(family, link, structure):
    model, par = problem(family, link, structure)
    assert_gradient(Objective(model, Approximation()), par)


@pytest.mark.parametrize("structure", ["intercepts", "crossed slopes"])
@pytest.mark.parametrize(("family", "link"), FAMILY_LINKS)
def test_laplace_with_expected_information(family, link, structure):
    model, par = problem(family, link, structure)
    assert_gradient(Objective(model, Approximation(1, "expected")), par)


@pytest.mark.parametrize("structure", ["intercepts", "crossed slopes"])
@pytest.mark.parametrize(("family", "link"), FAMILY_LINKS)
def test_laplace_at_the_joint_mode(family, link, structure):
    model, par = problem(family, link, structure)
    objective = ProfiledObjective(model, Approximation(0))
    objective.beta = par[: model.p]
    assert_gradient(objective, par[model.p :])


@pytest.mark.parametrize("n_nodes", [2, 11])
@pytest.mark.parametrize(("family", "link"), FAMILY_LINKS)
def test_quadrature(family, link, n_nodes):
    model, par = problem(family, link, "intercepts")
    assert_gradient(Objective(model, Approximation(n_nodes)), par)


@pytest.mark.parametrize("n_nodes", [5, 25, 100])
def test_quadrature_with_many_nodes(n_nodes):
    model, par = problem("binomial", "cauchit", "intercepts")
    assert_gradient(Objective(model, Approximation(n_nodes)), par)


@pytest.mark.parametrize("structure", ["crossed", "crossed slopes"])
@pytest.mark.parametrize(("family", "link"), [("binomial", "probit"), ("negative_binomial", "log")])
def test_sparse_structure(family, link, structure, monkeypatch):
    monkeypatch.setattr(linalg_structure, "DENSE_REST_LIMIT", 0)
    model, par = problem.__wrapped__(family, link, structure)
    assert model.structure.layout.kind == "sparse"
    assert_gradient(Objective(model, Approximation()), par)
