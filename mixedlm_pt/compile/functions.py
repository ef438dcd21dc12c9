"""Compiled functions of a model, made at first use and shared by models of equal signature."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property, wraps
from threading import RLock
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad
from pytensor.graph.replace import clone_replace

from mixedlm_pt._typing import Scalar, Vector
from mixedlm_pt.compile.backends import BACKENDS, Function, check_backend
from mixedlm_pt.compile.batched import BatchedFunctions
from mixedlm_pt.compile.density_loop import DensityLoop, density_loop
from mixedlm_pt.families.density import (
    derivatives,
    has_variance,
    log_density,
    unit_deviance,
    variance,
)
from mixedlm_pt.graph import (
    GLMMGraph,
    adaptive_quadrature,
    covariance_factors,
    laplace,
    mode_equation,
    parameter_gradient,
    profiled_laplace,
    scaled_design,
)
from mixedlm_pt.linalg import Factor, Solve, rows, sum_rows
from mixedlm_pt.model import GLMM

# Functions of this many signatures are kept; each takes a few MB.
CACHE_SIZE = 64

_cache: OrderedDict[Hashable, "CompiledModel"] = OrderedDict()
_lock = RLock()


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


def compiled[Outcome](build: Callable[[Any], Outcome]) -> cached_property[Outcome]:
    """A property that is built and compiled at first use."""
    # PyTensor would note the source line of every variable, for messages that no user sees: a
    # sixth of the time.
    make: Callable[[Any], Outcome] = pytensor.config.change_flags(traceback__limit=0)(build)

    @wraps(build)
    def made(model: Any) -> Outcome:
        # PyTensor's settings and rewriters are one for the process, whatever its threads do.
        with _lock:
            return make(model)

    return cached_property(made)


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

    def function(
        self, inputs: list[Vector], outputs: list[Vector], *, is_hot: bool = False
    ) -> Function:
        """Compile; inputs may be unused, because not every family has a dispersion.

        ``is_hot`` says that a fit runs it many times.
        """
        return BACKENDS[self.backend][is_hot](inputs, outputs)

    @compiled
    def density(self) -> Function:
        """``(y, w, eta, log_phi) -> (log density, score, observed information)``, each (n,)."""
        graph, eta = self.graph, pt.dvector("eta")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        inputs, outputs = [graph.y, graph.w, eta, graph.log_phi], [d.logp, d.score, d.observed]
        return self.function(inputs, outputs, is_hot=True)

    @compiled
    def log_density(self) -> Function:
        """``(y, w, eta, log_phi) -> log density`` (n,); log_phi has one value a row."""
        graph, eta, log_phi = self.graph, pt.dvector("eta"), pt.dvector("log_phi")
        logp = log_density(graph.family, graph.y, graph.w, eta, pt.exp(log_phi))
        return self.function([graph.y, graph.w, eta, log_phi], [logp])

    @compiled
    def density_loop(self) -> DensityLoop:
        """Log density of all rows with its slopes in eta and log phi, for a sampler's code."""
        return density_loop(self.graph.family)

    @compiled
    def joint(self) -> Function:
        """``(y, w, cols, M, u, fixed, log_phi) -> (value, score, D, r)``.

        The joint log density of y and u at ``eta = fixed + M u``; score and information by row
        (n,); ``r = Lambda'Z' score - u`` (q,).
        """
        graph, (inputs, outputs) = self.graph, self.joint_density
        return self.function([graph.y, graph.w, graph.index[0], *inputs], outputs)

    @compiled
    def newton(self) -> Function:
        """``(y, w, *index, M, u, fixed, log_phi) -> (*joint, log|H|, packed, H^-1 r)``.

        `joint` with Newton's step (q,) at fixed beta and the factorisation that gave it.
        """
        graph, layout, (inputs, outputs) = self.graph, self.graph.layout, self.joint_density
        assert layout is not None, "without random effects there is no mode to search"
        [M, *_], [_, _, D, r] = inputs, outputs
        logdet, packed = Factor(layout)(D, M, *graph.index)
        step = Solve(layout)(r, D, M, packed, *graph.index)
        data = [graph.y, graph.w, *graph.index]
        return self.function([*data, *inputs], [*outputs, logdet, packed, step], is_hot=True)

    @compiled
    def joint_density(self) -> tuple[list[Vector], list[Vector]]:
        """Expressions of `joint` with the inputs that are not data."""
        graph, fixed, cols = self.graph, pt.dvector("fixed"), self.graph.index[0]
        M = pt.tensor("M", dtype="float64", shape=(None, cols.type.shape[1]))
        eta = fixed + (M * rows(graph.u, cols, graph.u.shape[0])).sum(axis=1)
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        value = d.logp.sum() - 0.5 * (graph.u**2).sum()
        outputs = [value, d.score, d.observed, mode_equation(graph, d.score, M)]
        return [M, graph.u, fixed, graph.log_phi], outputs

    @compiled
    def cluster_densities(self) -> Function:
        """``(y, w, row, cluster, cols, fixed, M, u, n_clusters, log_phi) -> sums by cluster``.

        Sums of log densities at ``eta = fixed + M u`` with fixed (n,) and M (n, K). Rows come as
        often as there are draws of u, one draw after the other: ``row`` (m, 1) says which row of
        the data, ``cluster`` (m, 1) to which sum it belongs, ``cols`` (m, K) where its effects
        stand in ``u``.
        """
        graph, fixed, M = self.graph, pt.dvector("fixed"), pt.dmatrix("M")
        row, cluster = (pt.tensor(name, dtype="int64", shape=(None, 1)) for name in ("row", "c"))
        cols, size, n = graph.index[0], pt.lscalar("n_clusters"), graph.y.shape[0]

        def at_rows(values: Vector) -> Vector:
            return rows(values, row, n)[:, 0]

        eta = at_rows(fixed)
        for c in range(cols.type.shape[1]):
            effect = rows(graph.u, cols[:, c : c + 1], graph.u.shape[0])[:, 0]
            eta = eta + at_rows(M[:, c]) * effect
        y, w = at_rows(graph.y), at_rows(graph.w)
        density = log_density(graph.family, y, w, eta, graph.phi)
        sums = sum_rows(density[:, None], cluster, size)
        inputs = [graph.y, graph.w, row, cluster, cols, fixed, M, graph.u, size, graph.log_phi]
        return self.function(inputs, [sums])

    @compiled
    def expected_information(self) -> Function:
        """``(y, w, eta, log_phi) -> Fisher scoring weights`` (n,)."""
        graph, eta = self.graph, pt.dvector("eta")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        return self.function([graph.y, graph.w, eta, graph.log_phi], [d.expected])

    @compiled
    def working_weights(self) -> Function:
        """``(y, w, eta, log_phi) -> information`` (n,): Fisher's, else the observed one."""
        graph, eta = self.graph, pt.dvector("eta")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        weights = d.observed if d.expected is None else d.expected
        return self.function([graph.y, graph.w, eta, graph.log_phi], [weights])

    @compiled
    def score_phi_slope(self) -> Function:
        """``(y, w, eta, log_phi) -> d score / d log phi`` (n,)."""
        graph, eta, v = self.graph, pt.dvector("eta"), pt.dvector("v")
        d = derivatives(graph.family, graph.y, graph.w, eta, graph.phi)
        # log phi is one number for all rows: a derivative by row is that of v'score, twice. It is
        # linear in v, so any v will do.
        slope = grad(grad((v * d.score).sum(), graph.log_phi), v)
        slope = clone_replace(slope, {v: pt.ones_like(eta)}, rebuild_strict=False)
        return self.function([graph.y, graph.w, eta, graph.log_phi], [slope])

    @compiled
    def forward(self) -> Function:
        """``mu -> eta``, each (n,)."""
        mu = pt.dvector("mu")
        return self.function([mu], [self.graph.family.link.forward(mu)])

    @compiled
    def scaled_design(self) -> Function:
        """``(*Z, theta) -> M`` (n, K)."""
        graph = self.graph
        return self.function([*graph.Z, graph.theta], [scaled_design(graph)])

    @compiled
    def covariance_factors(self) -> Function:
        """``theta -> Lambda`` of every term."""
        return self.function([self.graph.theta], covariance_factors(self.graph))

    @compiled
    def covariance_pullback(self) -> Function:
        """``(theta, *C) -> gradient in theta`` of ``sum_t trace(C_t' Lambda_t)``, C_t (k, k)."""
        graph = self.graph
        weights = [pt.dmatrix() for _ in graph.term_widths]
        products = zip(weights, covariance_factors(graph), strict=True)
        total = pt.add(*((C * Lambda).sum() for C, Lambda in products), pt.zeros(()))
        # Without random effects nothing depends on theta.
        slope = grad(total, graph.theta, disconnected_inputs="ignore")
        return self.function([graph.theta, *weights], [slope])

    @compiled
    def value_and_gradient(self) -> Function:
        """``(*data, beta, theta, log_phi, u) -> (log-likelihood, gradient)`` at the mode u."""
        graph = self.graph
        inputs = [*graph.data, *graph.parameters, graph.u]
        return self.function(inputs, list(self.criterion), is_hot=True)

    @compiled
    def criterion(self) -> tuple[Scalar, Vector]:
        """Log-likelihood and gradient in the parameters, as expressions at the mode ``graph.u``."""
        graph = self.graph
        if self.approximation.nAGQ > 1:
            loglik = surrogate = adaptive_quadrature(graph, self.approximation.nAGQ)
        else:
            criterion = laplace(graph, self.approximation.laplace_weights)
            loglik, surrogate = criterion.loglik, criterion.surrogate
        return loglik, parameter_gradient(graph, surrogate)

    @compiled
    def batched(self) -> BatchedFunctions:
        """The functions of many responses of the same data."""
        return BatchedFunctions(self.graph, self.criterion)

    @compiled
    def profiled(self) -> tuple[Function, Function]:
        """nAGQ = 0, at the joint mode of (beta, u).

        ``(*data, beta, theta, log_phi, u) -> (log-likelihood, direct gradient, v_beta, v_u)`` and,
        with ``s_beta, s_u`` appended to the arguments, the implicit part of the gradient.
        """
        graph = self.graph
        parts = profiled_laplace(graph, self.approximation.laplace_weights)
        inputs = [*graph.data, *graph.parameters, graph.u]
        direct = self.function(inputs, [parts.loglik, parts.direct, parts.v_beta, parts.v_u])
        return direct, self.function([*inputs, parts.s_beta, parts.s_u], [parts.implicit])

    @compiled
    def mean(self) -> Function:
        """``eta -> mu``, each (n,)."""
        eta = pt.dvector("eta")
        return self.function([eta], [self.graph.family.link.mean(eta)])

    @compiled
    def variance(self) -> Function:
        """``(mu, phi) -> V``, the variance function (n,) for unit weight."""
        mu, phi = pt.dvector("mu"), pt.dscalar("phi")
        return self.function([mu, phi], [variance(self.graph.family, mu, phi)])

    @cached_property
    def has_variance(self) -> bool:
        """Whether `variance` exists."""
        return has_variance(self.graph.family)

    @compiled
    def unit_deviance(self) -> Function:
        """``(y, eta, phi) -> deviance`` of every row (n,) for unit weight."""
        y, eta, phi = pt.dvector("y"), pt.dvector("eta"), pt.dscalar("phi")
        family = self.graph.family
        deviance = unit_deviance(family, y, family.link.inverse(eta), phi)
        return self.function([y, eta, phi], [deviance])

    @compiled
    def averaged_mean(self) -> Function | None:
        """``(eta, s) -> (m, dm/deta, dm/ds)``, each (n,): m the mean over normal predictors.

        None where the link has no closed form for it.
        """
        eta, s = pt.dvector("eta"), pt.dvector("s")
        mean = self.graph.family.link.averaged_mean(eta, s)
        if mean is None:
            return None
        slopes = grad(mean.sum(), [eta, s], disconnected_inputs="ignore")
        return self.function([eta, s], [mean, *slopes])

    @compiled
    def mean_slope(self) -> Function:
        """``eta -> d mu / d eta``, each (n,)."""
        eta = pt.dvector("eta")
        return self.function([eta], [grad(self.graph.family.link.mean(eta).sum(), eta)])

    @compiled
    def mean_bends(self) -> Function:
        """``eta -> (d2 mu / d eta2, d3 mu / d eta3)``, each (n,)."""
        eta = pt.dvector("eta")
        slope = grad(self.graph.family.link.mean(eta).sum(), eta)
        second = grad(slope.sum(), eta, disconnected_inputs="ignore")
        third = grad(second.sum(), eta, disconnected_inputs="ignore")
        return self.function([eta], [second, third])


def compile_model(
    model: GLMM, approximation: Approximation, backend: str = "auto"
) -> CompiledModel:
    """The functions of a model; equal signatures share them.

    Raises
    ------
    ArgumentError
        If the backend is unknown.
    """
    check_backend(backend)
    key = (model.signature, approximation, backend)
    with _lock:
        if key not in _cache:
            _cache[key] = CompiledModel(GLMMGraph.of(model), approximation, backend)
        _cache.move_to_end(key)
        while len(_cache) > CACHE_SIZE:
            _cache.popitem(last=False)
        return _cache[key]
