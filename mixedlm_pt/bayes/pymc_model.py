"""The model in PyMC, built by the same graph functions that maximum likelihood uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import Matrix, Scalar, Vector
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import sum_logp
from mixedlm_pt.bayes.parametrisation import CentredArgument, centred_factors
from mixedlm_pt.bayes.prior_choice import PriorsArgument, chosen_priors
from mixedlm_pt.bayes.priors import (
    Priors,
    effect_names,
    has_correlations,
    intercept_of,
    model_of,
    predictor_means,
)
from mixedlm_pt.bayes.pymc_response import in_plain_ops, observe
from mixedlm_pt.bayes.random_variables import random_scalar, random_vector
from mixedlm_pt.covariance import Covariance
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.graph import GLMMGraph
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


def to_pymc(
    fit_or_model: Any, priors: PriorsArgument = None, centred: CentredArgument = False
) -> pm.Model:
    """The same model as an ordinary ``pymc.Model``.

    Its joint log density is that of the ML side: both are written by the functions in ``graph``.
    With flat priors they are equal, apart from the constant ``-q/2 log 2 pi`` of the standard
    normal effects and that of the density of a correlation matrix.

    Variables (dimensions in parentheses):

    - ``beta`` (coefficient): R's coefficients; with an intercept and other predictors it is
      computed from ``beta_centred``, whose intercept belongs to centred predictors.
    - ``sd_herd`` (``term_herd``), ``corr_herd`` (``term_herd``, ``term_herd_``): standard
      deviations and, where a term has several effects, correlations, computed from their Cholesky
      factor.
    - ``u_herd`` (``level_herd``, ``term_herd``): standard normal effects, and ``b_herd``: effects
      on the link scale. Either ``u_herd`` is the free variable and ``b_herd`` is computed from it
      (non-centred) or, with ``centred``, ``b_herd`` is free and ``u_herd`` computed.
    - ``sigma``, ``shape`` or ``theta``: the dispersion on its natural scale.
    - ``y`` (obs): response, a proportion for the binomial.

    Data (``X``, ``Z[1 | herd]``, ``cols``, ``offset``, ``weights``, ``response``) can be replaced
    by `pymc.set_data`; ``cols`` are the positions in ``u`` of each row's effects. Like any PyMC
    model it prints, draws its graph (`pymc.model_to_graphviz`) and extends: ``with model: ...``.

    Parameters
    ----------
    fit_or_model : Fit or GLMM
    priors : Priors, str or mapping, optional
        A preset (``"default"``, ``"flat"``, ``"rstanarm"``, ``"brms"``, ``"bambi"``), or changes to
        one by parameter: ``{"preset": "brms", "sd_herd": HalfNormal(1), "period2": Normal(0, 1)}``;
        any univariate distribution of PyMC does as well, ``pm.Laplace.dist(mu=0, b=1)``. By default
        those of a posterior or a penalised fit, else ``"default"``, see `default_priors`.
    centred : bool, "auto", mapping or sequence of str
        Whether the random effects themselves are the free variables: a better geometry where a
        level's rows say more about its effect than the prior does. By group:
        ``{"herd": True}`` or ``["herd"]``. ``"auto"`` centres a grouping factor where on average
        the data leave less than half of the prior variance, ``1 / (1 + sd^2 I) < 1/2`` with the
        information I of a level's rows: at the ML estimates of a fit, otherwise for a typical sd
        [1]_.

    Returns
    -------
    pymc.Model

    Raises
    ------
    ArgumentError
        For an unknown preset, parameter or group, or a family that has no likelihood.

    References
    ----------
    .. [1] Papaspiliopoulos, Roberts and Skoeld (2007), Stat. Sci. 22, 59-73, section 2.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> [variable.name for variable in to_pymc(fit).free_RVs]
    ['beta_centred', 'sd_herd', 'u_herd']
    """
    model = model_of(fit_or_model)
    own = chosen_priors(fit_or_model, priors)
    return build_pymc(model, own, centred_factors(fit_or_model, model, centred)).pymc


def require_posterior(model: GLMM) -> None:
    """Refuse families that have no likelihood.

    Raises
    ------
    ArgumentError
    """
    if not model.family.has_likelihood:
        raise ArgumentError(
            f"{model.family.name} has no likelihood and so no posterior; use a family with one, "
            "such as binomial, poisson or negative_binomial."
        )


def build_pymc(
    model: GLMM, priors: Priors, centred: Sequence[bool] | None = None
) -> PosteriorModel:
    """The PyMC model together with its graph and its log prior density.

    ``centred`` says so of every grouping factor; None: no effects are centred.

    Raises
    ------
    ArgumentError
        If the family has no likelihood.
    """
    import pymc as pm

    # PyMC's samplers run in numba: this registers the numba versions of the structured Ops.
    import mixedlm_pt.linalg.dispatch_numba  # noqa: F401

    require_posterior(model)
    with pm.Model(coords=coordinates(model)) as pymc_model:
        graph = with_data(GLMMGraph.of(model), model)
        beta_prior, graph = with_coefficients(graph, model, priors)
        phi_prior, graph, dispersion = with_dispersion(graph, model, priors)
        effects_prior, graph = with_effects(
            graph, model, priors, centred or [False] * len(model.design.factors), dispersion
        )
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


def with_effects(
    graph: GLMMGraph,
    model: GLMM,
    priors: Priors,
    centred: Sequence[bool],
    dispersion: Scalar | None,
) -> tuple[Scalar, GLMMGraph]:
    """The log prior of the covariances, and the graph with theta and u."""
    log_prior, u = pt.constant(0.0), []
    Lambda: dict[int, Matrix] = {}
    for f, is_centred in enumerate(centred):
        of_factor, factors = with_covariances(model, priors, f, dispersion)
        log_prior += of_factor
        Lambda |= factors
        u.append(random_effects(model, f, Lambda, is_centred))
    if not u:
        return log_prior, graph
    terms = zip(model.covariances, model.term_widths, strict=True)
    thetas = [theta_of(cov, Lambda[t], k) for t, (cov, k) in enumerate(terms)]
    return log_prior, replace(graph, theta=join(thetas), u=join([part.ravel() for part in u]))


def with_covariances(
    model: GLMM, priors: Priors, f: int, dispersion: Scalar | None
) -> tuple[Scalar, dict[int, Matrix]]:
    """The log prior of the covariances of a grouping factor, and Lambda of its terms."""
    import pymc as pm

    name, correlation = model.design.factors[f].name, priors.correlations[f]
    term, effects = f"term_{name}", effect_names(model)[f]
    sd = random_vector(f"sd_{name}", priors.sds[f], effects, term, dispersion)
    log_prior = sum_logp(priors.sds[f], sd, dispersion)
    factors, matrices = {}, []
    for t, columns in term_columns(model, f):
        k = model.term_widths[t]
        L = pt.ones((1, 1))
        if k > 1:
            assert correlation is not None, "correlated effects have a prior of their correlations"
            L = correlation.cholesky(f"cholesky[{model.design.terms[t].label}]", k)
            log_prior += correlation.logp(L)
        factors[t] = sd[columns, None] * L
        matrices.append(L @ L.T)
    if has_correlations(model)[f]:
        R = pt.linalg.block_diag(*matrices) if len(matrices) > 1 else matrices[0]
        pm.Deterministic(f"corr_{name}", in_plain_ops(R), dims=(term, f"{term}_"))
    return log_prior, factors


def random_effects(model: GLMM, f: int, Lambda: dict[int, Matrix], is_centred: bool) -> Matrix:
    """u of a grouping factor, shape (levels, effects); adds u and b to the PyMC model."""
    import pymc as pm

    name, terms = model.design.factors[f].name, list(term_columns(model, f))
    dims = (f"level_{name}", f"term_{name}")
    if not is_centred:
        u = pm.Normal(f"u_{name}", dims=dims)
        b = join([u[:, columns] @ Lambda[t].T for t, columns in terms], axis=1)
        pm.Deterministic(f"b_{name}", in_plain_ops(b), dims=dims)
        return u
    if all(model.term_widths[t] == 1 for t, _ in terms):
        sd = join([Lambda[t].reshape((-1,)) for t, _ in terms])
        b = pm.Normal(f"b_{name}", sigma=sd, dims=dims)
    else:
        factor = pt.linalg.block_diag(*(Lambda[t] for t, _ in terms))
        b = pm.MvNormal(
            f"b_{name}", mu=np.zeros(len(effect_names(model)[f])), chol=factor, dims=dims
        )
    parts = [spherical(b[:, columns], Lambda[t], model.term_widths[t]) for t, columns in terms]
    return pm.Deterministic(f"u_{name}", join(parts, axis=1), dims=dims)


def spherical(b: Matrix, Lambda: Matrix, k: int) -> Matrix:
    """u with ``b = Lambda u`` by row: forward substitution."""
    columns: list[Vector] = []
    for a in range(k):
        known = [Lambda[a, c] * u for c, u in enumerate(columns)]
        columns.append((b[:, a] - sum(known)) / Lambda[a, a])
    return pt.stack(columns, axis=1)


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


def with_dispersion(
    graph: GLMMGraph, model: GLMM, priors: Priors
) -> tuple[Scalar, GLMMGraph, Scalar | None]:
    """The log prior of the dispersion, the graph with log phi, and the dispersion.

    Where it is known log phi is a constant and the dispersion None.
    """
    dispersion = Dispersion.of(model)
    if dispersion is None or priors.dispersion is None:
        assert model.family.fixed_phi is not None, "a family either estimates phi or fixes it"
        log_phi = pt.constant(np.log(model.family.fixed_phi))
        return pt.constant(0.0), replace(graph, log_phi=log_phi), None
    value = random_scalar(dispersion.name, priors.dispersion)
    log_prior = priors.dispersion.logp(value)
    return log_prior, replace(graph, log_phi=dispersion.log_phi(value)), value
