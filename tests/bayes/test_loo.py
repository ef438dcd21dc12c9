import re

import arviz as az
import numpy as np
import pandas as pd
import pytest
import scipy.stats as st
from scipy.special import logsumexp

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from tests.bayes.made_posterior import around, made_posterior

SD = 0.8


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.fixture(scope="module")
def posterior(cbpp):
    return around(cbpp, n=1000)


@pytest.fixture(scope="module")
def one_parameter():
    """A posterior of the intercept alone, the sd known: its draws, and the truth on a grid."""
    fit = mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp())
    y, size = np.rint(fit.design.response.y * fit.design.response.weights), fit.call.data["size"]
    herd, beta = fit.design.factors[0].codes, np.linspace(-4.5, 0.5, 401)
    u, step = np.linspace(-8, 8, 161), 16 / 160
    p = 1 / (1 + np.exp(-(beta[:, None] + SD * u)))
    by_herd = np.zeros((15, len(beta)))
    for j in range(15):
        rows = np.flatnonzero(herd == j)
        logp = sum(st.binom.logpmf(y[i], size.iloc[i], p) for i in rows) + st.norm.logpdf(u)
        by_herd[j] = logsumexp(logp, axis=1) + np.log(step)
    prior = st.norm.logpdf(beta, 0, 2.5)
    total = prior + by_herd.sum(axis=0)
    exact = [logsumexp(total) - logsumexp(total - own) for own in by_herd]
    # Draws at equal probabilities have hardly any error of their own; in random order.
    weight = np.exp(total - logsumexp(total))
    share = weight.cumsum() - 0.5 * weight
    draws = np.interp((np.arange(4000) + 0.5) / 4000, share, beta)
    draws = np.random.default_rng(1).permutation(draws)[:, None]
    sds, b = np.full((4000, 1), SD), np.zeros((4000, 15, 1))
    return made_posterior(fit, draws, {"herd": sds}, {"herd": b}, chains=4), np.array(exact)


def test_leaving_out_groups_gives_the_exact_predictive_densities(one_parameter):
    posterior, exact = one_parameter
    found = posterior.loo(by="herd", nAGQ=25)
    np.testing.assert_allclose(found.pointwise["elpd"], exact, atol=0.01)
    assert found.elpd == pytest.approx(exact.sum(), abs=0.02)
    assert found.se == pytest.approx(np.sqrt(15) * exact.std(ddof=1), rel=0.01)
    assert list(found.pointwise.index) == [str(j) for j in range(1, 16)]


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_the_numbers_are_arviz_s(posterior):
    found = posterior.loo()
    expected = az.loo(posterior.with_log_likelihood().data, pointwise=True)
    assert found.elpd == expected.elpd
    assert found.se == pytest.approx(expected.se, rel=1e-12)
    p_loo = found.table.loc["p_loo", "Estimate"]
    assert p_loo == pytest.approx(expected.p, rel=1e-9)
    assert found.table.loc["looic", "Estimate"] == -2.0 * found.elpd
    np.testing.assert_array_equal(found.pointwise["pareto_k"], expected.pareto_k)


def test_rows_with_a_bad_k_are_named_and_there_is_advice(cbpp):
    found = around(cbpp, n=1000, spread=0.3).loo()
    bad = found.bad()
    assert 0 < len(bad) < 40
    assert (bad["pareto_k"] > found.good_k).all()
    text = str(found)
    assert f"The posterior without {bad.index[0]} ({bad['pareto_k'].iloc[0]:.2f})" in text
    assert "loo(by='herd')" in text
    assert text.count("Pareto k  ") == 1
    assert "good, k &lt;= 0.67" in found._repr_html_()


def test_groups_with_good_k_get_one_line(one_parameter):
    found = one_parameter[0].loo(by="herd")
    assert not len(found.bad())
    assert str(found).endswith("All Pareto k are good (up to 0.70): elpd_loo is reliable.")
    assert "15 groups of herd, their own random effects integrated out; 4,000 draws" in str(found)


@pytest.fixture(scope="module")
def smaller(cbpp):
    return around(mlm.glmer("incidence / size ~ 1 + (1 | herd)", cbpp.call.data), n=1000)


def test_differences_have_the_standard_error_of_the_pointwise_ones(posterior, smaller):
    a, b = posterior.loo(by="herd"), smaller.loo(by="herd")
    found = mlm.loo_compare(full=a, small=b)
    table = found.to_frame()
    assert list(table.index) == ["full", "small"]
    gap = b.pointwise["elpd"] - a.pointwise["elpd"]
    assert table.loc["small", "elpd_diff"] == pytest.approx(gap.sum())
    assert table.loc["small", "SE(diff)"] == pytest.approx(np.sqrt(15 * gap.var(ddof=1)), rel=0.04)
    assert table["weight"].sum() == pytest.approx(1.0)
    text = str(found)
    assert re.search("small (may predict|predicts) worse than full: ", text)
    assert "Standard errors over 15 groups of herd are rough" in text
    assert " small: incidence / size ~ 1 + (1 | herd)" in text


def test_posteriors_are_taken_by_position_mapping_and_name(posterior, smaller):
    by_position = mlm.loo_compare(posterior, smaller, by="herd").to_frame()
    by_mapping = mlm.loo_compare({"m1": posterior, "m2": smaller}, by="herd").to_frame()
    pd.testing.assert_frame_equal(by_position, by_mapping)
    with pytest.raises(ArgumentError, match="two posteriors are named 'm1'"):
        mlm.loo_compare(posterior, m1=smaller)


def test_what_cannot_be_compared_is_refused_by_name(cbpp, posterior):
    one = posterior.loo(by="herd")
    with pytest.raises(ArgumentError, match="at least two posteriors, not 1"):
        mlm.loo_compare(one)
    with pytest.raises(ArgumentError, match="m2 is 'GlmerResult'"):
        mlm.loo_compare(one, cbpp)
    with pytest.raises(ArgumentError, match="leave out groups of herd and observations"):
        mlm.loo_compare(one, posterior.loo())
    fewer = around(mlm.glmer(cbpp.design.formula, cbpp.call.data.iloc[:50]), n=100)
    with pytest.raises(ArgumentError, match=r"different numbers of rows \(56 and 50\)"):
        mlm.loo_compare(one, fewer.loo(by="herd"))
    changed = cbpp.call.data.assign(incidence=cbpp.call.data["incidence"].to_numpy()[::-1])
    changed["incidence"] = np.minimum(changed["incidence"], changed["size"])
    other = around(mlm.glmer(cbpp.design.formula, changed), n=100)
    with pytest.raises(ArgumentError, match="different responses"):
        mlm.loo_compare(one, other.loo(by="herd"))


def test_verdicts_tell_equal_models_from_worse_ones(cbpp, posterior):
    same = mlm.loo_compare(first=posterior, second=posterior, by="herd").verdicts()
    assert "second predicts about as well as first: 0.0 +- 0.0." in same
    noise = np.random.default_rng(1).normal(scale=0.05, size=(400, 4))
    shifted = made_posterior(
        cbpp,
        np.add(cbpp.beta, [6.0, 0.0, 0.0, 0.0]) + noise,
        {"herd": np.full((400, 1), SD)},
        {"herd": np.zeros((400, 15, 1))},
    )
    found = mlm.loo_compare(good=posterior, bad=shifted, by="herd")
    gap = found.table.loc["bad"]
    assert -gap["elpd_diff"] > 4 * gap["SE(diff)"]
    assert found.verdicts()[0].startswith(
        f"bad predicts worse than good: {-gap['elpd_diff']:.1f} +- "
    )
