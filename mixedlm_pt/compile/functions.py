"""Compiled functions of a model, made at first use and shared by models of equal signature."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad

from mixedlm_pt._typing import Vector
from mixedlm_pt.compile.backends import mode_of
from mixedlm_pt.families.density import derivatives, unit_deviance, variance
from mixedlm_pt.graph import (
    GLMMGraph,
    adaptive_quadrature,
    covariance_factors,
    laplace,
    parameter_gradient,
    profiled_laplace,
    scaled_design,
)
from mixedlm_pt.model import GLMM

# Functions of this many signatures are kept; each takes a few MB.
CACHE_SIZE = 64

_cache: OrderedDict[Hashable, "CompiledModel"] = OrderedDict()


@dataclass(frozen=True)
class Approximation:
    """How the random effects are integrated out.

    Attributes
    ----------
    nAGQ : int
        Quadrature nodes; 1 is Laplace, 0 is Laplace with beta at the joint mode.
    laplace_weights : {"observed", "expected"}
        Information in the log-determinant of the Laplace approximation.
    """

    nAGQ: int = 1
    laplace_weights: str = "observed"


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """The functions that estimation calls: data are arguments, each is made at first use.

    Attributes
    ----------
    graph : GLMMGraph
    approximation : Approximation
    backend : str
    """

    graph: GLMMGraph
    approximation: Approximation
    backend: str

    def function(self, inputs: list[Vector], outputs: list[Vector]) -> Callable[..., Any]:
        """Compile; unused inputs are allowed because not every family has a dispersion."""
        compiled: Callable[..., Any] = pytensor.function(
            inputs,
            outputs,
            mode=mode_of(self.backend),
            trust_input=True,
            on_unused_input="ignore",
        )
        return compiled

    @cached_property
    def density(self) -> Callable[..., Any]:
        """``(y, w, eta, log_phi) -> (log density, score, observed information)``, each (n,)."""
        graph, eta = self.graph, pt.dvector("eta")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        return self.function([graph.y, graph.w, eta, graph.log_phi], [d.logp, d.score, d.observed])

    @cached_property
    def expected_information(self) -> Callable[..., Any]:
        """``(y, w, eta, log_phi) -> Fisher scoring weights`` (n,)."""
        graph, eta = self.graph, pt.dvector("eta")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        return self.function([graph.y, graph.w, eta, graph.log_phi], [d.expected])

    @cached_property
    def forward(self) -> Callable[..., Any]:
        """``mu -> eta``, a scalar each."""
        mu = pt.dscalar("mu")
        return self.function([mu], [self.graph.family.link.forward(mu)])

    @cached_property
    def scaled_design(self) -> Callable[..., Any]:
        """``(theta, *Z) -> M`` (n, K)."""
        graph = self.graph
        return self.function([graph.theta, *graph.Z], [scaled_design(graph)])

    @cached_property
    def covariance_factors(self) -> Callable[..., Any]:
        """``theta -> Lambda`` of every term."""
        return self.function([self.graph.theta], covariance_factors(self.graph))

    @cached_property
    def value_and_gradient(self) -> Callable[..., Any]:
        """``(*data, beta, theta, log_phi, u) -> (log-likelihood, gradient)`` at the mode u."""
        graph = self.graph
        if self.approximation.nAGQ > 1:
            loglik = surrogate = adaptive_quadrature(graph, self.approximation.nAGQ)
        else:
            criterion = laplace(graph, self.approximation.laplace_weights)
            loglik, surrogate = criterion.loglik, criterion.surrogate
        gradient = parameter_gradient(graph, surrogate)
        return self.function([*graph.data, *graph.parameters, graph.u], [loglik, gradient])

    @cached_property
    def profiled(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """nAGQ = 0, at the joint mode of (beta, u).

        ``(*data, beta, theta, log_phi, u) -> (log-likelihood, direct gradient, v_beta, v_u)`` and,
        with ``s_beta, s_u`` appended to the arguments, the implicit part of the gradient.
        """
        graph = self.graph
        parts = profiled_laplace(graph, self.approximation.laplace_weights)
        inputs = [*graph.data, *graph.parameters, graph.u]
        direct = self.function(inputs, [parts.loglik, parts.direct, parts.v_beta, parts.v_u])
        return direct, self.function([*inputs, parts.s_beta, parts.s_u], [parts.implicit])

    @cached_property
    def mean(self) -> Callable[..., Any]:
        """``eta -> mu``, each (n,)."""
        eta = pt.dvector("eta")
        return self.function([eta], [self.graph.family.link.mean(eta)])

    @cached_property
    def variance(self) -> Callable[..., Any]:
        """``(mu, phi) -> V``, the variance function (n,) for unit weight."""
        mu, phi = pt.dvector("mu"), pt.dscalar("phi")
        return self.function([mu, phi], [variance(self.graph.family, mu, phi)])

    @cached_property
    def unit_deviance(self) -> Callable[..., Any]:
        """``(y, eta, phi) -> deviance`` of every row (n,) for unit weight."""
        y, eta, phi = pt.dvector("y"), pt.dvector("eta"), pt.dscalar("phi")
        family = self.graph.family
        deviance = unit_deviance(family, y, family.link.inverse(eta), phi)
        return self.function([y, eta, phi], [deviance])

    @cached_property
    def mean_slope(self) -> Callable[..., Any]:
        """``eta -> d mu / d eta``, each (n,)."""
        eta = pt.dvector("eta")
        return self.function([eta], [grad(self.graph.family.link.mean(eta).sum(), eta)])


def compile_model(
    model: GLMM, approximation: Approximation, backend: str = "auto"
) -> CompiledModel:
    """The functions of a model; equal signatures share them.

    Raises
    ------
    ArgumentError
        If the backend is unknown.
    """
    mode_of(backend)
    key = (model.signature, approximation, backend)
    if key not in _cache:
        _cache[key] = CompiledModel(GLMMGraph.of(model), approximation, backend)
    _cache.move_to_end(key)
    while len(_cache) > CACHE_SIZE:
        _cache.popitem(last=False)
    return _cache[key]
