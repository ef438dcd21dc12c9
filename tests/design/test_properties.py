"""What must not matter: the order of rows, the names of levels, the way terms are written."""

import warnings

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mixedlm_pt.design import build_design, new_design
from mixedlm_pt.design.rank import independent_columns
from mixedlm_pt.families import Gaussian

FORMULA = "y ~ f * x + scale(x) + h + (1 + f | g) + (1 | g:h)"


def draw_data(seed, n=40):
    rng = np.random.default_rng(seed)
    base = np.arange(n)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "f": rng.permutation(np.array(["a", "b", "c"])[base % 3]),
            "h": rng.permutation(np.array(["u", "v"])[base % 2]),
            "g": rng.permutation(base % 7),
        }
    )


def build(data):
    # scale(x) repeats x on purpose: the dropped column must not depend on the order of rows either.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_design(FORMULA, data, Gaussian())


@given(seed=st.integers(0, 10**6))
def test_permuted_rows_permute_the_arrays(seed):
    data = draw_data(seed)
    order = np.random.default_rng(seed + 1).permutation(len(data))
    one, other = build(data), build(data.iloc[order])
    assert one.coef_names == other.coef_names
    assert one.dropped == other.dropped
    np.testing.assert_allclose(other.X, one.X[order], atol=1e-13)
    np.testing.assert_array_equal(other.response.y, one.response.y[order])
    for a, b in zip(one.factors, other.factors, strict=True):
        assert a.levels.equals(b.levels)
        np.testing.assert_array_equal(b.codes, a.codes[order])
    for a, b in zip(one.terms, other.terms, strict=True):
        assert a.columns == b.columns
        np.testing.assert_array_equal(b.Z, a.Z[order])


@given(seed=st.integers(0, 10**6))
def test_renamed_levels_only_rename(seed):
    data = draw_data(seed)
    # The new names sort like the old ones.
    renamed = data.assign(f="level " + data["f"], g=data["g"] + 100, h=data["h"] + "2")
    one, other = build(data), build(renamed)
    np.testing.assert_array_equal(one.X, other.X)
    assert other.coef_names == tuple(
        name.replace("fb", "flevel b").replace("fc", "flevel c").replace("hv", "hv2")
        for name in one.coef_names
    )
    for a, b in zip(one.factors, other.factors, strict=True):
        np.testing.assert_array_equal(a.codes, b.codes)


@given(seed=st.integers(0, 10**6), rows=st.lists(st.integers(0, 39), min_size=1, max_size=10))
def test_any_rows_read_as_new_data_are_the_rows_of_the_fit(seed, rows):
    data = draw_data(seed)
    design = build(data)
    new = new_design(design, data.iloc[rows])
    np.testing.assert_allclose(new.X, design.X[rows], atol=1e-14)
    for a, b in zip(design.factors, new.factors, strict=True):
        np.testing.assert_array_equal(b.codes, a.codes[rows])


@given(
    seed=st.integers(0, 10**6),
    rank=st.integers(1, 5),
    p=st.integers(1, 8),
    n=st.integers(6, 30),
)
def test_kept_columns_are_a_basis_and_prefer_earlier_ones(seed, rank, p, n):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, rank)) @ rng.integers(-2, 3, size=(rank, p)).astype(float)
    X *= 10.0 ** rng.integers(-6, 6, size=p)
    kept = independent_columns(X)
    scaled = X / np.where(np.linalg.norm(X, axis=0) > 0, np.linalg.norm(X, axis=0), 1)
    expected = [
        k
        for k in range(p)
        if np.linalg.matrix_rank(scaled[:, : k + 1], tol=1e-9)
        > np.linalg.matrix_rank(scaled[:, :k], tol=1e-9)
    ]
    assert kept.tolist() == expected
