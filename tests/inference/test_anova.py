from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.inference.likelihood_ratio import LikelihoodRatioTest
from mixedlm_pt.inference.nesting import Nesting, nesting


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    n = 240
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 20, n).astype(str),
            "h": rng.integers(0, 6, n).astype(str),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "f": rng.choice(["a", "b", "c"], n),
        }
    )
    b = 0.5 * rng.normal(size=(20, 2))[frame.g.astype(int)]
    mu = np.exp(0.8 + b[:, 0] + (0.3 + b[:, 1]) * frame.x)
    return frame.assign(y=rng.poisson(mu).astype(float))


@pytest.fixture(scope="module")
def fits(data):
    control = mlm.GlmerControl(check_singular=False)
    random = {
        "none": "",
        "intercept": " + (1 | g)",
        "slope": " + (x | g)",
        "diagonal": " + (x || g)",
        "two slopes": " + (x + z | g)",
        "crossed": " + (1 | g) + (1 | h)",
    }
    return {
        name: mlm.glmer(f"y ~ x{bars}", data, "poisson", control=control)
        for name, bars in random.items()
    }


@pytest.fixture(scope="module")
def cbpp():
    return {
        x: mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", mlm.load_cbpp())
        for x in ("1", "period")
    }


def test_the_likelihood_ratio_test_is_lme4s(cbpp):
    # Reference cbpp_lrt; lme4's reduced fit stops 2e-7 short.
    table = mlm.anova(cbpp["period"], cbpp["1"]).to_frame()
    assert table["npar"].tolist() == [2, 5]
    assert table["AIC"].tolist() == pytest.approx([213.662627187714, 194.052563742994], abs=1e-5)
    assert table["BIC"].tolist() == pytest.approx([217.713330569184, 204.17932219667], abs=1e-5)
    assert table["Chisq"].iloc[1] == pytest.approx(25.6100634447195, abs=1e-5)
    assert table["Df"].iloc[1] == 3
    assert table["Pr(>Chisq)"].iloc[1] == pytest.approx(1.15093669430748e-05, rel=1e-4)
    assert "Pr(>Chibarsq)" not in table


def test_the_method_is_the_function(cbpp):
    table = cbpp["1"].anova(cbpp["period"]).to_frame()
    pd.testing.assert_frame_equal(table, mlm.anova(cbpp["period"], cbpp["1"]).to_frame())


@pytest.mark.parametrize(
    ("small", "large", "df"),
    [("none", "intercept", 1), ("intercept", "slope", 2), ("slope", "two slopes", 3)],
)
def test_one_added_variance_is_tested_against_a_mixture(fits, small, large, df):
    found = mlm.anova(fits[small], fits[large])
    statistic, naive, mixture = found.to_frame().iloc[1][["Chisq", "Pr(>Chisq)", "Pr(>Chibarsq)"]]
    assert statistic == pytest.approx(2 * (fits[large].logLik() - fits[small].logLik()))
    assert naive == pytest.approx(chi2.sf(statistic, df))
    below = chi2.sf(statistic, df - 1) if df > 1 else float(statistic <= 0)
    assert mixture == pytest.approx(0.5 * (naive + below))
    assert f"1/2 chi-square({df - 1}) + 1/2 chi-square({df})" in found.notes[0]


def test_an_added_correlation_is_an_ordinary_test(fits):
    found = mlm.anova(fits["diagonal"], fits["slope"])
    assert found.to_frame()["Df"].iloc[1] == 1
    assert "Pr(>Chibarsq)" not in found.to_frame()
    assert found.notes == ()


def test_two_added_variances_leave_the_naive_p_with_a_note(fits):
    found = mlm.anova(fits["none"], fits["slope"])
    assert "Pr(>Chibarsq)" not in found.to_frame()
    assert "2 variances are on the boundary" in found.notes[0]
    assert "too large (conservative)" in found.notes[0]


def test_two_terms_with_a_variance_each_are_tested_against_a_binomial_mixture(fits):
    found = mlm.anova(fits["none"], fits["crossed"])
    row = found.to_frame().iloc[1]
    tails = [chi2.sf(row["Chisq"], 1), chi2.sf(row["Chisq"], 2)]
    assert row["Pr(>Chibarsq)"] == pytest.approx(0.5 * tails[0] + 0.25 * tails[1])
    assert "1/4 chi-square(0) + 1/2 chi-square(1) + 1/4 chi-square(2)" in found.notes[0]
    assert "as if their estimates were independent; pb_lrt() simulates" in found.notes[0]


@pytest.mark.parametrize(("n_boundary", "n_free"), [(1, 0), (1, 2), (2, 0), (2, 1), (3, 0)])
def test_the_mixture_is_the_norm_of_a_normal_vector_projected_on_an_orthant(n_boundary, n_free):
    # Self and Liang (1987): the statistic is asymptotically the squared length of the projection
    # of z ~ N(0, I) on the cone of the alternatives.
    z = np.random.default_rng(1).normal(size=(200_000, n_boundary + n_free))
    z[:, :n_boundary] = np.maximum(z[:, :n_boundary], 0.0)
    simulated = (z**2).sum(axis=1)
    for statistic in (0.5, 2.0, 5.0):
        test = LikelihoodRatioTest(
            statistic, n_boundary + n_free, Nesting(added=(1,) * n_boundary), False
        )
        assert test.p_mixture == pytest.approx((simulated > statistic).mean(), abs=4e-3)


@pytest.mark.slow
def test_variances_of_zero_are_estimated_as_zero_as_often_as_the_mixture_says():
    # Intercepts and slopes of 500 groups: nearly independent, so about a quarter of the fits have
    # neither; the small-sample excess over that makes the mixture conservative.
    rng = np.random.default_rng(4)
    n_groups, size = 500, 6
    g = np.repeat(np.arange(n_groups), size)
    x = np.tile(np.linspace(-1, 1, size), n_groups)
    frame = pd.DataFrame({"g": g, "x": x, "y": rng.poisson(3.0, len(g)).astype(float)})
    control = mlm.GlmerControl(check_singular=False)
    null = mlm.glmer("y ~ x", frame, "poisson", control=control)
    full = mlm.glmer("y ~ x + (x || g)", frame, "poisson", control=control)
    reference = mlm.pb_lrt(null, full, nsim=400, seed=2).reference
    assert (reference < 1e-6).mean() == pytest.approx(0.25, abs=0.08)
    test = LikelihoodRatioTest(float(np.quantile(reference, 0.9)), 2, Nesting(added=(1, 1)), False)
    assert test.p_mixture == pytest.approx(0.1, abs=0.04)


def test_fits_have_the_names_they_are_given(fits):
    found = mlm.anova(full=fits["slope"], null=fits["none"])
    assert found.to_frame().index.tolist() == ["null", "full"]
    assert found.heading[2:] == (" null: y ~ x", " full: y ~ x + (x | g)")
    mixed = mlm.anova(fits["intercept"], **{"a slope": fits["slope"]})
    assert mixed.to_frame().index.tolist() == ["m1", "a slope"]
    with pytest.raises(ArgumentError, match="two fits are named 'm1'"):
        mlm.anova(fits["none"], m1=fits["slope"])


@pytest.mark.parametrize("collection", [list, tuple, dict])
def test_a_collection_of_fits_is_to_be_unpacked(fits, collection):
    stars = r"\*\*" if collection is dict else r"\*"
    with pytest.raises(ArgumentError, match=rf"Unpack it: anova\({stars}fits\)"):
        mlm.anova(collection(fits.items()))


def test_a_singular_null_model_makes_the_test_doubtful(data):
    control = mlm.GlmerControl(check_singular=False)
    flat = data.assign(y=np.tile([1.0, 2.0, 3.0], 80))
    small = mlm.glmer("y ~ 1 + (1 | g)", flat, "poisson", control=control)
    large = mlm.glmer("y ~ x + (1 | g)", flat, "poisson", control=control)
    assert small.isSingular()
    assert "m2 against m1: the smaller model is singular" in mlm.anova(small, large).notes[0]


def test_a_larger_model_with_a_lower_likelihood_is_said_to_be_unfinished(fits):
    large = fits["slope"]
    estimate = replace(large.estimate, loglik=fits["intercept"].logLik() - 0.25)
    found = mlm.anova(fits["intercept"], large.replace(estimate=estimate))
    assert "is 0.25 lower than that of the smaller one" in found.notes[-1]
    assert found.to_frame()["Pr(>Chisq)"].iloc[1] == 1.0


def test_models_that_are_not_nested_are_not_tested(fits):
    found = mlm.anova(fits["crossed"], fits["slope"])
    assert found.to_frame()["Chisq"].isna().all()
    assert "m2 has no room for the random effects (1 | h)" in found.notes[0]


def test_models_of_equal_size_are_not_tested(data, fits):
    other = mlm.glmer("y ~ z + (1 | g)", data, "poisson")
    found = mlm.anova(fits["intercept"], other)
    assert found.to_frame()["Df"].isna().all()
    assert "m2 against m1: no test" in found.notes[0]


def test_nested_fixed_effects_are_recognised_by_their_span(data):
    small = mlm.glmer("y ~ poly(x, 2) + f + (1 | g)", data, "poisson")
    large = mlm.glmer("y ~ x + I(x^2) + I(x^3) + C(f) + (1 | g)", data, "poisson")
    assert mlm.anova(small, large).to_frame()["Df"].iloc[1] == 1
    assert (
        "lacks the fixed effects poly(x, 2)1, poly(x, 2)2"
        in nesting(
            mlm.glmer("y ~ poly(x, 2)", data, "poisson").design,
            mlm.glmer("y ~ f + z", data, "poisson").design,
        ).obstacle
    )


def test_another_offset_is_another_model(data):
    plain = mlm.glmer("y ~ x", data, "poisson")
    shifted = mlm.glmer("y ~ x + f + offset(z)", data, "poisson")
    in_span = mlm.glmer("y ~ x + f + offset(x)", data, "poisson")
    assert nesting(plain.design, shifted.design).obstacle == "has another offset"
    assert not nesting(plain.design, in_span.design).obstacle


def test_three_models_are_sorted_and_tested_in_turn(fits):
    table = mlm.anova(fits["slope"], fits["none"], fits["intercept"])
    assert table.to_frame()["npar"].tolist() == [2, 3, 5]
    assert table.to_frame()["Df"].tolist()[1:] == [1, 2]
    assert " m3: y ~ x + (x | g)" in table.heading


def test_incomparable_fits_are_refused_with_the_reason(data, fits):
    base = fits["intercept"]
    shorter = mlm.glmer("y ~ x + (1 | g)", data[:200], "poisson")
    with pytest.raises(ArgumentError, match=r"different numbers of rows \(240 and 200\)"):
        mlm.anova(base, shorter)
    other = mlm.glmer("x ~ 1 + (1 | g)", data.assign(x=data.y + 1), "poisson")
    with pytest.raises(ArgumentError, match=r"different responses \(x and y\)"):
        mlm.anova(base, other)
    nb = mlm.glmer("y ~ x + f + (1 | g)", data, "nbinom2")
    with pytest.raises(ArgumentError, match=r"different families .*Poisson.*NegativeBinomial"):
        mlm.anova(base, nb)
    root = mlm.glmer("y ~ x + (1 | g)", data, mlm.families.Poisson(link="sqrt"))
    with pytest.raises(ArgumentError, match=r"different families .*link='log'.*link='sqrt'"):
        mlm.anova(base, root)
    nodes = mlm.glmer("y ~ x + (1 | g)", data, "poisson", nAGQ=5)
    with pytest.raises(
        ArgumentError, match=r"different numbers of quadrature nodes .* \(1 and 5\)"
    ):
        mlm.anova(base, nodes)
    weighted = mlm.glmer("y ~ x + (1 | g)", data.assign(w=2.0), "poisson", weights="w")
    with pytest.raises(ArgumentError, match="different prior weights, so"):
        mlm.anova(base, weighted)
    control = mlm.GlmerControl(laplace_weights="expected")
    expected = mlm.glmer("y ~ x + (1 | g)", data, "poisson", control=control)
    with pytest.raises(ArgumentError, match=r"different laplace_weights \(observed and expected\)"):
        mlm.anova(base, expected)
    quasi = mlm.glmer("y ~ x", data, mlm.families.QuasiFamily("poisson"))
    with pytest.raises(ArgumentError, match=r"anova\(\) of several fits does not exist"):
        mlm.anova(quasi, quasi)
    with pytest.raises(ArgumentError, match="it got 'str'"):
        mlm.anova(base, "m2")


def test_without_random_effects_the_number_of_nodes_does_not_matter(data, fits):
    nodes = mlm.glmer("y ~ x + (1 | g)", data, "poisson", nAGQ=5)
    table = mlm.anova(fits["none"], nodes).to_frame()
    assert table["Chisq"].iloc[1] == pytest.approx(2 * (nodes.logLik() - fits["none"].logLik()))


def test_wald_tests_of_terms_are_type_two_of_car(cbpp):
    # car 3.1 Anova() on the fits of glmmTMB 1.1.5.
    table = mlm.anova(cbpp["period"]).to_frame()
    assert table.loc["period", "Chisq"] == pytest.approx(24.94855, abs=1e-4)
    fit = mlm.glmer("use ~ urban * age + livch + (1 | district)", mlm.load_contraception())
    table = fit.anova().to_frame()
    expected = {"urban": 37.66076, "age": 11.38600, "livch": 80.15576, "urban:age": 0.84156}
    assert table["Chisq"].to_dict() == pytest.approx(expected, rel=1e-5)
    assert table["Df"].tolist() == [1, 1, 3, 1]


def test_the_text_has_lme4s_columns_and_codes(cbpp):
    assert str(mlm.anova(cbpp["1"], cbpp["period"])).splitlines() == [
        "Likelihood ratio tests",
        "Models:",
        " m1: incidence / size ~ 1 + (1 | herd)",
        " m2: incidence / size ~ period + (1 | herd)",
        "   npar    AIC    BIC   logLik -2*log(L) Chisq Df Pr(>Chisq)",
        "m1    2 213.66 217.71 -104.831    209.66",
        "m2    5 194.05 204.18  -92.026    184.05 25.61  3   1.15e-05 ***",
        "---",
        "Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1",  # noqa: RUF001
    ]


def test_the_html_is_a_table_with_escaped_headers(cbpp):
    html = mlm.anova(cbpp["1"], cbpp["period"])._repr_html_()
    assert html.count("<tr>") == 3
    assert "Pr(&gt;Chisq)" in html
