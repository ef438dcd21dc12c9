"""`glmer(..., priors=...)` against direct maximisation of log-likelihood plus log prior."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

import mixedlm_pt as mlm
from mixedlm_pt import families
from mixedlm_pt.bayes import LKJ, Exponential, Gamma, HalfNormal, Normal, StudentT, Uniform
from mixedlm_pt.bayes.penalty import make_penalty
from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError, ConvergenceWarning, SingularFitWarning
from mixedlm_pt.fit import likelihood
from mixedlm_pt.model import GLMM

CBPP = "incidence / size ~ period + (1 | herd)"
CULCITA = "predation ~ ttt + (1 | block)"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.load_cbpp()


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(15), 10), "x": rng.normal(1.0, 1.0, 150)})
    b = rng.multivariate_normal([0.0, 0.0], [[0.3, 0.1], [0.1, 0.2]], 15)[data.g]
    eta = 0.5 + 0.3 * data.x + b[:, 0] + b[:, 1] * data.x
    data["year"] = 2000.0 + data.x
    return data.assign(y=rng.negative_binomial(3.0, 3.0 / (3.0 + np.exp(eta))))


@pytest.fixture(scope="module")
def quiet_groups():
    """Levels that differ less than chance allows: the ML variance is zero."""
    return pd.DataFrame(
        {
            "g": np.repeat(np.arange(12), 4),
            "y": np.tile([0, 1, 0, 1], 12),
            "x": np.tile([0.0, 0.0, 1.0, 1.0], 12),
        }
    )


def natural(fit, par):
    """beta, sds and correlation of the only term, and the shape, from (beta, theta, log phi)."""
    p, k = fit.model.p, fit.model.term_widths[0]
    Lambda = np.zeros((k, k))
    Lambda[np.triu_indices(k)[::-1]] = par[p : p + fit.model.n_theta]
    sd = np.linalg.norm(Lambda, axis=1)
    R = Lambda @ Lambda.T / np.outer(sd, sd)
    return par[:p], sd, R, np.exp(par[-1])


def maximised(fit, log_prior, start):
    """Mode of log-likelihood plus log prior by scipy, from differences."""
    criterion = likelihood(fit, fit.model)

    def negative(par):
        return -(criterion(par).loglik + log_prior(*natural(fit, par)))

    found = optimize.minimize(
        negative, start, method="BFGS", jac="3-point", options={"gtol": 1e-6, "xrtol": 1e-9}
    )
    return found, negative


def hessian(f, x, h=2e-4):
    units = h * np.eye(len(x))
    return np.array(
        [
            [
                (f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b)) / (4 * h * h)
                for b in units
            ]
            for a in units
        ]
    )


@pytest.mark.parametrize(
    ("formula", "family", "nAGQ"),
    [
        (CBPP, "binomial", 0),
        (CBPP, "binomial", 1),
        (CBPP, "binomial", 9),
        ("y ~ x + (x | g)", "poisson", 1),
        ("y ~ x + (1 | g)", "negative_binomial", 1),
        ("y ~ x", "poisson", 1),
    ],
)
def test_flat_priors_give_the_maximum_likelihood_fit(formula, family, nAGQ, cbpp, counts):
    data = cbpp if formula == CBPP else counts
    ml = mlm.glmer(formula, data, family, nAGQ=nAGQ)
    flat = mlm.glmer(formula, data, family, nAGQ=nAGQ, priors="flat")
    np.testing.assert_allclose(flat.par, ml.par, rtol=1e-9)
    np.testing.assert_allclose(flat.estimate.covariance, ml.estimate.covariance, rtol=1e-7)
    assert flat.logLik() == pytest.approx(ml.logLik(), rel=1e-13)
    assert ml.priors is None
    assert ml.log_prior() == 0.0


def test_one_variance_is_estimated_as_scipy_finds_it(cbpp):
    """The intercept's prior is for centred predictors; t densities are not log-concave."""
    means = mlm.glmer(CBPP, cbpp).design.X.mean(axis=0)

    def log_prior(beta, sd, R, shape):
        centred = beta[0] + means[1:] @ beta[1:]
        return (
            stats.t(3.0, -1.0, 0.2).logpdf(centred)
            + stats.norm(0.0, 1.0).logpdf(beta[1:]).sum()
            + stats.gamma(2.0, scale=0.5).logpdf(sd).sum()
        )

    priors = {
        "(Intercept)": StudentT(3.0, -1.0, 0.2),
        "coefficients": Normal(0.0, 1.0),
        "sd": Gamma(2.0, 2.0),
    }
    fit = mlm.glmer(CBPP, cbpp, priors=priors)
    found, negative = maximised(fit, log_prior, fit.par + 0.1)
    np.testing.assert_allclose(fit.par, found.x, atol=2e-6)
    assert fit.logLik() + fit.log_prior() == pytest.approx(-found.fun, rel=1e-11)
    covariance = np.linalg.inv(hessian(negative, fit.par))
    np.testing.assert_allclose(fit.estimate.covariance, covariance, rtol=2e-5)


def test_correlated_effects_and_a_shape_are_estimated_as_scipy_finds_them(counts):
    def log_prior(beta, sd, R, shape):
        return (
            stats.halfnorm(scale=0.3).logpdf(sd).sum()
            + (3.0 - 1.0) * np.log(np.linalg.det(R))
            + stats.expon(scale=1.0).logpdf(shape)
        )

    priors = {"sd": HalfNormal(0.3), "corr": LKJ(3.0), "theta": Exponential(1.0)}
    fit = mlm.glmer("y ~ x + (x | g)", counts, "negative_binomial", priors=priors)
    found, negative = maximised(fit, log_prior, fit.par + 0.05)
    np.testing.assert_allclose(fit.par, found.x, atol=2e-5)
    covariance = np.linalg.inv(hessian(negative, fit.par, 1e-3))
    np.testing.assert_allclose(fit.estimate.covariance, covariance, rtol=1e-3, atol=1e-5)
    ml = mlm.glmer("y ~ x + (x | g)", counts, "negative_binomial")
    assert np.linalg.norm(fit.Lambda[0]) < np.linalg.norm(ml.Lambda[0])


class KnownVariance(families.CustomFamily):
    """Normal with variance one, up to a constant."""

    def __init__(self):
        super().__init__(
            "known_variance", lambda y, mean, phi: -0.5 * (y - mean.mu) ** 2, link="identity"
        )


def test_normal_priors_on_a_linear_model_are_ridge_regression():
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc"))
    data["y"] = data.a - data.b + rng.normal(size=40)
    fit = mlm.glmer(
        "y ~ 0 + a + b + c", data, KnownVariance(), priors={"coefficients": Normal(0.5, 0.3)}
    )
    X, precision = data[list("abc")].to_numpy(), np.eye(3) / 0.3**2
    information = X.T @ X + precision
    ridge = np.linalg.solve(information, X.T @ data.y + precision @ np.full(3, 0.5))
    np.testing.assert_allclose(fit.beta, ridge, rtol=1e-10)
    np.testing.assert_allclose(fit.vcov(), np.linalg.inv(information), rtol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 3])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_gradient_of_the_density_agrees_with_differences(k, seed, counts):
    formula = f"y ~ x + ({['1', 'x', 'x + I(x^2)'][k - 1]} | g)"
    model = built(formula, counts)
    penalty = make_penalty(
        model,
        {
            "preset": "default",
            "x": StudentT(3.0, 0.0, 1.0),
            "sd": Gamma(2.0, 0.5),
            **({"corr": LKJ(2.5)} if k > 1 else {}),
        },
    )
    rng = np.random.default_rng(seed)
    par = rng.normal(size=model.n_par)
    gradient = penalty.value_and_gradient(par)[1]
    h = 1e-6
    differences = [
        (penalty.value_and_gradient(par + h * e)[0] - penalty.value_and_gradient(par - h * e)[0])
        / (2.0 * h)
        for e in np.eye(model.n_par)
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5)
    beta = par[: model.p]
    of_beta = [
        (penalty.of_beta(beta + h * e)[1] - penalty.of_beta(beta - h * e)[1]) / (2.0 * h)
        for e in np.eye(model.p)
    ]
    np.testing.assert_allclose(-penalty.beta_information(beta), of_beta, rtol=1e-5, atol=1e-7)
    turned = par.copy()
    turned[model.p : model.p + k] *= -1.0
    assert penalty.value_and_gradient(turned)[0] == pytest.approx(
        penalty.value_and_gradient(par)[0], rel=1e-13
    )


_models = {}


def built(formula, data):
    if formula not in _models:
        family, named = families.NegativeBinomial(), ("weights", "offset", "contrasts")
        design = build_design(formula, data, family, na_action="omit", **dict.fromkeys(named))
        _models[formula] = GLMM(design, family)
    return _models[formula]


def test_priors_cure_complete_separation():
    """lme4's `culcitalogreg`, of which all rows without defenders but one were preyed upon."""
    data = mlm.load_culcitalogreg()
    data = data[~((data.ttt == "none") & (data.predation == 0))]
    with pytest.warns(ConvergenceWarning, match=r"completely separated.*priors=\{'coefficients'"):
        mlm.glmer(CULCITA, data)
    priors = {"(Intercept)": Normal(0.0, 3.0), "coefficients": Normal(0.0, 3.0)}
    fit = mlm.glmer(CULCITA, data, priors=priors)
    assert fit.checkConv().ok
    assert fit.outcome.n_evaluations < 30
    means = fit.design.X.mean(axis=0)

    def log_prior(beta, sd, R, shape):
        centred = np.append(beta[0] + means[1:] @ beta[1:], beta[1:])
        return stats.norm(0.0, 3.0).logpdf(centred).sum()

    found, _ = maximised(fit, log_prior, fit.par + 0.1)
    np.testing.assert_allclose(fit.par, found.x, atol=1e-4)
    assert np.sqrt(np.diag(fit.vcov())).max() < 5.0


@pytest.mark.parametrize("nAGQ", [0, 1])
def test_a_glm_and_a_joint_mode_that_diverge_have_finite_penalised_estimates(nAGQ):
    data = pd.DataFrame({"y": np.repeat([0, 1], 12), "x": np.arange(24.0), "g": np.arange(24) % 6})
    slope = {"coefficients": Normal(0.0, 2.5), "sd": HalfNormal(1.0)}
    fit = mlm.glmer("y ~ x + (1 | g)", data, nAGQ=nAGQ, priors=slope, control=QUIET)
    assert fit.outcome.n_evaluations < 60
    assert fit.checkConv().ok
    del slope["sd"]
    glm = mlm.glmer("y ~ x", data, priors=slope)

    def negative(beta):
        eta = beta[0] + beta[1] * data.x
        loglik = (data.y * eta - np.logaddexp(0.0, eta)).sum()
        return -(loglik + stats.norm(0.0, 2.5).logpdf(beta[1]))

    found = optimize.minimize(negative, glm.beta, method="BFGS", options={"gtol": 1e-7})
    assert -found.fun - (glm.logLik() + glm.log_prior()) < 1e-8
    assert glm.checkConv().ok


QUIET = mlm.GlmerControl(check_singular=False)


def test_separation_is_still_told_of_coefficients_without_a_prior():
    data = pd.DataFrame(
        {"y": np.repeat([0, 1], 12), "x": np.arange(24.0), "z": np.tile([1.0, 2], 12)}
    )
    with pytest.warns(ConvergenceWarning, match="coefficients? of .*x"):
        mlm.glmer("y ~ x + z", data, priors={"z": Normal(0.0, 1.0)})


def test_a_gamma_prior_keeps_a_standard_deviation_off_zero(quiet_groups):
    """Chung et al. (2013): by about one standard error where the ML estimate is zero."""
    with pytest.warns(SingularFitWarning):
        mlm.glmer("y ~ x + (1 | g)", quiet_groups)
    fit = mlm.glmer("y ~ x + (1 | g)", quiet_groups, priors={"sd": Gamma(2.0, 1e-4)})
    found, _ = maximised(
        fit, lambda beta, sd, R, shape: stats.gamma(2.0, scale=1e4).logpdf(sd).sum(), fit.par + 0.1
    )
    np.testing.assert_allclose(fit.par, found.x, atol=1e-5)
    assert not fit.isSingular()
    assert 0.1 < fit.theta[0] < 1.0
    # With curvature I of the log-likelihood at zero the mode of sd exp(-I sd^2 / 2) is 1/sqrt(I).
    criterion = likelihood(fit, fit.model)
    curve = [criterion(np.append(fit.beta, sd)).loglik for sd in (0.0, 0.05)]
    assert fit.theta[0] == pytest.approx(0.05 / np.sqrt(2.0 * (curve[0] - curve[1])), rel=0.2)


@pytest.mark.parametrize("prior", [Exponential(1.0), HalfNormal(1.0), Gamma(1.0, 2.0)])
def test_a_prior_that_is_positive_at_zero_lets_a_variance_be_zero(prior, quiet_groups):
    with pytest.warns(SingularFitWarning, match="is zero"):
        fit = mlm.glmer("y ~ x + (1 | g)", quiet_groups, priors={"sd": prior})
    assert fit.theta.tolist() == [0.0]
    ml = mlm.glmer("y ~ x", quiet_groups)
    np.testing.assert_allclose(fit.beta, ml.beta, atol=1e-7)
    np.testing.assert_allclose(fit.vcov(), ml.vcov(), rtol=1e-6)


def test_a_correlation_of_one_is_kept_inside_by_lkj(counts):
    data = counts.assign(z=np.rint(np.exp(1.0 + 0.3 * np.sin(counts.g) * (1.0 + counts.x))))
    with pytest.warns(SingularFitWarning):
        mlm.glmer("z ~ x + (x | g)", data, "poisson")
    fit = mlm.glmer("z ~ x + (x | g)", data, "poisson", priors={"corr": LKJ(2.0)})
    found, _ = maximised(fit, lambda beta, sd, R, shape: np.log(np.linalg.det(R)), fit.par + 0.01)
    assert fit.logLik() + np.log(np.linalg.det(natural(fit, fit.par)[2])) > -found.fun - 1e-7
    assert not fit.isSingular()


def test_random_slopes_of_calendar_years_reach_the_same_maximum(counts):
    """The search begins in other coordinates there, to which the penalty must be carried."""
    fit, centred = (
        mlm.glmer(
            f"y ~ {x} + ({x} | g)",
            counts,
            "poisson",
            priors={f"sd_g[{x}]": HalfNormal(0.2), x: Normal(0.0, 0.1)},
            control=QUIET,
        )
        for x in ("year", "x")
    )
    assert fit.checkConv().ok
    assert fit.estimate.value == pytest.approx(centred.estimate.value, abs=1e-7)
    assert fit.fixef()["year"] == pytest.approx(centred.fixef()["x"], rel=1e-5)


def test_the_profile_is_that_of_the_penalised_criterion(counts):
    priors = {"sd": HalfNormal(0.3), "corr": LKJ(3.0), "coefficients": Normal(0.0, 0.2)}
    fit = mlm.glmer("y ~ x + (x | g)", counts, "poisson", priors=priors)
    name = "cor_x.(Intercept)|g"
    (name,) = [name for name in fit.confint().index if name.startswith("cor")]
    limits = fit.confint(["sd_(Intercept)|g", name, "x"], method="profile")
    criterion = likelihood(fit, fit.model)

    def value(beta, sd, r):
        L = sd[:, None] * np.array([[1.0, 0.0], [r, np.sqrt(1.0 - r * r)]])
        loglik = criterion(np.concatenate([beta, L[np.triu_indices(2)[::-1]]])).loglik
        log_prior = stats.halfnorm(scale=0.3).logpdf(sd).sum() + 2.0 * np.log(1.0 - r * r)
        return loglik + log_prior + stats.norm(0.0, 0.2).logpdf(beta[1])

    def profiled(place, at):
        start = np.array([*fit.beta, *np.log(fit_sd), np.arctanh(fit_r)])

        def negative(free):
            x = np.insert(free, place, at)
            return -value(x[:2], np.exp(x[2:4]), np.tanh(x[4]))

        found = optimize.minimize(negative, np.delete(start, place), options={"gtol": 1e-6})
        return -found.fun

    _, fit_sd, R, _ = natural(fit, fit.par)
    fit_r = R[0, 1]
    top = value(fit.beta, fit_sd, fit_r)
    half = 0.5 * stats.chi2(1).ppf(0.95)
    for row, place, scale in [(0, 2, np.log), (1, 4, np.arctanh), (2, 1, np.positive)]:
        for limit in limits.iloc[row]:
            assert top - profiled(place, scale(limit)) == pytest.approx(half, abs=1e-4)
    assert "penalised by the priors" in str(fit.profile("x"))


def test_verbs_of_a_penalised_fit(cbpp):
    priors = {"coefficients": Normal(0.0, 1.0), "sd": Gamma(2.0, 1.0)}
    fit = mlm.glmer(CBPP, cbpp, priors=priors)
    ml = mlm.glmer(CBPP, cbpp)
    assert fit.priors.coefficients[1] == Normal(0.0, 1.0)
    np.testing.assert_array_equal(fit.update(priors=None).par, ml.par)
    np.testing.assert_allclose(ml.update(priors=priors).par, fit.par, rtol=1e-10)
    refits = fit.refit(fit.simulate(nsim=2, seed=1))
    one = fit.refit(fit.simulate(nsim=2, seed=1)["sim_2"])
    np.testing.assert_allclose(refits.estimates.loc["sim_2", "period4"], one.fixef()["period4"])
    assert refits["sim_1"].priors == fit.priors
    assert fit.allFit(optimizers=["BFGS", "L-BFGS-B"]).agree
    boot = fit.bootMer(nsim=3, seed=1)
    assert np.isfinite(boot.to_frame().to_numpy(dtype=float)).all()
    influence = fit.influence(groups="herd")
    assert np.isfinite(influence.changes.to_numpy()).all()
    assert fit.r2().to_frame().notna().all(axis=None)
    text = str(fit.summary())
    assert "fit by penalised maximum likelihood (Laplace" in text
    assert "period2, period3, period4 ~ normal(location = 0, scale = 1)" in text
    assert "sd of\n" in text or "sd of (Intercept) by herd ~ gamma(shape = 2, rate = 1)" in text
    assert "all others flat" in text
    assert "log prior" in text
    assert "Priors" not in str(ml.summary())
    assert fit.glance()["AIC"].isna().all()


@pytest.mark.parametrize("verb", ["AIC", "BIC", "AICc", "drop1"])
def test_what_compares_maxima_of_likelihoods_is_refused(verb, cbpp):
    fit = mlm.glmer(CBPP, cbpp, priors={"sd": Gamma(2.0, 1.0)})
    with pytest.raises(ArgumentError, match=rf"{verb}\(\) needs a maximum.*priors=None"):
        getattr(fit, verb)()


def test_likelihood_ratio_tests_between_penalised_fits_are_refused(cbpp):
    fit = mlm.glmer(CBPP, cbpp, priors={"sd": Gamma(2.0, 1.0)})
    small = fit.update(". ~ . - period")
    with pytest.raises(ArgumentError, match=r"anova\(\).*penalised by priors"):
        mlm.anova(small, fit)
    with pytest.raises(ArgumentError, match=r"pb_lrt\(\).*penalised by priors"):
        fit.pb_lrt(small, nsim=2)
    assert fit.anova().to_frame().index.tolist() == ["period"]


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"sd": Gamma(0.5, 1.0)}, r"infinite at zero.*\(Intercept\) by herd"),
        ({"sd": Uniform(0.0, 5.0)}, "'sd_herd'.*must allow any positive number"),
        ({"period2": Uniform(-5.0, 5.0)}, "'period2'.*must allow any number"),
        ({"periode": Normal(0.0, 1.0)}, "unknown parameter.*period"),
        ("brm", "unknown preset.*brms"),
        (3.0, "it must be a preset"),
    ],
)
def test_priors_that_cannot_be_are_refused_by_name(priors, message, cbpp):
    with pytest.raises(ArgumentError, match=message):
        mlm.glmer(CBPP, cbpp, priors=priors)


def test_a_quasi_family_has_nothing_to_weigh_priors_against(cbpp):
    family = families.QuasiFamily(variance_func="mu*(1-mu)", link="logit")
    with pytest.raises(ArgumentError, match="has no likelihood"):
        mlm.glmer(CBPP, cbpp, family, priors="default")


def test_a_fit_without_priors_does_not_import_the_bayesian_side():
    code = (
        "import sys, mixedlm_pt as mlm\n"
        f"fit = mlm.glmer({CBPP!r}, mlm.load_cbpp())\n"
        "fit.update(nAGQ=3)\n"
        "assert not any(name.startswith('mixedlm_pt.bayes') for name in sys.modules)\n"
        "mlm.glmer(fit.call.formula, mlm.load_cbpp(), priors='default')\n"
        "assert 'pymc' not in sys.modules and 'arviz' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
