"""All parameters as functions of a vector of real numbers, on which samplers and searches move."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, Matrix, Scalar, Vector
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import Prior, sum_logp
from mixedlm_pt.bayes.priors import (
    Priors,
    effect_names,
    intercept_of,
    link_unit,
    predictor_means,
)
from mixedlm_pt.bayes.pymc_model import join, term_columns, theta_of
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM

# Where a fit is on the boundary, a start inside: this share of a typical effect instead of a
# smaller standard deviation, correlations shrunk by this share towards zero, values of a bounded
# parameter by this share towards the middle.
INSIDE = 0.1
# A shape above this many means of the response cannot be told from infinity.
LARGE_SHAPE = 100.0


@dataclass(frozen=True, eq=False)
class Coordinates:
    """beta, standard deviations, correlations and dispersion as functions of real numbers x.

    x holds beta with the intercept of centred predictors, then factor by factor the standard
    deviations and term by term the correlations, then the dispersion. A parameter on the real line
    is itself, a positive one ``exp(x)``, one on an interval scaled logistic; correlations are
    canonical partial correlations ``tanh(x)`` (Lewandowski, Kurowicka and Joe, 2009, J. Multivar.
    Anal. 100, 1989-2001). All symbolic.

    Attributes
    ----------
    x : vector, shape (n_x,)
    beta : vector, shape (p,)
    sds : tuple of vectors, one a grouping factor
    cholesky : tuple of matrices, one a term
        Cholesky factors of the correlation matrices; 1 for a term with one effect.
    theta : vector, shape (n_theta,)
    dispersion : scalar or None
    log_phi : scalar
    log_prior : scalar
        Log prior density of beta, standard deviations, correlation matrices and dispersion, each
        on its own scale.
    log_jacobian : scalar
        Log determinant of their derivative by x.
    """

    model: GLMM
    priors: Priors
    x: Vector
    beta: Vector
    sds: tuple[Vector, ...]
    cholesky: tuple[Matrix, ...]
    theta: Vector
    dispersion: Scalar | None
    log_phi: Scalar
    log_prior: Scalar
    log_jacobian: Scalar

    @classmethod
    def of(cls, model: GLMM, priors: Priors) -> "Coordinates":
        """Symbolic parameters of the model."""
        x = pt.vector("x", dtype="float64", shape=(n_coordinates(model),))
        parts = iter(np.split(np.arange(x.type.shape[0]), ends(model)))
        log_jacobian, log_prior = pt.constant(0.0), pt.constant(0.0)
        centred, jacobian = constrained(priors.coefficients, x[slice_of(next(parts))])
        log_jacobian += jacobian
        log_prior += sum_logp(priors.coefficients, centred)
        intercept, beta = intercept_of(model), centred
        if intercept is not None:
            # The intercept's prior is for centred predictors. The determinant of the shift is one.
            beta = centred - np.eye(model.p)[intercept] * (predictor_means(model) * centred).sum()
        dispersion, log_phi = None, pt.constant(np.log(model.family.fixed_phi or 1.0))
        of_dispersion = Dispersion.of(model)
        if of_dispersion is not None:
            assert priors.dispersion is not None, "every estimated dispersion has a prior"
            value, jacobian = constrained([priors.dispersion], x[-1:])
            dispersion, log_phi = value[0], of_dispersion.log_phi(value[0])
            log_jacobian += jacobian
            log_prior += priors.dispersion.logp(dispersion)
        sds, cholesky = [], {}
        for f in range(len(model.design.factors)):
            sd, jacobian = constrained(priors.sds[f], x[slice_of(next(parts))])
            sds.append(sd)
            log_jacobian += jacobian
            log_prior += sum_logp(priors.sds[f], sd, dispersion)
            for t, _ in term_columns(model, f):
                k, place = model.term_widths[t], next(parts)
                cholesky[t] = pt.ones((1, 1))
                if k > 1:
                    cholesky[t], jacobian = correlation_factor(x[slice_of(place)], k)
                    log_jacobian += jacobian
                    correlation = priors.correlations[f]
                    assert correlation is not None, "correlated effects have a prior"
                    log_prior += correlation.logp(cholesky[t])
        return cls(
            model=model,
            priors=priors,
            x=x,
            beta=beta,
            sds=tuple(sds),
            cholesky=tuple(cholesky[t] for t in sorted(cholesky)),
            theta=theta_from(model, sds, cholesky),
            dispersion=dispersion,
            log_phi=log_phi,
            log_prior=log_prior,
            log_jacobian=log_jacobian,
        )

    @property
    def n_x(self) -> int:
        """Number of coordinates."""
        return n_coordinates(self.model)

    def start(self, fit: Fit) -> FloatArray:
        """x of the fit, moved inside where the fit is on the boundary; shape (n_x,)."""
        priors, inside = self.priors, Inside.of(fit, self.priors)
        parts = [unconstrained(priors.coefficients, inside.centred)]
        for f, sds in enumerate(inside.sds):
            factors = (inside.cholesky[t] for t, _ in term_columns(self.model, f))
            parts += [unconstrained(priors.sds[f], sds), *map(partial_correlations, factors)]
        if inside.dispersion is not None:
            assert priors.dispersion is not None, "every estimated dispersion has a prior"
            parts.append(unconstrained([priors.dispersion], np.array([inside.dispersion])))
        return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class Inside:
    """The fit's parameters on their own scales, moved inside where it is on the boundary.

    Attributes
    ----------
    centred : array, shape (p,)
        beta with the intercept of centred predictors.
    sds : tuple of arrays, one a grouping factor
    cholesky : mapping of arrays by term
    dispersion : float or None
    """

    centred: FloatArray
    sds: tuple[FloatArray, ...]
    cholesky: dict[int, FloatArray]
    dispersion: float | None

    @classmethod
    def of(cls, fit: Fit, priors: Priors) -> "Inside":
        """Inside the supports of these priors."""
        model, smallest = fit.model, INSIDE * link_unit(fit.model)
        centred, intercept = fit.beta.copy(), intercept_of(model)
        if intercept is not None:
            centred[intercept] += predictor_means(model) @ fit.beta
        found = {t: interior(Lambda, smallest) for t, Lambda in enumerate(fit.Lambda)}
        sds = tuple(
            moved_inside(
                priors.sds[f], np.concatenate([found[t][0] for t, _ in term_columns(model, f)])
            )
            for f in range(len(model.design.factors))
        )
        dispersion, value = Dispersion.of(model), None
        if dispersion is not None:
            value = dispersion.from_phi(fit.phi)
            if not model.family.phi_scales_variance:
                # A shape at its limit; from this one on variances are Poisson's.
                value = min(value, LARGE_SHAPE * max(float(fit.design.response.y.mean()), 1.0))
        cholesky = {t: factor for t, (_, factor) in found.items()}
        return cls(moved_inside(priors.coefficients, centred), sds, cholesky, value)


def parameter_vector(coordinates: Coordinates) -> Vector:
    """beta, the entries of every factor's Lambda row by row, and log phi."""
    model, parts = coordinates.model, [coordinates.beta]
    for f, width in enumerate(model.factor_widths):
        Lambda = pt.zeros((width, width))
        for t, columns in term_columns(model, f):
            block = coordinates.sds[f][columns, None] * coordinates.cholesky[t]
            Lambda = pt.set_subtensor(Lambda[columns, columns], block)
        parts.append(Lambda.ravel())
    return join([*parts, coordinates.log_phi.reshape((1,))])


def lambda_slices(model: GLMM) -> list[slice]:
    """Where the Lambda of every grouping factor stands in the parameter vector."""
    ends = model.p + np.cumsum([0, *(width**2 for width in model.factor_widths)])
    return [slice(a, b) for a, b in pairwise(ends.tolist())]


def n_parameters(model: GLMM) -> int:
    """Length of the parameter vector."""
    return model.p + sum(width**2 for width in model.factor_widths) + 1


def ends(model: GLMM) -> list[int]:
    """Where the parts of x end: beta, then by factor sds and correlations; not that of the last."""
    sizes = [model.p]
    for names, terms in zip(effect_names(model), model.factor_terms, strict=True):
        widths = [model.term_widths[t] for t in terms]
        sizes += [len(names), *(k * (k - 1) // 2 for k in widths)]
    return [int(end) for end in np.cumsum(sizes)]


def n_coordinates(model: GLMM) -> int:
    """Length of x."""
    return ends(model)[-1] + int(model.family.estimates_phi)


def slice_of(places: FloatArray) -> slice:
    """The slice of these consecutive places."""
    return slice(int(places[0]), int(places[-1]) + 1)


def runs(priors: Sequence[Prior]) -> list[tuple[slice, tuple[float, float]]]:
    """Neighbours whose priors have the same support, and that support."""
    changes = [i for i, (a, b) in enumerate(pairwise(priors), 1) if a.support != b.support]
    places = pairwise([0, *changes, len(priors)])
    return [(slice(a, b), priors[a].support) for a, b in places]


def constrained(priors: Sequence[Prior], x: Vector) -> tuple[Vector, Scalar]:
    """Parameters from their coordinates, and the log determinant of their derivative."""
    parts, log_jacobian = [], pt.constant(0.0)
    for places, (lower, upper) in runs(priors):
        value = x[places]
        if np.isfinite(upper):
            share = pt.sigmoid(value)
            log_jacobian += pt.log((upper - lower) * share * (1.0 - share)).sum()
            value = lower + (upper - lower) * share
        elif np.isfinite(lower):
            log_jacobian += value.sum()
            value = lower + pt.exp(value)
        parts.append(value)
    return join(parts), log_jacobian


def moved_inside(priors: Sequence[Prior], values: FloatArray) -> FloatArray:
    """The values, moved inside where a prior bounds them from both sides."""
    inside = values.copy()
    for places, (lower, upper) in runs(priors):
        if np.isfinite(upper):
            margin = 0.5 * INSIDE * (upper - lower)
            inside[places] = np.minimum(np.maximum(values[places], lower + margin), upper - margin)
    return inside


def unconstrained(priors: Sequence[Prior], values: FloatArray) -> FloatArray:
    """Coordinates of parameters, which are moved inside the support."""
    x = moved_inside(priors, values)
    for places, (lower, upper) in runs(priors):
        if np.isfinite(upper):
            share = (x[places] - lower) / (upper - lower)
            x[places] = np.log(share / (1.0 - share))
        elif np.isfinite(lower):
            x[places] = np.log(x[places] - lower)
    return x


def correlation_factor(x: Vector, k: int) -> tuple[Matrix, Scalar]:
    """Cholesky factor of a correlation matrix, and the log determinant of the matrix's derivative.

    x holds the partial correlations row by row below the diagonal, by ``arctanh``.
    """
    partial, rows, place = pt.tanh(x), [], 0
    log_jacobian = pt.log1p(-(partial**2)).sum()
    for i in range(k):
        rest, row = pt.constant(1.0), []
        for j in range(i):
            c = partial[place]
            row.append(c * pt.sqrt(rest))
            rest *= 1.0 - c**2
            log_jacobian += 0.5 * (k - 2 - j) * pt.log1p(-(c**2))
            place += 1
        rows.append(pt.stack([*row, pt.sqrt(rest), *[pt.constant(0.0)] * (k - 1 - i)]))
    return pt.stack(rows), log_jacobian


def partial_correlations(cholesky: FloatArray) -> FloatArray:
    """The coordinates that `correlation_factor` takes to this Cholesky factor."""
    squares = np.cumsum(cholesky**2, axis=1) - cholesky**2
    i, j = np.tril_indices(len(cholesky), -1)
    return np.arctanh(cholesky[i, j] / np.sqrt(1.0 - squares[i, j]))


def interior(Lambda: FloatArray, smallest: float) -> tuple[FloatArray, FloatArray]:
    """Standard deviations and Cholesky factor of the correlations, moved off the boundary."""
    sd = np.linalg.norm(Lambda, axis=1)
    rows = Lambda / np.where(sd > 0.0, sd, 1.0)[:, None]
    if np.diag(rows).min() < INSIDE:
        R = (1.0 - INSIDE) * (rows @ rows.T)
        np.fill_diagonal(R, 1.0)
        rows = np.linalg.cholesky(R)
    return np.maximum(sd, smallest), rows


def theta_from(model: GLMM, sds: Sequence[Vector], cholesky: dict[int, Matrix]) -> Vector:
    """theta from standard deviations by factor and Cholesky factors by term, symbolic."""
    thetas: dict[int, Vector] = {}
    for f in range(len(model.design.factors)):
        for t, columns in term_columns(model, f):
            Lambda = sds[f][columns, None] * cholesky[t]
            thetas[t] = theta_of(model.covariances[t], Lambda, model.term_widths[t])
    return join([thetas[t] for t in sorted(thetas)]) if thetas else pt.zeros(0)
