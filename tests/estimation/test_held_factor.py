"""The search for the mode with factorisations of earlier points."""

import numpy as np
import pandas as pd
import pytest
import scipy.linalg as sl
from scipy.sparse import csr_array, diags_array

import mixedlm_pt as mlm
from mixedlm_pt.estimation import Objective
from mixedlm_pt.estimation.newton_step import Held

FORMULA = "y ~ x + (1 | student) + (1 | teacher)"
BETA, THETA = np.array([0.4, -0.3]), np.array([0.8, 0.5])


def crossed(n, n_students, n_teachers):
    rng = np.random.default_rng(8)
    student = np.concatenate([np.arange(n_students), rng.integers(0, n_students, n - n_students)])
    teacher = rng.permutation(np.arange(n) % n_teachers)
    x = rng.normal(size=n)
    eta = 0.4 - 0.3 * x + 0.8 * rng.normal(size=n_students)[student]
    eta += 0.5 * rng.normal(size=n_teachers)[teacher]
    y = rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))
    data = pd.DataFrame({"y": y, "x": x, "student": student, "teacher": teacher})
    return data.astype({"student": "category", "teacher": "category"})


def fitted(data, structure="auto"):
    return mlm.glmer(FORMULA, data, control=mlm.GlmerControl(structure=structure))


@pytest.fixture(scope="module")
def fit():
    return fitted(crossed(6000, 700, 650))


@pytest.fixture
def objective(fit):
    return Objective(fit.model, fit.approximation)


@pytest.fixture
def factorisations(objective, monkeypatch):
    """The information by row of every factorisation of the objective's searches."""
    made, factor = [], objective.finder.factor

    def counted(D, M):
        made.append(D)
        return factor(D, M)

    monkeypatch.setattr(objective.finder, "factor", counted)
    return made


def mode_by_dense_algebra(model, beta, theta):
    """Newton's iteration on the logistic density with a dense H."""
    cols, y, X = model.structure.cols, model.design.response.y, model.design.X
    place = np.arange(model.n)[:, None] + np.zeros_like(cols), cols
    values = np.broadcast_to(theta, cols.shape)
    M = csr_array((values.ravel(), [part.ravel() for part in place]), (model.n, model.q))
    u = np.zeros(model.q)
    for _ in range(10):
        mu = 1.0 / (1.0 + np.exp(-X @ beta - M @ u))
        H = np.eye(model.q) + (M.T @ diags_array(mu * (1.0 - mu)) @ M).toarray()
        u += sl.solve(H, M.T @ (y - mu) - u, assume_a="pos")
    return u


def found(objective, theta, u, held):
    return objective.finder.find(BETA, objective.finder.scaled_design(theta), 0.0, u, held=held)


def test_the_mode_next_to_the_last_one_takes_no_factorisation(objective, factorisations):
    held = Held()
    before = found(objective, THETA, np.zeros(objective.model.q), held)
    assert 1 <= len(factorisations) < before.n_newton
    factorisations.clear()
    theta = 1.02 * THETA
    mode = found(objective, theta, before.u, held)
    assert mode.converged
    assert not factorisations
    expected = mode_by_dense_algebra(objective.model, BETA, theta)
    np.testing.assert_allclose(mode.u, expected, rtol=0, atol=1e-9)
    assert np.abs(before.u - expected).max() > 1e-3


def test_a_factorisation_of_far_away_is_dropped(objective, factorisations):
    held = Held()
    # Nearly without random effects H is I, with which steps are much too long.
    found(objective, 0.01 * THETA, np.zeros(objective.model.q), held)
    far, theta = held.packed, 3.0 * THETA
    factorisations.clear()
    mode = found(objective, theta, np.full(objective.model.q, 2.0), held)
    assert mode.converged
    assert factorisations
    assert held.packed is not far
    expected = mode_by_dense_algebra(objective.model, BETA, theta)
    np.testing.assert_allclose(mode.u, expected, rtol=0, atol=1e-9)


def test_a_factorisation_that_failed_is_dropped(objective):
    start = np.zeros(objective.model.q)
    held = Held()
    expected = found(objective, THETA, start, held)
    mode = found(objective, THETA, start, Held(np.full_like(held.packed, np.nan)))
    np.testing.assert_array_equal(mode.u, expected.u)


def test_where_beta_moves_every_step_has_its_own_factorisation(objective, factorisations):
    M = objective.finder.scaled_design(THETA)
    held = Held()
    mode = objective.finder.find(
        BETA, M, 0.0, np.zeros(objective.model.q), move_beta=True, held=held
    )
    assert mode.converged
    assert len(factorisations) == mode.n_newton
    assert held.packed is None


def test_only_costly_factorisations_are_kept(fit):
    assert fit.model.structure.has_costly_factor
    small = fitted(crossed(600, 60, 20))
    assert small.model.structure.layout.kind == "crossed"
    assert not small.model.structure.has_costly_factor
    assert fitted(crossed(600, 60, 20), "sparse").model.structure.has_costly_factor


def test_the_sparse_structure_finds_the_same_estimates():
    data = crossed(600, 60, 20)
    dense, sparse = fitted(data, "crossed"), fitted(data, "sparse")
    np.testing.assert_allclose(sparse.par, dense.par, rtol=1e-8)
    np.testing.assert_allclose(sparse.estimate.u, dense.estimate.u, atol=1e-8)
