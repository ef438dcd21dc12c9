"""Presets have the numbers that rstanarm, bambi and brms themselves print or compute."""

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes import (
    LKJ,
    PRESETS,
    Decov,
    Exponential,
    Flat,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    Normal,
    Relative,
    StudentT,
)
from mixedlm_pt.bayes.prior_choice import make_priors
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import Gamma as GammaFamily
from mixedlm_pt.families import Gaussian

CBPP = ("incidence / size ~ period + (1 | herd)", "cbpp", "binomial")
SLEEP = ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian")
SLEEP_GAMMA = ("Reaction ~ Days + (1 | Subject)", "sleepstudy", GammaFamily(link="log"))
SLEEP_LOG = ("Reaction ~ Days + (1 | Subject)", "sleepstudy", Gaussian(link="log"))
TICKS = ("TICKS ~ YEAR + HEIGHT + (1 | BROOD)", "grouseticks", "negative_binomial")

# rstanarm 2.21.3, prior_summary(stan_glmer(formula, data, family)): location and (adjusted) scale
# of the intercept, adjusted scales of the coefficients, mean of the exponential prior of the
# dispersion; stan_glmer.nb for grouseticks. prior_covariance is decov(1, 1, 1, 1) for all.
RSTANARM = [
    (CBPP, (0.0, 2.5), [5.721721353, 5.721721353, 5.86826156], None),
    (SLEEP, (298.5078917, 140.8218928), [48.89151175], 56.32875713),
    (SLEEP_GAMMA, (0.0, 2.5), [0.8679671672], 1.0),
    (TICKS, (0.0, 2.5), [5.132321678, 5.33071493009, 0.06952846095], 1.0),
    (SLEEP_LOG, (0.0, 140.8218928), [48.89151175], 56.32875713),
]

TICKS_SLOPES = ("TICKS ~ YEAR * HEIGHT + (HEIGHT || LOCATION)", "grouseticks", "poisson")
VERBAGG = ("r2 ~ Anger * Gender + btype + (Anger || id)", "verbagg", "binomial")
VERBAGG_PROBIT = (
    "r2 ~ btype * Gender + (1 | id)",
    "verbagg",
    mlm.families.Binomial(link="probit"),
)
CBPP_CLOGLOG = (CBPP[0], "cbpp", mlm.families.Binomial(link="cloglog"))
SLEEP_ORIGIN = ("Reaction ~ 0 + Days + (1 | Subject)", "sleepstudy", "gaussian")
VERBAGG_CELLS = ("r2 ~ 0 + btype + (1 | id)", "verbagg", "binomial")

# bambi 0.21.0, print(bmb.Model(formula, data, family, link)) and its priors' arguments, with the
# same formulas ("p(incidence, size) ~ ...", one "|"): (location, scale) of the coefficients in our
# order, scales of the half-normal priors of the standard deviations.
BAMBI = [
    (CBPP, [(0, 1.5), (0, 1), (0, 1), (0, 1)], [2.53552565]),
    (
        ("Reaction ~ Days + (Days || Subject)", "sleepstudy", "gaussian"),
        [(298.50789167, 261.00924843), (0, 48.89151175)],
        [261.00924843, 48.89151175],
    ),
    (SLEEP_GAMMA, [(0, 4.64660189), (0, 0.87038828)], [4.64660189]),
    (
        TICKS,
        [(0, 32.38276785), (0, 5.1387012), (0, 5.33734105), (0, 0.06961489)],
        [32.38276785],
    ),
    (
        TICKS_SLOPES,
        [
            *((0, 32.48841799), (0, 5.1387012), (0, 5.33734105), (0, 0.06961489)),
            *((0, 0.01122841), (0, 0.01140453)),
        ],
        [32.48841799, 0.06961489],
    ),
    (
        VERBAGG,
        [(0, 1.5), (0, 0.20657659), (0, 1), (0, 1), (0, 1), (0, 0.11474404)],
        [4.88640976, 0.51644147],
    ),
    (VERBAGG_PROBIT, [(0, 1.5), *[(0, 1)] * 5], [2.55684344]),
    (
        CBPP_CLOGLOG,
        [(0, 3.50801961), (0, 5.77350269), (0, 5.77350269), (0, 5.92136908)],
        [3.50801961],
    ),
    (SLEEP_ORIGIN, [(0, 48.89151175)], [261.00924843]),
    (VERBAGG_CELLS, [(0, 1)] * 3, [2.56580072]),
]


def model(problem):
    formula, data, family = problem
    return mlm.glmer_model(formula, getattr(mlm, f"load_{data}")(), family).model


def is_prior(prior, kind, *numbers):
    return type(prior) is kind and prior.numbers == pytest.approx(numbers, rel=1e-8)


@pytest.mark.parametrize(("problem", "intercept", "scales", "mean"), RSTANARM)
def test_rstanarm_s_numbers(problem, intercept, scales, mean):
    priors = PRESETS["rstanarm"](model(problem))
    assert [type(prior) for prior in priors.coefficients] == [Normal] * (1 + len(scales))
    first = priors.coefficients[0]
    assert (first.location, first.scale) == pytest.approx(intercept, rel=1e-8)
    assert [prior.scale for prior in priors.coefficients[1:]] == pytest.approx(scales, rel=1e-8)
    assert all(prior.location == 0.0 for prior in priors.coefficients[1:])
    if mean is None:
        assert priors.dispersion is None
    else:
        assert is_prior(priors.dispersion, Exponential, 1.0 / mean)
    assert all(correlation == LKJ(1.0) for correlation in priors.correlations)


def test_rstanarm_s_standard_deviations_are_relative_to_the_dispersion_where_there_is_one():
    assert PRESETS["rstanarm"](model(CBPP)).sds == ((Decov(n_effects=1),),)
    slopes = Relative(Decov(n_effects=2))
    assert PRESETS["rstanarm"](model(SLEEP)).sds == ((slopes, slopes),)
    assert PRESETS["rstanarm"](model(TICKS)).sds == ((Relative(Decov(n_effects=1)),),)


def test_decov_has_the_quantiles_of_rstanarm_s_prior():
    # rstanarm 2.21.3, stan_glmer(y ~ x + (x | g), family = gaussian, prior_PD = TRUE), 4,000 draws:
    # quantiles 10, 25, 50, 75, 90 % of sd_1 / sigma and of sd_1 sd_2 / sigma^2.
    draws = Decov().for_term(2).draw(np.random.default_rng(1), 200_000)
    probabilities = (0.1, 0.25, 0.5, 0.75, 0.9)
    first = [0.0796, 0.2333, 0.5838, 1.2656, 2.2593]
    product = [0.0082, 0.0639, 0.3405, 1.4515, 3.9658]
    assert np.quantile(draws[:, 0], probabilities) == pytest.approx(first, rel=0.12)
    assert np.quantile(draws.prod(axis=1), probabilities) == pytest.approx(product, rel=0.2)


@pytest.mark.parametrize(("problem", "coefficients", "scales"), BAMBI)
def test_bambi_s_numbers(problem, coefficients, scales):
    priors = PRESETS["bambi"](model(problem))
    own = [(prior.location, prior.scale) for prior in priors.coefficients]
    assert np.array(own) == pytest.approx(np.array(coefficients, float), rel=1e-6)
    sds = [prior for of_factor in priors.sds for prior in of_factor]
    assert [type(prior) for prior in sds] == [HalfNormal] * len(scales)
    assert [prior.scale for prior in sds] == pytest.approx(scales, rel=1e-7)


def test_bambi_s_dispersions():
    # "sigma ~ HalfStudentT(nu: 4.0, sigma: 56.1721)", "alpha ~ HalfCauchy(beta: 1.0)".
    sigma = PRESETS["bambi"](model(SLEEP)).dispersion
    assert type(sigma) is HalfStudentT
    assert sigma.numbers == pytest.approx((4.0, 56.1721), abs=5e-5)
    for problem in (SLEEP_GAMMA, TICKS):
        assert PRESETS["bambi"](model(problem)).dispersion == HalfCauchy(1.0)


def test_bambi_has_no_prior_for_correlations():
    sleep = model(SLEEP)
    message = r"'bambi' have none for the correlations by 'Subject'.*\|\|.*'corr': LKJ\(1.0\)"
    with pytest.raises(ArgumentError, match=message):
        make_priors(sleep, "bambi")
    priors = make_priors(sleep, {"preset": "bambi", "corr": LKJ(2.0)})
    assert priors.correlations == (LKJ(2.0),)


@pytest.mark.parametrize(
    ("problem", "location", "scale"),
    [
        # R: round(median(y), 1), max(2.5, round(mad(y), 1)) with y on the link scale.
        (SLEEP, 288.7, 59.3),
        (SLEEP_GAMMA, 5.7, 2.5),
        (CBPP, 0.0, 2.5),
        (CBPP_CLOGLOG, 0.0, 2.5),
        (TICKS, 0.7, 2.5),
    ],
)
def test_brms_takes_location_and_scale_from_the_response_on_the_link_scale(
    problem, location, scale
):
    priors = PRESETS["brms"](model(problem))
    assert is_prior(priors.coefficients[0], StudentT, 3.0, location, scale)
    assert set(priors.coefficients[1:]) == {Flat()}
    assert all(is_prior(p, HalfStudentT, 3.0, scale) for sds in priors.sds for p in sds)
    assert all(correlation == LKJ(1.0) for correlation in priors.correlations)


def test_brms_takes_the_mean_offset_off_the_intercept():
    data = mlm.load_grouseticks()
    described = mlm.glmer_model(
        "TICKS ~ YEAR + (1 | BROOD)", data, "poisson", offset=np.full(len(data), 2.0)
    )
    assert PRESETS["brms"](described.model).coefficients[0].location == pytest.approx(0.7 - 2.0)


def test_brms_dispersions():
    assert is_prior(PRESETS["brms"](model(SLEEP)).dispersion, HalfStudentT, 3.0, 59.3)
    for problem in (SLEEP_GAMMA, TICKS):
        assert PRESETS["brms"](model(problem)).dispersion == Gamma(0.01, 0.01)


def test_flat_is_flat():
    priors = PRESETS["flat"](model(SLEEP))
    assert set(priors.coefficients) == {Flat()}
    assert {prior for sds in priors.sds for prior in sds} == {HalfFlat()}
    assert priors.dispersion == HalfFlat()


def test_a_mapping_changes_its_preset():
    priors = make_priors(model(SLEEP), {"preset": "brms", "Days": Normal(0.0, 20.0)})
    assert priors.coefficients[1] == Normal(0.0, 20.0)
    assert isinstance(priors.coefficients[0], StudentT)
    assert is_prior(priors.dispersion, HalfStudentT, 3.0, 59.3)
