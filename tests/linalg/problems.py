"""Random groupings and numbers for the structured Ops."""

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from hypothesis import strategies as st

from mixedlm_pt.linalg import Structure, choose_structure

KINDS = ["tree", "crossed", "sparse"]


@dataclass
class Problem:
    codes: list[np.ndarray]
    columns: list[int]
    D: np.ndarray
    M: np.ndarray
    rng: np.random.Generator

    def structure(self, kind: str | None) -> Structure:
        n_levels = [int(g.max()) + 1 for g in self.codes]
        names = [f"g{f}" for f in range(len(self.codes))]
        return choose_structure(self.codes, n_levels, self.columns, names, kind=kind)


def compact(codes):
    """Codes without gaps: every level occurs, as in a design."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


@st.composite
def problems(draw, kind, columns=None):
    """Random groupings, nested for a tree; `columns` fixes the factors and their columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(5, 60))
    if columns is None:
        n_factors = draw(st.integers(2 if kind == "crossed" else 1, 3))
        columns = [draw(st.integers(1, 3)) for _ in range(n_factors)]
    codes = [compact(rng.integers(0, draw(st.integers(2, n)), n))]
    for _ in columns[1:]:
        if kind == "tree":
            fine = codes[-1]
            parent = rng.integers(0, max(1, (fine.max() + 1) // 2), fine.max() + 1)
            codes.append(compact(parent[fine]))
        else:
            codes.append(compact(rng.integers(0, draw(st.integers(1, n)), n)))
    codes.sort(key=lambda g: -g.max())
    D, M = rng.gamma(1.0, size=n), rng.normal(size=(n, sum(columns)))
    return Problem(codes, list(columns), D, M, rng)


def information(problem):
    """H as a dense matrix, built row by row."""
    structure = problem.structure("dense")
    H = np.eye(structure.q)
    for d, m, c in zip(problem.D, problem.M, structure.cols, strict=True):
        H[np.ix_(c, c)] += d * np.outer(m, m)
    return H


def index_variables(structure):
    """Symbolic index arrays of a structure, typed by their numbers of dimensions."""
    return [pt.tensor(dtype="int64", shape=(None,) * a.ndim) for a in structure.index]
