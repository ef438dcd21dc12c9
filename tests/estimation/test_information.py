"""The information, its accuracy, and what the search needs on its way there."""

import gc
import pickle
import weakref

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt import fit as fit_module
from mixedlm_pt.estimation import Objective, ProfiledObjective
from mixedlm_pt.estimation.boundary import lambda_columns
from mixedlm_pt.estimation.hessian import Neighbourhood
from mixedlm_pt.estimation.objective import with_same_effects
from mixedlm_pt.estimation.start import starting_values

QUIET = mlm.GlmerControl(check_singular=False)


def made(formula, data, family="binomial", **arguments):
    return lambda: mlm.glmer(formula, data(), family, control=QUIET, **arguments)


FITS = {
    "one factor": made("incidence / size ~ period + (1 | herd)", mlm.load_cbpp),
    "probit": made(
        "incidence / size ~ period + (1 | herd)",
        mlm.load_cbpp,
        mlm.families.Binomial(link="probit"),
    ),
    "quadrature": made("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, nAGQ=9),
    "nAGQ = 0": made("use ~ urban + (1 + urban | district)", mlm.load_contraception, nAGQ=0),
    "slopes": made("use ~ urban + (1 + urban | district)", mlm.load_contraception),
    "three factors": made(
        "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        mlm.load_grouseticks,
        "poisson",
    ),
    "shape": made(
        "TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks, mlm.families.NegativeBinomial()
    ),
    "no random effects": made("incidence / size ~ period", mlm.load_cbpp),
}


@pytest.fixture(scope="module", params=FITS)
def fit(request):
    return FITS[request.param]()


def objective_of(fit):
    kind = ProfiledObjective if fit.approximation.nAGQ == 0 else Objective
    objective = kind(fit.model, fit.approximation)
    objective.beta, objective.u = fit.beta, fit.u
    return objective, fit.par[fit.model.p if kind is ProfiledObjective else 0 :]


def second_differences(objective, par, root, h):
    """Negative Hessian along the columns of root from values alone, of fourth order."""

    def value(*steps):
        return objective(par + sum(steps)).loglik

    m, here = root.shape[1], value(0.0)
    H = np.empty((m, m))

    def along(step):
        near, far = (value(k * step) + value(-k * step) - 2.0 * here for k in (1.0, 2.0))
        return -(16.0 * near - far) / (12.0 * h**2)

    for j in range(m):
        H[j, j] = along(h * root[:, j])
    for j in range(m):
        for k in range(j):
            both = along(h * (root[:, j] + root[:, k]))
            H[j, k] = H[k, j] = 0.5 * (both - H[j, j] - H[k, k])
    return H


def test_the_information_is_the_second_derivative_of_the_log_likelihood(fit):
    objective, par = objective_of(fit)
    first = fit.model.p if objective.moves_beta else 0
    free = ~fit.outcome.on_boundary
    covariance = fit.estimate.covariance[first:, first:][np.ix_(free, free)]
    root = np.zeros((len(par), free.sum()))
    root[free] = np.linalg.cholesky(covariance)
    # In these units it is the identity.
    H = second_differences(objective, par, root, h=0.02)
    np.testing.assert_allclose(H, np.eye(len(H)), atol=2e-5)


def test_gradients_next_to_the_optimum_need_no_search_for_the_mode(fit):
    objective, par = objective_of(fit)
    at = objective(par)
    nearby, step = Neighbourhood(objective, at), 1e-6 * np.abs(par)
    objective.n_newton = 0
    found = nearby.gradient(par + step)
    assert objective.n_newton == 0
    searched = objective(par + step).gradient
    change = np.abs(searched - at.gradient)
    np.testing.assert_allclose(found, searched, atol=1e-3 * change.max())


@pytest.mark.parametrize("name", FITS)
def test_the_optimum_is_exact_and_the_outcome_says_so(name):
    fit = FITS[name]()
    objective, par = objective_of(fit)
    at = objective(par)
    assert at.loglik == pytest.approx(fit.estimate.loglik, abs=1e-9)
    # In standard errors.
    assert fit.outcome.decrement < 0.5 * 1e-6**2
    assert fit.outcome.n_evaluations <= 10


@pytest.mark.parametrize(
    ("load", "formula", "family"),
    [
        (mlm.load_cbpp, "incidence / size ~ period + (1 | herd)", "binomial"),
        (mlm.load_contraception, "use ~ urban + (1 + urban | district)", "binomial"),
        (mlm.load_sleepstudy, "Reaction ~ Days + (Days | Subject)", mlm.families.Gamma("log")),
    ],
)
def test_the_start_is_within_a_standard_error(load, formula, family):
    fit = mlm.glmer(formula, load(), family)
    objective = Objective(fit.model, fit.approximation)
    start = starting_values(objective)
    lost = fit.estimate.loglik - objective(start.par).loglik
    assert 0.0 <= lost < 0.5 * len(start.par)


def test_effects_stay_the_same_when_their_covariance_changes():
    fit = FITS["slopes"]()
    objective = Objective(fit.model, fit.approximation)
    theta = np.array([0.3, -0.2, 1.7])
    factors = objective.compiled.covariance_factors
    u = with_same_effects(fit.model, fit.u, factors(fit.theta), factors(theta))
    finder = objective.finder
    before, after = (
        finder.linear_predictor(fit.beta, effects, finder.scaled_design(Lambda))
        for effects, Lambda in ((fit.u, fit.theta), (u, theta))
    )
    np.testing.assert_allclose(after, before, atol=1e-12)


def test_a_mode_is_found_where_the_same_u_has_means_outside_their_range():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(10), 20)
    y = rng.poisson((np.linspace(0.5, 4.0, 10) ** 2)[group])
    data = {"y": y.astype(float), "g": group}
    fit = mlm.glmer("y ~ 1 + (1 | g)", data, mlm.families.Poisson(link="identity"), control=QUIET)
    objective, par = objective_of(fit)
    objective(par)
    par[lambda_columns(objective)[0][0]] *= 20.0
    far = objective(par)
    assert np.isfinite(far.loglik)
    assert far.mode.n_newton < 30


def test_a_fit_makes_its_linear_algebra_once_and_does_not_carry_it():
    fit = FITS["one factor"]()
    size = len(pickle.dumps(fit.estimate)), len(vars(fit))
    assert fit.finder is fit.finder
    assert (len(pickle.dumps(fit.estimate)), len(vars(fit))) == size
    finder = weakref.ref(fit.finder)
    del fit
    gc.collect()
    assert finder() is None
    assert not any(found is None for found in fit_module._finders.values())
