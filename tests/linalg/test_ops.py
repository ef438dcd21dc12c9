"""The Ops' derivatives, against central differences of their values."""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.compile.mode import Mode

from mixedlm_pt.linalg import Factor, RowInverse, Solve, rows, sum_rows
from tests.linalg.problems import KINDS, Problem, index_variables, problems

PY = Mode(linker="py", optimizer="fast_compile")
# Cube root of the unit roundoff, the best step of a central difference.
STEP = 6e-6


@cache
def functions(layout, dims):
    """``(D, M, rhs, t, *index) -> value, derivatives`` of ``log|H|`` and of ``t' H^-1 rhs``."""
    D, rhs, t = pt.dvectors("D", "rhs", "t")
    M = pt.dmatrix("M")
    index = [pt.tensor(dtype="int64", shape=(None,) * d) for d in dims]
    logdet, packed = Factor(layout)(D, M, *index)
    quadratic = t @ Solve(layout)(rhs, D, M, packed, *index)
    inputs = [D, M, rhs, t, *index]
    return [
        pytensor.function(inputs, [value, *pt.grad(value, wrt)], mode=PY, on_unused_input="ignore")
        for value, wrt in ((logdet, [D, M]), (quadratic, [D, M, rhs]))
    ]


@pytest.mark.parametrize("kind", [*KINDS, "dense"])
@settings(max_examples=40)
@given(data=st.data())
def test_pullbacks_of_factor_and_solve_equal_central_differences(kind, data):
    problem = data.draw(problems(kind, data.draw(st.sampled_from([(1, 2), (2, 1, 1)]))))
    structure, rng = problem.structure(kind), problem.rng
    q, D, M = structure.q, problem.D, problem.M
    rhs, t = rng.normal(size=(2, q))
    dims = tuple(a.ndim for a in structure.index)
    for f, point in zip(functions(structure.layout, dims), ([D, M], [D, M, rhs]), strict=True):

        def value(moved, f=f):
            arguments = [*moved, rhs][:3]
            return f(*arguments, t, *structure.index)

        gradients = value(point)[1:]
        for k, gradient in enumerate(gradients):
            direction = rng.normal(size=point[k].shape)
            ends = []
            for sign in (1.0, -1.0):
                moved = list(point)
                moved[k] = point[k] + sign * STEP * direction
                ends.append(value(moved)[0])
            difference = (ends[0] - ends[1]) / (2.0 * STEP)
            scale = 1.0 + np.linalg.norm(gradient) * np.linalg.norm(direction)
            assert (gradient * direction).sum() == pytest.approx(difference, abs=1e-7 * scale)


@given(problem=problems("crossed"))
def test_sum_rows_is_the_transpose_of_rows(problem):
    structure = problem.structure("crossed")
    u, V = problem.rng.normal(size=structure.q), problem.M
    cols, q = structure.cols, structure.q
    forward, backward = products()
    assert (forward(u, cols, q)[0] * V).sum() == pytest.approx(u @ backward(V, cols, q)[0])
    np.testing.assert_array_equal(forward(u, cols, q)[0], u[cols])


@given(problem=problems("crossed"))
def test_pullbacks_of_rows_and_sum_rows_are_each_other(problem):
    structure = problem.structure("crossed")
    u, V = problem.rng.normal(size=structure.q), problem.M
    cols, q = structure.cols, structure.q
    forward, backward = products()
    # Both are linear: the derivative of the sum of squares is twice the transposed product.
    np.testing.assert_allclose(
        forward(u, cols, q)[1], 2.0 * u * np.bincount(cols.ravel(), minlength=q)
    )
    sums = np.zeros(q)
    np.add.at(sums, cols, V)
    np.testing.assert_allclose(backward(V, cols, q)[0], sums)
    np.testing.assert_allclose(backward(V, cols, q)[1], 2.0 * sums[cols])


@cache
def products():
    """`rows` and `sum_rows`, each with the gradient of its sum of squares."""
    u, V, cols, q = pt.dvector("u"), pt.dmatrix("V"), pt.lmatrix("cols"), pt.lscalar("q")
    result = []
    for x, product in ((u, rows(u, cols, q)), (V, sum_rows(V, cols, q))):
        gradient = pt.grad((product**2).sum(), x)
        result.append(pytensor.function([x, cols, q], [product, gradient], mode=PY))
    return result


def test_equal_ops_of_equal_inputs_merge():
    structures = [two_nested_factors() for _ in range(2)]
    D, M, index = pt.dvector(), pt.dmatrix(), index_variables(structures[0])
    values = [Factor(s.layout)(D, M, *index)[0] for s in structures]
    f = pytensor.function([D, M, *index], values, mode=PY)
    assert sum(isinstance(node.op, Factor) for node in f.maker.fgraph.apply_nodes) == 1


def two_nested_factors():
    codes = [np.arange(4), np.arange(4) // 2]
    numbers = np.ones(4), np.ones((4, 2)), np.random.default_rng(0)
    return Problem(codes, [1, 1], *numbers).structure(None)


def test_leverages_sum_to_the_effective_number_of_parameters():
    structure = two_nested_factors()
    D, M = np.full(4, 2.0), np.ones((4, 2))
    inputs = pt.dvector(), pt.dmatrix()
    index = index_variables(structure)
    _, packed = Factor(structure.layout)(*inputs, *index)
    R = RowInverse(structure.layout)(inputs[1], packed, *index)
    f = pytensor.function([*inputs, *index], R, mode=PY)
    A = np.zeros((4, 6))
    A[np.arange(4)[:, None], structure.cols] = M
    G = A.T @ (D[:, None] * A)
    expected = np.trace(np.linalg.solve(np.eye(6) + G, G))
    assert (D[:, None] * M * f(D, M, *structure.index)).sum() == pytest.approx(expected)
