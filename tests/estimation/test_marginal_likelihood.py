"""The criterion at given parameters against integrals and densities that SciPy computes."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from mixedlm_pt.compile import Approximation
from mixedlm_pt.design import build_design
from mixedlm_pt.estimation import Objective
from mixedlm_pt.families import FAMILIES
from mixedlm_pt.graph import adaptive_quadrature, data_of
from mixedlm_pt.model import GLMM
from tests.contracts.problems import problem

N_LEVELS, N_REPEATS = 4, 5


def expit(eta):
    return 1.0 / (1.0 + np.exp(-eta))


def cauchit(eta):
    return 0.5 + np.arctan(eta) / np.pi


# Density of y out of n at eta, and the error that 100 nodes leave: the density of the Cauchy link
# has poles near the real axis, so that quadrature converges slowly.
CASES = {
    ("binomial", "logit"): (lambda y, n, eta: stats.binom.pmf(y, n, expit(eta)), 1e-9),
    ("binomial", "cauchit"): (lambda y, n, eta: stats.binom.pmf(y, n, cauchit(eta)), 1e-6),
    ("poisson", "log"): (lambda y, n, eta: stats.poisson.pmf(y, np.exp(eta)), 1e-9),
    ("gamma", "log"): (lambda y, n, eta: stats.gamma.pdf(y, 2.5, scale=np.exp(eta) / 2.5), 1e-9),
    ("gaussian", "identity"): (lambda y, n, eta: stats.norm.pdf(y, eta, np.sqrt(0.4)), 1e-9),
}
BETA, PHI = (0.3, -0.5), 0.4


def small_data(family):
    rng = np.random.default_rng(3)
    n_rows = N_LEVELS * N_REPEATS
    data = pd.DataFrame({"g": np.repeat(list("abcd"), N_REPEATS), "x": rng.normal(size=n_rows)})
    data["n"] = rng.integers(1, 6, n_rows)
    data["s"] = rng.binomial(data.n, 0.6)
    mu = np.exp(0.3 + rng.normal(size=N_LEVELS)[np.arange(n_rows) // N_REPEATS])
    data["y"] = rng.poisson(mu) if family == "poisson" else rng.gamma(2.5, mu / 2.5)
    return data


def integral(data, y, density, theta):
    """Product over levels of the integral over one standard normal effect."""
    # The trapezoidal rule converges exponentially for analytic integrands that vanish at both ends.
    u = np.linspace(-12.0, 12.0, 8001)[:, None]
    total = 0.0
    for _, rows in data.assign(y=y).groupby("g"):
        eta = (BETA[0] + BETA[1] * rows.x).to_numpy() + theta * u
        values = density(rows.y.to_numpy(), rows.n.to_numpy(), eta).prod(axis=1, keepdims=True)
        total += np.log(integrate.trapezoid((values * stats.norm.pdf(u))[:, 0], u[:, 0]))
    return total


@pytest.mark.parametrize("theta", [0.1, 0.8, 3.0])
@pytest.mark.parametrize(("name", "link"), CASES)
def test_quadrature_is_the_integral(name, link, theta):
    density, error = CASES[name, link]
    family, data = FAMILIES[name](link=link), small_data(name)
    formula = ("s / n" if name == "binomial" else "y") + " ~ x + (1 | g)"
    model = GLMM(build_design(formula, data, family), family)
    log_phi = [np.log(PHI)] if family.estimates_phi else []
    par = np.array([*BETA, theta, *log_phi])
    y = data.s if name == "binomial" else data.y
    expected = integral(data, y, density, theta)
    assert Objective(model, Approximation(100))(par).loglik == pytest.approx(expected, rel=error)


@pytest.mark.parametrize(
    ("family", "link"), [*CASES, ("gamma", "inverse"), ("negative_binomial", "log")]
)
def test_one_node_is_laplace(family, link):
    model, par = problem(family, link, "intercepts")
    objective = Objective(model, Approximation())
    at = objective(par)
    graph = objective.compiled.graph
    inputs = [*graph.data, *graph.parameters, graph.u]
    one_node = objective.compiled.function(inputs, [adaptive_quadrature(graph, 1)])
    beta, theta, log_phi = objective.split(par)
    (loglik,) = one_node(*data_of(model), beta, theta, np.asarray(log_phi), at.mode.u)
    assert float(loglik) == pytest.approx(at.loglik, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("structure", ["slopes", "nested", "crossed", "crossed slopes"])
def test_laplace_is_exact_for_the_gaussian_identity_model(structure, seed):
    model, _ = problem("gaussian", "identity", structure)
    rng = np.random.default_rng(seed)
    theta, log_phi = rng.normal(size=model.n_theta), rng.normal()
    par = np.array([*rng.normal(3.0, 0.5, model.p), *theta, log_phi])
    loglik = Objective(model, Approximation())(par).loglik
    covariance = np.exp(log_phi) * np.eye(model.n)
    for term, part, k in zip(
        model.design.terms, model.theta_slices, model.term_widths, strict=True
    ):
        Lambda = np.zeros((k, k))
        Lambda[np.triu_indices(k)[::-1]] = theta[part]
        codes = model.design.factors[term.factor].codes
        same_level = codes[:, None] == codes[None, :]
        covariance += same_level * (term.Z @ Lambda @ Lambda.T @ term.Z.T)
    mean = model.design.X @ par[: model.p]
    expected = stats.multivariate_normal.logpdf(model.design.response.y, mean, covariance)
    assert loglik == pytest.approx(expected, rel=1e-10)
