"""Priors as a penalty: penalised maximum likelihood, the mode of the marginal posterior."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad

from mixedlm_pt._typing import BoolArray, FloatArray, Matrix, Scalar, Vector
from mixedlm_pt.bayes.covariance_priors import LKJ
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import POSITIVE, REAL, Flat, Prior, sum_logp
from mixedlm_pt.bayes.prior_choice import PRESET, PriorsArgument, make_priors
from mixedlm_pt.bayes.prior_summary import prior_summary
from mixedlm_pt.bayes.priors import Priors, effect_names, intercept_of, predictor_means
from mixedlm_pt.compile.backends import Function, numpy_function
from mixedlm_pt.covariance import COVARIANCES
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.estimation import Penalty
from mixedlm_pt.model import GLMM

# Stands for a standard deviation of zero, whose logarithm and share in a ratio do not exist: what
# is finite at zero has its value, and what falls to zero there has lost hundreds of units.
TINY = 1e-150
# A log density that rises by more than this from 1e-100 to TINY is infinite at zero.
RISE = 1.0
# A coefficient's share of a direction, in units of the largest, from which a prior holds it.
HELD_SHARE = 0.1
# What flat priors are called, and all correlation matrices alike.
UNIFORM = (str(Flat()), str(LKJ(1.0)))
# Compiled densities that are kept.
CACHE_SIZE = 64


@dataclass(frozen=True)
class Layout:
    """Where the parameters of a model stand in ``par``: all that the density's graph needs.

    Attributes
    ----------
    p : int
    covariances : tuple of (str, int)
        Name of the structure and number of effects of every term.
    factor_terms : tuple of tuples of int
        The terms of every grouping factor.
    dispersion : Dispersion or None
    """

    p: int
    covariances: tuple[tuple[str, int], ...]
    factor_terms: tuple[tuple[int, ...], ...]
    dispersion: Dispersion | None

    @classmethod
    def of(cls, model: GLMM) -> "Layout":
        """That of a model."""
        terms = zip(model.covariances, model.term_widths, strict=True)
        covariances = tuple((covariance.name, k) for covariance, k in terms)
        return cls(model.p, covariances, model.factor_terms, Dispersion.of(model))

    @property
    def theta_slices(self) -> tuple[slice, ...]:
        """Where each term's parameters stand in theta."""
        sizes = [COVARIANCES[name].n_theta(k) for name, k in self.covariances]
        return tuple(slice(a, b) for a, b in pairwise(np.cumsum([0, *sizes]).tolist()))

    @property
    def n_par(self) -> int:
        """Length of ``par``."""
        n_theta = self.theta_slices[-1].stop if self.theta_slices else 0
        return self.p + n_theta + int(self.dispersion is not None)


@dataclass(frozen=True, eq=False)
class PriorPenalty(Penalty):
    """The log density of priors as a function of (beta, theta, log phi).

    Attributes
    ----------
    layout : Layout
    priors : Priors
    shift : array, shape (p,)
        What the intercept of centred predictors is more than the intercept: ``shift'beta``. The
        means of the predictors, and zero for the intercept itself and without one.
    intercept : int or None
        Its position in beta.
    """

    layout: Layout
    priors: Priors
    shift: FloatArray
    intercept: int | None

    @classmethod
    def of(cls, model: GLMM, priors: Priors) -> "PriorPenalty":
        """That of a model."""
        return cls(Layout.of(model), priors, predictor_means(model), intercept_of(model))

    def value_and_gradient(self, par: FloatArray) -> tuple[float, FloatArray]:
        whole, _ = compiled_density(self.layout, self.priors)
        p = self.layout.p
        value, gradient = whole(np.concatenate([self.centred(par[:p]), par[p:]]))
        return float(value), np.concatenate([self.pulled_back(gradient[:p]), gradient[p:]])

    def of_beta(self, beta: FloatArray) -> tuple[float, FloatArray]:
        _, coefficients = compiled_density(self.layout, self.priors)
        value, gradient, _ = coefficients(self.centred(beta), np.zeros(self.layout.p))
        return float(value), self.pulled_back(gradient)

    def beta_information(self, beta: FloatArray) -> FloatArray:
        _, coefficients = compiled_density(self.layout, self.priors)
        centred, p = self.centred(beta), self.layout.p
        information = np.empty((p, p))
        if all(prior.width == 1 for prior in self.priors.coefficients):
            information[:] = np.diag(coefficients(centred, np.ones(p))[2])
        else:
            information[:] = [coefficients(centred, unit)[2] for unit in np.eye(p)]
        A = self.centring
        product: FloatArray = A.T @ information @ A
        return product

    def centred(self, beta: FloatArray) -> FloatArray:
        """The coefficients of centred predictors, to which priors belong; shape (p,)."""
        if self.intercept is None:
            return beta
        moved = beta.copy()
        moved[self.intercept] += self.shift @ beta
        return moved

    def pulled_back(self, gradient: FloatArray) -> FloatArray:
        """The gradient in beta from that in the coefficients of centred predictors."""
        pulled: FloatArray = gradient
        if self.intercept is not None:
            pulled = gradient + self.shift * gradient[self.intercept]
        return pulled

    @cached_property
    def centring(self) -> FloatArray:
        """The matrix of `centred`, shape (p, p)."""
        A = np.eye(self.layout.p)
        if self.intercept is not None:
            A[self.intercept] += self.shift
        return A

    def holds(self, directions: FloatArray) -> BoolArray:
        proper = np.array([prior.is_proper for prior in self.priors.coefficients], np.bool_)
        moved = np.abs(self.centring @ directions)
        largest = moved.max(axis=0, initial=0.0)
        held: BoolArray = (moved[proper] > HELD_SHARE * largest).any(axis=0)
        return held

    def holds_sds(self, factor: int) -> bool:
        return all(prior.is_proper for prior in self.priors.sds[factor])

    def in_words(self, model: GLMM) -> str:
        by_prior: dict[str, list[str]] = {}
        is_whole = True
        for kind, name, prior in prior_summary(model, self.priors).rows:
            _, by, group = kind.partition(" by ")
            where = f"correlations{by}{group}" if name == "matrix" else name
            if by and name != "matrix":
                where = f"sd of {name}{by}{group}"
            if prior in UNIFORM:
                is_whole = False
            else:
                by_prior.setdefault(prior, []).append(where)
        parts = [f"{', '.join(names)} ~ {prior}" for prior, names in by_prior.items()]
        if not parts:
            return "flat"
        return "; ".join(parts) + ("" if is_whole else "; all others flat")

    def of_intercept(self) -> "PriorPenalty":
        own = Flat() if self.intercept is None else self.priors.coefficients[self.intercept]
        priors = replace(self.priors, coefficients=(own,))
        return PriorPenalty(replace(self.layout, p=1), priors, np.zeros(1), 0)


def make_penalty(model: GLMM, priors: PriorsArgument) -> PriorPenalty | None:
    """The penalty that the argument ``priors=`` of `glmer` stands for; None for None.

    Parameters
    ----------
    model : GLMM
    priors : Priors, str or mapping
        Priors of all parameters, a preset by name, or a mapping as in `make_priors`, whose
        ``"preset"`` is here ``"flat"`` if it has none: what it names is all that is penalised.

    Raises
    ------
    ArgumentError
        As `make_priors`; for a prior that does not allow all values of its parameter; and for one
        whose density is infinite where a standard deviation is zero or a correlation is one.
    """
    if priors is None:
        return None
    if not model.family.has_likelihood:
        raise ArgumentError(
            f"{model.family.name} has no likelihood, so that priors have nothing to be weighed "
            "against; use a family with one, such as binomial, poisson or negative_binomial."
        )
    if isinstance(priors, Mapping):
        priors = {PRESET: "flat", **priors}
    own = make_priors(model, priors)
    refuse_bounds(model, own)
    penalty = PriorPenalty.of(model, own)
    refuse_infinite(model, penalty)
    return penalty


def refuse_bounds(model: GLMM, priors: Priors) -> None:
    """Refuse priors whose support ends inside the range of their parameter."""
    for name, prior in bounded(model, priors).items():
        what = "any number" if name in model.design.coef_names else "any positive number"
        raise ArgumentError(
            f"the prior of {name!r} is {prior}; in glmer() it must allow {what}, because a mode at "
            "the end of its support has no standard error. fit.sample() takes it."
        )


def bounded(model: GLMM, priors: Priors) -> dict[str, Prior]:
    """Parameters, by the names of `make_priors`, of which a prior excludes some possible values."""
    named = list(zip(model.design.coef_names, priors.coefficients, [REAL] * model.p, strict=True))
    for factor, sds in zip(model.design.factors, priors.sds, strict=True):
        named += [(f"sd_{factor.name}", prior, POSITIVE) for prior in sds]
    dispersion = Dispersion.of(model)
    if dispersion is not None and priors.dispersion is not None:
        named.append((dispersion.name, priors.dispersion, POSITIVE))
    return {name: prior for name, prior, support in named if prior.support != support}


def refuse_infinite(model: GLMM, penalty: PriorPenalty) -> None:
    """Refuse priors under which the mode is at a singular covariance whatever the data say."""
    priors = penalty.priors
    for f, j in infinite_at_zero(penalty.layout, priors):
        name, group = effect_names(model)[f][j], model.design.factors[f].name
        raise ArgumentError(
            f"the density of {priors.sds[f][j]} is infinite at zero, so that the mode of the "
            f"standard deviation of {name} by {group} would always be zero. A prior such as "
            "Gamma(2.0, 0.1) keeps it away from there; fit.sample() takes any."
        )
    for correlation, factor in zip(priors.correlations, model.design.factors, strict=True):
        if correlation is not None and correlation.eta < 1.0:
            raise ArgumentError(
                f"the density of {correlation} is infinite where a correlation of the effects by "
                f"{factor.name} is one; in glmer() eta must be at least 1."
            )


@lru_cache(maxsize=CACHE_SIZE)
def infinite_at_zero(layout: Layout, priors: Priors) -> tuple[tuple[int, int], ...]:
    """Standard deviations, by factor and effect, at whose zero the density is infinite."""
    diagonals = [
        layout.p + part.start + np.array([column[0] for column in COVARIANCES[name].columns(k)])
        for (name, k), part in zip(layout.covariances, layout.theta_slices, strict=True)
    ]
    units = np.zeros(layout.n_par)
    units[[i for places in diagonals for i in places]] = 1.0
    whole, _ = compiled_density(layout, priors)
    found = []
    for f, terms in enumerate(layout.factor_terms):
        for j, i in enumerate(i for t in terms for i in diagonals[t]):
            near, nearer = units.copy(), units.copy()
            near[i], nearer[i] = 1e-100, TINY
            if whole(nearer)[0] - whole(near)[0] > RISE:
                found.append((f, j))
    return tuple(found)


@lru_cache(maxsize=CACHE_SIZE)
def compiled_density(layout: Layout, priors: Priors) -> tuple[Function, Function]:
    """The density and its part of beta as NumPy functions of coefficients of centred predictors.

    Returns
    -------
    whole : ``(coefficients, theta, log phi) as one vector -> (log density, its gradient)``
    coefficients : ``(c, v) -> (log density, gradient, information times v)``
    """
    with pytensor.config.change_flags(traceback__limit=0):
        par, c, v = pt.dvector("par"), pt.dvector("c"), pt.dvector("v")
        value = log_density(layout, priors, par)
        whole = numpy_function([par], [value, gradient_of(value, par)])
        of_beta = sum_logp(priors.coefficients, c)
        slope = gradient_of(of_beta, c)
        outputs = [of_beta, slope, -gradient_of((slope * v).sum(), c)]
        return whole, numpy_function([c, v], outputs)


def gradient_of(value: Scalar, variable: Vector) -> Vector:
    """The gradient; zeros where the value does not depend on the variable."""
    return grad(value, variable, disconnected_inputs="ignore")


def log_density(layout: Layout, priors: Priors, par: Vector) -> Scalar:
    """Log prior density on the parameters' own scales, as a function of (c, theta, log phi).

    ``c`` are coefficients of centred predictors, ``theta`` the entries of Lambda.
    """
    total = sum_logp(priors.coefficients, par[: layout.p])
    dispersion = None
    if layout.dispersion is not None:
        assert priors.dispersion is not None, "every estimated dispersion has a prior"
        dispersion = pt.exp(layout.dispersion.power * par[-1])
        total += priors.dispersion.logp(dispersion)
    for f, terms in enumerate(layout.factor_terms):
        parts = []
        for t in terms:
            name, k = layout.covariances[t]
            where = layout.theta_slices[t]
            theta = par[layout.p + where.start : layout.p + where.stop]
            sd, L = sds_and_correlations(COVARIANCES[name].factor(theta, k), k)
            parts.append(sd)
            correlation = priors.correlations[f]
            if k > 1 and correlation is not None:
                total += correlation.logp(L)
        sds = parts[0] if len(parts) == 1 else pt.concatenate(parts)
        total += sum_logp(priors.sds[f], sds, dispersion)
    return total


def sds_and_correlations(Lambda: Matrix, k: int) -> tuple[Vector, Matrix]:
    """Standard deviations (k,) and Cholesky factor (k, k) of the correlations from Lambda.

    Even in every column of Lambda, as the likelihood is. Where a standard deviation or a partial
    correlation is at its boundary the gradient is zero, and an effect without variance is taken as
    uncorrelated: the limit along which the density is largest.
    """
    squares = (Lambda**2).sum(axis=1)
    is_zero = pt.eq(squares, 0.0)
    sd = pt.sqrt(pt.switch(is_zero, TINY**2, squares))
    diagonal = pt.diagonal(Lambda)
    L = Lambda * pt.switch(pt.lt(diagonal, 0.0), -1.0, 1.0) / sd[:, None]
    missing = pt.switch(is_zero, 1.0, pt.switch(pt.eq(diagonal, 0.0), TINY, 0.0))
    return sd, pt.specify_shape(L + pt.diag(missing), (k, k))
