"""The frozen record of a fit: model, estimates and how they were found. It has no verbs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray
from mixedlm_pt.compile import Approximation, CompiledModel, compile_model
from mixedlm_pt.design import Design, Response
from mixedlm_pt.errors import EstimationError
from mixedlm_pt.estimation import (
    Estimate,
    GlmerControl,
    ModeFinder,
    Objective,
    Outcome,
    Penalty,
    Start,
    fit_model,
)
from mixedlm_pt.estimation.batch import chunk_size, fit_responses, is_batchable
from mixedlm_pt.families import Family
from mixedlm_pt.model import GLMM


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of `glmer`, from which other models of the same data are made.

    Attributes
    ----------
    formula : str
    data : data frame
        The user's own object.
    arguments : mapping
        The other arguments by name, as given.
    """

    formula: str
    data: Any
    arguments: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted GLMM.

    Attributes
    ----------
    model : GLMM
    approximation : Approximation
    control : GlmerControl
    backend : str
    estimate : Estimate
    call : Call
    messages : tuple of str
        What `glmer` warned of.
    penalty : Penalty, optional
        Of penalised maximum likelihood; None for ML.
    """

    model: GLMM
    approximation: Approximation
    control: GlmerControl
    backend: str
    estimate: Estimate
    call: Call
    messages: tuple[str, ...] = ()
    penalty: Penalty | None = None

    def replace(self, **changes: Any) -> Self:
        """The same fit with some attributes changed."""
        return replace(self, **changes)

    @property
    def design(self) -> Design:
        """Arrays of the model, with their names."""
        return self.model.design

    @property
    def family(self) -> Family:
        """Family, with its link."""
        return self.model.family

    @property
    def outcome(self) -> Outcome:
        """How the optimisation ended."""
        return self.estimate.outcome

    @property
    def priors(self) -> Any:
        """The `Priors` of penalised maximum likelihood, one for every parameter; None for ML."""
        return None if self.penalty is None else self.penalty.priors

    @property
    def compiled(self) -> CompiledModel:
        """Compiled functions of the model."""
        return compile_model(self.model, self.approximation, self.backend)

    @property
    def finder(self) -> ModeFinder:
        """Structured linear algebra of the model, in numbers."""
        if self not in _finders:
            _finders[self] = ModeFinder(self.model, self.compiled, self.penalty)
        return _finders[self]

    @property
    def beta(self) -> FloatArray:
        """Fixed-effects coefficients, shape (p,), link scale."""
        return read_only(self.estimate.beta)

    @property
    def theta(self) -> FloatArray:
        """Entries of Lambda, shape (n_theta,); absolute, so that b = Lambda u needs no sigma."""
        return read_only(self.estimate.theta)

    @property
    def u(self) -> FloatArray:
        """Conditional mode of the spherical effects, shape (q,)."""
        return read_only(self.estimate.u)

    @property
    def log_phi(self) -> float:
        """Logarithm of the dispersion in the likelihood: 0 where the family has none."""
        return float(np.log(self.estimate.phi))

    @property
    def par(self) -> FloatArray:
        """(beta, theta, log phi), the last where it is estimated, shape (n_par,)."""
        log_phi = [self.log_phi] if self.family.estimates_phi else []
        return np.concatenate([self.beta, self.theta, log_phi])

    @property
    def restart(self) -> Start | None:
        """Where fits of similar data start; None for a shape at its limit, where all is flat."""
        return None if self.boundary_phi else self.estimate.restart

    @cached_property
    def Lambda(self) -> tuple[FloatArray, ...]:
        """Covariance factor of every term, each (k, k)."""
        factors = self.compiled.covariance_factors(self.estimate.theta)
        return tuple(read_only(np.asarray(factor)) for factor in factors)

    @cached_property
    def d_Lambda(self) -> tuple[FloatArray, ...]:
        """``d Lambda / d theta`` of every term, each (k, k, n_theta), from the symbolic factor."""
        pullback, theta = self.compiled.covariance_pullback, self.estimate.theta
        units = [np.zeros((k, k)) for k in self.model.term_widths]
        derivatives = []
        for unit in units:
            derivative = np.empty((*unit.shape, self.model.n_theta))
            for entry in np.ndindex(unit.shape):
                unit[entry] = 1.0
                derivative[entry] = pullback(theta, *units)[0]
                unit[entry] = 0.0
            derivatives.append(derivative)
        return tuple(map(read_only, derivatives))

    @property
    def u_by_term(self) -> tuple[FloatArray, ...]:
        """Conditional mode of the spherical effects of every term, each (n_levels, k)."""
        modes: list[FloatArray] = [np.empty(0)] * len(self.design.terms)
        factors = zip(
            self.design.factors, self.model.u_slices, self.model.factor_terms, strict=True
        )
        for grouping, part, terms in factors:
            ends = np.cumsum([0, *(self.model.term_widths[t] for t in terms)])
            by_level = self.u[part].reshape(grouping.n_levels, -1)
            for t, columns in zip(terms, np.split(by_level, ends[1:-1], axis=1), strict=True):
                modes[t] = columns
        return tuple(modes)

    @cached_property
    def b(self) -> tuple[FloatArray, ...]:
        """Conditional mode of the effects of every term, each (n_levels, k), link scale."""
        pairs = zip(self.u_by_term, self.Lambda, strict=True)
        return tuple(read_only(u @ Lambda.T) for u, Lambda in pairs)

    @cached_property
    def scaled_design(self) -> FloatArray:
        """``Z Lambda`` by row, shape (n, K); see `linalg.ops`."""
        return self.finder.scaled_design(self.estimate.theta)

    @cached_property
    def eta(self) -> FloatArray:
        """Linear predictor at the mode, shape (n,)."""
        return read_only(self.finder.linear_predictor(self.beta, self.u, self.scaled_design))

    @cached_property
    def mu(self) -> FloatArray:
        """Conditional mean at the mode, shape (n,), response scale."""
        return read_only(self.compiled.mean(self.eta)[0])

    @property
    def n_obs(self) -> int:
        """Number of rows that carry weight: as in R's glm, one of weight zero counts as absent."""
        return int(np.count_nonzero(self.design.response.weights))

    @property
    def n_par(self) -> int:
        """Number of estimated parameters, the df of the log-likelihood."""
        return self.model.n_par

    @cached_property
    def phi(self) -> float:
        """Dispersion or shape: ML estimate, known constant, or Pearson's for quasi-families."""
        if not self.family.has_pearson_dispersion:
            return self.estimate.phi
        response = self.design.response
        V = self.compiled.variance(self.mu, np.asarray(1.0))[0]
        pearson = float((response.weights * (response.y - self.mu) ** 2 / V).sum())
        return pearson / (self.n_obs - self.n_par)

    @property
    def has_scale(self) -> bool:
        """Whether phi is an estimated factor of the variance, so that a residual sd exists."""
        family = self.family
        estimated = family.estimates_phi or family.has_pearson_dispersion
        return estimated and family.phi_scales_variance

    @property
    def sigma(self) -> float:
        """``sqrt(phi)`` where phi is an estimated factor of the variance, otherwise 1, as lme4."""
        return float(np.sqrt(self.phi)) if self.has_scale else 1.0

    @property
    def boundary_phi(self) -> bool:
        """Whether the fit put a shape at its limit, infinity or zero."""
        return self.family.estimates_phi and bool(self.outcome.on_boundary[-1])

    @property
    def boundary_theta(self) -> BoolArray:
        """Covariance parameters that the fit put at zero, shape (n_theta,)."""
        on_boundary = self.outcome.on_boundary
        first = 0 if self.approximation.nAGQ == 0 else self.model.p
        return on_boundary[first : first + self.model.n_theta]


# Not in the fit: they remember what they have computed, and fits neither change nor carry such.
_finders: WeakKeyDictionary[Fit, ModeFinder] = WeakKeyDictionary()


def read_only(values: FloatArray) -> FloatArray:
    """The same numbers, which cannot be changed in place."""
    view = values.view()
    view.flags.writeable = False
    return view


def likelihood(fit: Fit, model: GLMM) -> Objective:
    """Log-likelihood and gradient in ``fit.par`` of another model, by the fit's approximation.

    Without the penalty of a fit that has one: the prior is told once, not with every part of data.
    nAGQ = 0 differs from 1 in its estimates, not in the likelihood.
    """
    approximation = replace(fit.approximation, nAGQ=max(fit.approximation.nAGQ, 1))
    return Objective(model, approximation, fit.backend)


def refitted[AnyFit: Fit](
    fit: AnyFit, model: GLMM, *, start: Start | None = None, has_covariance: bool = True
) -> AnyFit:
    """The fit of another model by the same method, priors included, without a word.

    Parameters
    ----------
    fit : Fit
    model : GLMM
    start : Start, optional
        ``fit.restart`` where the model has the same parameters and random effects.
    has_covariance : bool
        False leaves out the covariance of the estimates, which takes half of a small fit.

    Raises
    ------
    EstimationError
        If the criterion cannot be evaluated at the starting values.
    """
    estimate = fit_model(
        model,
        fit.approximation,
        fit.control,
        start=start,
        backend=fit.backend,
        has_covariance=has_covariance,
        penalty=fit.penalty,
    )
    return fit.replace(model=model, estimate=estimate, messages=())


def refitted_together[AnyFit: Fit](
    fit: AnyFit,
    model: GLMM,
    responses: Sequence[Response],
    *,
    start: Start | None = None,
    has_covariance: bool = True,
) -> Iterator[AnyFit | EstimationError]:
    """`refitted` for each of many responses of one model, evaluated together.

    Where there is no batched method (nAGQ = 0, priors, another optimiser or backend, no ``start``,
    other weights than the model's), and where that misses the maximum, they are fitted one by one.

    Parameters
    ----------
    fit, start, has_covariance
        As in `refitted`.
    model : GLMM
        Its own response does not matter.
    responses : sequence of Response
        On the rows of the model.

    Yields
    ------
    Fit or EstimationError
        In the order of the responses; none depends on the others.
    """
    w, size = model.design.response.weights, chunk_size(model, fit.approximation)
    can_batch = fit.penalty is None and is_batchable(
        model, fit.approximation, fit.control, fit.backend
    )
    for first in range(0, len(responses), size):
        chunk = responses[first : first + size]
        together = [r for r in chunk if np.array_equal(r.weights, w)] if can_batch else []
        found: dict[int, Estimate | None] = {}
        if together and start is not None:
            estimates = fit_responses(
                model,
                np.stack([response.y for response in together]),
                fit.approximation,
                fit.control,
                start,
                backend=fit.backend,
                has_covariance=has_covariance,
            )
            found = {id(r): e for r, e in zip(together, estimates, strict=True)}
        for response in chunk:
            own = model.with_design(replace(model.design, response=response))
            estimate = found.get(id(response))
            if estimate is not None:
                yield fit.replace(model=own, estimate=estimate, messages=())
                continue
            try:
                yield refitted(fit, own, start=start, has_covariance=has_covariance)
            except EstimationError as error:
                yield error
