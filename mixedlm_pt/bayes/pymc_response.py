"""The response of a PyMC model, with the model's own density by row and its sampler."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.math import _dot, _matmul

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.families.density import log_density
from mixedlm_pt.graph import GLMMGraph, linear_predictor
from mixedlm_pt.linalg import Rows
from mixedlm_pt.model import GLMM


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

    eta = in_plain_ops(linear_predictor(graph))
    pm.CustomDist(
        "y", eta, graph.w, graph.phi, logp=logp, random=random, observed=graph.y, dims="obs"
    )


def in_plain_ops(expression: Vector) -> Vector:
    """The same without our own Ops, which JAX does not know, and without matrix products.

    PyTensor's numba version of one product takes up to 15 s to compile and that of its gradient as
    much again: most of what the posterior of a small model takes. The compiler fuses the sums into
    loops that read each number once, as BLAS would for matrices as narrow as these.
    """
    import pymc as pm

    rewritten: dict[Variable, Variable] = {}
    # A random variable is itself: what it depends on is not part of the expression.
    for node in toposort([expression], blockers=pm.modelcontext(None).basic_RVs):
        inputs = [rewritten.get(variable, variable) for variable in node.inputs]
        if node.op in (_matmul, _dot) and all(v.type.ndim == 2 for v in inputs):
            left, right = inputs
            product = (left[:, :, None] * right[None, :, :]).sum(axis=1)
            rewritten[node.outputs[0]] = product
        elif isinstance(node.op, Rows):
            u, cols, _ = inputs
            rewritten[node.outputs[0]] = u[cols]
        elif inputs != node.inputs:
            copied = node.clone_with_new_inputs(inputs)
            rewritten.update(zip(node.outputs, copied.outputs, strict=True))
    return rewritten.get(expression, expression)
