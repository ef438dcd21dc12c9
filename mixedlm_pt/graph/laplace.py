"""Laplace approximation to the log-likelihood and its exact gradient."""

from dataclasses import dataclass

import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad, grad

from mixedlm_pt._typing import Matrix, Scalar, Vector
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import Family
from mixedlm_pt.families.density import Derivatives, derivatives
from mixedlm_pt.graph.predictor import linear_predictor, scaled_design
from mixedlm_pt.graph.variables import GLMMGraph
from mixedlm_pt.linalg import Factor, Solve, sum_rows


@dataclass(frozen=True, eq=False)
class Laplace:
    """The criterion as a function of the parameters and the mode.

    Attributes
    ----------
    loglik : scalar
        ``log p(y | u) - u'u / 2 - log|H| / 2`` at u. A log-likelihood, not a deviance: all
        normalising constants are kept, so families and links compare.
    surrogate : scalar
        Equal in value; its gradient at the mode is the total derivative of ``loglik``.
    """

    loglik: Scalar
    surrogate: Scalar


def laplace(graph: GLMMGraph, weights: str) -> Laplace:
    r"""Laplace approximation at ``graph.u``, which must be the mode.

    The mode moves with the parameters: ``du/dpsi = H^-1 d(grad_u joint)/dpsi`` by the implicit
    function theorem, with H from the *observed* information, whatever ``weights`` says. Holding
    ``s = H^-1 d(-log|H|/2)/du`` constant, ``loglik + s' grad_u joint`` has the total derivative;
    in s the inverse is that of the observed H and the derivative that of the one ``weights`` names.

    Parameters
    ----------
    graph : GLMMGraph
    weights : {"observed", "expected"}
        Information in ``log|H|``: ``-d2 logp / d eta2``, the Laplace approximation proper, or its
        expectation (Fisher scoring weights), which is what lme4 computes.

    References
    ----------
    .. [1] Breslow and Clayton (1993), J. Am. Stat. Assoc. 88, 9-25, section 2.
    .. [2] Kristensen et al. (2016), J. Stat. Softw. 70(5), section 2: gradient of the Laplace
       approximation.
    """
    if graph.layout is None:
        eta = linear_predictor(graph)
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        return Laplace(d.logp.sum(), d.logp.sum())
    M = scaled_design(graph)
    d = derivatives(graph.family, graph.y, graph.w, linear_predictor(graph, M), graph.phi)
    joint = d.logp.sum() - 0.5 * (graph.u**2).sum()
    D = information(graph.family, d, weights)
    logdet, packed = Factor(graph.layout)(D, M, *graph.index)
    loglik = joint - 0.5 * logdet
    if weights == "observed":
        packed_observed = packed
    else:
        _, packed_observed = Factor(graph.layout)(d.observed, M, *graph.index)
    # With a constant information (gaussian, identity) the mode does not move log|H| at all.
    v = grad(-0.5 * logdet, graph.u, disconnected_inputs="ignore")
    s = Solve(graph.layout)(v, d.observed, M, packed_observed, *graph.index)
    return Laplace(loglik, loglik + (disconnected_grad(s) * mode_equation(graph, d.score, M)).sum())


def information(family: Family, d: Derivatives, weights: str) -> Vector:
    """The information that ``weights`` names, shape (n,).

    Raises
    ------
    ArgumentError
        If the expected information does not follow from the family's log density.
    """
    if weights == "observed":
        return d.observed
    if d.expected is None:
        raise ArgumentError(
            f"laplace_weights is 'expected', but the score of family {family.name!r} is not linear "
            "in the response, so its Fisher information does not follow from the log density. Use "
            "laplace_weights='observed'."
        )
    return d.expected


def mode_equation(graph: GLMMGraph, score: Vector, M: Matrix) -> Vector:
    """``grad_u joint = Lambda'Z' score - u``, zero at the mode; shape (q,)."""
    return sum_rows(M * score[:, None], graph.index[0], graph.u.shape[0]) - graph.u


def parameter_gradient(graph: GLMMGraph, criterion: Scalar) -> Vector:
    """Gradient in (beta, theta, log phi), the last only where it is estimated."""
    wrt = graph.parameters if graph.family.estimates_phi else graph.parameters[:2]
    parts = grad(criterion, wrt, disconnected_inputs="ignore")
    return pt.concatenate([part.reshape((-1,)) for part in parts])


@dataclass(frozen=True, eq=False)
class ProfiledLaplace:
    """nAGQ = 0: the criterion at the joint mode of (beta, u), which both move with theta and phi.

    Attributes
    ----------
    loglik : scalar
        As in `Laplace`.
    v_beta, v_u : vectors, shapes (p,), (q,)
        ``d(-log|H|/2) / d(beta, u)``, from which the caller solves for the constants s.
    direct : vector
        Gradient of ``loglik`` in (theta, log phi) at fixed (beta, u).
    implicit : vector
        What the moving mode adds: the gradient of ``s' grad joint``.
    s_beta, s_u : vectors, shapes (p,), (q,)
        Inputs of ``implicit``: the joint information's inverse times ``(v_beta, v_u)``.
    """

    loglik: Scalar
    v_beta: Vector
    v_u: Vector
    direct: Vector
    implicit: Vector
    s_beta: Vector
    s_u: Vector


def profiled_laplace(graph: GLMMGraph, weights: str) -> ProfiledLaplace:
    """The pieces of the criterion and gradient for nAGQ = 0; see `laplace` for the parameters."""
    layout, M = graph.layout, scaled_design(graph)
    assert layout is not None, "without random effects there is nothing to profile"
    d = derivatives(graph.family, graph.y, graph.w, linear_predictor(graph, M), graph.phi)
    D = information(graph.family, d, weights)
    logdet, _ = Factor(layout)(D, M, *graph.index)
    loglik = d.logp.sum() - 0.5 * (graph.u**2).sum() - 0.5 * logdet
    v_beta, v_u = grad(-0.5 * logdet, [graph.beta, graph.u], disconnected_inputs="ignore")
    s_beta, s_u = pt.dvector("s_beta"), pt.dvector("s_u")
    equations = (s_beta * (d.score @ graph.X)).sum() + (
        s_u * mode_equation(graph, d.score, M)
    ).sum()
    return ProfiledLaplace(
        loglik,
        v_beta,
        v_u,
        parameter_gradient(graph, loglik)[graph.beta.shape[0] :],
        parameter_gradient(graph, equations)[graph.beta.shape[0] :],
        s_beta,
        s_u,
    )
