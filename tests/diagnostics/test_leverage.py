import numpy as np
import pytensor.tensor as pt
import pytest
import scipy.linalg as sl

import mixedlm_pt as mlm
from mixedlm_pt.linalg.dense import scaled_design

FITS = {
    "cbpp": lambda: mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp()),
    "cloglog": lambda: mlm.glmer(
        "incidence / size ~ period + (1 | herd)",
        mlm.load_cbpp(),
        mlm.families.Binomial("cloglog"),
    ),
    "crossed": lambda: mlm.glmer(
        "TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", mlm.load_grouseticks(), "poisson"
    ),
    "slopes": lambda: mlm.glmer(
        "Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), mlm.families.Gamma("log")
    ),
    "nbinom": lambda: mlm.glmer_nb("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks()),
    "quasi": lambda: mlm.glmer(
        "TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks(), "quasipoisson"
    ),
}


@pytest.fixture(scope="module", params=FITS)
def fit(request):
    return FITS[request.param]()


def dense_projection(fit):
    """``W^1/2 A (A'WA + P)^-1 A' W^1/2`` as one matrix."""
    p, q, n = fit.model.p, fit.model.q, fit.model.n
    Z = scaled_design(fit.scaled_design, fit.model.structure.cols, q)
    A = np.hstack([fit.design.X, Z])
    V = fit.compiled.variance(fit.mu, np.asarray(fit.estimate.phi))[0]
    phi = fit.estimate.phi if fit.family.phi_scales_variance else 1.0
    slope = fit.compiled.mean_slope(fit.eta)[0]
    W = fit.design.response.weights * slope**2 / (phi * V)
    root = np.sqrt(W)[:, None] * A
    penalty = sl.block_diag(np.zeros((p, p)), np.eye(q))
    assert root.shape == (n, p + q)
    return root @ np.linalg.solve(root.T @ root + penalty, root.T)


def test_hat_values_are_the_diagonal_of_the_dense_matrix(fit):
    np.testing.assert_allclose(fit.hatvalues(), np.diag(dense_projection(fit)), rtol=1e-8)


def test_hat_values_sum_to_the_effective_df(fit):
    # lme4's sum to 163 for the 56 rows of cbpp.
    h = fit.hatvalues()
    assert ((h >= 0.0) & (h < 1.0)).all()
    assert fit.model.p < h.sum() < fit.model.p + fit.model.q


def test_a_glm_has_the_values_of_r():
    # The first five of hatvalues(g) and of cooks.distance(g), R 4.2, where g is
    # glm(cbind(incidence, size - incidence) ~ period, binomial, lme4::cbpp).
    fit = mlm.glmer("incidence / size ~ period", mlm.load_cbpp())
    hat = [0.05035971223, 0.05660377358, 0.04568527919, 0.03225806452, 0.07913669065]
    cook = [0.006689904377, 0.074593303167, 0.238356714105, 0.002036411411, 0.020674867249]
    np.testing.assert_allclose(fit.hatvalues()[:5], hat, rtol=1e-8)
    np.testing.assert_allclose(fit.cooks_distance()[:5], cook, rtol=1e-7)
    assert fit.hatvalues().sum() == pytest.approx(4.0)
    # hatvalues(glm(Reaction ~ Days, Gamma("log"), sleepstudy))[1:3]
    gamma = mlm.glmer("Reaction ~ Days", mlm.load_sleepstudy(), mlm.families.Gamma("log"))
    expected = [0.019191919192, 0.013804713805, 0.009764309764]
    np.testing.assert_allclose(gamma.hatvalues()[:3], expected, rtol=1e-9)


def test_cooks_distance_of_a_quasi_family_is_scaled():
    # cooks.distance(glm(cbind(incidence, size - incidence) ~ period, quasibinomial, cbpp)) is that
    # of the binomial over the dispersion, as the dispersion scales the covariance.
    formula, data = "incidence / size ~ period", mlm.load_cbpp()
    quasi = mlm.glmer(formula, data, "quasibinomial")
    plain = mlm.glmer(formula, data)
    np.testing.assert_allclose(quasi.cooks_distance() * quasi.phi, plain.cooks_distance())


def test_weight_two_has_twice_the_leverage_of_each_of_two_rows():
    data = mlm.load_grouseticks()
    twice = data.loc[np.repeat(data.index, 2)].reset_index(drop=True)
    formula = "TICKS ~ YEAR + (1 | BROOD)"
    one = mlm.glmer(formula, data, "poisson", weights=np.full(len(data), 2.0))
    two = mlm.glmer(formula, twice, "poisson")
    np.testing.assert_allclose(one.hatvalues(), 2.0 * two.hatvalues()[::2], rtol=1e-5)


def test_cooks_distance_ranks_rows_as_refits_do():
    fit = FITS["cbpp"]()
    exact = fit.influence(exact=True).cooks_distance
    assert np.corrcoef(exact, fit.cooks_distance())[0, 1] > 0.95


def test_rows_left_out_get_nan_where_they_are_kept():
    data = mlm.load_cbpp()
    data["x"] = np.arange(56.0)
    data.loc[4, "x"] = np.nan
    fit = mlm.glmer("incidence / size ~ x + (1 | herd)", data, na_action="exclude")
    for values in (fit.hatvalues(), fit.cooks_distance()):
        assert np.flatnonzero(np.isnan(values)).tolist() == [4]


def test_a_custom_family_uses_its_observed_information():
    def student(y, mean, phi):
        return -2.5 * pt.log1p(pt.sqr(y - mean.mu) / (4.0 * phi)) - 0.5 * pt.log(phi)

    family = mlm.families.CustomFamily("student", student, "identity", has_dispersion=True)
    rng = np.random.default_rng(1)
    y, x = rng.standard_t(4, 200), rng.normal(size=200)
    h = mlm.glmer("y ~ x", {"y": y, "x": x}, family).hatvalues()
    assert h.sum() == pytest.approx(2.0)
    assert (h >= 0.0).all()
