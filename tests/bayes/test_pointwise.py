import arviz as az
import numpy as np
import pandas as pd
import pytest
import scipy.stats as st
from scipy.integrate import dblquad, quad
from scipy.special import gammaln

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError
from tests.bayes.made_posterior import around, made_posterior


@pytest.fixture(scope="module")
def cbpp():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    return around(fit, n=40)


def successes(posterior):
    response = posterior.model.design.response
    return np.rint(response.y * response.weights), response.weights


def test_rows_have_the_density_at_the_effects_of_the_draw(cbpp):
    y, size = successes(cbpp)
    draws, codes = cbpp.data["posterior"].dataset, cbpp.model.design.factors[0].codes
    eta = draws["beta"].to_numpy() @ cbpp.model.design.X.T
    eta += draws["b_herd"].to_numpy()[..., codes, 0]
    found = cbpp.log_likelihood()
    assert found.dims == ("chain", "draw", "obs")
    np.testing.assert_allclose(found, st.binom.logpmf(y, size, 1 / (1 + np.exp(-eta))), rtol=1e-10)


def test_rows_have_the_dispersion_of_their_draw():
    data = mlm.load_grouseticks()
    fit = mlm.glmer("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", data, "nbinom2")
    posterior = around(fit, n=10)
    draws, design = posterior.data["posterior"].dataset, fit.design
    eta = draws["beta"].to_numpy() @ design.X.T
    for factor in design.factors:
        eta += draws[f"b_{factor.name}"].to_numpy()[..., factor.codes, 0]
    mu, shape = np.exp(eta), draws["theta"].to_numpy()[..., None]
    expected = st.nbinom.logpmf(design.response.y, shape, shape / (shape + mu))
    np.testing.assert_allclose(posterior.log_likelihood(), expected, rtol=1e-9)


def test_groups_with_one_effect_have_the_exact_integral(cbpp):
    y, size = successes(cbpp)
    found = cbpp.log_likelihood(by="herd", nAGQ=25)
    assert found.name == "herd"
    assert found.dims == ("chain", "draw", "level_herd")
    values = found.to_numpy().reshape(40, -1)
    design, parameters = cbpp.model.design, cbpp.parameter_draws
    for s, j in [(0, 0), (17, 7), (39, 14)]:
        rows = design.factors[0].codes == j
        eta = design.X[rows] @ parameters.beta[s]

        def density(u, s=s, rows=rows, eta=eta):
            p = 1 / (1 + np.exp(-(eta + parameters.theta[s, 0] * u)))
            return st.binom.pmf(y[rows], size[rows], p).prod() * st.norm.pdf(u)

        exact = np.log(quad(density, -10, 10, epsabs=0.0, epsrel=1e-12, limit=200)[0])
        assert values[s, j] == pytest.approx(exact, abs=1e-8)
    np.testing.assert_allclose(cbpp.log_likelihood(by="herd"), found, atol=2e-6)
    np.testing.assert_allclose(cbpp.log_likelihood(by="herd", nAGQ=1), found, atol=0.1)


def test_groups_with_two_correlated_effects_have_the_exact_integral():
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(12), 8), np.tile(np.linspace(-1, 1, 8), 12)
    mu = np.exp(0.5 + 0.4 * x + 0.6 * rng.standard_normal(12)[g])
    table = pd.DataFrame({"y": rng.poisson(mu), "x": x, "g": g.astype(str)})
    with pytest.warns(mlm.errors.SingularFitWarning):
        fit = mlm.glmer("y ~ x + (x | g)", table, "poisson")
    sds, r = np.array([[0.6, 0.3], [0.9, 0.5]]), np.array([0.4, -0.7])
    posterior = made_posterior(
        fit, [[0.5, 0.4], [0.2, 0.7]], {"g": sds}, {"g": np.zeros((2, 12, 2))}, corr={"g": r}
    )
    found = posterior.log_likelihood(by="cluster", nAGQ=25).to_numpy().reshape(2, -1)
    for s in range(2):
        rows = fit.design.factors[0].codes == 3
        y, eta = fit.design.response.y[rows], fit.design.X[rows] @ posterior.parameter_draws.beta[s]
        # In independent standard normals: b0 = sd0 u, b1 = sd1 (r u + sqrt(1 - r^2) v).
        slope = np.array([r[s], np.sqrt(1 - r[s] ** 2)]) * sds[s, 1]
        constant = gammaln(y + 1).sum() + np.log(2 * np.pi)

        def density(v, u, y=y, eta=eta, z=x[rows], slope=slope, constant=constant, sd=sds[s, 0]):
            eta = eta + sd * u + (slope[0] * u + slope[1] * v) * z
            return np.exp(y @ eta - np.exp(eta).sum() - constant - 0.5 * (u * u + v * v))

        exact = dblquad(density, -8, 8, -8, 8, epsabs=1e-16, epsrel=1e-10)[0]
        assert found[s, 3] == pytest.approx(np.log(exact), abs=1e-8)


@pytest.fixture(scope="module")
def normal():
    """Nested factors a / b and c, which crosses both."""
    rng = np.random.default_rng(3)
    n = 120
    a, c = np.repeat(np.arange(6), 20), np.tile(np.arange(5), 24)
    b = 3 * a + rng.integers(0, 3, n)
    y = rng.standard_normal(n) + rng.standard_normal(6)[a] + rng.standard_normal(18)[b]
    y += rng.standard_normal(5)[c]
    return pd.DataFrame({"y": y, "a": a, "b": b, "c": c}).astype(dict.fromkeys("abc", str))


def exact_normal(posterior, s, rows, own, shared):
    """The joint normal density of some rows, the effects ``own`` integrated out."""
    design, draws = posterior.model.design, posterior.data["posterior"].dataset
    at = {"chain": s // posterior.n_draws, "draw": s % posterior.n_draws}
    one = draws.isel(at)
    mean = design.X[rows] @ one["beta"].to_numpy()
    covariance = float(one["sigma"]) ** 2 * np.eye(rows.sum())
    for factor in design.factors:
        codes = factor.codes[rows]
        if factor.name in shared:
            mean = mean + one[f"b_{factor.name}"].to_numpy()[codes, 0]
        if factor.name in own:
            same = codes[:, None] == codes
            covariance += float(one[f"sd_{factor.name}"][0]) ** 2 * same
    return st.multivariate_normal(mean, covariance).logpdf(design.response.y[rows])


@pytest.mark.parametrize(
    ("formula", "by", "own", "shared"),
    [
        ("y ~ 1 + (1 | a) + (1 | b)", "cluster", "ab", ""),
        ("y ~ 1 + (1 | a) + (1 | b)", "b", "b", "a"),
        ("y ~ 1 + (1 | b) + (1 | c)", "a", "b", "c"),
        ("y ~ 1 + (1 | a) + (1 | b) + (1 | c)", "a", "ab", "c"),
        ("y ~ 1 + (1 | a) + (1 | c)", "c", "c", "a"),
        ("y ~ 1 + (1 | a)", "c", "", "a"),
    ],
)
def test_effects_of_one_group_are_integrated_out_and_shared_ones_stay(
    normal, formula, by, own, shared
):
    fit = mlm.glmer(formula, normal, "gaussian")
    posterior = around(fit, n=6)
    found = posterior.log_likelihood(by=by)
    name = "a" if by == "cluster" else by
    labels = normal[name]
    for level, s in zip(found[found.dims[2]].to_numpy()[[0, 3]], (1, 5), strict=True):
        exact = exact_normal(posterior, s, (labels == level).to_numpy(), own, shared)
        own_value = found.sel({found.dims[2]: level}).to_numpy().ravel()[s]
        assert own_value == pytest.approx(exact, abs=1e-8)


def test_labels_name_groups_as_their_column_does(cbpp):
    herd = cbpp.fit.call.data["herd"].to_numpy()
    by_labels = cbpp.log_likelihood(by=herd)
    assert by_labels.name == "groups"
    np.testing.assert_allclose(by_labels, cbpp.log_likelihood(by="herd"))


def test_the_sum_over_groups_is_the_laplace_likelihood_of_the_fit(cbpp):
    at_fit = made_posterior(
        cbpp.fit, np.tile(cbpp.fit.beta, (2, 1)), {"herd": np.full((2, 1), cbpp.fit.theta[0])},
        {"herd": np.zeros((2, 15, 1))},
    )  # fmt: skip
    found = at_fit.log_likelihood(by="herd", nAGQ=1).sum("level_herd")
    np.testing.assert_allclose(found, cbpp.fit.estimate.loglik, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_log_likelihoods_are_added_to_a_new_result(cbpp):
    before = list(cbpp.data.children)
    rows = cbpp.with_log_likelihood()
    both = rows.with_log_likelihood(by="herd", nAGQ=5)
    assert list(cbpp.data.children) == before
    assert list(rows.data["log_likelihood"].data_vars) == ["y"]
    assert set(both.data["log_likelihood"].data_vars) == {"y", "herd"}
    assert az.loo(both.data, var_name="herd").n_data_points == 15
    assert az.loo(rows.data).n_data_points == 56


def test_bad_groups_and_nodes_are_refused(cbpp, normal):
    crossed = around(mlm.glmer("y ~ 1 + (1 | a) + (1 | c)", normal, "gaussian"), n=4)
    with pytest.raises(ArgumentError, match=r"a and c are crossed: say which .* by='c'"):
        crossed.log_likelihood(by="cluster")
    whole = normal.assign(all="x")
    inside = around(mlm.glmer("y ~ 1 + (1 | a) + (1 | c)", whole, "gaussian"), n=4)
    with pytest.raises(ArgumentError, match="a and c are crossed inside the groups"):
        inside.log_likelihood(by="all")
    nested = around(mlm.glmer("y ~ 1 + (1 | a) + (1 | b)", normal, "gaussian"), n=4)
    with pytest.raises(ArgumentError, match="these have 2 nested factors"):
        nested.log_likelihood(by="a", nAGQ=7)
    with pytest.raises(ArgumentError, match="nAGQ is for groups"):
        cbpp.log_likelihood(nAGQ=3)
    with pytest.raises(ArgumentError, match="nAGQ is 0; it must be a positive integer"):
        cbpp.log_likelihood(by="herd", nAGQ=0)
    with pytest.raises(ColumnNotFoundError, match="cow"):
        cbpp.log_likelihood(by="cow")
