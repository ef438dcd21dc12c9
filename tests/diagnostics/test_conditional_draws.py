"""Draws of the random effects given the parameters, against dense algebra and quadrature."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy.special import expit, gammaln

import mixedlm_pt as mlm
from mixedlm_pt.diagnostics.conditional_draws import ConditionalEffects
from mixedlm_pt.linalg import choose_structure
from mixedlm_pt.linalg.kernels import KERNELS
from mixedlm_pt.linalg.square_root import INVERSE_ROOTS

RNG = np.random.default_rng(5)


def problem(kind):
    """Index, D, M and the dense H of a structure of this kind."""
    n = 60
    a = RNG.integers(0, 9, n)
    a[:9] = np.arange(9)
    b = a // 3 if kind == "tree" else RNG.integers(0, 4, n)
    b[:4] = b[:4] if kind == "tree" else np.arange(4)
    levels = [9, int(b.max()) + 1]
    structure = choose_structure(
        codes=[a, b],
        n_levels=levels,
        columns=[2, 1],
        names=["a", "b"],
        kind=None if kind == "tree" else kind,
    )
    M, D = RNG.normal(size=(n, 3)), RNG.uniform(0.5, 2.0, n)
    rows = np.zeros((n, structure.q))
    rows[np.arange(n)[:, None], structure.cols] = M
    return structure, D, M, np.eye(structure.q) + rows.T @ (D[:, None] * rows)


@pytest.mark.parametrize("kind", ["tree", "crossed", "sparse", "dense"])
def test_the_inverse_root_has_the_covariance_of_h(kind):
    structure, D, M, H = problem(kind)
    assert structure.layout.kind == kind
    columns = structure.layout.columns
    _, packed = KERNELS[kind].factor(D, M, structure.index, columns)
    root = INVERSE_ROOTS[kind](packed, np.eye(structure.q), structure.index, columns)
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(H), atol=1e-12)
    np.testing.assert_allclose(root.T @ H @ root, np.eye(structure.q), atol=1e-12)


@pytest.fixture(scope="module")
def slopes():
    rng = np.random.default_rng(6)
    g = np.repeat(np.arange(8), 12)
    x = rng.normal(size=96)
    b = rng.normal(size=(8, 2)) @ np.array([[1.2, 0.0], [0.3, 0.8]]).T
    y = rng.random(96) < expit(0.3 + 0.5 * x + b[g, 0] + b[g, 1] * x)
    return mlm.glmer(
        "y ~ x + (x | g)", pd.DataFrame({"y": y * 1, "x": x, "g": g}), family="binomial"
    )


def exact_group(fit, group):
    """Integral, mean and covariance of u of one group, by a fine grid."""
    Lambda, rows = fit.Lambda[0], fit.design.factors[0].codes == group
    Z, y = fit.design.terms[0].Z[rows], fit.design.response.y[rows]
    fixed = fit.design.X[rows] @ fit.beta
    grid = np.linspace(-8.0, 8.0, 401)
    u = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    eta = fixed + u @ (Z @ Lambda).T
    log = (y * eta - np.logaddexp(0.0, eta)).sum(axis=1) - 0.5 * (u**2).sum(axis=1)
    weight = np.exp(log) / (2.0 * np.pi)
    total = weight.sum() * (grid[1] - grid[0]) ** 2
    share = weight / weight.sum()
    return np.log(total), share @ u, np.cov(u.T, aweights=share, bias=True)


def test_weights_give_the_exact_integral_and_resampling_the_exact_effects(slopes):
    fit, rng = slopes, np.random.default_rng(2)
    effects = ConditionalEffects(fit.model, 8)
    at = effects.gaussian(fit.beta, fit.theta, fit.log_phi, fit.u, 1e-8)
    draws, logliks, noises = [], [], []
    for _ in range(1500):
        proposals = effects.propose(at, rng)
        found = effects.resample(proposals, rng)
        logliks.append(proposals.at_mode.sum() + found.correction - 0.5 * at.logdet)
        noises.append(found.noise)
        draws.append(found.u)
    exact = [exact_group(fit, g) for g in range(8)]
    estimate = np.exp(np.array(logliks) - logliks[0])
    loglik = logliks[0] + np.log(estimate.mean())
    error = estimate.std() / estimate.mean() / np.sqrt(1500)
    assert error < 0.02
    assert loglik == pytest.approx(sum(e[0] for e in exact), abs=4.0 * error)
    # From 8 pairs, whose weights have heavy tails.
    assert 0.4 < np.mean(noises) / np.var(logliks) < 1.5
    u = np.array(draws).reshape(1500, 8, 2)
    for g, (_, mean, covariance) in enumerate(exact):
        se = np.sqrt(np.diag(covariance) / 1500)
        assert (np.abs(u[:, g].mean(axis=0) - mean) < 4.5 * se + 0.01).all()
        np.testing.assert_allclose(np.cov(u[:, g].T), covariance, atol=0.12)


def test_the_weights_are_exact_around_any_point(slopes):
    fit, rng = slopes, np.random.default_rng(3)
    effects = ConditionalEffects(fit.model, 200)
    centre = effects.gaussian(fit.beta, fit.theta, fit.log_phi, fit.u, 1e-8)
    away = effects.gaussian(fit.beta, fit.theta, fit.log_phi, fit.u + 0.4, 1e9)
    assert np.abs(away.u - centre.u).max() > 1e-3
    values = []
    for at in (centre, away):
        proposals = effects.propose(at, rng)
        values.append(
            proposals.at_mode.sum() - 0.5 * at.logdet + effects.resample(proposals, rng).correction
        )
    assert values[0] == pytest.approx(values[1], abs=0.15)


def nested_integral(fit, y, inner):
    """Log-likelihood of one outer group, by Simpson's rule in both effects."""
    sds = {term.factor: L[0, 0] for term, L in zip(fit.design.terms, fit.Lambda, strict=True)}
    v, w = np.linspace(-6.0, 6.0, 61)[:, None, None], np.linspace(-6.0, 6.0, 121)[:, None]
    value = np.exp(-0.5 * v[:, 0, 0] ** 2) / np.sqrt(2.0 * np.pi)
    for j in np.unique(inner):
        counts = y[inner == j]
        # The finer factor comes first.
        eta = fit.beta[0] + sds[1] * v + sds[0] * w
        log = (counts * eta - np.exp(eta) - gammaln(counts + 1)).sum(axis=2)
        density = np.exp(log - 0.5 * w[:, 0] ** 2) / np.sqrt(2.0 * np.pi)
        value = value * integrate.simpson(density, x=w[:, 0], axis=1)
    return np.log(integrate.simpson(value, x=v[:, 0, 0]))


def test_nested_factors_fall_into_the_outer_groups():
    rng = np.random.default_rng(4)
    outer, inner = np.repeat(np.arange(5), 12), np.repeat(np.arange(15), 4)
    y = rng.poisson(
        np.exp(0.5 + 0.4 * rng.normal(size=5)[outer] + 0.3 * rng.normal(size=15)[inner])
    )
    data = pd.DataFrame({"y": y, "outer": outer, "inner": inner})
    fit = mlm.glmer("y ~ 1 + (1 | outer / inner)", data, family="poisson")
    effects = ConditionalEffects(fit.model, 50)
    assert effects.n_clusters == 5
    at = effects.gaussian(fit.beta, fit.theta, fit.log_phi, fit.u, 1e-8)
    proposals = effects.propose(at, rng)
    total = sum(nested_integral(fit, y[outer == g], inner[outer == g]) for g in range(5))
    correction = effects.resample(proposals, rng).correction
    estimate = proposals.at_mode.sum() + correction - 0.5 * at.logdet
    assert estimate == pytest.approx(total, abs=0.02)
