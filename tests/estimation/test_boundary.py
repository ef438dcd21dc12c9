"""Variances of zero, correlations of one, infinite shapes and coefficients: exact and said."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ConvergenceWarning, SingularFitWarning


@pytest.fixture(scope="module")
def balanced():
    """Every level has the same responses: the levels differ less than chance allows."""
    return pd.DataFrame(
        {
            "g": np.repeat([f"level{code}" for code in range(12)], 4),
            "y": np.tile([0, 1, 0, 1], 12),
            "x": np.tile([0.0, 0.0, 1.0, 1.0], 12),
        }
    )


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 12), "x": rng.normal(size=240)})
    b = 0.4 * rng.normal(size=20)[data.g]
    return data.assign(
        f=rng.choice(["a", "b", "c"], 240),
        fewer=rng.binomial(20, 1.0 / (1.0 + np.exp(-b - 0.2 * data.x))),
        # Without noise there is less variance than a Poisson has, and none for a second direction.
        same_sign=np.rint(np.exp(2.0 + b * (1.0 + 0.8 * data.x))),
    )


@pytest.mark.parametrize("nAGQ", [0, 1, 9])
def test_a_variance_of_zero_is_exactly_zero_and_the_fit_a_glm(nAGQ, balanced):
    zero = r"standard deviation of \(Intercept\) in \(1 \| g\) is zero"
    with pytest.warns(SingularFitWarning, match=zero) as caught:
        fit = mlm.glmer("y ~ x + (1 | g)", balanced, nAGQ=nAGQ)
    assert len(caught) == 1
    glm = mlm.glmer("y ~ x", balanced)
    assert fit.theta.tolist() == [0.0]
    assert fit.estimate.loglik == pytest.approx(glm.estimate.loglik, rel=1e-12)
    np.testing.assert_allclose(fit.vcov(), glm.vcov(), rtol=1e-6)
    assert fit.checkConv().ok


def test_two_variances_of_zero_are_told_in_one_warning(balanced):
    both = r"\(Intercept\) in \(1 \| g\) is zero.*of x in \(0 \+ x \| g\) is zero"
    with pytest.warns(SingularFitWarning, match=both) as caught:
        fit = mlm.glmer("y ~ x + (x || g)", balanced)
    assert len(caught) == 1
    assert fit.theta.tolist() == [0.0, 0.0]
    assert len(fit.messages) == 2


def test_check_singular_silences_the_warning(balanced):
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("y ~ x + (1 | g)", balanced, control=control)
    assert fit.isSingular()
    assert fit.messages == ()


def test_a_singular_fit_as_start_stays_where_it_is(balanced):
    control = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("y ~ x + (1 | g)", balanced, control=control)
    again = mlm.glmer("y ~ x + (1 | g)", balanced, control=control, start=fit)
    assert again.theta.tolist() == [0.0]
    assert again.estimate.loglik == pytest.approx(fit.estimate.loglik, rel=1e-12)


@pytest.mark.parametrize(("column", "sign"), [("x", "+1"), ("minus_x", "-1")])
def test_a_perfect_correlation_is_exact_and_named(column, sign, counts):
    data = counts.assign(minus_x=-counts.x)
    with pytest.warns(SingularFitWarning, match=rf"correlation of .* is \{sign}"):
        fit = mlm.glmer(f"same_sign ~ x + ({column} | g)", data, "poisson")
    assert fit.theta[2] == 0.0
    assert np.isfinite(fit.vcov().to_numpy()).all()


@pytest.mark.parametrize("start", [-0.6, 0.0, 1e-6, 50.0])
def test_theta_is_reported_positive_from_any_start(start):
    formula, data = "incidence / size ~ period + (1 | herd)", mlm.load_cbpp()
    fit = mlm.glmer(formula, data, start={"theta": [start]})
    assert fit.theta == pytest.approx([0.6422614], abs=1e-6)


@pytest.mark.parametrize("formula", ["fewer ~ x", "fewer ~ x + (1 | g)"])
def test_counts_without_overdispersion_make_theta_infinite(formula, counts):
    poisson = mlm.glmer(formula, counts, "poisson")
    with pytest.warns(SingularFitWarning, match="theta of negative_binomial runs to infinity"):
        fit = mlm.glmer_nb(formula, counts)
    assert fit.phi > 1e6
    assert fit.outcome.n_evaluations <= 40
    assert fit.checkConv().ok
    assert fit.estimate.loglik == pytest.approx(poisson.estimate.loglik, rel=1e-8)
    np.testing.assert_allclose(fit.beta, poisson.beta, rtol=1e-6)
    np.testing.assert_allclose(fit.vcov(), poisson.vcov(), rtol=1e-5)
    assert fit.confint("theta").isna().all(axis=None)
    assert fit.npar() == poisson.npar() + 1


def test_overdispersed_counts_keep_a_finite_theta():
    fit = mlm.glmer_nb("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks())
    assert fit.messages == ()
    assert np.isfinite(fit.confint("theta")).all(axis=None)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
def test_separation_names_the_category_and_inflates_only_its_error(link, counts):
    rng = np.random.default_rng(1)
    y = rng.binomial(1, np.where(counts.f == "c", 0.0, 0.5))
    family = mlm.families.Binomial(link=link)
    control = mlm.GlmerControl(check_singular=False)
    with pytest.warns(ConvergenceWarning, match="without end in the coefficient of fc: "):
        fit = mlm.glmer("y ~ f + x + (1 | g)", counts.assign(y=y), family, control=control)
    se = np.sqrt(np.diag(fit.vcov()))
    names = fit.fixef().index
    assert fit.fixef()["fc"] < -5.0
    assert se[names.get_loc("fc")] > 100.0
    assert (se[names != "fc"] < 1.0).all()


def test_zeros_only_in_a_category_separate_counts(counts):
    y = counts.same_sign.where(counts.f != "b", 0)
    with pytest.warns(ConvergenceWarning, match="without end in the coefficient of fb: "):
        mlm.glmer("y ~ f + (1 | g)", counts.assign(y=y), "poisson")


def test_a_threshold_in_x_separates(counts):
    data = counts.assign(y=(counts.x > 0.3).astype(int))
    with pytest.warns(ConvergenceWarning, match=r"coefficients of \(Intercept\), x: "):
        fit = mlm.glmer("y ~ x + (1 | g)", data)
    assert not fit.checkConv().ok
