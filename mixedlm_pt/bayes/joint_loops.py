"""The linear part of the joint density and of its gradient, as loops over arrays.

They are compiled by `linalg.translation` into the module of a `JointTarget`. ``parameters`` holds
beta, then factor by factor the entries of Lambda row by row, then log phi; ``layout`` has a row for
each grouping factor: where its effects start in u, its number of levels, its number of effects a
level and where its Lambda starts in ``parameters``.
"""

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray


def move_parameters(
    z: FloatArray,
    centre: FloatArray,
    scale: FloatArray,
    first_bent: int,
    x: FloatArray,
    growth: FloatArray,
    moves: FloatArray,
) -> None:
    """``x = centre + scale z``; ``growth = exp(x - centre)``, with a last entry that is always 1.

    ``moves`` is ``x - centre``, from ``first_bent`` on its tanh.
    """
    for i in range(len(centre)):
        total = 0.0
        for j in range(i + 1):
            total += scale[i, j] * z[j]
        x[i] = centre[i] + total
        growth[i] = np.exp(total)
        moves[i] = total
        if i >= first_bent:
            moves[i] = 1.0 - 2.0 / (1.0 + growth[i] * growth[i])
    growth[len(centre)] = 1.0


def make_noises(
    z: FloatArray,
    blocks: FloatArray,
    outer: FloatArray,
    excess: FloatArray,
    log_sd: IntArray,
    growth: FloatArray,
    noises: FloatArray,
    shared: FloatArray,
) -> None:
    """The noise of all effects; that of the smaller factors on the link scale is ``shared``."""
    n_x, n_s, k = len(growth) - 1, outer.shape[0], blocks.shape[1]
    n_local = blocks.shape[0] * k
    for a in range(n_s):
        total = 0.0
        for j in range(a, n_s):
            total += outer[a, j] * z[n_x + j]
        noises[n_local + a] = total
        grown, e = growth[log_sd[n_local + a]], excess[n_local + a]
        shared[a] = grown * np.sqrt((1.0 + e) / (1.0 + e * grown * grown)) * total
    for level in range(blocks.shape[0]):
        for a in range(k):
            total = 0.0
            for c in range(k):
                total += blocks[level, a, c] * z[n_x + n_s + level * k + c]
            noises[level * k + a] = total


def join_noises(
    modes: FloatArray,
    slope: FloatArray,
    inner: FloatArray,
    excess: FloatArray,
    log_sd: IntArray,
    growth: FloatArray,
    moves: FloatArray,
    noises: FloatArray,
    shared: FloatArray,
    means: FloatArray,
    u: FloatArray,
) -> float:
    """u from its mode and its noise, and the log determinant of the map but for a constant."""
    log_jacobian = 0.0
    for i in range(len(u)):
        total = modes[i]
        for j in range(len(moves)):
            total += slope[i, j] * moves[j]
        if i < inner.shape[0]:
            for a in range(inner.shape[1]):
                total -= inner[i, a] * shared[a]
        means[i] = total
        grown = growth[log_sd[i]]
        ratio = (1.0 + excess[i]) / (1.0 + excess[i] * grown * grown)
        log_jacobian += 0.5 * np.log(ratio)
        u[i] = grown * ratio * means[i] + np.sqrt(ratio) * noises[i]
    return log_jacobian


def effects(parameters: FloatArray, layout: IntArray, u: FloatArray, b: FloatArray) -> None:
    """``b = Lambda u``, level by level."""
    for f in range(layout.shape[0]):
        width, first = layout[f, 2], layout[f, 3]
        for level in range(layout[f, 1]):
            at = layout[f, 0] + level * width
            for a in range(width):
                total = 0.0
                for c in range(a + 1):
                    total += parameters[first + a * width + c] * u[at + c]
                b[at + a] = total


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


def pull_effects(
    parameters: FloatArray,
    layout: IntArray,
    u: FloatArray,
    b_slopes: FloatArray,
    slopes: FloatArray,
    u_slopes: FloatArray,
) -> float:
    """Slopes in Lambda and u from those in b; ``-u'u / 2``, whose slope u has, too."""
    value = 0.0
    for i in range(len(u)):
        value -= 0.5 * u[i] * u[i]
        u_slopes[i] = -u[i]
    for f in range(layout.shape[0]):
        width, first = layout[f, 2], layout[f, 3]
        for entry in range(width * width):
            slopes[first + entry] = 0.0
        for level in range(layout[f, 1]):
            at = layout[f, 0] + level * width
            for a in range(width):
                for c in range(a + 1):
                    slopes[first + a * width + c] += b_slopes[at + a] * u[at + c]
                    u_slopes[at + c] += parameters[first + a * width + c] * b_slopes[at + a]
    return value


def part_noises(
    u_slopes: FloatArray,
    slope: FloatArray,
    inner: FloatArray,
    excess: FloatArray,
    log_sd: IntArray,
    growth: FloatArray,
    means: FloatArray,
    noises: FloatArray,
    shared: FloatArray,
    growth_slopes: FloatArray,
    moves_slopes: FloatArray,
) -> None:
    """Slopes in ``log(growth)`` and ``moves`` from those in u, and of the determinant.

    The noises are replaced by the slopes in them.
    """
    n_local = inner.shape[0]
    for j in range(len(growth_slopes)):
        growth_slopes[j] = 0.0
    for j in range(len(moves_slopes)):
        moves_slopes[j] = 0.0
    for a in range(inner.shape[1]):
        shared[a] = 0.0
    for i in range(len(u_slopes)):
        grown = growth[log_sd[i]]
        h = 1.0 + excess[i] * grown * grown
        ratio, of_data = (1.0 + excess[i]) / h, excess[i] * grown * grown / h
        to_mean, to_noise = grown * ratio * u_slopes[i], np.sqrt(ratio) * u_slopes[i]
        moved = to_mean * means[i] * (1.0 - 2.0 * of_data) - to_noise * noises[i] * of_data
        if i < n_local:
            for a in range(inner.shape[1]):
                shared[a] -= inner[i, a] * to_mean
        else:
            # The local effects before it have left their slopes.
            to_shared = grown * np.sqrt(ratio) * shared[i - n_local]
            moved += to_shared * noises[i] * (1.0 - of_data)
            to_noise += to_shared
        growth_slopes[log_sd[i]] += moved - of_data
        noises[i] = to_noise
        for j in range(len(moves_slopes)):
            moves_slopes[j] += slope[i, j] * to_mean


def pull_noises(
    noises: FloatArray, blocks: FloatArray, outer: FloatArray, growth: FloatArray, z: FloatArray
) -> None:
    """Slopes in z from those in the noises."""
    n_x, n_s, k = len(growth) - 1, outer.shape[0], blocks.shape[1]
    for j in range(n_x, len(z)):
        z[j] = 0.0
    for a in range(n_s):
        for j in range(a, n_s):
            z[n_x + j] += outer[a, j] * noises[blocks.shape[0] * k + a]
    for level in range(blocks.shape[0]):
        for a in range(k):
            for c in range(k):
                z[n_x + n_s + level * k + c] += blocks[level, a, c] * noises[level * k + a]


def pull_parameters(
    x_slopes: FloatArray,
    scale: FloatArray,
    first_bent: int,
    moves: FloatArray,
    growth_slopes: FloatArray,
    moves_slopes: FloatArray,
    z: FloatArray,
) -> None:
    """Slopes in z from those in x, ``log(growth)`` and ``moves``."""
    for j in range(len(moves)):
        z[j] = 0.0
    for i in range(len(moves)):
        bend = 1.0
        if i >= first_bent:
            bend = 1.0 - moves[i] * moves[i]
        total = x_slopes[i] + growth_slopes[i] + bend * moves_slopes[i]
        for j in range(i + 1):
            z[j] += scale[i, j] * total


def finite(value: FloatArray, slopes: FloatArray) -> int:
    """1 if the value and all slopes are finite."""
    total = value[0] - value[0]
    for i in range(len(slopes)):
        total += slopes[i] - slopes[i]
    if total == 0.0:
        return 1
    return 0


def copied(source: FloatArray, target: FloatArray) -> None:
    """Copy a vector."""
    for i in range(len(source)):
        target[i] = source[i]
