"""Row work becomes loops, and a loop does what NumPy does."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytensor.tensor as pt
import pytest

from mixedlm_pt.compile.backends import LOOPS_FROM, NUMPY, looped_function, numpy_function
from mixedlm_pt.compile.tape import Tape
from mixedlm_pt.linalg import rows, sum_rows

RNG = np.random.default_rng(20261122)


def with_loops(inputs, outputs):
    return Tape(inputs, outputs, NUMPY.optimizer, loops_from=0)


def plan(function):
    return function._planned(0, has_loops=True)


def n_loops(function):
    return len(plan(function).loops)


def both(inputs, outputs):
    return with_loops(inputs, outputs), numpy_function(inputs, outputs)


def agree(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)


# One block, a whole number of blocks, and a rest.
@pytest.mark.parametrize("n", [1, 7, 256, 1000])
def test_gathers_sums_and_reductions_run_in_one_loop(n):
    q = 5
    M, cols = (
        pt.tensor("M", dtype="float64", shape=(None, 2)),
        pt.tensor(shape=(None, 2), dtype="int64"),
    )
    u, y = pt.dvector("u"), pt.dvector("y")
    eta = (M * rows(u, cols, u.shape[0])).sum(axis=1)
    score = y - pt.exp(eta)
    outputs = [(y * eta - pt.exp(eta)).sum(), sum_rows(M * score[:, None], cols, u.shape[0]), score]
    looped, plain = both([M, cols, u, y], outputs)
    assert n_loops(looped) == 1
    values = [
        RNG.normal(size=(n, 2)),
        RNG.integers(0, q, (n, 2)),
        RNG.normal(size=q),
        RNG.poisson(2.0, n).astype(float),
    ]
    agree(looped(*values), plain(*values))


def test_products_with_a_small_matrix_joins_and_columns():
    Z, W = (pt.tensor(dtype="float64", shape=(None, 2)) for _ in range(2))
    Lambda = pt.tensor(dtype="float64", shape=(2, 2))
    M = pt.concatenate([Z @ Lambda, W * 2.0], axis=1)
    outputs = [pt.exp(M[:, 1]) * M[:, 3], (M * pt.tanh(M)).sum(axis=0), M.sum()]
    looped, plain = both([Z, W, Lambda], outputs)
    # Nothing but the outputs is left for NumPy.
    assert n_loops(looped) == len(plan(looped).then) == 1
    values = [RNG.normal(size=(300, 2)), RNG.normal(size=(300, 2)), RNG.normal(size=(2, 2))]
    agree(looped(*values), plain(*values))


def test_conditions_may_come_from_bound_arguments():
    y, eta = pt.dvector("y"), pt.dvector("eta")
    outputs = [pt.switch(pt.eq(y, 0.0), -pt.exp(eta), y * eta - pt.exp(eta)).sum()]
    looped, plain = both([y, eta], outputs)
    values = RNG.poisson(1.0, 500).astype(float), RNG.normal(size=500)
    agree(looped.bind(values[0])(values[1]), plain(*values))


def test_arguments_need_not_be_contiguous():
    x, y = pt.dvector("x"), pt.dvector("y")
    looped, plain = both([x, y], [pt.exp(x) * y + pt.log1p(x * x)])
    values = RNG.normal(size=(2, 600))[:, ::3]
    agree(looped(*values), plain(*values))


def test_rows_of_different_numbers_are_refused():
    x, y = pt.dvector("x"), pt.dvector("y")
    looped = with_loops([x, y], [(pt.exp(x) * y + y).sum()])
    with pytest.raises(ValueError, match="an operand has 3 rows, others have 4"):
        looped(np.ones(4), np.ones(3))


def test_several_threads_may_call_the_same_function():
    x, y = pt.dvector("x"), pt.dvector("y")
    # The intermediate vector is kept in memory of the loop's own between its two passes.
    centred = pt.exp(x) * y
    outputs = [((centred - centred.max()) ** 2 * pt.exp(centred)).sum()]
    bound = with_loops([x, y], outputs).bind(RNG.normal(size=20_000))
    calls = [RNG.normal(size=20_000) for _ in range(24)]
    alone = [bound(values)[0] for values in calls]
    with ThreadPoolExecutor(4) as pool:
        together = [result[0] for result in pool.map(bound, calls)]
    np.testing.assert_array_equal(together, alone)


def test_few_operations_are_left_to_numpy():
    x = pt.dvector("x")
    assert n_loops(with_loops([x], [pt.exp(x)])) == 0


@pytest.mark.parametrize(("n", "has_loops"), [(LOOPS_FROM - 1, False), (LOOPS_FROM, True)])
def test_few_rows_wait_for_no_compiler(n, has_loops):
    x, y = pt.dvector("x"), pt.dvector("y")
    function = looped_function([x, y], [(pt.exp(x) * y + y).sum()])
    function.bind(np.ones(n))
    assert [bool(plan.loops) for plan in function._plans.values()] == [has_loops]
