"""Coordinates in which the joint posterior is nearly standard normal, from the fit."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.coordinates import lambda_slices, parameter_vector
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.compile.backends import numpy_function

type Information = FloatArray | sp.csr_array

# Length of a difference for the slope of the modes, in standard deviations.
STEP = 0.1
# The smaller factors' effects share coordinates with all others where the products cost at most
# this many times what the rows do, or are so few.
SHARE = 10
FREE = 200_000


@dataclass(frozen=True, eq=False)
class Levels:
    """What the data say at the centre about the effects b of a grouping factor's levels.

    As a function of a level's b (k,), the log-likelihood is about ``b'(pulls - by_beta beta - inner
    b_later) - b' blocks b / 2``, with b_later the effects of the factors after this one, and those
    before it integrated out.

    Attributes
    ----------
    blocks : array, shape (n_levels, k, k)
        Positive semidefinite.
    pulls : array, shape (n_levels, k)
    by_beta : array, shape (n_levels, k, p)
    inner : array, shape (n_levels, k, n_later)
    """

    blocks: FloatArray
    pulls: FloatArray
    by_beta: FloatArray
    inner: FloatArray

    def information(self, Lambda: FloatArray) -> FloatArray:
        """``H = I + Lambda' blocks Lambda``, shape (n_levels, k, k)."""
        return np.eye(len(Lambda)) + Lambda.T @ self.blocks @ Lambda

    def modes(self, beta: FloatArray, Lambda: FloatArray, others: FloatArray) -> FloatArray:
        """Modes of u given b_later, shape (n_levels, k)."""
        pulled = self.pulls - self.by_beta @ beta - self.inner @ others
        return np.linalg.solve(self.information(Lambda), (pulled @ Lambda)[:, :, None])[:, :, 0]


@dataclass(frozen=True, eq=False)
class Whitening:
    """A map from z to the coordinates x of the parameters and the spherical effects u.

    ``x = centre + scale z_x``. Given x, a level's effects are ``u = m + slope d + L'^-1 w``, in
    which m is the mode and ``L L' = H`` the information under the quadratic approximation of the
    log-likelihood in `Levels`, at these parameters: a level whose standard deviations are small or
    whose effects are correlated has the conditional distribution that a normal response would give
    it, so no funnel is left, and effects are centred and non-centred at once (Papaspiliopoulos,
    Roberts and Skoeld, 2007, Stat. Sci. 22, 59-73). A factor's modes move with the effects b of the
    factors after it. The largest comes first; its levels are independent given all others, their
    noise is ``w = z``. That of a smaller factor's levels is correlated, ``w = outer z``.

    Modes that the approximation does not move as far as they do are moved by ``slope d``, with
    ``d = x - centre``, or its tanh for all but beta: far out they cease to move.

    In these coordinates the Gaussian approximation of the posterior at its mode is standard normal.

    Attributes
    ----------
    centre : array, shape (n_x,)
    scale : array, shape (n_x, n_x)
        Lower triangular.
    first_bent : int
        Length of beta.
    levels : tuple of Levels
        One a grouping factor, the largest first.
    outer : array, shape (n_s, n_s)
        Upper triangular, block-diagonal by factor; of all but the first.
    slope : array, shape (q, n_x)
    """

    centre: FloatArray
    scale: FloatArray
    first_bent: int
    levels: tuple[Levels, ...]
    outer: FloatArray
    slope: FloatArray

    @classmethod
    def of(cls, density: MarginalDensity) -> "Whitening":
        """At the mode of the marginal posterior."""
        centre, p = density.centre, density.fit.model.p
        levels: tuple[Levels, ...] = ()
        outer: FloatArray = np.zeros((0, 0))
        slope: FloatArray = np.zeros((0, len(centre.x)))
        if density.fit.model.q:
            data = DataInformation(density)
            levels, outer = data.sequential() if data.shares else (data.separate(), outer)
            slope = sl.solve_triangular(centre.scale.T, data.slope_left(levels).T).T
        return cls(centre.x, centre.scale, p, levels, outer, np.ascontiguousarray(slope))

    @property
    def n(self) -> int:
        """Length of z."""
        return len(self.centre) + len(self.slope)


class DataInformation:
    """The quadratic approximation of the log-likelihood in (beta, b) at the centre."""

    def __init__(self, density: MarginalDensity) -> None:
        centre, objective, model = density.centre, density.objective, density.fit.model
        self.density, self.model, self.u = density, model, centre.u
        coordinates = density.coordinates
        self.parameters = numpy_function([coordinates.x], [parameter_vector(coordinates)])
        self.beta, self.Lambdas = self.at(centre.x)
        beta, theta, log_phi = objective.split(density.parameters(centre.x))
        finder = objective.finder
        eta = finder.linear_predictor(beta, centre.u, finder.scaled_design(theta))
        self.score = np.asarray(finder.density(eta, log_phi)[1])
        self.D = np.asarray(finder.working_information(eta, log_phi))

    def at(self, x: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
        """beta and the Lambda of a level of every factor."""
        parameters, model = self.parameters(x)[0], self.model
        pairs = zip(lambda_slices(model), model.factor_widths, strict=True)
        return parameters[: model.p], [parameters[part].reshape(k, k) for part, k in pairs]

    @property
    def shares(self) -> bool:
        """Whether products with the effects of the smaller factors are affordable."""
        model = self.model
        n_s = int(model.q - model.u_slices[0].stop)
        return model.q * n_s <= max(SHARE * model.n * (model.p + sum(model.term_widths)), FREE)

    @cached_property
    def Z(self) -> sp.csr_array:
        """Design of b, shape (n, q)."""
        model, structure = self.model, self.model.structure
        assert structure is not None, "only called with random effects"
        rows = np.repeat(np.arange(model.n), structure.cols.shape[1])
        places = (rows, np.ravel(structure.cols))
        return sp.csr_array((model.Z_by_row().ravel(), places), shape=(model.n, model.q))

    @cached_property
    def products(self) -> tuple[sp.csr_array, FloatArray]:
        """``Z'DZ`` and ``Z'DX``."""
        weighted = self.Z.multiply(self.D[:, None]).T.tocsr()
        return sp.csr_array(weighted @ self.Z), weighted @ self.model.design.X

    @cached_property
    def b(self) -> list[FloatArray]:
        """Effects at the centre, (n_levels, k) for every factor."""
        parts = [self.u[part] for part in self.model.u_slices]
        return [
            u.reshape(-1, len(Lambda)) @ Lambda.T
            for u, Lambda in zip(parts, self.Lambdas, strict=True)
        ]

    def separate(self) -> tuple[Levels, ...]:
        """Of every factor as if the effects of the others were known."""
        information, by_beta = self.products
        return tuple(
            self.levels(
                f, information[part, part], by_beta[part], np.zeros((part.stop - part.start, 0))
            )
            for f, part in enumerate(self.model.u_slices)
        )

    def levels(self, f: int, own: Information, by_beta: FloatArray, inner: FloatArray) -> Levels:
        """With pulls such that the modes at the centre are those of the fit."""
        part, b = self.model.u_slices[f], self.b[f]
        blocks = semidefinite(blocks_of(own, b.shape[1]))
        by_beta, inner = (a.reshape(*b.shape, a.shape[1]) for a in (by_beta, inner))
        others = np.concatenate([np.zeros(0), *(later.ravel() for later in self.b[f + 1 :])])
        pulls = (self.Z.T @ self.score)[part].reshape(b.shape) + by_beta @ self.beta
        pulls += (blocks @ b[:, :, None])[:, :, 0] + inner @ others[: inner.shape[2]]
        return Levels(blocks, pulls, np.ascontiguousarray(by_beta), np.ascontiguousarray(inner))

    def sequential(self) -> tuple[tuple[Levels, ...], FloatArray]:
        """Of every factor given those after it, with those before it eliminated; and ``outer``."""
        levels: list[Levels] = []
        outer: list[FloatArray] = []
        own: Any
        own, by_beta = self.products
        for f, part in enumerate(self.model.u_slices):
            size, Lambda = part.stop - part.start, self.Lambdas[f]
            # The first factor's information is block-diagonal, and too large for another form.
            cross = own[:size, size:].toarray() if f == 0 else own[:size, size:]
            levels.append(self.levels(f, own[:size, :size], by_beta[:size], cross))
            H = levels[f].information(Lambda)
            both = np.hstack([cross, by_beta[:size]])
            if f == 0:
                k = len(Lambda)
                covariance = Lambda @ np.linalg.solve(H, Lambda.T)
                explained = (covariance @ both.reshape(-1, k, both.shape[1])).reshape(both.shape)
                rest = own[size:, size:].toarray()
            else:
                scale = sl.block_diag(*[Lambda] * len(H))
                factor = sl.cholesky(np.eye(size) + scale.T @ own[:size, :size] @ scale)
                root = sl.block_diag(*np.linalg.cholesky(H))
                outer.append(sl.solve_triangular(factor, root, trans=1).T)
                explained = scale @ sl.cho_solve((factor, False), scale.T @ both)
                rest = own[size:, size:]
            left = np.hstack([rest, by_beta[size:]]) - cross.T @ explained
            own, by_beta = left[:, : len(left)], left[:, len(left) :]
        whole = sl.block_diag(*outer) if outer else np.zeros((0, 0))
        return tuple(levels), np.ascontiguousarray(whole)

    def slope_left(self, levels: tuple[Levels, ...]) -> FloatArray:
        """Slope of the modes of u in z_x that the quadratic approximation has not, (q, n_x)."""
        centre, parts = self.density.centre, self.model.u_slices
        total = slope_of_modes(self.density)
        left = np.zeros_like(total)

        def modes(z: FloatArray, first: int) -> FloatArray:
            """Of one factor, with the effects of those after it where they have moved."""
            beta, Lambdas = self.at(centre.x + centre.scale @ z)
            others = u = np.zeros(0)
            for f in range(len(levels) - 1, first - 1, -1):
                own = levels[f]
                u = own.modes(beta, Lambdas[f], others[: own.inner.shape[2]])
                u = u + (left[parts[f]] @ z).reshape(u.shape)
                others = np.concatenate([(u @ Lambdas[f].T).ravel(), others])
            return u.ravel()

        steps = STEP * np.eye(len(centre.x))
        for f in reversed(range(len(levels))):
            own = np.array([modes(step, f) - modes(-step, f) for step in steps]).T
            left[parts[f]] = total[parts[f]] - own / (2.0 * STEP)
        return left


def slope_of_modes(density: MarginalDensity) -> FloatArray:
    """Derivative of the modes of u in z_x, shape (q, n_x), by central differences."""
    centre, objective = density.centre, density.objective
    columns = []
    for direction in centre.scale.T:
        ends = []
        for sign in (1.0, -1.0):
            beta, theta, log_phi = objective.split(
                density.parameters(centre.x + sign * STEP * direction)
            )
            objective.u = centre.u.copy()
            M = objective.finder.scaled_design(theta)
            ends.append(objective.find_mode(beta, theta, M, log_phi).u.copy())
        columns.append((ends[0] - ends[1]) / (2.0 * STEP))
    return np.ascontiguousarray(np.array(columns).T)


def semidefinite(blocks: FloatArray) -> FloatArray:
    """Symmetric blocks without their negative parts.

    Where the log-likelihood of a row is not concave, it tells nothing about the level's effects.
    """
    values, vectors = np.linalg.eigh(blocks)
    return (vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.transpose(0, 2, 1)


def blocks_of(H: Information, k: int) -> FloatArray:
    """The diagonal blocks of a matrix, shape (n_levels, k, k)."""
    entries = sp.csr_array(H).tocoo()
    row, column = entries.coords
    own = row // k == column // k
    blocks = np.zeros((H.shape[0] // k, k, k))
    blocks[row[own] // k, row[own] % k, column[own] % k] = entries.data[own]
    return blocks
