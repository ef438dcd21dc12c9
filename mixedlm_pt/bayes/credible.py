"""Posterior means, standard deviations and credible limits along the draws."""

from typing import Literal

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.limits import tails

KINDS = ("eti", "hdi")


def credible_limits(
    draws: FloatArray, level: float, kind: str = "eti", *, is_discrete: bool = False
) -> FloatArray:
    """Lower and upper limit, shape (2, ...), along the last axis of draws (..., S).

    Parameters
    ----------
    draws : array, shape (..., S)
    level : float
        Posterior probability of the interval.
    kind : {"eti", "hdi"}
        Equal tails, by linear interpolation between the ordered draws; or the shortest interval
        that holds this share of the draws.
    is_discrete : bool
        Limits are draws, so that counts stay counts.

    Raises
    ------
    ArgumentError
        For another kind, and for a level outside (0, 1).

    References
    ----------
    .. [1] Chen and Shao (1999), J. Comput. Graph. Stat. 8, 69-92.
    """
    one_of("kind", kind, KINDS)
    ends = np.array(tails(level))
    if kind == "eti":
        method: Literal["inverted_cdf", "linear"] = "inverted_cdf" if is_discrete else "linear"
        limits: FloatArray = np.quantile(draws, ends, axis=-1, method=method)
        return limits
    ordered = np.sort(draws, axis=-1)
    n = ordered.shape[-1]
    inside = int(level * n)
    widths = ordered[..., inside:] - ordered[..., : n - inside]
    first = np.argmin(widths, axis=-1)[..., None]
    ends_at = [np.take_along_axis(ordered, first + step, axis=-1)[..., 0] for step in (0, inside)]
    return np.stack(ends_at)


def described(draws: FloatArray, level: float, kind: str = "eti") -> FloatArray:
    """Mean, standard deviation, lower and upper limit, shape (4, ...), of draws (..., S)."""
    mean, sd = draws.mean(axis=-1), draws.std(axis=-1, ddof=1)
    return np.stack([mean, sd, *credible_limits(draws, level, kind)])
