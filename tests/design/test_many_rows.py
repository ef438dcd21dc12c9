"""Data of more rows than are treated at once."""

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.design import build_design
from mixedlm_pt.design.coding import ROWS_AT_ONCE
from mixedlm_pt.design.rank import ROWS_AT_ONCE as FACTORED_AT_ONCE
from mixedlm_pt.design.rank import independent_columns, is_clearly_independent
from mixedlm_pt.families import Gaussian

N = 2 * ROWS_AT_ONCE + 37


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    f = pd.Categorical(rng.integers(0, 3, N).astype(str))
    return pd.DataFrame({"y": rng.normal(size=N), "x": rng.normal(size=N), "f": f})


def test_every_row_of_the_matrix_is_filled(table):
    design = build_design("y ~ x * f", table, Gaussian())
    dummies = pd.get_dummies(table["f"], dtype=float).to_numpy()[:, 1:]
    x = table["x"].to_numpy()[:, None]
    np.testing.assert_array_equal(design.X, np.hstack([np.ones((N, 1)), x, dummies, x * dummies]))
    assert design.X.flags.c_contiguous


def test_the_constant_alone_is_filled(table):
    np.testing.assert_array_equal(build_design("y ~ 1", table, Gaussian()).X, np.ones((N, 1)))


def test_one_missing_value_leaves_out_one_row(table):
    data = table.copy()
    data.loc[ROWS_AT_ONCE, "x"] = np.nan
    design = build_design("y ~ x + f", data, Gaussian())
    expected = build_design("y ~ x + f", table.drop(index=ROWS_AT_ONCE), Gaussian())
    np.testing.assert_array_equal(design.X, expected.X)
    np.testing.assert_array_equal(design.response.y, expected.response.y)


# What is left of the third column beside the first two, as a share of its length.
@pytest.mark.parametrize(("share", "kept"), [(1e-2, 3), (1e-5, 3), (1e-6, 3), (1e-8, 2), (0.0, 2)])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e120])
def test_near_dependence_is_judged_as_by_one_qr(share, kept, scale):
    n = 2 * FACTORED_AT_ONCE + 11
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.normal(size=(n, 3)))[0]
    third = np.sqrt(1.0 - share**2) * (basis[:, 0] + basis[:, 1]) / np.sqrt(2)
    X = np.column_stack([basis[:, 0], basis[:, 1], scale * (third + share * basis[:, 2])])
    diagonal = np.abs(np.diag(np.linalg.qr(X / np.linalg.norm(basis, axis=0), mode="r")))
    assert (diagonal[2] / scale > 1e-7) == (kept == 3)
    assert independent_columns(X).tolist() == list(range(kept))
    assert is_clearly_independent(X) == (share == 1e-2)


def test_products_that_overflow_leave_the_judgement_to_the_qr():
    X = np.eye(4)[:, :2]
    assert is_clearly_independent(X)
    assert not is_clearly_independent(1e180 * X)
