import numpy as np
import pandas as pd
import pymc as pm
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes import HalfNormal, Normal, StudentT, to_pymc
from mixedlm_pt.compile.backends import NUMPY
from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import FAMILIES, CustomFamily, NegativeBinomial, Poisson
from mixedlm_pt.graph import GLMMGraph
from mixedlm_pt.model import GLMM
from tests.contracts.problems import problem


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


def count_model(**kwargs):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"y": rng.poisson(3.0, 30), "x": rng.normal(size=30)})
    family = kwargs.pop("family", Poisson())
    return GLMM(build_design("y ~ x", table, family), family)


def test_variables_and_coordinates_have_readable_names(contraception):
    model = to_pymc(contraception)
    assert names(model.free_RVs) == [
        "beta_centred",
        "sd_district",
        "cholesky[urban | district]",
        "u_district",
        "sd_livch",
        "u_livch",
    ]
    assert names(model.deterministics) == ["beta", "corr_district", "b_district", "b_livch"]
    assert names(model.observed_RVs) == ["y"]
    assert list(model.coords["coefficient"]) == ["(Intercept)", "age"]
    assert list(model.coords["term_district"]) == ["(Intercept)", "urbanY"]
    assert len(model.coords["level_district"]) == 60
    assert model.named_vars_to_dims["b_district"] == ("level_district", "term_district")
    assert model.named_vars_to_dims["sd_livch"] == ("term_livch",)


def test_a_dispersion_is_a_variable_on_its_natural_scale():
    model, _ = problem("gamma", "log", "intercepts")
    assert names(to_pymc(model).free_RVs)[-1] == "shape"


def test_a_fixed_shape_is_not_a_variable():
    model = to_pymc(count_model(family=NegativeBinomial(theta=3.0)))
    assert names(model.free_RVs) == ["beta_centred"]


def test_effects_are_lambda_times_u(contraception):
    model = to_pymc(contraception)
    u, sd, corr, b = pm.draw(
        [model[name] for name in ("u_district", "sd_district", "corr_district", "b_district")],
        random_seed=1,
        mode=NUMPY,
    )
    np.testing.assert_allclose(b, u @ (sd[:, None] * np.linalg.cholesky(corr)).T, rtol=1e-10)
    np.testing.assert_allclose(np.diag(corr), 1.0)


def test_the_intercept_s_prior_belongs_to_centred_predictors(cbpp):
    model = to_pymc(cbpp)
    beta, centred = pm.draw([model["beta"], model["beta_centred"]], random_seed=2, mode=NUMPY)
    means = cbpp.design.X.mean(axis=0)
    assert means @ beta == pytest.approx(centred[0])
    np.testing.assert_array_equal(beta[1:], centred[1:])


def test_the_default_prior_density_is_scipy_s(cbpp):
    flat, default = (to_pymc(cbpp, priors=priors) for priors in ("flat", None))
    point = {"beta_centred": np.array([-1.0, 0.5, -2.0, 3.0]), "sd_herd_log__": np.array([-0.4])}
    point["u_herd"] = np.zeros((15, 1))
    logps = []
    for model in (flat, default):
        function = model.compile_fn(model.logp(jacobian=False), inputs=model.value_vars, mode=NUMPY)
        logps.append(float(function(point)))
    sd = cbpp.design.X.std(axis=0, ddof=1)
    expected = st.norm.logpdf(-1.0, 0.0, 2.5)
    expected += st.norm.logpdf([0.5, -2.0, 3.0], 0.0, 2.5 / sd[1:]).sum()
    expected += st.expon.logpdf(np.exp(-0.4))
    assert logps[1] - logps[0] == pytest.approx(expected)


def test_priors_of_several_classes_make_the_same_vector(cbpp):
    model = to_pymc(cbpp, priors={"period2": StudentT(3.0, 0.0, 1.0), "sd": HalfNormal(2.0)})
    assert names(model.free_RVs)[:2] == ["beta_centred[(Intercept)]", "beta_centred[period2]"]
    scalars = [model[f"beta_centred[{name}]"] for name in model.coords["coefficient"]]
    vector, *parts = pm.draw([model["beta_centred"], *scalars], random_seed=3, mode=NUMPY)
    np.testing.assert_array_equal(vector, parts)


def test_the_log_likelihood_is_by_row_and_scipy_s(cbpp):
    model = to_pymc(cbpp)
    logp = model.logp(vars=[model["y"]], sum=False)[0]
    function = model.compile_fn(logp, inputs=model.value_vars, mode=NUMPY, on_unused_input="ignore")
    point = {"beta_centred": np.zeros(4), "sd_herd_log__": np.zeros(1)}
    rows = function(point | {"u_herd": np.zeros((15, 1))})
    data = cbpp.call.data
    np.testing.assert_allclose(rows, st.binom.logpmf(data["incidence"], data["size"], 0.5))


def test_draws_of_the_response_have_the_family_s_moments():
    model = to_pymc(count_model())
    with pm.do(model, {"beta_centred": np.array([1.2, 0.0])}) as fixed:
        draws = pm.draw(fixed["y"], draws=2000, random_seed=4, mode=NUMPY)
    assert draws.shape == (2000, 30)
    np.testing.assert_allclose(draws.mean(), np.exp(1.2), rtol=0.01)
    np.testing.assert_allclose(draws.var(axis=0).mean(), np.exp(1.2), rtol=0.02)


def test_draws_of_a_binomial_are_proportions_of_the_trials(cbpp):
    draws = pm.draw(to_pymc(cbpp)["y"], draws=20, random_seed=5, mode=NUMPY)
    counts = draws * cbpp.design.response.weights
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)


def test_data_can_be_replaced():
    model = to_pymc(count_model())
    with model:
        pm.set_data(
            {
                "X": np.array([[1.0, 0.0], [1.0, 1.0]]),
                "offset": np.zeros(2),
                "weights": np.ones(2),
                "response": np.array([1.0, 2.0]),
            },
            coords={"obs": ["a", "b"]},
        )
    logp = model.logp(vars=[model["y"]], sum=False)[0]
    function = model.compile_fn(logp, inputs=model.value_vars, mode=NUMPY, on_unused_input="ignore")
    means = count_model().design.X.mean(axis=0)[1]
    rows = function({"beta_centred": np.array([0.3 + 0.2 * means, 0.2])})
    np.testing.assert_allclose(rows, st.poisson.logpmf([1, 2], np.exp([0.3, 0.5])))


def test_a_custom_family_samples_too():
    def geometric(y, mean, phi):
        return y * mean.log_mu - (y + 1.0) * np.log1p(mean.mu)

    family = CustomFamily(
        name="geometric",
        logp=geometric,
        link="log",
        random=lambda rng, mu, phi, w: rng.geometric(1.0 / (1.0 + mu)) - 1.0,
    )
    model = to_pymc(count_model(family=family))
    logp = model.logp(vars=[model["y"]], sum=False)[0]
    function = model.compile_fn(logp, inputs=model.value_vars, mode=NUMPY, on_unused_input="ignore")
    rows = function({"beta_centred": np.array([0.5, 0.0])})
    y = count_model().design.response.y
    np.testing.assert_allclose(rows, st.geom.logpmf(y + 1, 1.0 / (1.0 + np.exp(0.5))))
    assert (pm.draw(model["y"], random_seed=6, mode=NUMPY) >= 0.0).all()


def test_a_model_without_intercept_has_beta_itself():
    table = pd.DataFrame({"y": [1, 2, 0, 3], "x": [0.1, 0.4, 0.3, 0.9]})
    model = GLMM(build_design("y ~ 0 + x", table, Poisson()), Poisson())
    assert names(to_pymc(model, priors={"x": Normal(0.0, 1.0)}).free_RVs) == ["beta"]


def test_products_with_x_are_sums_for_the_compiler(cbpp):
    # PyTensor's numba version of a matrix-vector product takes 15 s to compile.
    model = to_pymc(cbpp)
    function = model.compile_dlogp(mode=NUMPY)
    ops = {type(node.op).__name__ for node in function.f.maker.fgraph.apply_nodes}
    assert not ops & {"Blockwise", "Gemv", "Gemm"}


def test_a_quasi_family_has_no_posterior():
    model, _ = problem("quasipoisson", "log", "intercepts")
    with pytest.raises(ArgumentError, match="quasipoisson has no likelihood and so no posterior"):
        to_pymc(model)


def test_the_graph_of_the_ml_side_is_untouched(contraception):
    before = GLMMGraph.of(contraception)
    to_pymc(contraception)
    assert names(GLMMGraph.of(contraception).parameters) == names(before.parameters)
