"""Posteriors spread around a fit in a known way, with any priors and target."""

from dataclasses import replace

import numpy as np

from tests.bayes.normal_posterior import made_posterior


def posterior_of(fit, *, sd=None, n_draws=1000, seed=1, **changes):
    """A posterior of a model with one term, an intercept or an intercept and a slope.

    Coefficients are normal around the estimates with half a standard error, sds log-normal around
    the estimated ones or as given, shape (n_draws, k), correlations uniform.
    """
    rng, model = np.random.default_rng(seed), fit.model
    (k,) = model.term_widths
    se = np.sqrt(np.diag(fit.estimate.covariance)[: model.p])
    beta = rng.normal(fit.beta, 0.5 * se, (n_draws, model.p))
    if sd is None:
        sd = np.linalg.norm(fit.Lambda[0], axis=1) * np.exp(rng.normal(0.0, 0.2, (n_draws, k)))
    r = rng.uniform(-0.9, 0.9, n_draws)
    theta = sd if k == 1 else np.stack([sd[:, 0], sd[:, 1] * r, sd[:, 1] * np.sqrt(1 - r**2)], 1)
    log_phi = fit.log_phi + rng.normal(0.0, 0.2 * model.family.estimates_phi, n_draws)
    u = rng.normal(size=(n_draws, model.q))
    return replace(made_posterior(fit, beta, theta, log_phi, u), **changes)
