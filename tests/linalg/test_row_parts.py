"""Rows are cut by the data alone; kernels and fits have the same bits on any number of cores."""

import gc
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.compile import backends, functions
from mixedlm_pt.linalg import (
    KERNELS,
    compiled_crossed,
    compiled_tree,
    level_products,
    row_parts,
    tree,
)
from mixedlm_pt.linalg.row_parts import LEAST, LIGHT, MOST, adding_parts
from tests.linalg.problems import Problem

N = 2 * LEAST + 500
RNG = np.random.default_rng(20261123)


def test_parts_are_all_rows_in_their_order():
    for n in (0, 1, LEAST, 2 * LEAST - 1, 2 * LEAST, 10 * LEAST + 1, 1000 * LEAST):
        parts = row_parts.row_parts(n)
        assert parts.cuts[0] == 0
        assert parts.cuts[-1] == n
        assert 1 <= len(parts) <= MOST
        if len(parts) > 1:
            assert min(np.diff(parts.cuts)) >= LEAST


def test_spans_hold_all_positions_of_a_part():
    codes = np.sort(RNG.integers(0, N // 10, N))
    pairs = RNG.integers(0, 50, (N, 2))
    parts = adding_parts(N, [codes, pairs])
    assert len(parts) == 2
    for array, spans in zip((codes, pairs), parts.spans, strict=True):
        for k, (start, stop) in enumerate(spans):
            part = array[parts.cuts[k] : parts.cuts[k + 1]]
            assert (part.min(), part.max()) == (start, stop - 1)
    assert adding_parts(N, [codes, pairs]) is parts


def test_rows_that_meet_too_many_positions_are_not_cut():
    assert len(adding_parts(N, [RNG.permutation(N)])) == 1


def test_positions_that_are_gone_are_forgotten():
    codes = np.zeros(N, np.int64)
    adding_parts(N, [codes])
    known = len(row_parts._known)
    del codes
    gc.collect()
    assert len(row_parts._known) < known


@pytest.mark.parametrize("is_sorted", [True, False])
def test_sums_over_parts_are_the_sums(monkeypatch, is_sorted):
    monkeypatch.setattr(row_parts, "LEAST", LEAST // LIGHT)
    codes = RNG.integers(0, 900, N)
    codes = np.sort(codes) if is_sorted else codes
    assert len(adding_parts(N, [codes], LIGHT)) == 2
    D, M = RNG.gamma(1.0, size=N), RNG.normal(size=(N, 2))
    G = compiled_tree.cross_products(codes, D, M, 900)
    expected = np.triu(tree.cross_products(codes, D, M, 900))
    np.testing.assert_allclose(G, expected, rtol=1e-10, atol=1e-10)


PROBLEMS = {
    "binomial": ("y ~ x + (1 | g)", 1),
    "slopes": ("y ~ x + (1 + x | g)", 1),
    "crossed": ("y ~ x + (1 | g) + (1 | item)", 1),
    "nested": ("y ~ x + (1 | school / g)", 1),
    "quadrature": ("y ~ x + (1 | g)", 5),
    "rows in no order": ("y ~ x + (1 | mixed)", 1),
}


@pytest.fixture(autouse=True)
def no_programs(monkeypatch):
    """Functions of one piece, which small data have, run on one core."""
    monkeypatch.setattr(backends, "PROGRAM_BELOW", 0)
    monkeypatch.setattr(functions, "_cache", OrderedDict())


@pytest.fixture(scope="module")
def data():
    g = np.arange(N) // 12
    factors = {"g": g, "school": g // 30, "item": RNG.integers(0, 60, N)}
    factors["mixed"] = RNG.permutation(g)
    x = RNG.normal(size=N)
    eta = (0.4 + 0.5 * RNG.normal(size=g[-1] + 1)[g]) * x
    for codes in factors.values():
        eta += 0.7 * RNG.normal(size=codes.max() + 1)[codes]
    return factors | {"x": x, "y": RNG.binomial(1, 1 / (1 + np.exp(-eta)))}


def numbers(data, name):
    formula, nAGQ = PROBLEMS[name]
    fit = mlm.glmer(formula, data, "binomial", nAGQ=nAGQ)
    return np.concatenate([fit.beta, fit.theta, [float(fit.logLik())], np.ravel(fit.vcov())])


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_fit_has_the_same_bits_on_any_number_of_threads(monkeypatch, data, name):
    # The kernels of the structures run in parts, too.
    monkeypatch.setattr(row_parts, "LIGHT", 1)
    found = []
    for n_threads in "123":
        monkeypatch.setenv("MIXEDLM_THREADS", n_threads)
        found.append(numbers(data, name))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    monkeypatch.setattr(row_parts, "LEAST", 10 * N)
    np.testing.assert_allclose(numbers(data, name), found[0], rtol=1e-5, atol=1e-9)


def test_fits_in_several_threads_and_forks_have_the_bits_of_one(monkeypatch, data):
    monkeypatch.setenv("MIXEDLM_THREADS", "3")
    names = ["binomial", "crossed", "binomial", "nested"]
    expected = [numbers(data, name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(partial(numbers, data), names))
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(numbers(data, "crossed"), expected[1]) else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(numbers(data, "crossed"), expected[1])


@pytest.mark.parametrize("is_dense", [True, False])
def test_eliminated_levels_and_the_rest_have_the_same_bits(monkeypatch, is_dense):
    level, column = np.nonzero(RNG.random((300, 200)) < 0.5)
    D, M = RNG.gamma(1.0, size=len(level)), RNG.normal(size=(len(level), 2))
    problem = Problem([level, column], [1, 1], D, M, RNG)
    index, kernels = problem.structure("crossed").index, KERNELS["crossed"]
    whole = kernels.loops.factor(D, M, index, (1, 1))
    R = kernels.loops.row_inverse(whole[1], M, index, (1, 1))
    monkeypatch.setattr(compiled_crossed, "TILED_LEAST", 1)
    monkeypatch.setattr(level_products, "HEAVY", 0)
    monkeypatch.setattr(level_products, "DENSE_LEAST", 0 if is_dense else 10**9)
    monkeypatch.setattr(row_parts, "LEAST", 100)
    assert level_products.is_dense(index, 200) == is_dense
    found = []
    for n_threads in "123":
        monkeypatch.setenv("MIXEDLM_THREADS", n_threads)
        logdet, packed = kernels.loops.factor(D, M, index, (1, 1))
        rows = kernels.loops.row_inverse(packed, M, index, (1, 1))
        np.testing.assert_allclose(logdet, whole[0], rtol=1e-12)
        np.testing.assert_allclose(rows, R, rtol=1e-9, atol=1e-12)
        found.append(np.concatenate([[logdet], packed, rows.ravel()]))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
