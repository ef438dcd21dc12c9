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
    cols, q = graph.index[0], graph.u.shape[0]
    M = scaled_design(graph)
    m, group = M[:, 0][:, None], cols[:, 0][:, None]
    fixed = graph.X @ graph.beta + graph.offset

    start = derivatives(graph.family, graph.y, graph.w, linear_predictor(graph, M), graph.phi)
    curvature = 1.0 + sum_rows(m**2 * start.observed[:, None], group, q)
    step = mode_equation(graph, start.score, M) / disconnected_grad(curvature)
    mode = disconnected_grad(graph.u) + step

    eta = fixed + (m * rows(mode, group, q))[:, 0]
    observed = derivatives(graph.family, graph.y, graph.w, eta, graph.phi).observed
    H = 1.0 + sum_rows(m**2 * observed[:, None], group, q)

    nodes = mode[:, None] + x[None, :] * pt.sqrt(2.0 / H)[:, None]
    # A pair of a row and a node is a row of its own from here on.
    node = np.arange(n_nodes)[None, :]
    node_cols = (group * n_nodes + node).reshape((-1, 1))
    n = graph.y.shape[0]
    row = (pt.arange(n)[:, None] + pt.zeros_like(node)).reshape((-1, 1))

    def at_nodes(values: Vector) -> Matrix:
        return rows(values, row, n)

    effects = at_nodes(m[:, 0]) * rows(nodes.reshape((-1,)), node_cols, q * n_nodes)
    node_eta = (at_nodes(fixed) + effects).sum(axis=1)
    y, w = at_nodes(graph.y).sum(axis=1), at_nodes(graph.w).sum(axis=1)
    density = log_density(graph.family, y, w, node_eta, graph.phi)
    sums = sum_rows(density[:, None], node_cols, q * n_nodes)
    f = sums.reshape((q, n_nodes)) - 0.5 * nodes**2
    log_terms = f + (np.log(weight) + x**2)[None, :]
    highest = disconnected_grad(log_terms.max(axis=1))
    scaled = pt.exp(log_terms - highest[:, None]).sum(axis=1)
    return (highest + pt.log(scaled) - 0.5 * pt.log(H) - 0.5 * np.log(np.pi)).sum()
