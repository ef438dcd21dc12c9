"""The trusted fits: which there are, and how their numbers map to ours."""

import json
from functools import cache
from pathlib import Path

import numpy as np

import mixedlm_pt.datasets as datasets
from mixedlm_pt import families
from mixedlm_pt.compile import Approximation
from mixedlm_pt.design import build_design
from mixedlm_pt.estimation import GlmerControl, Objective, fit_model
from mixedlm_pt.fit import Call
from mixedlm_pt.model import GLMM
from mixedlm_pt.results import GlmerResult

FOLDER = Path(__file__).parent / "fits"

FAMILIES = {
    "binomial": families.Binomial,
    "poisson": families.Poisson,
    "nbinom2": families.NegativeBinomial,
    "gaussian": families.Gaussian,
    "Gamma": families.Gamma,
    "inverse.gaussian": families.InverseGaussian,
}

# lme4's criterion for families with a dispersion is not a likelihood (SOURCE.md): these six
# document lme4's behaviour, and another test shows what it costs.
NOT_A_LIKELIHOOD = frozenset(
    {
        "sleepstudy_Gamma_inverse_lme4",
        "sleepstudy_Gamma_log_indep_lme4",
        "sleepstudy_Gamma_log_lme4",
        "sleepstudy_Gamma_log_slope_lme4",
        "sleepstudy_gaussian_log_lme4",
        "sleepstudy_invgauss_log_lme4",
    }
)

# As many nodes as are allowed stand for the exact integral.
EXACT_NODES = 100


@cache
def record(name):
    """The JSON of one fit."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def names():
    """Ids of all fits, tables left out."""
    ids = sorted(path.stem for path in FOLDER.glob("*.json"))
    return [name for name in ids if "fixef" in record(name)]


@cache
def model(name):
    """The same model in our terms."""
    fit = record(name)
    family = FAMILIES[fit["family"]](link=fit["link"])
    data = datasets.load(fit["dataset"])
    if "(1 | obs)" in fit["formula_py"]:
        data["obs"] = np.arange(1, len(data) + 1)
    return GLMM(build_design(fit["formula_py"], data, family, weights=fit.get("weights")), family)


def approximation(name):
    """What the engine computed: Laplace by one or the other information, or quadrature."""
    fit = record(name)
    if "exact integral" in fit["method"]:
        return Approximation(EXACT_NODES)
    weights = "expected" if "expected" in (fit.get("laplace_weights") or "") else "observed"
    return Approximation(fit.get("nAGQ") or 1, weights)


@cache
def estimate(name):
    """Our own fit of it."""
    control = GlmerControl(laplace_weights=approximation(name).laplace_weights)
    return fit_model(model(name), approximation(name), control)


@cache
def fit(name):
    """Our own fit of it, with its verbs."""
    control = GlmerControl(laplace_weights=approximation(name).laplace_weights)
    call = Call(record(name)["formula_py"], None, {})
    return GlmerResult(model(name), approximation(name), control, "auto", estimate(name), call)


def parameters(name):
    """The reference's estimates as our vector (beta, theta, log phi)."""
    fit, ours = record(name), model(name)
    beta = [fit["fixef"][coefficient] for coefficient in ours.design.coef_names]
    theta = [lower_triangle(covariance(fit, ours, t)) for t in range(len(ours.design.terms))]
    par = np.concatenate([beta, *theta])
    return np.append(par, np.log(phi(fit))) if ours.family.estimates_phi else par


def covariance(fit, ours, t):
    """Covariance matrix of one term, its effects in our order."""
    term, group = ours.design.terms[t], ours.design.factors[ours.design.terms[t].factor].name
    for block in fit["varcorr"]:
        if block["group"].split(".")[0] != group or not set(term.columns) <= set(block["terms"]):
            continue
        where = [block["terms"].index(column) for column in term.columns]
        return np.array(block["cov"])[np.ix_(where, where)]
    raise AssertionError(f"{fit['id']} has no covariance for {term.label}")


def lower_triangle(cov):
    """Cholesky factor of a possibly singular covariance, column by column."""
    L, left = np.zeros_like(cov), cov.copy()
    for c in range(len(cov)):
        pivot = np.sqrt(max(left[c, c], 0.0))
        if pivot > 0.0:
            L[c:, c] = left[c:, c] / pivot
        left = left - np.outer(L[:, c], L[:, c])
    return np.concatenate([L[c:, c] for c in range(len(cov))])


def phi(fit):
    """Dispersion on our scale; see SOURCE.md for theirs."""
    if fit["family"] == "nbinom2":
        return fit.get("nb_theta") or fit.get("dispersion") or fit["sigma"]
    return fit.get("dispersion") or fit["sigma"] ** 2


def loglik_at_their_estimates(name):
    """Our criterion at the reference's parameters."""
    return Objective(model(name), approximation(name))(parameters(name)).loglik
