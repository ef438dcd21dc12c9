"""Likelihoods of groups with their random effects integrated out, many draws at once."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.compile import Approximation, BoundFunction, compile_model
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.estimation.batch.modes import Responses, find_modes
from mixedlm_pt.fit import Fit
from mixedlm_pt.linalg import tree
from mixedlm_pt.model import GLMM

# A group with one random effect: exact to 1e-5 for two rows of zeros and ones with an sd of 3.
NODES = 11
# Tensor products of more effects have too many nodes.
MOST_EFFECTS = 2


@dataclass(frozen=True, eq=False)
class GroupIntegral:
    """``log int p(y_g | eta) p(u_g) du_g`` for the groups of a model.

    Attributes
    ----------
    model : GLMM
        With the terms whose effects belong to one group each.
    codes : array of int64, shape (n,)
        The group of every row.
    n_groups : int
    own, shared : tuples of int
        Grouping factors of the fit that are nested in the groups, and those that are not.
    theta : array of int
        Where the parameters of the model's terms stand in the fit's theta.
    start : array, shape (q,)
        Effects at which the search for their mode starts.
    nAGQ : int
        Nodes an effect; 1 is Laplace.
    """

    model: GLMM
    codes: IntArray
    n_groups: int
    own: tuple[int, ...]
    shared: tuple[int, ...]
    theta: IntArray
    start: FloatArray
    nAGQ: int

    @classmethod
    def of(cls, fit: Fit, codes: IntArray, n_groups: int, nAGQ: int | None) -> "GroupIntegral":
        """The integral over all effects that no two groups share.

        Raises
        ------
        ArgumentError
            If the factors nested in the groups are crossed there, and for nodes that the model's
            effects do not have.
        """
        factors = fit.design.factors
        nested = [is_nested(factor.codes, codes, factor.n_levels) for factor in factors]
        own = tuple(f for f, inside in enumerate(nested) if inside)
        model, theta = fit.model.with_factors(own)
        if model.structure is not None and model.structure.layout.kind != "tree":
            names = " and ".join(factors[f].name for f in own)
            raise ArgumentError(
                f"the effects of {names} are crossed inside the groups, so their integral does not "
                "fall into parts. Leave out the levels of one of these factors instead."
            )
        start = np.concatenate([np.empty(0), *(fit.u[fit.model.u_slices[f]] for f in own)])
        shared = tuple(f for f, inside in enumerate(nested) if not inside)
        nodes = number_of_nodes(model, nAGQ)
        return cls(model, codes, n_groups, own, shared, theta, start, nodes)

    def __call__(self, fixed: FloatArray, theta: FloatArray, log_phi: FloatArray) -> FloatArray:
        """Log-likelihoods (n_groups, R) of R draws.

        Parameters
        ----------
        fixed : array, shape (n, R)
            The linear predictor without the effects that are integrated out.
        theta : array, shape (R, n_theta)
            Of the fit.
        log_phi : array, shape (R,)

        Raises
        ------
        EstimationError
            If the mode of a group's effects is not found.
        """
        model, R = self.model, len(theta)
        if not self.own:
            return self.by_group(self.codes) @ self.density(fixed, log_phi)
        Y = np.broadcast_to(model.design.response.y, (R, model.n))
        responses = Responses.of(model, compile_model(model, Approximation()), Y)
        M, held = responses.scaled_design(theta[:, self.theta]), np.ascontiguousarray(fixed.T)
        modes = find_modes(responses, held, M, log_phi, np.tile(self.start, (R, 1)))
        if not modes.converged.all():
            raise EstimationError(
                f"the mode of the groups' effects was not found for {(~modes.converged).sum()} of "
                f"{R} draws, so their integrated likelihood is not known."
            )
        eta = held + responses.random_part(M, modes.u)
        logp, _, D = responses.density(eta, log_phi)
        _, packed = responses.factor(D, M)
        n_levels = np.array([factor.n_levels for factor in model.design.factors])
        blocks = [L for L, _ in tree.unpack(packed, R * n_levels, responses.columns)]
        if self.nAGQ > 1:
            values = self.quadrature(eta, M, log_phi, modes.u, blocks[0])
        else:
            squares = self.by_group(self.group_of_effect) @ (modes.u**2).T
            values = self.by_group(self.codes) @ logp.T - 0.5 * squares
        for L, groups in zip(blocks, self.group_of_level, strict=True):
            half_logdet = tree.log_diagonals(L).reshape(R, len(groups), -1).sum(axis=2)
            values -= self.by_group(groups) @ half_logdet.T
        return values

    def quadrature(
        self, eta: FloatArray, M: FloatArray, log_phi: FloatArray, u: FloatArray, L: FloatArray
    ) -> FloatArray:
        """The integrals but for the determinants ``|L|``, by Gauss and Hermite's rule (groups, R).

        Parameters
        ----------
        eta : array, shape (R, n)
            At the mode.
        M : array, shape (R, n, k)
        u : array, shape (R, q)
        L : array, shape (R n_levels, k, k)
            Cholesky factors of the negative Hessians.

        References
        ----------
        .. [1] Pinheiro and Bates (1995), J. Comput. Graph. Stat. 4, 12-35, section 2.4.
        """
        (factor,) = self.model.design.factors
        R, k, n_levels = len(u), L.shape[1], factor.n_levels
        unit = np.broadcast_to(np.sqrt(2.0) * np.eye(k), L.shape)
        # A unit step in the nodes moves the effects by these, and the linear predictors so much.
        steps = tree.solve_upper(L, unit).reshape(R, n_levels, k, k)
        moves = np.einsum("rna,rnac->cnr", M, steps[:, factor.codes])
        modes, centre = u.reshape(R, n_levels, k), np.ascontiguousarray(eta.T)
        x, weight = np.polynomial.hermite.hermgauss(self.nAGQ)
        by_level, log_terms = indicator(factor.codes, n_levels), []
        for places in product(range(self.nAGQ), repeat=k):
            node = x[list(places)]
            logp = self.density(centre + np.tensordot(node, moves, 1), log_phi)
            squares = ((modes + steps @ node) ** 2).sum(axis=2).T
            constant = np.log(weight[list(places)]).sum() + node @ node
            log_terms.append(by_level @ logp - 0.5 * squares + constant)
        total = logsumexp(log_terms, axis=0) - 0.5 * k * np.log(np.pi)
        values: FloatArray = self.by_group(self.group_of_level[0]) @ total
        return values

    def by_group(self, codes: IntArray) -> sp.csr_array:
        """The matrix of zeros and ones that sums by group."""
        return indicator(codes, self.n_groups)

    @cached_property
    def density(self) -> "RowDensity":
        """Log densities of the rows."""
        return RowDensity(self.model)

    @cached_property
    def group_of_level(self) -> list[IntArray]:
        """The group of every level, one array a factor."""
        found = []
        for factor in self.model.design.factors:
            groups = np.zeros(factor.n_levels, np.int64)
            groups[factor.codes] = self.codes
            found.append(groups)
        return found

    @cached_property
    def group_of_effect(self) -> IntArray:
        """The group of every random effect, shape (q,)."""
        parts = zip(self.group_of_level, self.model.factor_widths, strict=True)
        return np.concatenate([np.repeat(groups, width) for groups, width in parts])


class RowDensity:
    """Log densities (r, R) of rows of a model at R linear predictors (r, R) and log phi (R,)."""

    def __init__(self, model: GLMM) -> None:
        response = model.design.response
        self.y, self.w = response.y, response.weights
        # Of the last rows: what they determine alone is computed once.
        self.bound: dict[tuple[int | None, int | None, int], BoundFunction] = {}
        self.function = compile_model(model, Approximation()).log_density

    def __call__(
        self, eta: FloatArray, log_phi: FloatArray, rows: slice = slice(None)
    ) -> FloatArray:
        R = len(log_phi)
        key = (rows.start, rows.stop, R)
        if key not in self.bound:
            data = (np.repeat(values[rows], R) for values in (self.y, self.w))
            self.bound = {key: self.function.bind(*data)}
        logp: FloatArray = self.bound[key](eta.ravel(), np.tile(log_phi, len(eta)))[0]
        return logp.reshape(eta.shape)


def indicator(codes: IntArray, n: int) -> sp.csr_array:
    """Zeros and ones (n, m) with a one where a column has the code of the row."""
    m = len(codes)
    return sp.csr_array((np.ones(m), (codes, np.arange(m))), shape=(n, m))


def is_nested(codes: IntArray, groups: IntArray, n_levels: int) -> bool:
    """Whether all rows of a level are in one group."""
    group_of = np.zeros(n_levels, np.int64)
    group_of[codes] = groups
    return np.array_equal(group_of[codes], groups)


def number_of_nodes(model: GLMM, nAGQ: int | None) -> int:
    """Nodes an effect, 1 for Laplace.

    Raises
    ------
    ArgumentError
        If the model has no quadrature.
    """
    columns = () if model.structure is None else model.structure.layout.columns
    if nAGQ is None:
        return NODES if columns == (1,) else 1
    if nAGQ > 1 and not (len(columns) == 1 and columns[0] <= MOST_EFFECTS):
        what = f"{len(columns)} nested factors" if len(columns) > 1 else f"{sum(columns)} effects"
        raise ArgumentError(
            f"nAGQ is {nAGQ}; quadrature takes groups of one grouping factor with one or two "
            f"random effects, and these have {what}. nAGQ=1 is Laplace's approximation."
        )
    return nAGQ
