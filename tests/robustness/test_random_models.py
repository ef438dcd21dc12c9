"""Random tables and formulas: `glmer` fits them or says in its own words why not.

What it fits is checked against `plain_likelihood`: the log-likelihood, and that no small step in
any parameter raises it.
"""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

import mixedlm_pt as mlm
from mixedlm_pt.errors import MixedlmError, MixedlmWarning
from tests.robustness.plain_likelihood import PlainLikelihood
from tests.robustness.random_models import cases

VERBS = (
    "summary VarCorr ranef coef tidy glance augment confint vcov residuals fitted predict AIC BIC "
    "isSingular overdispersion hatvalues rePCA"
).split()
TOLERANCE = 1e-6
# No step of this size in the linear predictor, or share of a factor, may gain so much. From a
# variance of zero the step is in units of what a level's rows know about its effect: with weights
# of a million there may be another, higher maximum at a distance that looks small.
STEP, GAIN = 0.05, 1e-5

everything = settings(
    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)


def said(function, *arguments, **named):
    """What a call returns, or None if it raised one of our errors; its warnings are ours."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = function(*arguments, **named)
        except MixedlmError:
            value = None
    foreign = [warning for warning in caught if not issubclass(warning.category, MixedlmWarning)]
    assert not foreign, [str(warning.message) for warning in foreign]
    return value


def check(case):
    fit = said(mlm.glmer, case.formula, case.data, case.declared, **case.arguments)
    if fit is None:
        return
    for verb in VERBS:
        value = said(getattr(fit, verb))
        said(str, value)
        said(getattr(value, "_repr_html_", str))
    assert np.isfinite(fit.estimate.loglik)
    assert np.isfinite(fit.beta).all()
    assert np.isfinite(fit.mu).all()
    if fit.checkConv().ok:
        with np.errstate(all="ignore"):
            check_maximum(fit, case)


def check_maximum(fit, case):
    """The log-likelihood is the one that plain code computes, and it is a maximum."""
    plain, nAGQ = PlainLikelihood.of(fit, case.family, case.link), fit.approximation.nAGQ
    Lambda, u = PlainLikelihood.factor(fit), PlainLikelihood.effects(fit)

    def loglik(beta, Lambda, phi):
        if nAGQ > 1 and fit.model.q:
            return plain.quadrature(beta, Lambda, phi, u, nAGQ)
        return plain.laplace(beta, Lambda, phi, u)[0]

    own = fit.estimate.loglik
    expected = loglik(fit.beta, Lambda, fit.phi)
    assert own == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)
    if nAGQ == 0:
        # What is maximised there has beta at the joint mode, which moves with the other parameters.
        return
    nearby = []
    for column, size in enumerate(np.abs(plain.X).max(axis=0)):
        step = STEP / size * np.eye(fit.model.p)[column]
        nearby += [loglik(fit.beta + s * step, Lambda, fit.phi) for s in (-1, 1)]
    blocks = fit.getME("Gp") if fit.model.q else ()
    for first, last in itertools.pairwise(blocks):
        own_rows = (np.arange(len(u)) >= first) & (np.arange(len(u)) < last)
        for s in (1.0 - STEP, 1.0 + STEP):
            nearby.append(loglik(fit.beta, np.where(own_rows[:, None], s, 1.0) * Lambda, fit.phi))
        if not Lambda[own_rows].any():
            unit = plain.least_error(fit.beta, Lambda, fit.phi, u)[own_rows].min()
            nearby.append(loglik(fit.beta, Lambda + STEP * unit * np.diag(own_rows), fit.phi))
    if fit.family.estimates_phi:
        nearby += [loglik(fit.beta, Lambda, fit.phi * s) for s in (1.0 - STEP, 1.0 + STEP)]
    assert np.nanmax(nearby, initial=own) <= own + GAIN * (1.0 + abs(own))


@settings(everything, max_examples=40)
@given(cases())
def test_random_input_is_fitted_or_refused_in_words(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_much_random_input_is_fitted_or_refused_in_words(number):
    @seed(number)
    @settings(everything, max_examples=500, derandomize=False)
    @given(cases())
    def run(case):
        check(case)

    run()
