"""Linear predictor and joint log density: the one definition that every user of a model shares."""

import pytensor.tensor as pt

from mixedlm_pt._typing import Matrix, Scalar, Vector
from mixedlm_pt.families.density import log_density
from mixedlm_pt.graph.variables import GLMMGraph
from mixedlm_pt.linalg import rows


def covariance_factors(graph: GLMMGraph) -> list[Matrix]:
    """Lambda of every term, each (k, k)."""
    parts = zip(graph.covariances, graph.theta_slices, graph.term_widths, strict=True)
    return [cov.factor(graph.theta[s], k) for cov, s, k in parts]


def scaled_design(graph: GLMMGraph) -> Matrix:
    """``Z Lambda`` by row: the columns of a row's own levels, shape (n, K), factor by factor."""
    factors = covariance_factors(graph)
    scaled = [
        graph.Z[t] * factors[t][0, 0] if graph.term_widths[t] == 1 else graph.Z[t] @ factors[t]
        for terms in graph.factor_terms
        for t in terms
    ]
    return scaled[0] if len(scaled) == 1 else pt.concatenate(scaled, axis=1)


def linear_predictor(graph: GLMMGraph, M: Matrix | None = None) -> Vector:
    """``eta = X beta + Z Lambda u + offset``, shape (n,); M is `scaled_design`, if at hand."""
    fixed = graph.X @ graph.beta + graph.offset
    if graph.layout is None:
        return fixed
    M = scaled_design(graph) if M is None else M
    return fixed + (M * rows(graph.u, graph.index[0], graph.u.shape[0])).sum(axis=1)


def joint_logp(graph: GLMMGraph) -> Scalar:
    """``log p(y | u) - u'u / 2``: without the constant ``-q/2 log 2 pi``, which Laplace cancels."""
    eta = linear_predictor(graph)
    density = log_density(graph.family, graph.y, graph.w, eta, graph.phi)
    return density.sum() - 0.5 * (graph.u**2).sum()
