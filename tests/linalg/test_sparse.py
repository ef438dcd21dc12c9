"""The pattern of the sparse factor is exactly the fill of H in the chosen order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixedlm_pt.linalg.structure import sparse_index
from tests.linalg.problems import information, problems


def pattern(start, row):
    q = len(start) - 1
    P = np.zeros((q, q), bool)
    P[row, np.repeat(np.arange(q), np.diff(start))] = True
    return P


@given(problem=problems("sparse"))
def test_pattern_equals_the_nonzeros_of_the_numerical_factor(problem):
    structure = problem.structure("sparse")
    _, _, order, start, row, _ = structure.index
    H = np.empty((structure.q, structure.q))
    H[np.ix_(order, order)] = information(problem)
    L = np.linalg.cholesky(H)
    np.testing.assert_array_equal(pattern(start, row), abs(L) > 1e-15)


@given(problem=problems("sparse"))
def test_pattern_is_closed_under_elimination(problem):
    structure = problem.structure("sparse")
    _, _, order, start, row, _ = structure.index
    assert sorted(order) == list(range(structure.q))
    P = pattern(start, row)
    for j in range(structure.q):
        below = row[start[j] : start[j + 1]]
        assert below[0] == j
        assert (np.diff(below) > 0).all()
        if len(below) > 1:
            assert P[below[1:], below[1]].all()


@given(n=st.integers(2, 40))
def test_an_arrow_has_no_fill(n):
    hub_first = np.stack([np.zeros(n, np.int64), np.arange(1, n + 1)], axis=1)
    _, start, row, _ = sparse_index(hub_first, n + 1)
    assert start[-1] == len(row) == 2 * n + 1


@given(n=st.integers(2, 40))
def test_a_chain_has_no_fill(n):
    links = np.stack([np.arange(n), np.arange(1, n + 1)], axis=1)
    shuffled = np.random.default_rng(n).permutation(n + 1)
    _, start, _, _ = sparse_index(shuffled[links], n + 1)
    assert start[-1] == 2 * n + 1
