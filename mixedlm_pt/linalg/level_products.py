"""Products over the levels of an eliminated factor: C'A^-1 C and T S^-1 of `crossed`.

By pairs of entries, or where levels meet most columns as products of dense matrices; in parts
whose number does not depend on that of the cores.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg.cores import team
from mixedlm_pt.linalg.loops import Loop

type Index = tuple[IntArray, ...]

# A dense product runs about thirty times as many operations a second as loops over pairs, but
# below this many operations the loops wait for nothing.
DENSE_ADVANTAGE, DENSE_LEAST = 30, 20_000_000
# Parts of the products over levels. The loops over fewer pairs than HEAVY run in one: a second
# thread would come too late.
BANDS, HEAVY = 4, 500_000
# Numbers that a dense product over levels holds at a time.
CHUNK = 1_000_000
# Memory for such products that nobody uses at the moment.
idle: list[FloatArray] = []


@Loop
def subtract_pairs(
    C: FloatArray,
    T: FloatArray,
    start: IntArray,
    column: IntArray,
    top: int,
    end: int,
    S: FloatArray,
) -> None:
    """``S <- S - C'T`` in the lower triangle's rows from top to end; a level's columns ascend.

    Where a level meets all columns from one to another, the processor takes several at a time.
    """
    for j in range(len(start) - 1):
        for e in range(start[j], start[j + 1]):
            row, first = column[e], column[start[j]]
            if row >= top and row < end:
                is_run = row - first == e - start[j]
                for a in range(C.shape[1]):
                    value = C[e, a]
                    if is_run:
                        for d in range(start[j], e + 1):
                            S[row, first + d - start[j]] -= value * T[d, a]
                    else:
                        for d in range(start[j], e + 1):
                            S[row, column[d]] -= value * T[d, a]


@Loop
def add_products(
    T: FloatArray,
    inverse: FloatArray,
    start: IntArray,
    column: IntArray,
    top: int,
    end: int,
    V: FloatArray,
) -> None:
    """Add ``T S^-1`` at the entries of levels top to end to V, from S^-1's lower triangle."""
    for j in range(top, end):
        for e in range(start[j], start[j + 1]):
            row, first = column[e], column[start[j]]
            is_run = row - first == e - start[j]
            for a in range(T.shape[1]):
                own, total = T[e, a], inverse[row, row] * T[e, a]
                if is_run:
                    for d in range(start[j], e):
                        value = inverse[row, first + d - start[j]]
                        total += value * T[d, a]
                        V[d, a] += value * own
                else:
                    for d in range(start[j], e):
                        value = inverse[row, column[d]]
                        total += value * T[d, a]
                        V[d, a] += value * own
                V[e, a] += total


def is_dense(index: Index, q: int) -> bool:
    """Whether products over the levels are cheaper with dense (levels x rest) matrices."""
    counts, dense = np.diff(index[3]), int(index[2][0]) * q * q
    return dense > DENSE_LEAST and dense < DENSE_ADVANTAGE * int(counts @ counts)


def is_heavy(index: Index) -> bool:
    """Whether the levels meet so many pairs of columns that several cores pay."""
    counts = np.diff(index[3])
    return int(counts @ counts) > HEAVY


def dense_chunks(index: Index, q: int) -> list[tuple[slice, tuple[IntArray, IntArray]]]:
    """Entries of some levels after the others, and their places in a matrix (levels, q)."""
    start, level, column = index[3:6]
    n, step = len(start) - 1, CHUNK // q
    bounds = [(first, min(first + step, n)) for first in range(0, n, step)]
    return [
        (slice(start[a], start[b]), (level[start[a] : start[b]] - a, column[start[a] : start[b]]))
        for a, b in bounds
    ]


@Loop
def spread_entries(
    values: FloatArray, level: IntArray, column: IntArray, a: int, dense: FloatArray
) -> None:
    """Component a of the entries in a dense (levels, q) matrix of zeros."""
    for e in range(values.shape[0]):
        dense[level[e], column[e]] = values[e, a]


@Loop
def gather_entries(
    dense: FloatArray, level: IntArray, column: IntArray, a: int, values: FloatArray
) -> None:
    """Component a of the entries from a dense matrix."""
    for e in range(values.shape[0]):
        values[e, a] = dense[level[e], column[e]]


@contextmanager
def scratch() -> Iterator[FloatArray]:
    """Memory of CHUNK numbers; the system takes longer to hand out new one than its use takes."""
    try:
        memory = idle.pop()
    except IndexError:
        memory = np.empty(0)
    memory = memory if len(memory) >= CHUNK else np.empty(CHUNK)
    yield memory
    idle.append(memory)


def spread(
    values: FloatArray, a: int, places: tuple[IntArray, IntArray], q: int, memory: FloatArray
) -> FloatArray:
    """Component a of entries in a dense (levels, q) matrix."""
    n = int(places[0][-1]) + 1 if len(values) else 0
    if values.shape[1] == 1 and len(values) == n * q:
        return values.reshape(n, q)
    dense = memory[: n * q].reshape(n, q)
    dense.fill(0.0)
    spread_entries(values, *places, a, dense)
    return dense


def bands(q: int) -> list[tuple[int, int]]:
    """Rows of a lower triangle in parts, the heaviest first."""
    return [(q * k // BANDS, q * (k + 1) // BANDS) for k in reversed(range(BANDS))]


def subtract_eliminated(C: FloatArray, T: FloatArray, index: Index, S: FloatArray) -> None:
    """``S <- S - C'A^-1 C``; only the lower triangle counts."""
    q = len(S)
    if not is_dense(index, q):
        pairs = partial(subtract_pairs, C, T, index[3], index[5])
        if is_heavy(index):
            team.run(partial(pairs, top, end, S) for top, end in bands(q))
        else:
            pairs(0, q, S)
        return
    with scratch() as one, scratch() as other:
        for here, places in dense_chunks(index, q):
            for a in range(C.shape[1]):
                left = spread(C[here], a, places, q, one)
                right = spread(T[here], a, places, q, other)
                team.run(partial(subtract_band, S, left, right, *band) for band in bands(q))


def subtract_band(S: FloatArray, left: FloatArray, right: FloatArray, top: int, end: int) -> None:
    """Subtract left'right from some rows of a lower triangle."""
    S[top:end, :end] -= left[:, top:end].T @ right[:, :end]


def times_inverse(T: FloatArray, inverse: FloatArray, index: Index) -> FloatArray:
    """``T S^-1`` at the entries, from the lower triangle of S^-1."""
    V, q = np.zeros_like(T), len(inverse)
    if not is_dense(index, q):
        products, n = partial(add_products, T, inverse, index[3], index[5]), len(index[3]) - 1
        if is_heavy(index):
            levels = pairwise(n * part // BANDS for part in range(BANDS + 1))
            team.run(partial(products, top, end, V) for top, end in levels)
        else:
            products(0, n, V)
        return V
    whole = np.tril(inverse)
    whole += np.tril(inverse, -1).T
    with scratch() as one, scratch() as other:
        for here, places in dense_chunks(index, q):
            for a in range(T.shape[1]):
                dense = spread(T[here], a, places, q, one)
                product = other[: dense.size].reshape(dense.shape)
                cuts = pairwise(len(dense) * part // BANDS for part in range(BANDS + 1))
                team.run(partial(np.matmul, dense[b:c], whole, product[b:c]) for b, c in cuts)
                gather_entries(product, *places, a, V[here])
    return V
