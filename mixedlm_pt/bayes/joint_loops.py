"""The linear part of the joint density and of its gradient, as loops over arrays.

They are compiled by `linalg.translation` into the module of a `JointTarget`. ``parameters`` holds
beta, then factor by factor the entries of Lambda row by row, then log phi.
"""

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.linalg.loops import Loop


@Loop
def move_parameters(
    z: FloatArray,
    centre: FloatArray,
    scale: FloatArray,
    first_bent: int,
    x: FloatArray,
    moves: FloatArray,
) -> None:
    """``x = centre + scale z``; ``moves`` is ``x - centre``, from ``first_bent`` on its tanh."""
    for i in range(len(centre)):
        total = 0.0
        for j in range(i + 1):
            total += scale[i, j] * z[j]
        x[i] = centre[i] + total
        moves[i] = total
        if i >= first_bent:
            moves[i] = 1.0 - 2.0 / (1.0 + np.exp(2.0 * total))


@Loop
def make_noises(z: FloatArray, outer: FloatArray, moves: FloatArray, noises: FloatArray) -> None:
    """The noise of all effects, ``outer z`` for those of the smaller factors."""
    n_x, n_s = len(moves), outer.shape[0]
    n_local = len(noises) - n_s
    for a in range(n_s):
        total = 0.0
        for j in range(a, n_s):
            total += outer[a, j] * z[n_x + j]
        noises[n_local + a] = total
    for i in range(n_local):
        noises[i] = z[n_x + n_s + i]


@Loop
def pull_of_level(
    level: int,
    parameters: FloatArray,
    pulls: FloatArray,
    by_beta: FloatArray,
    inner: FloatArray,
    others: FloatArray,
    pulled: FloatArray,
) -> None:
    """``pulled = pulls - by_beta beta - inner others``."""
    for a in range(pulls.shape[1]):
        total = pulls[level, a]
        for j in range(by_beta.shape[2]):
            total -= by_beta[level, a, j] * parameters[j]
        for j in range(inner.shape[2]):
            total -= inner[level, a, j] * others[j]
        pulled[level, a] = total


@Loop
def factor_of_level(
    level: int,
    parameters: FloatArray,
    first: int,
    blocks: FloatArray,
    products: FloatArray,
    roots: FloatArray,
) -> float:
    """Factor ``L L' = I + Lambda' blocks Lambda``; minus the log determinant of L."""
    k = blocks.shape[1]
    log_determinant = 0.0
    for c in range(k):
        for a in range(k):
            total = 0.0
            for i in range(c, k):
                total += blocks[level, a, i] * parameters[first + i * k + c]
            products[level, a, c] = total
    for c in range(k):
        for d in range(c + 1):
            total = 0.0
            if c == d:
                total = 1.0
            for i in range(c, k):
                total += parameters[first + i * k + c] * products[level, i, d]
            for i in range(d):
                total -= roots[level, c, i] * roots[level, d, i]
            if c == d:
                log_determinant += 0.5 * np.log(total)
                roots[level, c, c] = np.sqrt(total)
            else:
                roots[level, c, d] = total / roots[level, d, d]
    return -log_determinant


@Loop
def place_effects(
    parameters: FloatArray,
    first: int,
    blocks: FloatArray,
    pulls: FloatArray,
    by_beta: FloatArray,
    inner: FloatArray,
    others: FloatArray,
    slope: FloatArray,
    moves: FloatArray,
    noises: FloatArray,
    products: FloatArray,
    roots: FloatArray,
    pulled: FloatArray,
    shifts: FloatArray,
    means: FloatArray,
    u: FloatArray,
    b: FloatArray,
) -> float:
    """u and b of a factor's levels, and the log determinant of the map from the noise.

    Lambda starts at ``first`` in ``parameters``. For `pull_effects` it leaves ``blocks Lambda`` in
    ``products``, L in ``roots``, the pulls in ``pulled``, ``L^-1 Lambda' pulled`` in ``shifts`` and
    u before ``slope moves`` in ``means``.
    """
    k = blocks.shape[1]
    log_jacobian = 0.0
    for level in range(blocks.shape[0]):
        pull_of_level(level, parameters, pulls, by_beta, inner, others, pulled)
        log_jacobian += factor_of_level(level, parameters, first, blocks, products, roots)
        for c in range(k):
            total = 0.0
            for i in range(c, k):
                total += parameters[first + i * k + c] * pulled[level, i]
            for i in range(c):
                total -= roots[level, c, i] * shifts[level, i]
            shifts[level, c] = total / roots[level, c, c]
        for c in range(k - 1, -1, -1):
            total = shifts[level, c] + noises[level, c]
            for i in range(c + 1, k):
                total -= roots[level, i, c] * means[level, i]
            means[level, c] = total / roots[level, c, c]
            total = means[level, c]
            for j in range(len(moves)):
                total += slope[level, c, j] * moves[j]
            u[level, c] = total
        for a in range(k):
            total = 0.0
            for c in range(a + 1):
                total += parameters[first + a * k + c] * u[level, c]
            b[level, a] = total
    return log_jacobian


@Loop
def predictor(
    parameters: FloatArray,
    X: FloatArray,
    Z: FloatArray,
    cols: IntArray,
    offset: FloatArray,
    b: FloatArray,
    eta: FloatArray,
) -> None:
    """``eta = offset + X beta + Z b``; ``cols`` are the positions in b of a row of Z."""
    for i in range(len(offset)):
        total = offset[i]
        for j in range(X.shape[1]):
            total += X[i, j] * parameters[j]
        for k in range(Z.shape[1]):
            total += Z[i, k] * b[cols[i, k]]
        eta[i] = total


@Loop
def pull_predictor(
    score: FloatArray,
    X: FloatArray,
    Z: FloatArray,
    cols: IntArray,
    slopes: FloatArray,
    b_slopes: FloatArray,
) -> None:
    """Slopes in beta, which are the first of ``slopes``, and in b from those in eta."""
    for j in range(X.shape[1]):
        slopes[j] = 0.0
    for i in range(len(b_slopes)):
        b_slopes[i] = 0.0
    for i in range(len(score)):
        for j in range(X.shape[1]):
            slopes[j] += X[i, j] * score[i]
        for k in range(Z.shape[1]):
            b_slopes[cols[i, k]] += Z[i, k] * score[i]


@Loop
def pull_u(
    level: int,
    parameters: FloatArray,
    first: int,
    slope: FloatArray,
    roots: FloatArray,
    u: FloatArray,
    b_slopes: FloatArray,
    noises: FloatArray,
    slopes: FloatArray,
    moves_slopes: FloatArray,
) -> float:
    """``-u'u / 2``; slopes in Lambda and moves, and the slopes in the noise instead of it."""
    k = roots.shape[1]
    value = 0.0
    for c in range(k):
        total = -u[level, c]
        value -= 0.5 * u[level, c] * u[level, c]
        for a in range(c, k):
            total += parameters[first + a * k + c] * b_slopes[level, a]
            slopes[first + a * k + c] += b_slopes[level, a] * u[level, c]
        for j in range(len(moves_slopes)):
            moves_slopes[j] += slope[level, c, j] * total
        for i in range(c):
            total -= roots[level, c, i] * noises[level, i]
        noises[level, c] = total / roots[level, c, c]
    return value


@Loop
def pull_roots(
    level: int,
    roots: FloatArray,
    shifts: FloatArray,
    means: FloatArray,
    noises: FloatArray,
    root_slopes: FloatArray,
    solved: FloatArray,
) -> None:
    """Slopes in ``Lambda' pulled`` and in the lower triangle of H, from those in the noise.

    Through the Cholesky factor as Smith (1995), J. Comput. Graph. Stat. 4, 134-147.
    """
    k = roots.shape[1]
    for c in range(k - 1, -1, -1):
        total = noises[level, c]
        for i in range(c + 1, k):
            total -= roots[level, i, c] * solved[i]
        solved[c] = total / roots[level, c, c]
    for i in range(k):
        for j in range(i + 1):
            total = means[level, i] * noises[level, j] + solved[i] * shifts[level, j]
            root_slopes[i * k + j] = -total
        root_slopes[i * k + i] -= 1.0 / roots[level, i, i]
    for c in range(k - 1, -1, -1):
        for j in range(c + 1, k):
            for i in range(j, k):
                root_slopes[i * k + c] -= root_slopes[i * k + j] * roots[level, j, c]
                root_slopes[j * k + c] -= root_slopes[i * k + j] * roots[level, i, c]
        for j in range(c + 1, k):
            root_slopes[j * k + c] /= roots[level, c, c]
            root_slopes[c * k + c] -= roots[level, j, c] * root_slopes[j * k + c]
        root_slopes[c * k + c] /= 2.0 * roots[level, c, c]


@Loop
def pull_effects(
    parameters: FloatArray,
    first: int,
    by_beta: FloatArray,
    inner: FloatArray,
    slope: FloatArray,
    products: FloatArray,
    roots: FloatArray,
    pulled: FloatArray,
    shifts: FloatArray,
    means: FloatArray,
    u: FloatArray,
    b_slopes: FloatArray,
    noises: FloatArray,
    root_slopes: FloatArray,
    solved: FloatArray,
    slopes: FloatArray,
    other_slopes: FloatArray,
    moves_slopes: FloatArray,
) -> float:
    """``-u'u / 2``, and what slopes in b mean for parameters, other effects, moves and noise.

    The log determinant of `place_effects` has its slopes added; the noises are replaced by the
    slopes in them.
    """
    k = roots.shape[1]
    value = 0.0
    for entry in range(k * k):
        slopes[first + entry] = 0.0
    for level in range(roots.shape[0]):
        value += pull_u(
            level, parameters, first, slope, roots, u, b_slopes, noises, slopes, moves_slopes
        )
        pull_roots(level, roots, shifts, means, noises, root_slopes, solved)
        for a in range(k):
            to_pull = 0.0
            for c in range(a + 1):
                to_pull += parameters[first + a * k + c] * solved[c]
                total = pulled[level, a] * solved[c]
                for d in range(c + 1):
                    total += root_slopes[c * k + d] * products[level, a, d]
                for d in range(c, k):
                    total += root_slopes[d * k + c] * products[level, a, d]
                slopes[first + a * k + c] += total
            for j in range(by_beta.shape[2]):
                slopes[j] -= by_beta[level, a, j] * to_pull
            for j in range(inner.shape[2]):
                other_slopes[j] -= inner[level, a, j] * to_pull
    return value


@Loop
def pull_noises(noises: FloatArray, outer: FloatArray, moves: FloatArray, z: FloatArray) -> None:
    """Slopes in z from those in the noises."""
    n_x, n_s = len(moves), outer.shape[0]
    n_local = len(noises) - n_s
    for j in range(n_s):
        z[n_x + j] = 0.0
    for a in range(n_s):
        for j in range(a, n_s):
            z[n_x + j] += outer[a, j] * noises[n_local + a]
    for i in range(n_local):
        z[n_x + n_s + i] = noises[i]


@Loop
def pull_parameters(
    x_slopes: FloatArray,
    scale: FloatArray,
    first_bent: int,
    moves: FloatArray,
    moves_slopes: FloatArray,
    z: FloatArray,
) -> None:
    """Slopes in z from those in x and ``moves``."""
    for j in range(len(moves)):
        z[j] = 0.0
    for i in range(len(moves)):
        bend = 1.0
        if i >= first_bent:
            bend = 1.0 - moves[i] * moves[i]
        total = x_slopes[i] + bend * moves_slopes[i]
        for j in range(i + 1):
            z[j] += scale[i, j] * total


@Loop
def finite(value: FloatArray, slopes: FloatArray) -> int:
    """1 if the value and all slopes are finite."""
    total = value[0] - value[0]
    for i in range(len(slopes)):
        total += slopes[i] - slopes[i]
    if total == 0.0:
        return 1
    return 0
