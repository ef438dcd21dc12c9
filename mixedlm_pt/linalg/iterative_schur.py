"""The Schur complement of `iterative` as sparse products, and its preconditioner."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg import tree
from mixedlm_pt.linalg.crossed import Index, entry_sums, rest_size

# Relative residual of a solution. Gradients are as exact as that, and the information is their
# difference over a ten-thousandth of a standard error.
TOL = 1e-11
MAX_ITERATIONS = 2000


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks that one factor of the rest has in S.

    Attributes
    ----------
    columns : slice
        Its columns among those of the rest.
    level : array, shape (m,)
        Level of every meeting with a level of factor 0.
    entries : array, shape (m, k)
        The entries of each of them.
    pairs : array, shape (k, k, n_levels)
        Positions of the diagonal blocks among the distinct pairs.
    """

    columns: slice
    level: IntArray
    entries: IntArray
    pairs: IntArray


def rest_blocks(index: Index, columns: tuple[int, ...]) -> list[Blocks]:
    """Where every factor of the rest has its blocks.

    A row meets all columns of its level at once, so entries come in whole blocks, and so do the
    pairs on the block diagonal.
    """
    column, pairs, q = index[5], index[7], rest_size(index, columns)
    blocks, start = [], 0
    for n, k in zip(index[2][1:].tolist(), columns[1:], strict=True):
        here = slice(start, start + n * k)
        entries = np.flatnonzero((column >= here.start) & (column < here.stop)).reshape(-1, k)
        corner = start + k * np.arange(n)
        a, b = np.indices((k, k))
        lower = (corner + np.maximum(a, b)[..., None]) * q + corner + np.minimum(a, b)[..., None]
        blocks.append(
            Blocks(
                here, (column[entries[:, 0]] - start) // k, entries, np.searchsorted(pairs, lower)
            )
        )
        start = here.stop
    return blocks


@dataclass(frozen=True, eq=False)
class Schur:
    """S of `packed` numbers, its preconditioner, and the blocks of factor 0.

    Attributes
    ----------
    L : array, shape (n_levels, k, k)
    U : array, shape (k, entries)
    B : array, shape (pairs,)
    roots : list of arrays, shape (n_levels, k, k)
        Cholesky factors of P.
    index : tuple of int arrays
    blocks : list of Blocks
    """

    L: FloatArray
    U: FloatArray
    B: FloatArray
    roots: list[FloatArray]
    index: Index
    blocks: list[Blocks]

    @classmethod
    def of(cls, packed: FloatArray, index: Index, columns: tuple[int, ...]) -> "Schur":
        """Views of what `prepare` packed."""
        k, n, entries, pairs = columns[0], int(index[2][0]), len(index[4]), len(index[7])
        sizes = [n * k * k, k * entries, pairs]
        sizes += [m * c * c for m, c in zip(index[2][1:].tolist(), columns[1:], strict=True)]
        L, U, B, *roots, _ = np.split(packed, np.cumsum(sizes))
        shaped = [root.reshape(-1, c, c) for root, c in zip(roots, columns[1:], strict=True)]
        blocks = rest_blocks(index, columns)
        return cls(L.reshape(n, k, k), U.reshape(k, entries), B, shaped, index, blocks)

    @classmethod
    def of_rows(
        cls, D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
    ) -> "Schur":
        """The numbers for ``H = I + sum_i D_i M_i M_i'``, NaN where a block is not definite."""
        k, n = columns[0], int(index[2][0])
        L = tree.cholesky(tree.cross_products(index[1], D, M[:, :k], n) + np.eye(k))
        C = entry_sums(D, M, index[6], len(index[4]), k)
        U = np.ascontiguousarray(tree.solve_lower(L[index[4]], C[:, :, None])[:, :, 0].T)
        B = pair_sums(D, M[:, k:], index, rest_size(index, columns))
        blocks = rest_blocks(index, columns)
        roots = []
        for block in blocks:
            P = B[block.pairs].transpose(2, 0, 1).copy()
            meets = U[:, block.entries]
            P -= tree.sum_by(block.level, np.einsum("amb,amc->mbc", meets, meets), len(P))
            roots.append(tree.cholesky(P))
        return cls(L, U, B, roots, index, blocks)

    @property
    def packed(self) -> FloatArray:
        """All numbers in one vector."""
        return np.concatenate([part.ravel() for part in (self.L, self.U, self.B, *self.roots)])

    @property
    def q(self) -> int:
        """Number of columns of the rest."""
        return int(self.blocks[-1].columns.stop)

    @cached_property
    def by_level(self) -> list[sp.csr_array]:
        """U as sparse matrices (n_levels, q_rest), one a column of factor 0."""
        shape = (len(self.L), self.q)
        return [sp.csr_array((U, self.index[5], self.index[3]), shape=shape) for U in self.U]

    @cached_property
    def rest(self) -> sp.csr_array:
        """B as a sparse matrix (q_rest, q_rest)."""
        row, column = np.divmod(self.index[7], self.q)
        below = row > column
        row, column = np.append(row, column[below]), np.append(column, row[below])
        values = np.append(self.B, self.B[below])
        return sp.csr_array((values, (row, column)), shape=(self.q, self.q))

    def forward(self, X: FloatArray) -> FloatArray:
        """``P^-1/2 X``, by the Cholesky factors of P."""
        return self.blockwise(tree.solve_lower, X)

    def backward(self, X: FloatArray) -> FloatArray:
        """``P^-1/2' X``."""
        return self.blockwise(tree.solve_upper, X)

    def blockwise(
        self, solve: Callable[[FloatArray, FloatArray], FloatArray], X: FloatArray
    ) -> FloatArray:
        """X with every factor's blocks solved."""
        parts = [
            solve(root, X[block.columns].reshape(*root.shape[:2], -1)).reshape(-1, X.shape[1])
            for root, block in zip(self.roots, self.blocks, strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def eliminated(self, X: FloatArray) -> FloatArray:
        """``U X``, shape (n_levels, k, m)."""
        return np.stack([U @ X for U in self.by_level], axis=1)

    def returned(self, X: FloatArray) -> FloatArray:
        """``U' X`` for X of shape (n_levels, k, m)."""
        products = [U.T @ X[:, a] for a, U in enumerate(self.by_level)]
        return np.sum(products, axis=0) if len(products) > 1 else products[0]

    def product(self, X: FloatArray) -> FloatArray:
        """``E X``."""
        S = self.backward(X)
        product = self.forward(self.rest @ S - self.returned(self.eliminated(S)))
        return np.asarray(product, np.float64)


def pair_sums(D: FloatArray, M: FloatArray, index: Index, q: int) -> FloatArray:
    """B: I plus the products of the rest with itself, by distinct pair."""
    pairs, row_pair = index[7], index[8]
    B: FloatArray = (pairs % (q + 1) == 0).astype(np.float64)
    position = 0
    for a in range(M.shape[1]):
        weighted = D * M[:, a]
        for b in range(a, M.shape[1]):
            B += np.bincount(row_pair[:, position], weighted * M[:, b], len(pairs))
            position += 1
    return B


def conjugate_gradients(schur: Schur, rhs: FloatArray) -> tuple[FloatArray, bool]:
    """``E^-1 rhs`` for every column, and whether E showed itself positive definite."""
    X, R, P = np.zeros_like(rhs), rhs.copy(), rhs.copy()
    size = np.einsum("im,im->m", R, R)
    target = TOL**2 * size
    for _ in range(MAX_ITERATIONS):
        active = ~(size <= target)
        if not active.any():
            return X, True
        EP = schur.product(P)
        curvature = np.einsum("im,im->m", P, EP)
        if not (curvature[active] > 0.0).all():
            break
        length = np.divide(size, curvature, out=np.zeros_like(size), where=active)
        X += length * P
        R -= length * EP
        left = np.einsum("im,im->m", R, R)
        P *= np.divide(left, size, out=np.zeros_like(size), where=active)
        P += R
        size = np.where(active, left, size)
    return np.full_like(rhs, np.nan), False
