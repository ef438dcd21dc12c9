"""Marginal means, comparisons and slopes of a posterior, against the fit's own at every draw."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from tests.bayes.normal_posterior import normal_posterior


@pytest.fixture(scope="module")
def fit():
    return mlm.glmer("use ~ age * urban + livch + (1 | district)", mlm.load_contraception())


@pytest.fixture(scope="module")
def posterior(fit):
    return normal_posterior(fit, 12)


@pytest.fixture(scope="module")
def narrow(fit):
    return normal_posterior(fit, 2000, shrink=0.02)


def at_every_draw(posterior, verb, *args, column="estimate", **kwargs):
    n = len(posterior.parameter_draws)
    fits = (posterior.at_draw(s) for s in range(n))
    return np.array([getattr(f, verb)(*args, **kwargs).to_frame()[column] for f in fits])


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("avg_predictions", {}),
        ("avg_predictions", {"by": "urban", "re_form": "marginal"}),
        ("avg_comparisons", {"variables": "urban", "re_form": "marginal"}),
        ("avg_comparisons", {"variables": {"age": 5}, "comparison": "ratio"}),
        ("avg_comparisons", {"variables": {"livch": "pairwise"}, "type": "link"}),
        ("avg_slopes", {"variables": "age", "by": "urban", "re_form": "~0"}),
    ],
)
def test_effects_are_means_of_the_fit_s_at_every_draw(fit, posterior, verb, arguments):
    draws = at_every_draw(posterior, verb, **arguments)
    found = getattr(posterior, verb)(**arguments).to_frame()
    ml = getattr(fit, verb)(**arguments).to_frame()
    assert list(found.columns) == [c for c in ml.columns if c not in ("statistic", "p_value")]
    np.testing.assert_allclose(found["estimate"], draws.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["std_error"], draws.std(axis=0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(found["conf_low"], np.quantile(draws, 0.025, axis=0), rtol=1e-4)


@pytest.mark.parametrize("verb", ["predictions", "comparisons", "slopes"])
def test_effects_by_row(posterior, verb):
    rows = posterior.fit.call.data.iloc[:3]
    arguments = {"newdata": rows} | ({} if verb == "predictions" else {"variables": "age"})
    draws = at_every_draw(posterior, verb, **arguments)
    found = getattr(posterior, verb)(**arguments).to_frame()
    np.testing.assert_allclose(found["estimate"], draws.mean(axis=0), rtol=1e-6)


def test_close_to_the_estimates_sds_are_delta_method_standard_errors(fit, narrow):
    arguments = {"variables": "urban", "re_form": "marginal"}
    ml = fit.avg_comparisons(**arguments).to_frame()
    found = narrow.avg_comparisons(**arguments).to_frame()
    np.testing.assert_allclose(found["std_error"] / 0.02, ml["std_error"], rtol=0.06)


@pytest.mark.parametrize(
    "arguments",
    [
        {"specs": "urban"},
        {"specs": "livch", "by": "urban", "type": "response"},
        {"specs": "urban", "type": "response", "bias_adjust": "exact"},
        {"specs": "urban", "type": "response", "bias_adjust": True, "weights": "proportional"},
    ],
)
def test_marginal_means_are_those_at_every_draw(fit, posterior, arguments):
    name = "emmean" if "type" not in arguments else "prob"
    draws = at_every_draw(posterior, "emmeans", column=name, **arguments)
    found = posterior.emmeans(**arguments).to_frame()
    np.testing.assert_allclose(found[name], draws.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["SE"], draws.std(axis=0, ddof=1), rtol=1e-5)
    cells = fit.emmeans(**arguments).cells_of
    assert found[cells.columns].equals(cells)


def test_trends_are_those_at_every_draw(posterior):
    draws = at_every_draw(posterior, "emtrends", "urban", "age", column="age.trend")
    found = posterior.emtrends("urban", "age").to_frame()
    np.testing.assert_allclose(found["age.trend"], draws.mean(axis=0), rtol=1e-6)


def test_contrasts_are_ratios_and_differences_of_the_draws(posterior):
    means = posterior.emmeans("urban", type="response")
    first, second = means.draws
    found = means.pairs().to_frame()
    assert found["contrast"].tolist() == ["N / Y"]
    np.testing.assert_allclose(found["odds.ratio"], np.exp(first - second).mean())
    np.testing.assert_allclose(found["P(>1)"], (first > second).mean())
    difference = means.regrid().pairs().to_frame()
    first, second = 1.0 / (1.0 + np.exp(-means.draws))
    np.testing.assert_allclose(difference["estimate"], (first - second).mean())
    np.testing.assert_allclose(difference["SE"], (first - second).std(ddof=1))


def test_contrasts_stay_within_the_groups_of_by(posterior):
    found = posterior.emmeans("livch", by="urban").contrast("trt.vs.ctrl").to_frame()
    assert len(found) == 6
    assert set(found["urban"]) == {"N", "Y"}


def test_means_on_the_response_scale_have_no_further_one(posterior):
    with pytest.raises(ArgumentError, match="regrid"):
        posterior.emmeans("urban").regrid().regrid()


def test_tables_say_that_they_are_of_a_posterior(posterior):
    text = str(posterior.avg_comparisons("urban", re_form="marginal"))
    assert text.startswith("Posterior: average comparisons (difference), response scale")
    assert "Averaged over the distribution of the random effects in every draw." in text
    exact = str(posterior.emmeans("urban", type="response", bias_adjust="exact"))
    assert "with the total sd of every draw" in exact


def test_what_the_data_do_not_determine_is_missing():
    rng = np.random.default_rng(1)
    g = rng.integers(0, 20, 200)
    table = pd.DataFrame({"a": rng.choice(list("uv"), 200), "g": g.astype(str)})
    table["b"] = np.where(table["a"] == "u", "1", "2")
    table["y"] = rng.poisson(np.exp(rng.normal(size=20)[g]))
    with pytest.warns(UserWarning, match="b2"):
        fit = mlm.glmer("y ~ a + b + (1 | g)", table, "poisson")
    posterior = normal_posterior(fit, 20)
    assert posterior.avg_comparisons("a").to_frame()["estimate"].isna().all()
    assert posterior.emmeans("b").to_frame()["emmean"].isna().all()
    own = posterior.avg_predictions(by="a").to_frame()
    assert own["estimate"].notna().all()
