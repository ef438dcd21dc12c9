"""The model in PyMC, built by the same graph functions that maximum likelihood uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.math import _dot, _matmul

from mixedlm_pt._typing import FloatArray, Matrix, Scalar, Vector
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import random_vector, sum_logp
from mixedlm_pt.bayes.priors import (
    Priors,
    PriorsArgument,
    effect_names,
    has_correlations,
    intercept_of,
    make_priors,
    model_of,
    predictor_means,
)
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.covariance import Covariance
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.density import log_density
from mixedlm_pt.graph import GLMMGraph, covariance_factors, linear_predictor
from mixedlm_pt.model import GLMM

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, eq=False)
class PosteriorModel:
    """A model in PyMC with what links it to the ML side.

    Attributes
    ----------
    model : GLMM
    priors : Priors
    pymc : pymc.Model
    graph : GLMMGraph
        The model's graph, whose inputs are variables of ``pymc``.
    log_prior : scalar
        Log prior density of beta, standard deviations, correlations and dispersion, each on its
        own scale: no Jacobian of any transformation.
    """

    model: GLMM
    priors: Priors
    pymc: pm.Model
    graph: GLMMGraph
    log_prior: Scalar


def to_pymc(fit_or_model: Any, priors: PriorsArgument = None) -> pm.Model:
    """The same model as an ordinary ``pymc.Model``.

    Its joint log density is that of the ML side: both are written by the functions in ``graph``.
    With flat priors they are equal, apart from the constant ``-q/2 log 2 pi`` of the standard
    normal effects and that of the density of a correlation matrix.

    Variables (dimensions in parentheses):

    - ``beta`` (coefficient): R's coefficients; with an intercept and other predictors it is
      computed from ``beta_centred``, whose intercept belongs to centred predictors.
    - ``sd_herd`` (term_herd), ``corr_herd`` (term_herd, term_herd_): standard deviations and, where
      a term has several effects, correlations, computed from their Cholesky factor.
    - ``u_herd`` (level_herd, term_herd): standard normal effects (non-centred), and ``b_herd``,
      effects on the link scale.
    - ``sigma``, ``shape`` or ``theta``: the dispersion on its natural scale.
    - ``y`` (obs): response, a proportion for the binomial.

    Data (``X``, ``Z[1 | herd]``, ``cols``, ``offset``, ``weights``, ``response``) can be replaced
    by `pymc.set_data`; ``cols`` are the positions in ``u`` of each row's effects.

    Parameters
    ----------
    fit_or_model : Fit or GLMM
    priors : Priors, str or mapping, optional
        ``None`` for the default priors, see `default_priors`; ``"flat"``; or changes to the default
        by parameter: ``{"sd_herd": HalfNormal(1.0), "period2": Normal(0.0, 1.0)}``.

    Returns
    -------
    pymc.Model

    Raises
    ------
    ArgumentError
        For an unknown preset or parameter, or a family that has no likelihood.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> [variable.name for variable in to_pymc(fit).free_RVs]
    ['beta_centred', 'sd_herd', 'u_herd']
    """
    model = model_of(fit_or_model)
    return build_pymc(model, make_priors(model, priors)).pymc


def build_pymc(model: GLMM, priors: Priors) -> PosteriorModel:
    """The PyMC model together with its graph and its log prior density.

    Raises
    ------
    ArgumentError
        If the family has no likelihood.
    """
    import pymc as pm

    # PyMC's samplers run in numba: this registers the numba versions of the structured Ops.
    import mixedlm_pt.linalg.dispatch_numba  # noqa: F401

    if not model.family.has_likelihood:
        raise ArgumentError(
            f"{model.family.name} has no likelihood and so no posterior; use a family with one, "
            "such as binomial, poisson or negative_binomial."
        )
    with pm.Model(coords=coordinates(model)) as pymc_model:
        graph = with_data(GLMMGraph.of(model), model)
        beta_prior, graph = with_coefficients(graph, model, priors)
        effects_prior, graph = with_effects(graph, model, priors)
        phi_prior, graph = with_dispersion(graph, model, priors)
        observe(graph, model)
    return PosteriorModel(model, priors, pymc_model, graph, beta_prior + effects_prior + phi_prior)


def coordinates(model: GLMM) -> dict[str, Any]:
    """Labels of the dimensions."""
    coords: dict[str, Any] = {
        "obs": model.design.index.to_numpy(),
        "coefficient": np.array(model.design.coef_names, dtype=object),
    }
    for factor, columns in zip(model.design.factors, effect_names(model), strict=True):
        coords[f"level_{factor.name}"] = factor.levels.to_numpy()
        # xarray wants two names for the two sides of a correlation matrix.
        for term in (f"term_{factor.name}", f"term_{factor.name}_"):
            coords[term] = np.array(columns, dtype=object)
    return coords


def with_data(graph: GLMMGraph, model: GLMM) -> GLMMGraph:
    """The graph with `pymc.Data` for its data."""
    import pymc as pm

    design, structure = model.design, model.structure
    graph = replace(
        graph,
        y=pm.Data("response", design.response.y, dims="obs"),
        w=pm.Data("weights", design.response.weights, dims="obs"),
        offset=pm.Data("offset", design.offset, dims="obs"),
        X=pm.Data("X", design.X, dims=("obs", "coefficient")),
    )
    if structure is None:
        return graph
    Z = tuple(pm.Data(f"Z[{term.label}]", term.Z) for term in design.terms)
    return replace(graph, Z=Z, index=(pm.Data("cols", structure.cols),))


def with_coefficients(graph: GLMMGraph, model: GLMM, priors: Priors) -> tuple[Scalar, GLMMGraph]:
    """The log prior of beta, and the graph with its random variable."""
    import pymc as pm

    means, intercept = predictor_means(model), intercept_of(model)
    labels = model.design.coef_names
    name = "beta_centred" if means.any() else "beta"
    beta = centred = random_vector(name, priors.coefficients, labels, "coefficient")
    if means.any():
        # Of determinant one, so the density of beta is that of beta_centred.
        shift = np.eye(model.p)[intercept]
        beta = pm.Deterministic(
            "beta", centred - shift * (means * centred).sum(), dims="coefficient"
        )
    return sum_logp(priors.coefficients, centred), replace(graph, beta=beta)


def with_effects(graph: GLMMGraph, model: GLMM, priors: Priors) -> tuple[Scalar, GLMMGraph]:
    """The log prior of the covariances, and the graph with theta and u."""
    import pymc as pm

    log_prior, Lambda, u = pt.constant(0.0), {}, []
    for f, factor in enumerate(model.design.factors):
        level, term = f"level_{factor.name}", f"term_{factor.name}"
        sd = random_vector(f"sd_{factor.name}", priors.sds[f], effect_names(model)[f], term)
        log_prior += sum_logp(priors.sds[f], sd)
        cholesky = []
        for t, columns in term_columns(model, f):
            k = model.term_widths[t]
            L = pt.ones((1, 1))
            if k > 1:
                L = priors.correlations[f].cholesky(f"cholesky[{model.design.terms[t].label}]", k)
                log_prior += priors.correlations[f].logp(L)
            cholesky.append(L)
            Lambda[t] = sd[columns, None] * L
        if has_correlations(model)[f]:
            R = pt.linalg.block_diag(*(L @ L.T for L in cholesky)) if len(cholesky) > 1 else L @ L.T
            pm.Deterministic(f"corr_{factor.name}", without_blas(R), dims=(term, f"{term}_"))
        u.append(pm.Normal(f"u_{factor.name}", dims=(level, term)))
    if not u:
        return log_prior, graph
    terms = zip(model.covariances, model.term_widths, strict=True)
    thetas = [theta_of(cov, Lambda[t], k) for t, (cov, k) in enumerate(terms)]
    graph = replace(graph, theta=join(thetas), u=join([part.ravel() for part in u]))
    factors = covariance_factors(graph)
    for f, factor in enumerate(model.design.factors):
        parts = [u[f][:, columns] @ factors[t].T for t, columns in term_columns(model, f)]
        dims = (f"level_{factor.name}", f"term_{factor.name}")
        pm.Deterministic(f"b_{factor.name}", without_blas(join(parts, axis=1)), dims=dims)
    return log_prior, graph


def term_columns(model: GLMM, f: int) -> Iterator[tuple[int, slice]]:
    """The terms of a grouping factor, and where their effects stand among the factor's."""
    first = 0
    for t in model.factor_terms[f]:
        yield t, slice(first, first + model.term_widths[t])
        first += model.term_widths[t]


def theta_of(covariance: Covariance, Lambda: Matrix, k: int) -> Vector:
    """theta with ``covariance.factor(theta) = Lambda``, symbolic."""
    columns = covariance.columns(k)
    entries = join([Lambda[c:, c] for c in range(k)])
    return entries[np.argsort(np.concatenate(columns))]


def join(parts: list[Vector], axis: int = 0) -> Vector:
    """The parts in one; a single one as it is, which keeps the graph small."""
    return parts[0] if len(parts) == 1 else pt.concatenate(parts, axis=axis)


def with_dispersion(graph: GLMMGraph, model: GLMM, priors: Priors) -> tuple[Scalar, GLMMGraph]:
    """The log prior of the dispersion, and the graph with log phi: a constant if it is known."""
    dispersion = Dispersion.of(model)
    if dispersion is None or priors.dispersion is None:
        assert model.family.fixed_phi is not None, "a family either estimates phi or fixes it"
        log_phi = pt.constant(np.log(model.family.fixed_phi))
        return pt.constant(0.0), replace(graph, log_phi=log_phi)
    value = type(priors.dispersion).variable(dispersion.name, [priors.dispersion], None)
    log_prior = priors.dispersion.logp(value)
    return log_prior, replace(graph, log_phi=dispersion.log_phi(value))


def observe(graph: GLMMGraph, model: GLMM) -> None:
    """Add the response, with its density by row and its sampler."""
    import pymc as pm

    family, mean = model.family, compile_model(model, Approximation()).mean

    def logp(y: Vector, eta: Vector, w: Vector, phi: Scalar) -> Vector:
        return log_density(family, y, w, eta, phi)

    def random(
        eta: FloatArray, w: FloatArray, phi: FloatArray, rng: np.random.Generator, size: Any
    ) -> FloatArray:
        shape = np.broadcast_shapes(np.shape(eta), np.shape(w)) if size is None else tuple(size)
        mu = mean(np.broadcast_to(eta, shape).reshape(-1))[0].reshape(shape)
        return family.random(rng, mu, phi.item(), np.broadcast_to(w, shape))

    eta = without_blas(linear_predictor(graph))
    pm.CustomDist(
        "y", eta, graph.w, graph.phi, logp=logp, random=random, observed=graph.y, dims="obs"
    )


def without_blas(expression: Vector) -> Vector:
    """The same with every matrix product written as a sum of products.

    PyTensor's numba version of one product takes up to 15 s to compile and that of its gradient as
    much again: most of what the posterior of a small model takes. The compiler fuses the sums into
    loops that read each number once, as BLAS would for matrices as narrow as these.
    """
    rewritten: dict[Variable, Variable] = {}
    for node in toposort([expression]):
        inputs = [rewritten.get(variable, variable) for variable in node.inputs]
        if node.op in (_matmul, _dot) and all(v.type.ndim == 2 for v in inputs):
            left, right = inputs
            product = (left[:, :, None] * right[None, :, :]).sum(axis=1)
            rewritten[node.outputs[0]] = product
        elif inputs != node.inputs:
            copied = node.clone_with_new_inputs(inputs)
            rewritten.update(zip(node.outputs, copied.outputs, strict=True))
    return rewritten.get(expression, expression)
