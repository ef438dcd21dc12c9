"""Posteriors of draws that a test makes itself: nothing is sampled."""

import arviz as az
import numpy as np

from mixedlm_pt.bayes import PosteriorResult, default_priors
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.pymc_model import term_columns


def made_posterior(fit, beta, sds, b, dispersion=None, corr=None, stats=None, chains=2):
    """A posterior of given draws, the first axis of every array: chain after chain.

    ``sds`` and ``b`` map factors to arrays (S, k) and (S, levels, k); ``corr`` maps those with two
    correlated effects to (S,).
    """
    model, corr = fit.model, corr or {}
    coords = {"coefficient": list(model.design.coef_names)}
    variables, dims = {"beta": np.asarray(beta)}, {"beta": ["coefficient"]}
    for f, factor in enumerate(model.design.factors):
        g, name = factor.name, f"sd_{factor.name}"
        sd, effects = np.asarray(sds[g]), np.asarray(b[g])
        variables[name], variables[f"b_{g}"] = sd, effects
        u = effects / sd[:, None, :]
        for t, columns in term_columns(model, f):
            if columns.stop - columns.start == 2:
                r = corr[g]
                L = np.zeros((len(r), 2, 2))
                L[:, 0, 0], L[:, 1, 0], L[:, 1, 1] = 1.0, r, np.sqrt(1.0 - r**2)
                variables[f"cholesky[{model.design.terms[t].label}]"] = L
                variables[f"corr_{g}"] = L @ L.transpose(0, 2, 1)
                u = np.linalg.solve(L[:, None], u[..., None])[..., 0]
        variables[f"u_{g}"] = u
        level, term = f"level_{g}", f"term_{g}"
        coords |= {level: factor.levels.to_numpy(), term: [str(j) for j in range(sd.shape[1])]}
        dims |= {name: [term], f"b_{g}": [level, term], f"u_{g}": [level, term]}
    if dispersion is not None:
        variables[Dispersion.of(model).name] = np.asarray(dispersion)
    groups = {"posterior": variables}
    if stats is not None:
        groups["sample_stats"] = stats
    by_chain = {
        group: {k: v.reshape(chains, len(v) // chains, *v.shape[1:]) for k, v in members.items()}
        for group, members in groups.items()
    }
    data = az.from_dict(by_chain, coords=coords, dims=dims, check_conventions=False)
    return PosteriorResult(fit, default_priors(model), data, "nutpie", "full", 1000, 1.0, 1.0)


def around(fit, n=400, seed=1, spread=0.2, **arguments):
    """A posterior scattered around a fit whose terms have one effect each."""
    rng = np.random.default_rng(seed)
    p = fit.model.p
    beta = rng.multivariate_normal(fit.beta, fit.estimate.covariance[:p, :p], n)
    sds, b = {}, {}
    for f, factor in enumerate(fit.design.factors):
        (t,) = fit.model.factor_terms[f]
        sds[factor.name] = fit.Lambda[t][0, 0] * np.exp(spread * rng.standard_normal((n, 1)))
        noise = spread * rng.standard_normal((n, factor.n_levels, 1))
        b[factor.name] = (fit.u_by_term[t] + noise) * sds[factor.name][:, None, :]
    dispersion = Dispersion.of(fit.model)
    if dispersion is not None:
        arguments["dispersion"] = dispersion.from_phi(fit.phi) * np.exp(
            0.1 * rng.standard_normal(n)
        )
    return made_posterior(fit, beta, sds, b, **arguments)
