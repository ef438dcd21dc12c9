"""Whether ranks are uniform: their ECDF against simultaneous bands.

Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32. A rank counts how many of L
draws are smaller than the truth; under calibration it is uniform on 0, ..., L.
"""

from functools import cache
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray

SIMULATIONS = 100_000
SEED = 1


def ecdf(ranks: IntArray, n_draws: int) -> FloatArray:
    """Share of the ranks below 1, ..., L, shape (L,)."""
    return np.searchsorted(np.sort(ranks), np.arange(1, n_draws + 1)) / len(ranks)


def expected(n_draws: int) -> FloatArray:
    """The same of uniform ranks."""
    return np.arange(1, n_draws + 1) / (n_draws + 1)


@cache
def tails(n: int, n_draws: int) -> FloatArray:
    """Two-sided pointwise tail probabilities of all counts, shape (L, n + 1).

    Equation 8 there: the count of ranks below i is binomial(n, i / (L + 1)).
    """
    import scipy.stats as st

    counts, z = np.arange(n + 1), expected(n_draws)[:, None]
    below, above = st.binom.cdf(counts, n, z), st.binom.sf(counts - 1, n, z)
    return np.minimum(2.0 * np.minimum(below, above), 1.0)


@cache
def smallest_tails(n: int, n_draws: int) -> FloatArray:
    """The smallest tail probability of simulated uniform ranks, sorted, shape (SIMULATIONS,)."""
    rng, table, points = np.random.default_rng(SEED), tails(n, n_draws), np.arange(n_draws)
    shares = np.full(n_draws + 1, 1.0 / (n_draws + 1))
    smallest = []
    for _ in range(20):
        counts = rng.multinomial(n, shares, SIMULATIONS // 20).cumsum(axis=1)[:, :-1]
        smallest.append(table[points, counts].min(axis=1))
    return np.sort(np.concatenate(smallest))


def p_value(ranks: IntArray, n_draws: int) -> float:
    """Probability that uniform ranks leave narrower bands than these do."""
    n = len(ranks)
    counts = np.rint(ecdf(ranks, n_draws) * n).astype(int)
    smallest = tails(n, n_draws)[np.arange(n_draws), counts].min()
    null = smallest_tails(n, n_draws)
    # Equal values are frequent; the factor keeps them equal in floating point.
    hits = np.searchsorted(null, smallest * (1.0 + 1e-9), side="right")
    return float((hits + 1) / (len(null) + 1))


def band(n: int, n_draws: int, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Limits of the ECDF minus its expectation, that all points keep with this probability."""
    import scipy.stats as st

    gamma = np.quantile(smallest_tails(n, n_draws), 1.0 - level)
    z = expected(n_draws)
    lower, upper = st.binom.ppf(0.5 * gamma, n, z), st.binom.isf(0.5 * gamma, n, z)
    return lower / n - z, upper / n - z


def draw_ranks(named: dict[str, IntArray], n_draws: int, title: str) -> Any:
    """A figure: ECDF difference of every quantity, in its band."""
    from matplotlib.figure import Figure

    columns = min(4, len(named))
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.1 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    z = expected(n_draws)
    for axis, (name, ranks) in zip(axes, named.items(), strict=False):
        lower, upper = band(len(ranks), n_draws)
        axis.fill_between(z, lower, upper, step="mid", color="#56B4E9", alpha=0.4, linewidth=0.0)
        axis.step(z, ecdf(ranks, n_draws) - z, where="mid", color="black", linewidth=1.0)
        axis.axhline(0.0, color="#999999", linewidth=0.5)
        axis.set_title(name, fontsize="medium")
    for axis in axes[len(named) :]:
        axis.set_visible(False)
    figure.suptitle(title)
    figure.supxlabel("rank / (L + 1)", fontsize="medium")
    figure.supylabel("ECDF - uniform", fontsize="medium")
    return figure
