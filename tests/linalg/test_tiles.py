"""Factors and inverses made tile by tile are LAPACK's, with the same bits on any cores."""

import numpy as np
import pytest
from scipy.linalg import cho_solve, cholesky

from mixedlm_pt.linalg import tiles

RNG = np.random.default_rng(20261123)
T = tiles.TILE


def positive_definite(n):
    X = RNG.normal(size=(n, n))
    return np.eye(n) + X @ X.T / n


@pytest.mark.parametrize("n", [1, 5, T, T + 1, 3 * T - 1, 3 * T])
def test_factor_and_inverse_are_those_of_scipy(n):
    A = positive_definite(n)
    L = np.tril(A) + np.triu(np.full((n, n), np.nan), 1)
    assert tiles.cholesky(L)
    assert np.isnan(L[np.triu_indices(n, 1)]).all()
    L = np.tril(L)
    np.testing.assert_allclose(L, cholesky(A, lower=True), rtol=0, atol=1e-13)
    expected = cho_solve((L, True), np.eye(n))
    np.testing.assert_allclose(np.tril(tiles.inverse(L)), np.tril(expected), rtol=0, atol=1e-13)


def test_the_bits_do_not_depend_on_the_number_of_threads(monkeypatch):
    A, found = positive_definite(3 * T + 7), []
    for n_threads in "123":
        monkeypatch.setenv("MIXEDLM_THREADS", n_threads)
        L = np.tril(A)
        assert tiles.cholesky(L)
        found.append((L, np.tril(tiles.inverse(L))))
    for L, inverse in found[1:]:
        np.testing.assert_array_equal(L, found[0][0])
        np.testing.assert_array_equal(inverse, found[0][1])


@pytest.mark.parametrize("row", [0, T + 3, 2 * T])
def test_a_matrix_that_is_not_positive_definite_has_no_factor(row):
    A = positive_definite(2 * T + 1)
    A[row, row] = -1.0
    assert not tiles.cholesky(A)
