"""Every optimiser reaches the same optimum; good starts and shared compilations save work."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.compile import functions
from mixedlm_pt.errors import ConvergenceWarning, EstimationError
from mixedlm_pt.estimation import OPTIMIZERS

WITH_GRADIENT = ("quasi-newton", "BFGS", "L-BFGS-B", "SLSQP", "TNC", "CG")
WITHOUT_GRADIENT = ("Nelder-Mead", "Powell", "COBYQA")
SLOPES = "use ~ age + urban + (urban | district)"


@pytest.fixture(scope="module")
def contraception():
    return mlm.load_contraception()


@pytest.fixture(scope="module")
def slopes(contraception):
    return mlm.glmer(SLOPES, contraception)


@pytest.fixture(scope="module")
def herds():
    return mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp())


def assert_same_optimum(fit, best):
    assert fit.estimate.loglik == pytest.approx(best.estimate.loglik, abs=1e-7)
    se = np.sqrt(np.diag(best.estimate.covariance))
    moved = np.r_[fit.beta - best.beta, fit.theta - best.theta] / se
    assert moved == pytest.approx(0.0, abs=1e-3)
    assert fit.checkConv().ok


def test_every_optimizer_is_tested_here():
    assert set(OPTIMIZERS) == {*WITH_GRADIENT, *WITHOUT_GRADIENT}


@pytest.mark.parametrize("optimizer", WITH_GRADIENT)
def test_optimizers_with_gradient_need_few_evaluations(optimizer, contraception, slopes):
    fit = mlm.glmer(SLOPES, contraception, control=mlm.GlmerControl(optimizer=optimizer))
    assert_same_optimum(fit, slopes)
    assert fit.outcome.n_evaluations <= 40


@pytest.mark.parametrize("optimizer", WITHOUT_GRADIENT)
def test_optimizers_without_gradient_reach_the_same_optimum(optimizer, herds):
    control = mlm.GlmerControl(optimizer=optimizer)
    fit = mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp(), control=control)
    assert_same_optimum(fit, herds)
    assert fit.outcome.n_evaluations <= 400


@pytest.mark.parametrize("optimizer", ["quasi-newton", "L-BFGS-B", "TNC", *WITHOUT_GRADIENT])
def test_maxfun_stops_an_optimizer_and_the_fit_says_so(optimizer):
    control = mlm.GlmerControl(optimizer=optimizer, maxfun=2, check_conv=1e-12)
    with pytest.warns(ConvergenceWarning, match="could still gain .* raise GlmerControl.maxfun="):
        fit = mlm.glmer("incidence / size ~ 1 + (1 | herd)", mlm.load_cbpp(), control=control)
    assert fit.outcome.n_evaluations <= 4


def test_a_fit_as_start_is_accepted_at_once(contraception, slopes):
    again = mlm.glmer(SLOPES, contraception, start=slopes)
    assert again.outcome.n_evaluations <= 2
    assert_same_optimum(again, slopes)


def test_start_may_give_some_of_the_parameters(contraception, slopes):
    for start in ({"theta": slopes.theta}, {"fixef": slopes.fixef()}, {"theta": None}):
        assert_same_optimum(mlm.glmer(SLOPES, contraception, start=start), slopes)


@pytest.mark.parametrize("theta", [[-0.6, 0.5, -0.5], [0.0, 0.0, 0.0], [20.0, 0.0, 20.0]])
def test_any_sign_and_size_of_theta_leads_to_the_optimum(theta, contraception, slopes):
    fit = mlm.glmer(SLOPES, contraception, start={"theta": theta})
    assert_same_optimum(fit, slopes)
    assert (np.diag(fit.Lambda[0]) >= 0.0).all()


def test_a_poisson_fit_starts_a_negative_binomial_and_the_reverse():
    data, formula = mlm.load_grouseticks(), "TICKS ~ YEAR + (1 | BROOD)"
    poisson = mlm.glmer(formula, data, "poisson")
    negative_binomial = mlm.glmer_nb(formula, data, start=poisson, theta=2.0)
    assert negative_binomial.estimate.loglik > poisson.estimate.loglik
    assert_same_optimum(mlm.glmer(formula, data, "poisson", start=negative_binomial), poisson)


def test_a_start_where_nothing_can_be_evaluated_is_an_error():
    start = {"fixef": [-500.0, 0.0, 0.0]}
    family = mlm.families.Poisson(link="identity")
    with pytest.raises(EstimationError, match="cannot be evaluated at the starting values"):
        mlm.glmer("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks(), family, start=start)


def test_data_of_the_same_structure_share_one_compilation(monkeypatch):
    compiled = []
    compile_function = functions.CompiledModel.function

    def counted(*arguments, **options):
        compiled.append(arguments)
        return compile_function(*arguments, **options)

    def fit(n, n_levels, formula, **arguments):
        rng = np.random.default_rng(n)
        data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
        data["g"] = rng.integers(0, n_levels, n)
        b = rng.normal(size=(n_levels, 2))[data.g]
        data["y"] = rng.poisson(np.exp(1.0 + b[:, 0] + b[:, 1] * data.x))
        return mlm.glmer(formula, data, "poisson", **arguments).summary()

    monkeypatch.setattr(functions.CompiledModel, "function", counted)
    monkeypatch.setattr(functions, "_cache", type(functions._cache)())
    fit(80, 10, "y ~ x + (x | g)")
    first = len(compiled)
    assert 0 < first < 20
    fit(120, 15, "y ~ x + z + (z | g)", weights=np.full(120, 2.0), offset=np.full(120, 0.1))
    assert len(compiled) == first
    fit(80, 10, "y ~ x + (1 | g)")
    assert len(compiled) > first
