"""Densities and overlaps against closed forms."""

import arviz as az
import numpy as np
import pytest
import scipy.stats as st

import mixedlm_pt as mlm
from mixedlm_pt.bayes.comparison_density import (
    CORRELATION,
    POSITIVE,
    REAL,
    interval_overlap,
    kernel_density,
    normal_density,
    overlapping_coefficient,
    profile_density,
)


@pytest.mark.parametrize("distance", [0.0, 0.5, 2.0])
def test_the_overlap_of_normal_densities_is_the_closed_form(distance):
    # Inman and Bradley (1989): 2 Phi(-|difference| / (2 sd)) for equal variances.
    expected = 2.0 * st.norm.cdf(-0.5 * distance)
    first = normal_density(0.0, 1.0, REAL)
    assert overlapping_coefficient(first, normal_density(distance, 1.0, REAL)) == pytest.approx(
        expected, abs=1e-4
    )
    draws = np.random.default_rng(3).normal(distance, 1.0, 8000)
    found = overlapping_coefficient(first, kernel_density(draws, REAL))
    assert found == pytest.approx(expected, abs=0.02)


def test_the_overlap_of_normals_of_unequal_spread_is_the_closed_form():
    # Equal means: the densities cross at +-c.
    ratio = 2.0
    c = np.sqrt(2.0 * np.log(ratio) / (1.0 - ratio**-2))
    expected = 2.0 * st.norm.sf(c) + 2.0 * (st.norm.cdf(c / ratio) - 0.5)
    pair = normal_density(1.0, 1.0, REAL), normal_density(1.0, ratio, REAL)
    assert overlapping_coefficient(*pair) == pytest.approx(expected, abs=2e-4)


def test_without_a_standard_error_there_is_no_density_and_no_overlap():
    assert normal_density(0.0, np.nan, POSITIVE) is None
    assert np.isnan(overlapping_coefficient(None, normal_density(0.0, 1.0, REAL)))


def test_the_density_of_a_standard_deviation_is_log_normal():
    density = normal_density(0.6, 0.2, POSITIVE)
    exact = st.lognorm.pdf(density.x, 0.2 / 0.6, scale=0.6)
    np.testing.assert_allclose(density.y, exact, rtol=1e-10)


def test_the_density_of_a_correlation_is_normal_on_fisher_s_scale():
    density = normal_density(0.5, 0.3, CORRELATION)
    z = (np.arctanh(density.x) - np.arctanh(0.5)) * 0.75 / 0.3
    np.testing.assert_allclose(density.y, st.norm.pdf(z) * 0.75 / 0.3 / (1.0 - density.x**2))
    assert np.trapezoid(density.y, density.x) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("distribution", "scale"),
    [(st.halfnorm, POSITIVE), (st.uniform(-1.0, 2.0), CORRELATION), (st.norm, REAL)],
)
def test_a_kernel_density_keeps_its_mass_inside_the_range(distribution, scale):
    draws = distribution.rvs(size=20_000, random_state=np.random.default_rng(5))
    density = kernel_density(draws, scale)
    assert np.trapezoid(density.y, density.x) == pytest.approx(1.0, abs=0.01)
    inside = distribution.ppf([0.02, 0.3, 0.7, 0.98])
    np.testing.assert_allclose(density(inside), distribution.pdf(inside), rtol=0.15)
    assert (density.x > scale.lower).all()
    assert (density.x < scale.upper).all()


def test_a_kernel_density_is_scipy_s_away_from_the_ends():
    draws = np.random.default_rng(8).gamma(5.0, size=3000)
    density = kernel_density(draws, REAL)
    quartiles = np.quantile(draws, [0.25, 0.75])
    h = 0.9 * min(draws.std(ddof=1), (quartiles[1] - quartiles[0]) / 1.34) * 3000**-0.2
    x = np.linspace(1.0, 12.0, 23)
    own = st.gaussian_kde(draws, bw_method=h / draws.std(ddof=1))(x)
    np.testing.assert_allclose(density(x), own, rtol=5e-3)


def test_the_overlap_of_intervals_is_the_intersection_by_the_union():
    first = np.array([0.0, 0.0, 0.0, np.nan]), np.array([2.0, 2.0, 2.0, 1.0])
    second = np.array([1.0, 0.0, 3.0, 0.0]), np.array([3.0, 2.0, 4.0, 1.0])
    np.testing.assert_allclose(interval_overlap(first, second), [1.0 / 3.0, 1.0, 0.0, np.nan])


def test_the_profile_density_is_the_likelihood_with_area_one():
    # For a linear model with a fixed effect only the profile likelihood is Student's t.
    rng = np.random.default_rng(2)
    x = rng.normal(size=12)
    table = {"x": x, "y": 1.0 + x + rng.normal(size=12)}
    fit = mlm.glmer("y ~ x", table, "gaussian")
    density = profile_density(fit.profile("x", alphamax=1e-4)["x"])
    ols = st.linregress(x, table["y"])
    rss = ((table["y"] - ols.intercept - ols.slope * x) ** 2).sum()
    sxx = ((x - x.mean()) ** 2).sum()
    likelihood = (1.0 + sxx * (density.x - ols.slope) ** 2 / rss) ** -6.0
    likelihood /= np.trapezoid(likelihood, density.x)
    np.testing.assert_allclose(density.y, likelihood, atol=2e-3 * likelihood.max())


def test_the_profile_of_a_power_is_that_of_the_parameter_itself():
    fit = mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp())
    curve = fit.profile("theta_").curves[0]
    plain, moved = profile_density(curve), profile_density(curve, -2.0)
    assert (np.diff(moved.x) > 0.0).all()
    assert np.trapezoid(moved.y, moved.x) == pytest.approx(1.0)
    peaks = plain.x[plain.y.argmax()], moved.x[moved.y.argmax()]
    assert peaks[0] ** -2.0 == pytest.approx(peaks[1])


def test_hdi_is_arviz_s():
    from mixedlm_pt.bayes.comparison_columns import Reporting, described

    draws = np.random.default_rng(4).gamma(2.0, size=(2, 1000))
    frame = described(draws, Reporting(0.9, credible="hdi", center="median"))
    for row, own in zip(frame.itertuples(), draws, strict=True):
        np.testing.assert_allclose([row.lower, row.upper], az.hdi(own, prob=0.9))
        assert row.estimate == np.median(own)
        assert row.se == own.std(ddof=1)
