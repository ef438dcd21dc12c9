"""The accessors of a posterior: those of the fit, with posterior means, sds and limits."""

import pickle

import arviz as az
import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes.credible import credible_limits
from mixedlm_pt.bayes.likelihood_verbs import INSTEAD
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import Gamma
from tests.bayes.normal_posterior import normal_posterior

SHARED = ["fixef", "vcov", "confint", "ngrps", "model_frame", "model_matrix", "coef", "VarCorr"]


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def posterior(cbpp):
    return normal_posterior(cbpp, 400)


@pytest.fixture(scope="module")
def slopes():
    rng = np.random.default_rng(12)
    g, x = np.repeat(np.arange(30), 8), rng.normal(size=240)
    b = rng.normal(size=(30, 2)) @ np.array([[0.6, 0.3], [0.0, 0.4]])
    mu = np.exp(0.5 + 0.3 * x + b[g, 0] + b[g, 1] * x)
    table = pd.DataFrame({"y": rng.gamma(3.0, mu / 3.0), "x": x, "g": g.astype(str)})
    return mlm.glmer("y ~ x + (x | g)", table, Gamma())


@pytest.fixture(scope="module")
def gamma_posterior(slopes):
    return normal_posterior(slopes, 200, shrink=0.3)


@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_limits_are_arviz_s(kind):
    draws = np.random.default_rng(1).gamma(2.0, size=(3, 501))
    ours = credible_limits(draws, 0.9, kind)
    function = az.eti if kind == "eti" else az.hdi
    theirs = np.array([function(row, prob=0.9) for row in draws])
    np.testing.assert_allclose(ours.T, theirs, rtol=1e-12)


def test_limits_of_counts_are_counts():
    draws = np.random.default_rng(1).poisson(3.0, (5, 100)).astype(float)
    limits = credible_limits(draws, 0.9, is_discrete=True)
    np.testing.assert_array_equal(limits, np.rint(limits))


@pytest.mark.parametrize("verb", SHARED)
def test_results_are_laid_out_as_those_of_the_fit(slopes, gamma_posterior, verb):
    ml, found = getattr(slopes, verb)(), getattr(gamma_posterior, verb)()
    if verb in ("coef", "VarCorr"):
        ml, found = ml["g"], found["g"]
    assert type(found) is type(ml)
    assert found.index.equals(ml.index)
    if isinstance(ml, pd.DataFrame):
        assert found.columns.equals(ml.columns)


def test_means_sds_and_limits_are_those_of_the_draws(cbpp, posterior):
    draws = posterior.data["posterior"].dataset.stack(s=("chain", "draw"))
    np.testing.assert_allclose(posterior.fixef(), draws["beta"].mean("s"))
    np.testing.assert_allclose(posterior.vcov(), np.cov(draws["beta"].to_numpy()))
    full = posterior.vcov(full=True)
    assert full.index.equals(cbpp.vcov(full=True).index)
    np.testing.assert_allclose(full.iloc[4, 4], draws["sd_herd"].to_numpy().var(ddof=1))
    limits = posterior.confint("beta_", level=0.8)
    np.testing.assert_allclose(limits.T, np.quantile(draws["beta"], [0.1, 0.9], axis=1))


def test_the_dispersion_is_on_the_scale_that_the_fit_reports(gamma_posterior, slopes):
    shape = gamma_posterior.data["posterior"]["shape"].to_numpy()
    limits = gamma_posterior.confint("sigma", level=0.5).to_numpy()[0]
    np.testing.assert_allclose(limits, np.quantile(shape**-0.5, [0.25, 0.75]))
    assert gamma_posterior.glance()["sigma"].item() == pytest.approx((shape**-0.5).mean())
    assert gamma_posterior.VarCorr().sigma == pytest.approx((shape**-0.5).mean())


def test_random_effects_have_posterior_means_covariances_and_limits(slopes, gamma_posterior):
    b = gamma_posterior.data["posterior"].dataset["b_g"].to_numpy().reshape(200, 30, 2)
    found = gamma_posterior.ranef()
    np.testing.assert_allclose(found["g"], b.mean(axis=0))
    np.testing.assert_allclose(found.condVar["g"][3], np.cov(b[:, 3].T))
    frame = found.limits(0.9)
    ml = slopes.ranef().to_frame()
    pd.testing.assert_frame_equal(frame[["group", "term", "level"]], ml[["group", "term", "level"]])
    row = frame[(frame["level"] == "7") & (frame["term"] == "x")]
    place = list(slopes.design.factors[0].levels).index("7")
    np.testing.assert_allclose(row[["5 %", "95 %"]], [np.quantile(b[:, place, 1], [0.05, 0.95])])
    np.testing.assert_allclose(row["condsd"], b[:, place, 1].std(ddof=1))


def test_variance_components_are_means_of_sds_and_correlations(gamma_posterior):
    draws = gamma_posterior.data["posterior"].dataset
    found = gamma_posterior.VarCorr(level=0.9)
    np.testing.assert_allclose(found.sd["g"], draws["sd_g"].mean(("chain", "draw")))
    r = draws["corr_g"][..., 1, 0].to_numpy()
    assert found.corr["g"].iloc[1, 0] == pytest.approx(r.mean())
    frame = found.to_frame()
    assert list(frame.columns[:5]) == ["grp", "var1", "var2", "vcov", "sdcor"]
    correlation = frame[frame["var2"].notna()]
    np.testing.assert_allclose(correlation[["5 %", "95 %"]], [np.quantile(r, [0.05, 0.95])])
    lines = str(found).splitlines()
    assert lines[0].split() == ["Groups", "Name", "Std.Dev.", "5", "%", "95", "%", "Corr"]
    assert len(lines) == 4


def test_the_summary_is_arviz_s(posterior):
    table = posterior.summary(ci_prob=0.9).to_frame()
    own = az.summary(posterior.data, var_names=["beta"], ci_prob=0.9, round_to="none")
    for column in own.columns:
        np.testing.assert_allclose(table[column].iloc[1:], own[column].astype(float), rtol=1e-10)
    coefficients = posterior.summary().coefficients
    assert list(coefficients.columns) == [
        *("Estimate", "Std. Error", "2.5 %", "97.5 %", "R-hat", "ESS")
    ]


def test_a_posterior_prints_its_blocks(gamma_posterior):
    text = str(gamma_posterior)
    titles = ["Random effects:", "Dispersion:", "Fixed effects:"]
    assert [line for line in text.splitlines() if line in titles] == titles
    assert "Number of obs: 240, groups: g, 30" in text
    assert max(map(len, text.splitlines())) <= 100
    html = gamma_posterior._repr_html_()
    assert html.count("<table") == 1
    assert "cor_x.(Intercept)|g" in html


def test_tidy_has_broom_s_columns(slopes, gamma_posterior):
    everything = ("fixed", "ran_pars", "ran_vals", "ran_coefs")
    ml, found = slopes.tidy(everything, conf_int=True), gamma_posterior.tidy(everything, True)
    assert [c for c in ml.columns if c not in ("statistic", "p_value")] == list(found.columns)
    for column in ("effect", "group", "level", "term"):
        assert found[column].fillna("").tolist() == ml[column].fillna("").tolist()
    ratios = gamma_posterior.tidy("fixed", exponentiate=True)
    beta = gamma_posterior.parameter_draws.beta
    np.testing.assert_allclose(ratios["estimate"], np.exp(beta).mean(axis=0))


def test_augment_adds_posterior_means_to_the_data(slopes, gamma_posterior):
    found = gamma_posterior.augment()
    assert list(found.columns) == [*("y", "x", "g"), ".fitted", ".fixed", ".mu", ".se_mu", ".resid"]
    np.testing.assert_allclose(found[".mu"], gamma_posterior.fitted())


def test_a_model_without_random_effects_has_empty_tables_of_them():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"y": rng.poisson(3.0, 60), "x": rng.normal(size=60)})
    posterior = normal_posterior(mlm.glmer("y ~ x", table, "poisson"), 20)
    assert list(posterior.tidy(conf_int=True)["term"]) == ["(Intercept)", "x"]
    assert posterior.VarCorr().to_frame().empty
    assert posterior.ranef().limits().empty
    assert posterior.confint("theta_").empty
    np.testing.assert_array_equal(posterior.predict(), posterior.predict(re_form="~0"))


def test_a_fit_at_a_draw_has_its_parameters(slopes, gamma_posterior):
    fit, b = gamma_posterior.at_draw(7), gamma_posterior.data["posterior"]["b_g"].to_numpy()
    np.testing.assert_allclose(fit.b[0], b.reshape(200, 30, 2)[7])
    np.testing.assert_allclose(fit.phi, np.exp(gamma_posterior.parameter_draws.log_phi[7]))
    np.testing.assert_array_equal(slopes.beta, gamma_posterior.fit.beta)


def test_every_verb_of_a_fit_has_an_answer(posterior):
    verbs = {name for name in vars(mlm.GlmerResult) if not name.startswith("_")}
    unanswered = {v for v in verbs - set(INSTEAD) if not hasattr(posterior, v)}
    # The drawn result, which fit.sample() returns, has it.
    assert unanswered == {"plot"}


@pytest.mark.parametrize(
    ("verb", "advice"),
    [("AIC", "Use loo()"), ("anova", "it tests by the likelihood"), ("sample", "fit.sample()")],
)
def test_what_only_likelihoods_have_says_what_to_use(posterior, verb, advice):
    with pytest.raises(AttributeError, match=advice.replace("(", r"\(").replace(")", r"\)")):
        getattr(posterior, verb)


def test_an_unknown_attribute_is_one(posterior):
    with pytest.raises(AttributeError, match="no attribute 'fixeff'"):
        _ = posterior.fixeff


def test_unknown_parameters_and_kinds_are_refused(posterior):
    with pytest.raises(ArgumentError, match="unknown parm 'period9'"):
        posterior.confint("period9")
    with pytest.raises(ArgumentError, match="unknown kind 'wald'; known: eti, hdi"):
        posterior.confint(kind="wald")


def test_a_posterior_has_the_data_of_its_model(posterior, cbpp):
    data = posterior.data
    assert {"posterior", "sample_stats", "observed_data", "constant_data"} <= set(data.children)
    np.testing.assert_array_equal(data["observed_data"]["y"], cbpp.design.response.y)
    constant = data["constant_data"].dataset.sel(coefficient="period2")
    np.testing.assert_array_equal(constant["X"], cbpp.design.X[:, 1])


def test_a_posterior_pickles_with_its_draws(posterior):
    assert len(posterior.pymc.free_RVs) == 3
    copy = pickle.loads(pickle.dumps(posterior))
    pd.testing.assert_frame_equal(copy.confint(), posterior.confint())
