"""Families of contrasts by emmeans' names: which differences, and how they are adjusted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from mixedlm_pt._typing import FloatArray

# Names and weights, one row a contrast, of k means.
type Rows = tuple[list[str], FloatArray]

# Levels that would read as arithmetic.
ARITHMETIC = re.compile(r"[-+*/]")
POLYNOMIALS = ("linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6")
# Weights count as integers when they are this near to some, as in emmeans.
NEAR_INTEGER = 0.05


@dataclass(frozen=True)
class Method:
    """A family of contrasts.

    Attributes
    ----------
    rows : callable
        ``(level names, sign) -> (names, weights)``; the sign is " - " or " / ".
    adjust : str
        Default adjustment, emmeans' own but for the approximate "dunnettx", whose exact form is
        "mvt".
    """

    rows: Callable[[list[str], str], Rows]
    adjust: str


def enclosed(name: str) -> str:
    """A level in parentheses if it would read as arithmetic."""
    return f"({name})" if ARITHMETIC.search(name) else name


def difference(names: list[str], sign: str, a: int, b: int) -> str:
    """``a - b`` for two levels."""
    return f"{enclosed(names[a])}{sign}{enclosed(names[b])}"


def differences(names: list[str], sign: str, places: Sequence[tuple[int, int]]) -> Rows:
    """Rows for differences of the means at pairs of places."""
    unit = np.eye(len(names))
    labels = [difference(names, sign, a, b) for a, b in places]
    return labels, np.array([unit[a] - unit[b] for a, b in places])


def pairwise_rows(names: list[str], sign: str) -> Rows:
    """Earlier minus later levels."""
    return differences(names, sign, list(combinations(range(len(names)), 2)))


def reversed_rows(names: list[str], sign: str) -> Rows:
    """Later minus earlier levels."""
    places = [(b, a) for b in range(len(names)) for a in range(b)]
    return differences(names, sign, places)


def control_rows(names: list[str], sign: str) -> Rows:
    """Every other level minus the first."""
    return differences(names, sign, [(a, 0) for a in range(1, len(names))])


def consecutive_rows(names: list[str], sign: str) -> Rows:
    """Every level minus the one before."""
    return differences(names, sign, [(b, a) for a, b in pairwise(range(len(names)))])


def effect_rows(names: list[str], sign: str) -> Rows:
    """Every level minus the average."""
    k = len(names)
    return [f"{enclosed(name)} effect" for name in names], np.eye(k) - 1.0 / k


def polynomial_rows(names: list[str], sign: str) -> Rows:
    """Orthogonal polynomials with weights made integer, as emmeans' ``poly.emmc``."""
    k = len(names)
    degree = min(k - 1, len(POLYNOMIALS))
    q, r = np.linalg.qr(np.vander(np.arange(k) - (k - 1) / 2, degree + 1, increasing=True))
    C = (q * np.sign(np.diag(r)))[:, 1:].T
    for row in C:
        row /= row[row > 0.01].min()
        while (excess := np.abs(row - np.round(row)).max()) > NEAR_INTEGER:
            row /= excess
    return list(POLYNOMIALS[:degree]), np.round(C)


METHODS = {
    "pairwise": Method(pairwise_rows, "tukey"),
    "revpairwise": Method(reversed_rows, "tukey"),
    "trt.vs.ctrl": Method(control_rows, "mvt"),
    "eff": Method(effect_rows, "fdr"),
    "consec": Method(consecutive_rows, "mvt"),
    "poly": Method(polynomial_rows, "none"),
}
