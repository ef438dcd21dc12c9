"""Stochastic Lanczos quadrature of ``log|E|`` with its exact derivative.

With fixed probes z the estimate is ``log|E| ~ mean_z z'f(E)z`` for ``f(x) = log x - x + 1``: the
trace of E is known, because its diagonal blocks are I, so it serves as control variate and the
estimate has an error of second order in ``E - I``. Each ``z'f(E)z`` comes from the eigenvalues x
and eigenvectors of the tridiagonal matrix T of Lanczos' iteration from z (Golub and Welsch 1969;
Ubaru, Chen and Saad 2017, SIAM J. Matrix Anal. Appl. 38, 1075-1099).

The estimate is a smooth function of the parameters, and its gradient is not the usual estimate
``mean_z z'E^-1 dE z - tr dE`` of that of log|E| but its own: ``d z'f(E)z = sum_ab f[x_a, x_b]
(z'v_a) (z'v_b) v_a' dE v_b`` with divided differences of f (Daleckii and Krein 1965; Higham 2008,
Functions of Matrices, theorem 3.11). Its matrix has low rank, so a few vectors a probe carry the
whole derivative.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import tree
from mixedlm_pt.linalg.iterative_schur import TOL, Schur

# Numbers in the Lanczos vectors of the probes that are worked on together, about.
WORK = 30_000_000
EXPECTED_STEPS = 25
MAX_STEPS = 300
# Vectors of the derivative with a smaller share than this are dropped.
RANK_TOL = 1e-11
# Power iterations for the directions, and the information of a row in the H that has them: that of
# a binary response with even odds.
POWER, EVEN = 4, 0.25
# Rows of a gathered product at a time, in numbers.
CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class Derivative:
    """The derivative G of the estimated log|H| in H, at the positions that rows touch.

    Attributes
    ----------
    own : array, shape (n_levels, k, k)
        Blocks of factor 0.
    across : array, shape (k, entries)
        Factor 0 by the rest.
    rest : array, shape (pairs,)
        Distinct pairs of columns of the rest.
    """

    own: FloatArray
    across: FloatArray
    rest: FloatArray

    @classmethod
    def of(cls, numbers: FloatArray, schur: Schur) -> "Derivative":
        """Views of packed numbers."""
        own, across, rest = np.split(numbers, np.cumsum([schur.L.size, schur.U.size]))
        return cls(own.reshape(schur.L.shape), across.reshape(schur.U.shape), rest)

    @classmethod
    def undefined(cls, schur: Schur) -> "Derivative":
        """NaN throughout."""
        return cls(*(np.full_like(part, np.nan) for part in (schur.L, schur.U, schur.B)))

    @property
    def packed(self) -> FloatArray:
        """All numbers in one vector."""
        return np.concatenate([self.own.ravel(), self.across.ravel(), self.rest])


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate of log|H|, its standard error over the probes, and its derivative."""

    logdet: float
    se: float
    derivative: Derivative


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What Lanczos' iteration from some probes tells about ``z'f(E)z``.

    Attributes
    ----------
    values : array, shape (b,)
        ``z'f(E)z``.
    X, EX : arrays, shape (q_rest, R)
        Vectors of the derivative ``sum_r weights_r x_r x_r'``, and E times them.
    weights : array, shape (R,)
    """

    values: FloatArray
    X: FloatArray
    EX: FloatArray
    weights: FloatArray


def estimate_logdet(schur: Schur) -> Estimate:
    """``log|H|`` from the probes; NaN where E shows an eigenvalue that is not positive."""
    derivative = Derivative(*(np.zeros_like(part) for part in (schur.L, schur.U, schur.B)))
    couplings = [np.zeros_like(root) for root in schur.roots]
    values: list[float] = []
    directions, probes = split_probes(schur)
    # As many probes as columns are the identity, which leaves nothing to chance.
    is_exact = probes.shape[1] >= schur.q
    n = 1 if is_exact else probes.shape[1]
    for vectors, share in ((directions, 1.0), (probes, 1.0 / n)):
        for batch in batches(vectors):
            found = spectrum(schur, batch, share)
            if found is None:
                return Estimate(np.nan, np.nan, Derivative.undefined(schur))
            values.extend(found.values)
            add_vectors(schur, found, derivative, couplings)
    add_blocks(schur, derivative, couplings)
    diagonals = [np.diagonal(L, axis1=1, axis2=2) for L in (schur.L, *schur.roots)]
    exact = 2.0 * sum(float(np.log(diagonal).sum()) for diagonal in diagonals)
    random = values[directions.shape[1] :]
    se = 0.0 if is_exact else float(np.sqrt(n) * np.std(random, ddof=1))
    return Estimate(exact + float(np.sum(values)), se, derivative)


def split_probes(schur: Schur) -> tuple[FloatArray, FloatArray]:
    """Directions that are measured one by one, and random probes of what is orthogonal to them.

    Half of the probes look for the directions in which E differs most from I (Hutch++: Meyer,
    Musco, Musco and Woodruff 2021, SIAM Symposium on Simplicity in Algorithms, 142-155): clusters
    of levels, and all levels of one factor against all of another. So that the estimate stays a
    smooth function of the parameters they are those of H with equal information in every row.
    """
    probes = schur.index[-1].astype(np.float64)
    half = probes.shape[1] // 2
    if probes.shape[1] >= schur.q:
        return probes[:, :0], probes
    even, directions = equal_rows(schur), probes[:, :half]
    for _ in range(POWER):
        directions = np.linalg.qr(directions - even.product(directions))[0]
    probes = probes[:, half:]
    return directions, probes - directions @ (directions.T @ probes)


def equal_rows(schur: Schur) -> Schur:
    """S of the same rows with the first column of every factor alone, of variance one."""
    widths = (schur.L.shape[1], *(root.shape[1] for root in schur.roots))
    M = np.zeros(schur.index[0].shape)
    M[:, np.cumsum((0, *widths[:-1]))] = 1.0
    return Schur.of_rows(np.full(len(M), EVEN), M, schur.index, widths)


def batches(vectors: FloatArray) -> Iterator[FloatArray]:
    """The vectors in batches that fit in memory."""
    q, n = vectors.shape
    size = max(1, WORK // (EXPECTED_STEPS * q))
    for first in range(0, n, size):
        yield vectors[:, first : first + size]


def lanczos(schur: Schur, v: FloatArray) -> tuple[list[FloatArray], FloatArray] | None:
    """Lanczos vectors (q_rest, b) and tridiagonal matrices T (b, m, m); None if E is indefinite.

    A probe stops when the residual of ``E^-1 z``, which is that of conjugate gradients, is below
    the tolerance; while others go on, T then continues as the identity.
    """
    V, diagonal = [v], []
    off: list[FloatArray] = []
    before, pivot = np.zeros_like(v), np.ones(v.shape[1])
    beta, residual = np.zeros(v.shape[1]), np.ones(v.shape[1])
    active = np.ones(v.shape[1], np.bool_)
    while len(V) <= MAX_STEPS:
        w = schur.product(V[-1]) - beta * before
        alpha = np.where(active, np.einsum("im,im->m", V[-1], w), 1.0)
        w -= alpha * V[-1]
        pivot = alpha - beta**2 / pivot
        if not (pivot > 0.0).all():
            return None
        beta = np.sqrt(np.einsum("im,im->m", w, w))
        residual = np.where(active, residual * beta / pivot, residual)
        active &= residual > TOL
        beta = np.where(active, beta, 0.0)
        diagonal.append(alpha)
        if not active.any():
            return V, tridiagonal(np.stack(diagonal, axis=1), np.stack([*off, beta], axis=1))
        off.append(beta)
        before = V[-1]
        V.append(np.divide(w, beta, out=np.zeros_like(w), where=active))
    return None


def tridiagonal(diagonal: FloatArray, off: FloatArray) -> FloatArray:
    """Symmetric tridiagonal matrices (b, m, m); the last column of ``off`` lies outside."""
    m = diagonal.shape[1]
    T = np.zeros((*diagonal.shape, m))
    i = np.arange(m)
    T[:, i, i] = diagonal
    T[:, i[1:], i[:-1]] = T[:, i[:-1], i[1:]] = off[:, :-1]
    return T


def spectrum(schur: Schur, probes: FloatArray, share: float) -> Spectrum | None:
    """``share z'f(E)z`` and its derivative for a batch of probes."""
    length = np.sqrt(np.einsum("im,im->m", probes, probes))
    found = lanczos(schur, probes / length)
    if found is None:
        return None
    V, T = found
    x, Q = np.linalg.eigh(T)
    if not (x > 0.0).all():
        return None
    first = Q[:, 0, :]
    scale = share * length**2
    values = scale * (first**2 * (np.log(x) - x + 1.0)).sum(axis=1)
    left = Q * first[:, None, :]
    weights, Y = np.linalg.eigh(left @ divided_differences(x) @ left.transpose(0, 2, 1))
    order = np.argsort(-np.abs(weights), axis=1)
    weights = np.take_along_axis(weights, order, axis=1)
    needed = np.abs(weights) > RANK_TOL * np.abs(weights[:, :1])
    rank = max(1, int(needed.sum(axis=1).max()))
    Y = np.take_along_axis(Y, order[:, None, :rank], axis=2)
    X, EX = combined(V, Y), combined(V, T @ Y)
    return Spectrum(values, X, EX, (scale[:, None] * weights[:, :rank]).T.ravel())


def divided_differences(x: FloatArray) -> FloatArray:
    """``f[x_a, x_b]`` for ``f(x) = log x - x + 1``, shape (b, m, m)."""
    a, b = x[:, :, None], x[:, None, :]
    ratio = (np.maximum(a, b) - np.minimum(a, b)) / np.minimum(a, b)
    slope = np.divide(np.log1p(ratio), ratio, out=np.ones_like(ratio), where=ratio != 0.0)
    return slope / np.minimum(a, b) - 1.0


def combined(V: list[FloatArray], Y: FloatArray) -> FloatArray:
    """``sum_j V_j Y_j`` of every probe, shape (q_rest, rank * b): the probes together."""
    b, _, rank = Y.shape
    total = np.empty((len(V[0]), rank * b))
    for r in range(rank):
        part = V[0] * Y[:, 0, r]
        for v, y in zip(V[1:], Y[:, 1:, r].T, strict=True):
            part += v * y
        total[:, r * b : (r + 1) * b] = part
    return total


def add_vectors(
    schur: Schur, found: Spectrum, derivative: Derivative, couplings: list[FloatArray]
) -> None:
    """Add ``sum_r weights_r h_r h_r'`` with ``h = (-A^-1 C s, s)``, ``s = P^-1/2' x``.

    ``couplings`` collects ``x (E x)'`` on the blocks of P, for the derivative of P^-1/2.
    """
    _, _, _, _, level, column, _, pairs, _, _ = schur.index
    weights, s = found.weights, schur.backward(found.X)
    weighted = s * weights
    h = -tree.solve_upper(schur.L, schur.eliminated(s))
    derivative.own[:] += np.einsum("nar,r,nbr->nab", h, weights, h)
    for a in range(h.shape[1]):
        derivative.across[a] += row_products(h[:, a], level, weighted, column)
    row, other = np.divmod(pairs, schur.q)
    derivative.rest[:] += row_products(s, row, weighted, other)
    for block, coupling in zip(schur.blocks, couplings, strict=True):
        n, k, _ = coupling.shape
        x, Ex = (part[block.columns].reshape(n, k, -1) for part in (found.X, found.EX))
        coupling += np.einsum("nar,r,nbr->nab", x, weights, Ex)


def row_products(left: FloatArray, i: IntArray, right: FloatArray, j: IntArray) -> FloatArray:
    """Products of row i of ``left`` with row j of ``right``, one each pair."""
    products = np.empty(len(i))
    step = max(1, CHUNK // left.shape[1])
    for first in range(0, len(i), step):
        here = slice(first, first + step)
        products[here] = np.einsum("er,er->e", left[i[here]], right[j[here]])
    return products


def add_blocks(schur: Schur, derivative: Derivative, couplings: list[FloatArray]) -> None:
    """Add the exact part: the derivatives of ``log|A|``, of ``log|P|`` and of P^-1/2."""
    level = schur.index[4]
    n, k, _ = schur.L.shape
    T = tree.solve_upper(schur.L[level], schur.U.T[:, :, None])[:, :, 0]
    derivative.own[:] += tree.solve_blocks(schur.L, np.broadcast_to(np.eye(k), (n, k, k)))
    for block, root, coupling in zip(schur.blocks, schur.roots, couplings, strict=True):
        m = root.shape[1]
        # d P^-1/2 = -F(P^-1/2 dP P^-1/2') P^-1/2 with F: lower triangle, half of the diagonal.
        half = np.tril(coupling) - 0.5 * coupling * np.eye(m)
        J = np.eye(m) - half - half.transpose(0, 2, 1)
        J = tree.solve_upper(root, tree.solve_upper(root, J).transpose(0, 2, 1))
        meets = T[block.entries]
        moved = np.einsum("mba,mbc->mac", meets, J[block.level])
        for b in range(m):
            derivative.across[:, block.entries[:, b]] -= moved[:, :, b].T
        products = np.einsum("mac,mcd->mad", moved, meets)
        derivative.own[:] += tree.sum_by(level[block.entries[:, 0]], products, n)
        row, column = np.tril_indices(m)
        derivative.rest[block.pairs[row, column]] += J[:, row, column].T
