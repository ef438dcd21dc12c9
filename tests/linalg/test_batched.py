"""Kernels for many replicates against those for one."""

import numpy as np
import pytest

from mixedlm_pt.linalg import (
    BATCHED_KERNELS,
    batched_index,
    choose_structure,
    first_replicates,
    last_sums,
)
from mixedlm_pt.linalg import crossed as one_crossed
from mixedlm_pt.linalg import tree as one_tree

R, N = 5, 60


def structure_of(kind):
    rng = np.random.default_rng(3)
    school = rng.integers(0, 4, N)
    pupil, item = school * 5 + rng.integers(0, 5, N), rng.integers(0, 3, N)
    if kind == "one factor":
        return choose_structure([pupil], [20], [2], ["pupil"])
    if kind == "one column":
        return choose_structure([pupil], [20], [1], ["pupil"])
    if kind == "nested":
        return choose_structure([pupil, school], [20, 4], [2, 1], ["pupil", "school"])
    if kind == "crossed":
        return choose_structure([pupil, item], [20, 3], [2, 1], ["pupil", "item"])
    other = rng.permutation(N)[:N] % 17
    return choose_structure(
        [np.arange(N), other, item], [N, 17, 3], [1, 2, 1], ["row", "other", "item"]
    )


@pytest.fixture(params=["one factor", "one column", "nested", "crossed", "sparsely crossed"])
def problem(request):
    structure = structure_of(request.param)
    rng = np.random.default_rng(4)
    D, M = rng.random((R, N)), rng.normal(size=(R, N, structure.cols.shape[1]))
    rhs = rng.normal(size=(R, structure.q, 2))
    kind = structure.layout.kind
    return (
        structure,
        BATCHED_KERNELS[kind],
        {"tree": one_tree, "crossed": one_crossed}[kind],
        (
            D,
            M,
            rhs,
        ),
    )


def test_every_replicate_is_treated_as_if_alone(problem):
    structure, kernels, alone, (D, M, rhs) = problem
    columns, index = structure.layout.columns, batched_index(structure, R)
    logdet, packed = kernels.factor(D, M, index, columns)
    x = kernels.solve(packed, rhs, index, columns)
    inverse = kernels.row_inverse(packed, M, index, columns)
    for r in range(R):
        one_logdet, one_packed = alone.factor(D[r], M[r], structure.index, columns)
        assert logdet[r] == pytest.approx(one_logdet, rel=1e-12)
        one_x = alone.solve(one_packed, rhs[r], structure.index, columns)
        np.testing.assert_allclose(x[r], one_x, rtol=1e-9, atol=1e-12)
        one_inverse = alone.row_inverse(one_packed, M[r], structure.index, columns)
        np.testing.assert_allclose(inverse[r], one_inverse, rtol=1e-9, atol=1e-12)


def test_an_indefinite_replicate_leaves_the_others_alone(problem):
    structure, kernels, _, (D, M, rhs) = problem
    columns, index = structure.layout.columns, batched_index(structure, R)
    logdet, packed = kernels.factor(D, M, index, columns)
    x = kernels.solve(packed, rhs, index, columns)
    D[2] = -10.0
    with np.errstate(invalid="ignore"):
        other_logdet, other_packed = kernels.factor(D, M, index, columns)
        other_x = kernels.solve(other_packed, rhs, index, columns)
    assert np.isnan(other_logdet).tolist() == [False, False, True, False, False]
    kept = [0, 1, 3, 4]
    np.testing.assert_array_equal(other_logdet[kept], logdet[kept])
    np.testing.assert_array_equal(other_x[kept], x[kept])


def test_the_first_replicates_have_the_first_rows_of_the_index(problem):
    structure, *_ = problem
    few = first_replicates(batched_index(structure, R), structure.layout, 2)
    for array, expected in zip(few, batched_index(structure, 2), strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("width", [0, 1, 2, 5, 20])
def test_sums_over_the_last_axis_are_numpys(width):
    x = np.random.default_rng(5).normal(size=(3, 4, width))
    np.testing.assert_allclose(last_sums(x), x.sum(axis=-1), rtol=1e-13, atol=1e-15)
