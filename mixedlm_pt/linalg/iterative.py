"""Crossed factors too large for any factorisation: conjugate gradients and a stochastic log|H|.

As in `crossed`, factor 0 (the one with most levels) is block diagonal in H and eliminated
exactly. The Schur complement ``S = B - U'U`` of the rest, with ``U = L^-1 C`` and ``A = L L'``, is
kept as sparse products. Its block diagonal P, one block a level, is exact too; what is left is
``E = P^-1/2 S P^-1/2`` with ones on its diagonal, which random crossings keep close to I. Systems
are solved by conjugate gradients on E, and ``log|H| = log|A| + log|P| + log|E|``, of which only
the last term is estimated, by `iterative_trace`.

The index is that of `crossed` with ``probes`` (q_rest, n_probes) appended: columns of random signs,
or the identity, which makes the estimate exact. ``packed`` holds L (n_levels, k, k), U
(k, entries), B by distinct pair of rest columns and the Cholesky factors of the blocks of P, factor
by factor; then, where `factor` wrote it, the derivative of the estimate of log|H| in H (see
`Derivative`) and the standard error of the estimate.
"""

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.linalg import tree
from mixedlm_pt.linalg.crossed import Index
from mixedlm_pt.linalg.iterative_schur import Schur, conjugate_gradients
from mixedlm_pt.linalg.iterative_trace import Derivative, estimate_logdet


def prepare(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """What `solve` needs, packed; the first value is NaN if H is not positive definite."""
    schur = Schur.of_rows(D, M, index, columns)
    packed = schur.packed
    is_definite = bool(np.isfinite(packed).all())
    if is_definite and (D < 0.0).any():
        _, is_definite = conjugate_gradients(schur, index[-1][:, :1].astype(np.float64))
    if not is_definite:
        packed[:] = np.nan
    return 0.0 if is_definite else np.nan, packed


def factor(
    D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> tuple[float, FloatArray]:
    """An estimate of ``log|I + sum_i D_i M_i M_i'|`` and the packed numbers, its derivative too."""
    _, packed = prepare(D, M, index, columns)
    estimate = estimate_logdet(Schur.of(packed, index, columns))
    if not np.isfinite(estimate.logdet):
        packed[:] = np.nan
    return estimate.logdet, np.concatenate([packed, estimate.derivative.packed, [estimate.se]])


def derivative(packed: FloatArray, index: Index, columns: tuple[int, ...]) -> Derivative:
    """The derivative of the estimated log|H|, computed here where only `prepare` was called."""
    schur = Schur.of(packed, index, columns)
    numbers = packed[schur.packed.size : -1]
    return Derivative.of(numbers, schur) if numbers.size else estimate_logdet(schur).derivative


def logdet_se(D: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]) -> float:
    """Standard error of the estimated log|H|, from the spread over the probes."""
    return float(factor(D, M, index, columns)[1][-1])


def solve(
    packed: FloatArray, rhs: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``H^-1 rhs`` for rhs of shape (q, m)."""
    schur = Schur.of(packed, index, columns)
    n, k, m = *schur.L.shape[:2], rhs.shape[1]
    above = tree.solve_lower(schur.L, rhs[: n * k].reshape(n, k, m))
    reduced = schur.forward(rhs[n * k :] - schur.returned(above))
    rest = schur.backward(conjugate_gradients(schur, reduced)[0])
    top = tree.solve_upper(schur.L, above - schur.eliminated(rest))
    return np.concatenate([top.reshape(n * k, m), rest])


def row_inverse(
    packed: FloatArray, M: FloatArray, index: Index, columns: tuple[int, ...]
) -> FloatArray:
    """``(H^-1)_i M_i`` for every row, where ``(H^-1)_i`` is the block of the row's own columns.

    H^-1 is estimated by the derivative of the estimate of log|H|, so gradients are exactly those of
    the criterion.
    """
    codes, row_entry, row_pair = index[1], index[6], index[8]
    G = derivative(packed, index, columns)
    k, r = columns[0], row_entry.shape[1]
    R = np.empty_like(M)
    R[:, :k] = (G.own[codes] @ M[:, :k, None])[:, :, 0]
    R[:, k:] = 0.0
    pair = 0
    for b in range(r):
        for a in range(k):
            value = G.across[a, row_entry[:, b]]
            R[:, a] += value * M[:, k + b]
            R[:, k + b] += value * M[:, a]
        for c in range(b, r):
            value = G.rest[row_pair[:, pair]]
            R[:, k + b] += value * M[:, k + c]
            if b != c:
                R[:, k + c] += value * M[:, k + b]
            pair += 1
    return R
