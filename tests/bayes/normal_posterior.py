"""Posteriors whose draws are given, for facts about accessors that need no sampler."""

import numpy as np
import xarray as xr

from mixedlm_pt.bayes import PosteriorResult, default_priors
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.pymc_model import term_columns

MADE = ("made", "full", 10, 1.0, 2.0)


def made_posterior(fit, beta, theta, log_phi, u, n_chains=2):
    """The result that has these draws, each with the draw as the first axis."""
    model, S = fit.model, len(beta)
    variables = {"beta": (["coefficient"], beta)}
    coords = {"coefficient": np.array(model.design.coef_names, dtype=object)}
    factors = list(zip(*(fit.compiled.covariance_factors(t) for t in theta), strict=True))
    for f, factor in enumerate(model.design.factors):
        level, term = f"level_{factor.name}", f"term_{factor.name}"
        columns = [c for t in model.factor_terms[f] for c in model.design.terms[t].columns]
        coords[level] = factor.levels.to_numpy().astype(object)
        coords[term] = coords[f"{term}_"] = np.array(columns, dtype=object)
        u_f = u[:, model.u_slices[f]].reshape(S, factor.n_levels, -1)
        k = u_f.shape[2]
        sd, R, b = np.empty((S, k)), np.zeros((S, k, k)), np.empty_like(u_f)
        for t, own in term_columns(model, f):
            Lambda = np.stack(factors[t])
            sd[:, own] = np.linalg.norm(Lambda, axis=2)
            L = Lambda / sd[:, own, None]
            R[:, own, own] = L @ L.transpose(0, 2, 1)
            b[:, :, own] = u_f[:, :, own] @ Lambda.transpose(0, 2, 1)
            if L.shape[1] > 1:
                variables[f"cholesky[{model.design.terms[t].label}]"] = ([f"a{t}", f"b{t}"], L)
        variables |= {f"sd_{factor.name}": ([term], sd), f"u_{factor.name}": ([level, term], u_f)}
        variables |= {f"b_{factor.name}": ([level, term], b)}
        variables |= {f"corr_{factor.name}": ([term, f"{term}_"], R)}
    dispersion = Dispersion.of(model)
    if dispersion is not None:
        variables[dispersion.name] = ([], np.exp(log_phi) ** dispersion.power)
    shaped = {
        name: (["chain", "draw", *dims], values.reshape(n_chains, -1, *values.shape[1:]))
        for name, (dims, values) in variables.items()
    }
    stats = {"diverging": (["chain", "draw"], np.zeros((n_chains, S // n_chains), bool))}
    groups = {"posterior": xr.Dataset(shaped, coords), "sample_stats": xr.Dataset(stats)}
    return PosteriorResult(fit, default_priors(fit), xr.DataTree.from_dict(groups), *MADE)


def normal_posterior(fit, n_draws=400, seed=1, shrink=1.0):
    """Parameters from N(ML, shrink^2 vcov), effects from their normal distribution given these."""
    from mixedlm_pt.prediction.joint_covariance import joint_covariance

    rng, model = np.random.default_rng(seed), fit.model
    joint = joint_covariance(fit)
    root = np.linalg.cholesky(joint.V)
    steps = shrink * rng.standard_normal((n_draws, len(joint.V))) @ root.T
    H_inverse = fit.finder.solve(joint.packed, np.eye(model.q)) if model.q else np.empty((0, 0))
    noise = rng.standard_normal((n_draws, model.q)) @ np.linalg.cholesky(H_inverse).T
    u = fit.u + steps @ joint.J.T + shrink * noise
    par = fit.par + steps
    p, n_theta = model.p, model.n_theta
    log_phi = par[:, -1] if model.family.estimates_phi else np.full(n_draws, fit.log_phi)
    return made_posterior(fit, par[:, :p], par[:, p : p + n_theta], log_phi, u)
