"""Adaptive Gauss-Hermite quadrature for one scalar random-effects term, with exact gradient."""

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad

from mixedlm_pt._typing import Matrix, Scalar, Vector
from mixedlm_pt.families.density import derivatives, log_density
from mixedlm_pt.graph.laplace import mode_equation
from mixedlm_pt.graph.predictor import linear_predictor, scaled_design
from mixedlm_pt.graph.variables import GLMMGraph
from mixedlm_pt.linalg import rows, sum_rows


def adaptive_quadrature(graph: GLMMGraph, n_nodes: int) -> Scalar:
    r"""Log-likelihood by adaptive Gauss-Hermite quadrature; its gradient is the total derivative.

    For group j with mode ``u_j`` and curvature ``H_j`` (observed information), the integral of
    ``exp(f_j(u)) / sqrt(2 pi)`` is ``(pi H_j)^(-1/2) sum_k w_k exp(x_k^2 + f_j(u_jk))`` with
    ``u_jk = u_j + x_k sqrt(2 / H_j)``. One Newton step from the disconnected mode makes ``u_j`` a
    function of the parameters with the exact derivative.

    Parameters
    ----------
    graph : GLMMGraph
        One grouping factor, one scalar term; ``graph.u`` must be the mode.
    n_nodes : int
        Number of nodes; 1 gives the Laplace approximation.

    References
    ----------
    .. [1] Pinheiro and Bates (1995), J. Comput. Graph. Stat. 4, 12-35, section 2.4.
    """
    x, weight = np.polynomial.hermite.hermgauss(n_nodes)
    y, w, phi, group, n = graph.y, graph.w, graph.phi, graph.index[0], graph.y.shape[0]
    # Not u's length, so that whatever depends on it is known before u.
    q = graph.index[2][0]
    M = scaled_design(graph)
    m, fixed = M.dimshuffle(0), graph.X @ graph.beta + graph.offset

    start = derivatives(graph.family, y, w, linear_predictor(graph, M), phi)
    curvature = 1.0 + sum_rows(M**2 * start.observed[:, None], group, q)
    step = mode_equation(graph, start.score, M) / disconnected_grad(curvature)
    mode = disconnected_grad(graph.u) + step

    d = derivatives(graph.family, y, w, fixed + m * at(mode, group, q), phi)
    H = 1.0 + sum_rows(M**2 * d.observed[:, None], group, q)

    # A pair of a level and a node, and one of a row and a node, are rows of their own from here on.
    pair = pt.arange(q * n_nodes)[:, None]
    level, node = pair // n_nodes, pair % n_nodes
    nodes = at(mode, level, q) + at(pt.constant(x), node, n_nodes) * at(pt.sqrt(2.0 / H), level, q)
    row = (pt.arange(n)[:, None] + pt.zeros(n_nodes, "int64")[None, :]).reshape((-1, 1))
    pair_of_row = (group * n_nodes + np.arange(n_nodes)[None, :]).reshape((-1, 1))
    eta = at(fixed, row, n) + at(m, row, n) * at(nodes, pair_of_row, q * n_nodes)
    density = log_density(graph.family, at(y, row, n), at(w, row, n), eta, phi)
    f = sum_rows(density[:, None], pair_of_row, q * n_nodes) - 0.5 * nodes**2

    # f has its maximum at the mode: relative to it no exponential overflows, nor do all vanish.
    highest = disconnected_grad(sum_rows(d.logp[:, None], group, q) - 0.5 * mode**2)
    constants = at(pt.constant(np.log(weight) + x**2), node, n_nodes)
    scaled = pt.exp(f + constants - at(highest, level, q))
    total = sum_rows(scaled[:, None], level, q)
    return (highest + pt.log(total) - 0.5 * pt.log(H) - 0.5 * np.log(np.pi)).sum()


def at(values: Vector, positions: Matrix, size: Scalar) -> Vector:
    """Entries of a vector of so many numbers at positions (m, 1), shape (m,)."""
    return rows(values, positions, size).dimshuffle(0)
