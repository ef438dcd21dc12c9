import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.stats as st
from pytensor.graph.replace import clone_replace

import mixedlm_pt as mlm
from mixedlm_pt.bayes import HalfNormal, Normal, StudentT, Uniform, to_pymc
from mixedlm_pt.bayes.coordinates import Coordinates
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.bayes.pymc_model import build_pymc
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import FAMILIES, CustomFamily, NegativeBinomial, Poisson
from mixedlm_pt.graph import GLMMGraph
from mixedlm_pt.model import GLMM
from tests.contracts.problems import problem

# Values of the other free variables of cbpp's model.
REST = {"sd_herd_log__": np.zeros(1), "u_herd": np.zeros((15, 1))}


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
    assert "shape" in names(to_pymc(model).free_RVs)


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


def test_priors_of_several_classes_make_one_vector_whose_density_is_their_sum(cbpp):
    model = to_pymc(cbpp, priors={"period2": StudentT(3.0, 0.0, 1.0), "sd": HalfNormal(2.0)})
    assert names(model.free_RVs) == ["beta_centred", "sd_herd", "u_herd"]
    value = np.array([-1.0, 0.5, -2.0, 3.0])
    logp = model.compile_fn(
        model.logp(vars=[model["beta_centred"]]),
        inputs=model.value_vars,
        mode=NUMPY,
        on_unused_input="ignore",
    )
    point = {"beta_centred": value, "sd_herd_log__": np.zeros(1), "u_herd": np.zeros((15, 1))}
    scale = 2.5 / cbpp.design.X.std(axis=0, ddof=1)[2:]
    expected = st.norm.logpdf(-1.0, 0.0, 2.5) + st.t.logpdf(0.5, 3.0)
    assert logp(point) == pytest.approx(expected + st.norm.logpdf([-2.0, 3.0], 0.0, scale).sum())


def test_priors_on_several_intervals_make_one_scalar_each(cbpp):
    model = to_pymc(cbpp, priors={"period2": Uniform(-3.0, 3.0)})
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


def test_new_rows_are_predicted_from_draws_of_the_posterior(cbpp):
    model = to_pymc(cbpp)
    rng = np.random.default_rng(10)
    beta = cbpp.beta + 0.1 * rng.normal(size=(1, 200, 4))
    centred = beta.copy()
    centred[..., 0] += beta @ cbpp.design.X.mean(axis=0) - beta[..., 0]
    u = np.broadcast_to(cbpp.u.reshape(15, 1), (1, 200, 15, 1))
    sd = np.full((1, 200, 1), cbpp.theta[0])
    posterior = az.from_dict(
        {"posterior": {"beta_centred": centred, "u_herd": u, "sd_herd": sd}},
        dims={
            "beta_centred": ["coefficient"],
            "u_herd": ["level_herd", "term_herd"],
            "sd_herd": ["term_herd"],
        },
        coords={name: list(values) for name, values in model.coords.items()},
    )
    # Herd 8 in periods 1 and 4, 40 animals each.
    with model:
        pm.set_data(
            {
                "X": np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]]),
                "Z[1 | herd]": np.ones((2, 1)),
                "cols": np.array([[7], [7]]),
                "offset": np.zeros(2),
                "weights": np.full(2, 40.0),
                "response": np.zeros(2),
            },
            coords={"obs": ["first", "last"]},
        )
        drawn = pm.sample_posterior_predictive(
            posterior,
            predictions=True,
            random_seed=11,
            progressbar=False,
            compile_kwargs={"mode": NUMPY},
        )
    y = drawn["predictions"]["y"]
    assert list(y.coords["obs"].to_numpy()) == ["first", "last"]
    eta = beta[0, :, 0] + cbpp.theta[0] * cbpp.u[7]
    p = 1.0 / (1.0 + np.exp(-np.column_stack([eta, eta + beta[0, :, 3]])))
    se = np.sqrt((p * (1.0 - p)).mean(axis=0) / 40.0 / 200.0)
    assert (np.abs(y.mean(("chain", "draw")).to_numpy() - p.mean(axis=0)) < 4.0 * se).all()


def test_it_is_an_ordinary_pymc_model_that_prints_draws_its_graph_and_extends(cbpp):
    model = to_pymc(cbpp, priors="rstanarm")
    text = model.str_repr()
    assert "beta_centred ~ Normal" in text
    assert "sd_herd ~ Decov" in text
    # As model_to_graphviz, without the package graphviz.
    graph = pm.model_to_mermaid(model)
    assert "sd_herd --> b_herd" in graph
    assert "level_herd (15)" in graph
    before = model.compile_logp(mode=NUMPY)(model.initial_point())
    with model:
        pm.Potential("closer", -0.5 * (model["beta"][1] / 0.1) ** 2 + 3.0)
    point = model.initial_point()
    assert model.compile_logp(mode=NUMPY)(point) == pytest.approx(before + 3.0)


def test_a_prior_of_pymc_has_its_density_there(cbpp):
    priors = {"period2": pm.AsymmetricLaplace.dist(b=2.0, kappa=1.5, mu=0.3)}
    model = to_pymc(cbpp, priors=priors)
    logp = model.compile_fn(
        model.logp(vars=[model["beta_centred"]]),
        inputs=model.value_vars,
        mode=NUMPY,
        on_unused_input="ignore",
    )
    scale = 2.5 / cbpp.design.X.std(axis=0, ddof=1)[2:]
    own = logp({"beta_centred": np.array([-1.0, 0.9, -2.0, 3.0])} | REST)
    expected = st.norm.logpdf(-1.0, 0.0, 2.5) + st.norm.logpdf([-2.0, 3.0], 0.0, scale).sum()
    expected += st.laplace_asymmetric(kappa=1.5, loc=0.3, scale=0.5).logpdf(0.9)
    assert own == pytest.approx(expected)


def test_standard_deviations_relative_to_sigma_have_the_density_of_their_ratio():
    data = mlm.load_sleepstudy()
    model = mlm.glmer_model("Reaction ~ Days + (1 | Subject)", data, "gaussian")
    pymc_model = to_pymc(model, priors="rstanarm")
    logp = pymc_model.compile_fn(
        pymc_model.logp(vars=[pymc_model["sd_Subject"]], jacobian=False),
        inputs=pymc_model.value_vars,
        mode=NUMPY,
        on_unused_input="ignore",
    )
    point = pymc_model.initial_point() | {"sd_Subject_log__": np.log([12.0])}
    point["sigma_log__"] = np.array(np.log(30.0))
    assert logp(point) == pytest.approx(st.expon(scale=30.0).logpdf(12.0))


@pytest.mark.parametrize("family", [f for f in FAMILIES if FAMILIES[f].has_likelihood])
@pytest.mark.parametrize("priors", ["rstanarm", "brms"])
def test_every_family_builds_with_priors_of_other_packages(family, priors):
    model, _ = problem(family, FAMILIES[family].default_link, "slopes")
    pymc_model = to_pymc(model, priors=priors, centred=True)
    logp = pymc_model.compile_logp(mode=NUMPY)
    assert np.isfinite(logp(pymc_model.initial_point()))


@pytest.mark.parametrize("priors", ["default", "rstanarm", "brms"])
def test_the_log_prior_of_the_coordinates_is_that_of_the_pymc_model(priors):
    data = mlm.load_sleepstudy()
    fit = mlm.glmer("Reaction ~ Days + (Days | Subject)", data, "gaussian")
    own = make_priors(fit.model, priors)
    coordinates, posterior = Coordinates.of(fit.model, own), build_pymc(fit.model, own)
    sd = np.linalg.norm(fit.Lambda[0], axis=1)
    values = {
        "beta_centred": fit.beta + np.array([4.5, 0.0]) * fit.beta[1],
        "sigma": np.sqrt(fit.phi),
        "sd_Subject": sd,
        "cholesky[Days | Subject]": fit.Lambda[0] / sd[:, None],
    }
    given = {posterior.pymc[name]: pt.constant(value) for name, value in values.items()}
    expected = clone_replace(posterior.log_prior, given).eval(mode=NUMPY)
    at_fit = coordinates.log_prior.eval({coordinates.x: coordinates.start(fit)}, mode=NUMPY)
    assert at_fit == pytest.approx(float(expected))
