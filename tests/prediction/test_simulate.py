"""`simulate`: moments of every family, what is held, new data, seeds."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.compile import Approximation
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError
from mixedlm_pt.estimation import Estimate
from mixedlm_pt.fit import Call, Fit
from mixedlm_pt.prediction import draw
from tests.contracts.problems import FAMILY_LINKS, problem

NSIM = 1500
QUIET = mlm.GlmerControl(check_singular=False)


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def crossed():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"g": np.arange(60) % 6, "h": np.arange(60) % 5, "x": rng.normal(size=60)})
    data["y"] = 1 + 2.0 * rng.normal(size=6)[data["g"]] + 3.0 * rng.normal(size=5)[data["h"]]
    data["y"] += 0.1 * rng.normal(size=60)
    return mlm.glmer("y ~ 1 + (1 | g) + (1 | h)", data, "gaussian")


def simulations(fit, **arguments):
    return fit.simulate(NSIM, seed=2, **arguments).to_numpy()


def close_to(sample, mean, variance):
    """Whether the means and variances of the rows are those expected, by 4.5 standard errors."""
    n = sample.shape[1]
    error = np.abs(sample.mean(axis=1) - mean) / np.sqrt(variance / n)
    centred = (sample - sample.mean(axis=1, keepdims=True)) ** 2
    spread = centred.std(axis=1) / np.sqrt(n)
    error_of_variance = np.abs(centred.mean(axis=1) - variance) / spread
    return error.max() < 4.5 and error_of_variance.max() < 5.5


def truth_of(name, link):
    """A fit of a small problem at parameters that nobody has estimated, all effects zero."""
    model, par = problem(name, link, "intercepts")
    phi = float(np.exp(par[-1])) if model.family.estimates_phi else 1.0
    beta, theta = par[: model.p], par[model.p : model.p + model.n_theta]
    none = np.empty(0)
    estimate = Estimate(beta, theta, phi, np.zeros(model.q), np.nan, none, none, None, None)
    return Fit(model, Approximation(), QUIET, "auto", estimate, Call("", None, {}))


SIMULATED = [pair for pair in FAMILY_LINKS if not pair[0].startswith("quasi")]


@pytest.mark.parametrize(("name", "link"), SIMULATED)
def test_conditional_draws_have_the_familys_moments(name, link):
    truth, rng = truth_of(name, link), np.random.default_rng(8)
    draws = np.stack([draw(truth, rng, (0,)) for _ in range(NSIM)], axis=1)
    w = truth.design.response.weights
    V = truth.compiled.variance(truth.mu, np.asarray(truth.phi))[0]
    scale = truth.phi if truth.family.phi_scales_variance else 1.0
    assert close_to(draws, truth.mu, scale * V / w)


def test_unconditional_draws_have_the_random_effects_variance(crossed):
    theta, phi = crossed.theta, crossed.phi
    everything = (theta**2).sum() + phi
    assert close_to(simulations(crossed), crossed.beta[0], np.full(60, everything))
    assert close_to(simulations(crossed, re_form="~0"), crossed.beta[0], np.full(60, everything))


def test_re_form_holds_the_terms_it_names(crossed):
    # lme4's semantics: condition on these, draw the others anew.
    held = crossed.predict(re_form="~ (1 | h)")
    g = next(t for t, term in enumerate(crossed.design.terms) if term.label == "1 | g")
    variance = crossed.theta[g] ** 2 + crossed.phi
    assert close_to(simulations(crossed, re_form="~ (1 | h)"), held, np.full(60, variance))
    phi = np.full(60, crossed.phi)
    assert close_to(simulations(crossed, re_form=None), crossed.fitted(), phi)
    with pytest.raises(FormulaError, match=r"\(1 \| z\), which the model does not have"):
        crossed.simulate(re_form="~ (1 | z)")


def test_rows_of_a_level_share_its_new_effect(crossed):
    sample = simulations(crossed)
    g, h = (crossed.call.data[name].to_numpy() for name in "gh")
    i, j = 0, np.flatnonzero((g == g[0]) & (h != h[0]))[0]
    by_label = dict(zip([t.label for t in crossed.design.terms], crossed.theta, strict=True))
    correlation = by_label["1 | g"] ** 2 / (sum(crossed.theta**2) + crossed.phi)
    found = np.corrcoef(sample[i], sample[j])[0, 1]
    assert found == pytest.approx(correlation, abs=4 / np.sqrt(NSIM))


def test_slopes_are_drawn_with_their_correlation():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.arange(160) % 20, "x": np.repeat([0.0, 1.0], 80)})
    b = rng.multivariate_normal([0.0, 0.0], [[4.0, -2.4], [-2.4, 4.0]], 20)[data["g"]]
    data["y"] = b[:, 0] + b[:, 1] * data["x"] + 0.01 * rng.normal(size=160)
    fit = mlm.glmer("y ~ x + (x | g)", data, "gaussian")
    sample = simulations(fit)
    # At x = 0 and at x = 1 of one group: its intercept, and the sum of both effects.
    intercept, total = sample[0], sample[80]
    V = fit.Lambda[0] @ fit.Lambda[0].T
    expected = [[V[0, 0], V[0].sum()], [V[0].sum(), V.sum()]]
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    found = np.cov(intercept, total)
    np.testing.assert_allclose(found / scale, expected / scale, atol=5 * np.sqrt(2 / NSIM))


def test_a_simulation_depends_on_its_seed_and_number_only(cbpp):
    many = cbpp.simulate(5, seed=3)
    pd.testing.assert_frame_equal(cbpp.simulate(2, seed=3), many.iloc[:, :2])
    assert not many["sim_1"].equals(many["sim_2"])
    assert not cbpp.simulate(seed=4)["sim_1"].equals(many["sim_1"])
    assert not cbpp.simulate().equals(cbpp.simulate())


def test_binomial_draws_are_proportions_of_their_trials(cbpp):
    size = mlm.load_cbpp()["size"].to_numpy()[:, None]
    counts = cbpp.simulate(20, seed=1).to_numpy() * size
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    assert (counts <= size).all()


def test_all_forms_of_a_binomial_response_draw_the_same(cbpp):
    data = mlm.load_cbpp().assign(prop=lambda d: d["incidence"] / d["size"])
    counts = mlm.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
    weighted = mlm.glmer("prop ~ period + (1 | herd)", data, weights="size")
    expected = cbpp.simulate(3, seed=1)
    pd.testing.assert_frame_equal(counts.simulate(3, seed=1), expected)
    pd.testing.assert_frame_equal(weighted.simulate(3, seed=1), expected)


def test_new_data_have_their_own_trials_and_rows(cbpp):
    new = pd.DataFrame(
        {"herd": ["1", "1", "2"], "period": ["1", "2", "1"], "size": [1000, 10, 4]},
        index=["a", "b", "c"],
    )
    found = cbpp.simulate(4, seed=1, newdata=new)
    assert found.index.to_list() == ["a", "b", "c"]
    counts = found.to_numpy() * new["size"].to_numpy()[:, None]
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    held = cbpp.simulate(NSIM, seed=1, newdata=new, re_form=None).to_numpy()
    p = cbpp.predict(new)
    assert close_to(held, p, p * (1 - p) / new["size"].to_numpy())


def test_new_data_without_trials_are_refused(cbpp):
    new = mlm.load_cbpp().drop(columns=["size"])
    with pytest.raises(ColumnNotFoundError, match="no column 'size'"):
        cbpp.simulate(newdata=new)
    with pytest.raises(DataError, match=r"newdata has no 'size'.* in 1 of 56 rows, first at row 3"):
        cbpp.simulate(newdata=mlm.load_cbpp().assign(size=lambda d: d["size"].where(d.index != 3)))
    data = mlm.load_cbpp().assign(prop=lambda d: d["incidence"] / d["size"])
    fit = mlm.glmer("prop ~ period + (1 | herd)", data, weights=data["size"].to_numpy())
    with pytest.raises(ArgumentError, match="got its numbers of trials as an array"):
        fit.simulate(newdata=data)
    # Zeros and ones need none.
    binary = mlm.glmer("(incidence > 1) ~ 1 + (1 | herd)", data, control=QUIET)
    assert set(np.unique(binary.simulate(newdata=new[["herd"]]))) <= {0.0, 1.0}


def test_new_levels_are_drawn_whatever_is_held(cbpp):
    new = pd.DataFrame({"herd": ["1", "99"], "period": "1", "size": 1_000_000})
    with pytest.raises(DataError, match="'99' at row 1"):
        cbpp.simulate(newdata=new)
    sample = cbpp.simulate(300, seed=1, newdata=new, allow_new_levels=True, re_form=None).to_numpy()
    eta = np.log(sample / (1 - sample))
    assert eta[0].std() < 0.01
    assert eta[1].std() == pytest.approx(cbpp.theta[0], rel=4 / np.sqrt(2 * 300))


def test_omitted_rows_are_padded_and_the_column_can_be_refitted():
    data = mlm.load_cbpp()
    data["z"] = np.where(np.arange(56) % 9 == 4, np.nan, 1.0 + np.arange(56) % 5)
    formula = "incidence / size ~ period + z + (1 | herd)"
    padded = mlm.glmer(formula, data, na_action="exclude")
    plain = mlm.glmer(formula, data)
    found = padded.simulate(2, seed=1)
    assert found.index.equals(data.index)
    assert found["sim_1"].isna().equals(data["z"].isna())
    pd.testing.assert_frame_equal(found.dropna(), plain.simulate(2, seed=1))
    again = padded.refit(found["sim_2"])
    np.testing.assert_array_equal(again.beta, plain.refit(found["sim_2"].dropna()).beta)


def test_words_are_drawn_as_words():
    data = mlm.load_contraception()
    fit = mlm.glmer("use ~ age + (1 | district)", data)
    found = fit.simulate(2, seed=1)["sim_1"]
    assert isinstance(found.dtype, pd.CategoricalDtype)
    assert found.cat.categories.to_list() == ["N", "Y"]
    assert fit.refit(found).beta.shape == (2,)


def test_rows_without_weight_get_a_value():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.arange(40) % 5, "w": np.where(np.arange(40) == 7, 0.0, 2.0)})
    data["y"] = rng.normal(size=5)[data["g"]] + rng.normal(size=40)
    fit = mlm.glmer("y ~ 1 + (1 | g)", data, "gaussian", weights="w", control=QUIET)
    assert np.isfinite(fit.simulate(5, seed=1)).all(axis=None)


def test_what_has_no_distribution_is_refused(cbpp):
    quasi = cbpp.update(family="quasibinomial")
    with pytest.raises(ArgumentError, match="no distribution: it cannot be simulated"):
        quasi.simulate()
    for nsim in (0, 1.5, True):
        with pytest.raises(ArgumentError, match=f"nsim is {nsim}; it must be a positive integer"):
            cbpp.simulate(nsim)
