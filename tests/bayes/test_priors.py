import numpy as np
import pandas as pd
import pymc as pm
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes import (
    LKJ,
    Decov,
    Exponential,
    HalfNormal,
    Normal,
    Relative,
    StudentT,
    Uniform,
    default_priors,
    flat_priors,
    prior_summary,
)
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import Gamma, Gaussian, NegativeBinomial, Poisson, make_family
from mixedlm_pt.model import GLMM


def model(formula, table, family, **kwargs):
    distribution = make_family(family)
    return GLMM(build_design(formula, table, distribution, **kwargs), distribution)


@pytest.fixture(scope="module")
def cbpp():
    return model("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), "binomial")


@pytest.fixture(scope="module")
def contraception():
    return model("use ~ age + (urban | district)", mlm.load_contraception(), "binomial")


def table():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {"y": rng.gamma(4.0, 2.0, 40), "x": rng.normal(3.0, 2.0, 40), "g": np.arange(40) % 8}
    )


def test_cbpp_has_rstanarm_s_default_priors(cbpp):
    # prior_summary(stan_glmer(...)), rstanarm 2.21: normal(0, 2.5), normal(0, c(5.72, 5.72, 5.87)).
    priors = default_priors(cbpp)
    assert priors.coefficients[0] == Normal(0.0, 2.5)
    assert [round(p.scale, 2) for p in priors.coefficients[1:]] == [5.72, 5.72, 5.87]
    assert all(p.location == 0.0 for p in priors.coefficients)
    assert priors.sds == ((Exponential(1.0),),)
    assert priors.dispersion is None


def test_gaussian_identity_scales_by_the_sd_of_the_response():
    data = table()
    priors = default_priors(model("y ~ x + (1 | g)", data, Gaussian()))
    sd = data["y"].std()
    assert priors.coefficients[0].location == pytest.approx(data["y"].mean())
    assert priors.coefficients[0].scale == pytest.approx(2.5 * sd)
    assert priors.coefficients[1].scale == pytest.approx(2.5 * sd / data["x"].std())
    assert priors.sds[0][0].rate == pytest.approx(1.0 / sd)
    assert priors.dispersion.rate == pytest.approx(1.0 / sd)


def test_other_links_take_nothing_from_the_response_but_the_scale_of_sigma():
    data = table()
    priors = default_priors(model("y ~ x + (1 | g)", data, Gaussian(link="log")))
    assert priors.coefficients[0] == Normal(0.0, 2.5)
    assert priors.coefficients[1].scale == pytest.approx(2.5 / data["x"].std())
    assert priors.sds[0][0] == Exponential(1.0)
    assert priors.dispersion.rate == pytest.approx(1.0 / data["y"].std())


def test_an_offset_moves_the_intercept_of_the_identity_link():
    data = table()
    offset = data["x"].to_numpy()
    priors = default_priors(model("y ~ 1 + (1 | g)", data, Gaussian(), offset=offset))
    assert priors.coefficients[0].location == pytest.approx((data["y"] - offset).mean())


@pytest.mark.parametrize(
    ("family", "name"),
    [(Gamma(), "shape"), (NegativeBinomial(), "theta"), (Gaussian(), "sigma")],
)
def test_dispersions_are_named_on_their_natural_scale(family, name):
    data = table().assign(y=lambda t: t["y"].round())
    rows = prior_summary(model("y ~ x + (1 | g)", data, family)).rows
    assert rows[-1][1] == name


def test_reciprocal_dispersions_are_exponential_with_rate_one():
    for family in (Gamma(), NegativeBinomial()):
        data = table().assign(y=lambda t: t["y"].round() + 1.0)
        assert default_priors(model("y ~ x", data, family)).dispersion == Exponential(1.0)


def test_a_fixed_shape_has_no_prior():
    data = table().assign(y=lambda t: t["y"].round())
    built = model("y ~ x + (1 | g)", data, NegativeBinomial(theta=2.0))
    assert default_priors(built).dispersion is None
    assert flat_priors(built).dispersion is None


def test_changes_apply_in_order_and_leave_the_rest(cbpp):
    changes = {
        "coefficients": Normal(0.0, 1.0),
        "period3": StudentT(3.0, 0.0, 2.5),
        "sd_herd": HalfNormal(0.5),
    }
    priors = make_priors(cbpp, changes)
    assert priors.coefficients[0] == Normal(0.0, 2.5)
    assert priors.coefficients[1:] == (
        Normal(0.0, 1.0),
        StudentT(3.0, 0.0, 2.5),
        Normal(0.0, 1.0),
    )
    assert priors.sds == ((HalfNormal(0.5),),)


def test_one_effect_of_a_group_can_have_its_own_prior(contraception):
    changes = {"sd_district[urbanY]": HalfNormal(0.5)}
    assert make_priors(contraception, changes).sds == ((Exponential(1.0), HalfNormal(0.5)),)
    joint = {"preset": "rstanarm", **changes}
    with pytest.raises(
        ArgumentError, match=r"'sd_district\[urbanY\]' shares the joint prior decov"
    ):
        make_priors(contraception, joint)
    first = {"preset": "rstanarm", "sd_district": Exponential(2.0), **changes}
    assert make_priors(contraception, first).sds == ((Exponential(2.0), HalfNormal(0.5)),)


def test_a_joint_prior_takes_the_size_of_every_term(contraception):
    data = mlm.load_contraception()
    both = model("use ~ age + (urban | district) + (1 | livch)", data, "binomial")
    assert make_priors(both, {"sd": Decov(2.0)}).sds == (
        (Decov(2.0, n_effects=2), Decov(2.0, n_effects=2)),
        (Decov(2.0, n_effects=1),),
    )


def test_a_distribution_of_pymc_is_a_prior_with_its_support(cbpp):
    priors = make_priors(
        cbpp,
        {
            "period2": pm.AsymmetricLaplace.dist(b=1.0, kappa=1.5, mu=0.5),
            "period3": pm.Triangular.dist(lower=-2.0, c=0.0, upper=1.0),
            "sd": pm.Truncated.dist(pm.Normal.dist(0.5, 1.0), lower=0.0),
        },
    )
    supports = [prior.support for prior in priors.coefficients[1:3]]
    assert supports == [(-np.inf, np.inf), (-2.0, 1.0)]
    assert priors.sds[0][0].support == (0.0, np.inf)
    truncated = st.truncnorm(-0.5, np.inf, 0.5, 1.0)
    assert priors.sds[0][0].logp(0.7).eval(mode=NUMPY) == pytest.approx(truncated.logpdf(0.7))
    triangle = st.triang(2.0 / 3.0, -2.0, 3.0)
    assert priors.coefficients[2].logp(-0.7).eval(mode=NUMPY) == pytest.approx(
        triangle.logpdf(-0.7)
    )
    rows = prior_summary(cbpp, priors).rows
    assert rows[1] == ("Coefficients", "period2", "pm.AsymmetricLaplace(1, 1.5, 0.5)")
    assert rows[4][2] == "pm.TruncatedNormal(0.5, 1, 0, inf)"


def test_a_variable_of_a_model_is_no_prior(cbpp):
    with pm.Model():
        named = pm.Normal("x")
    with pytest.raises(ArgumentError, match="give a distribution that belongs to no model"):
        make_priors(cbpp, {"period2": named})


def test_the_summary_says_what_is_relative_to_the_dispersion():
    data = table()
    text = str(prior_summary(model("y ~ x + (x | g)", data, Gaussian()), "rstanarm"))
    joint = "decov(concentration = 1, shape = 1, scale = 1), times sigma"
    assert f"  (Intercept)  ~ {joint}\n  x            ~ {joint}\n" in text
    assert "decov: a joint prior of the standard deviations of a term" in text


def test_correlations_can_be_changed_by_group(contraception):
    assert make_priors(contraception, {"corr_district": LKJ(2.0)}).correlations == (LKJ(2.0),)
    assert make_priors(contraception, {"corr": LKJ(4.0)}).correlations == (LKJ(4.0),)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ("weak", "unknown preset of priors 'weak'; known: default, flat, rstanarm, brms, bambi"),
        ({"preset": "brm"}, "unknown preset of priors 'brm'.*Did you mean 'brms'"),
        (
            {"sd_herd[period2]": Exponential(1.0)},
            r"unknown parameter in priors 'sd_herd\[period2\]'; known: .*sd_herd\[\(Intercept\)\]",
        ),
        ({"sd": Uniform(-1.0, 1.0)}, "the prior of 'sd' is Uniform.*a distribution on positive"),
        ({"sd": Relative(Exponential(1.0))}, "the family binomial has none to estimate"),
        ({"sd": LKJ(1.0)}, "the prior of 'sd' is LKJ"),
        ({"period2": LKJ(1.0)}, "the prior of 'period2' is LKJ"),
        ({"sd": pm.Normal.dist(0.0, 1.0)}, r"'sd' is pm\.Normal\(0, 1\); .*positive numbers"),
        ({"period2": pm.Gamma.dist(2.0, 1.0)}, r"'period2' is pm\.Gamma\(2, f\(\)\)|real line"),
        ({"period2": pm.Poisson.dist(2.0)}, "a distribution of one real number"),
        ({"period2": pm.VonMises.dist(0.0, 1.0)}, "neither on the real line nor on an interval"),
        (
            {"sd_hert": Exponential(1.0)},
            "unknown parameter in priors 'sd_hert'.*Did you mean 'sd_h",
        ),
        ({"corr": LKJ(1.0)}, "unknown parameter in priors 'corr'"),
        ({"sd": Normal(0.0, 1.0)}, "the prior of 'sd' is Normal.*a distribution on positive"),
        ({"period2": Exponential(1.0)}, "the prior of 'period2'.*a distribution on the real line"),
        ({"period2": 2.0}, r"the prior of 'period2' is 2\.0"),
        (3, "priors is 3; it must be a preset"),
    ],
)
def test_impossible_priors_are_refused(cbpp, priors, message):
    with pytest.raises(ArgumentError, match=message):
        make_priors(cbpp, priors)


def test_the_summary_speaks_rstanarm_s_language(cbpp):
    assert str(prior_summary(cbpp)) == (
        "Priors of incidence / size ~ period + (1 | herd)\n"
        "\n"
        "Intercept (after predictors centered)\n"
        "  (Intercept)  ~ normal(location = 0, scale = 2.5)\n"
        "\n"
        "Coefficients\n"
        "  period2      ~ normal(location = 0, scale = 5.722)\n"
        "  period3      ~ normal(location = 0, scale = 5.722)\n"
        "  period4      ~ normal(location = 0, scale = 5.868)\n"
        "\n"
        "Standard deviations by herd\n"
        "  (Intercept)  ~ exponential(rate = 1)"
    )


def test_the_summary_has_correlations_and_html(contraception):
    summary = prior_summary(contraception)
    assert "Correlations by district\n  matrix       ~ lkj(eta = 1)" in str(summary)
    assert "lkj(eta = 1)" in summary._repr_html_()
    assert list(summary.to_frame().columns) == ["class", "parameter", "prior"]


def test_the_summary_says_what_a_shape_is():
    summary = prior_summary(model("y ~ x", table(), Gamma()))
    assert str(summary).endswith("shape is the reciprocal dispersion, 1 / phi.")


def test_a_model_without_intercept_is_not_centred():
    data = table().assign(y=lambda t: t["y"].round())
    rows = prior_summary(model("y ~ 0 + x", data, Poisson())).rows
    assert [row[0] for row in rows] == ["Coefficients"]


def test_something_that_is_no_fit_is_refused():
    with pytest.raises(ArgumentError, match="expected a fit or a model, not dict"):
        prior_summary({})
