"""Kinds of tables and columns; data are never modified."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixedlm_pt.datasets import load_cbpp
from mixedlm_pt.design import build_design
from mixedlm_pt.errors import ArgumentError, DataError
from mixedlm_pt.families import Binomial, Gaussian

FORMULA = "incidence / size ~ period * x + (x | herd)"


@pytest.fixture
def cbpp():
    return load_cbpp().assign(x=np.linspace(0, 1, 56))


def assert_same_arrays(one, other):
    assert one.coef_names == other.coef_names
    np.testing.assert_array_equal(one.X, other.X)
    np.testing.assert_array_equal(one.response.y, other.response.y)
    np.testing.assert_array_equal(one.response.weights, other.response.weights)
    for a, b in zip(one.factors, other.factors, strict=True):
        assert [str(level) for level in a.levels] == [str(level) for level in b.levels]
        np.testing.assert_array_equal(a.codes, b.codes)


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame.astype({"period": str, "herd": str}),
        lambda frame: frame.astype({"period": object, "herd": "int64"}),
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
        lambda frame: {name: frame[name].to_numpy() for name in frame},
        lambda frame: {name: frame[name].tolist() for name in frame},
        lambda frame: pl.from_pandas(frame.astype({"period": str, "herd": str})),
        lambda frame: pl.from_pandas(frame.astype({"period": str, "herd": "int64"})).with_columns(
            pl.col("period").cast(pl.Categorical)
        ),
        lambda frame: pl.from_pandas(frame.astype({"period": str, "herd": int})).with_columns(
            pl.col("period").cast(pl.Enum(["1", "2", "3", "4", "5"]))
        ),
        lambda frame: pl.from_pandas(frame.astype({"period": str})).to_arrow(),
    ],
    ids=["str", "object", "nullable", "arrow", "arrays", "lists", "pl", "pl.cat", "pl.enum", "pa"],
)
def test_every_kind_of_table_gives_the_same_arrays(convert, cbpp):
    expected = build_design(FORMULA, cbpp, Binomial())
    assert_same_arrays(build_design(FORMULA, convert(cbpp), Binomial()), expected)


def test_a_polars_enum_keeps_its_order_and_a_categorical_is_sorted():
    y, f = [1.0, 2.0, 4.0], ["c", "a", "b"]
    enum = pl.DataFrame({"y": y, "f": pl.Series(f, dtype=pl.Enum(["c", "b", "a"]))})
    assert build_design("y ~ f", enum, Gaussian()).coef_names[1:] == ("fb", "fa")
    categorical = pl.DataFrame({"y": y, "f": pl.Series(f, dtype=pl.Categorical)})
    assert build_design("y ~ f", categorical, Gaussian()).coef_names[1:] == ("fb", "fc")


def test_missing_values_of_every_kind_are_seen():
    columns = {
        "y": [1.0, 2, 3, 4, 5],
        "k": [None, 1, 2, 3, 5],
        "f": ["a", None, "b", "a", "b"],
        "l": [True, False, None, True, False],
    }
    frames = [
        pl.DataFrame(columns),
        pd.DataFrame(columns),
        pd.DataFrame(columns).convert_dtypes(),
        pl.DataFrame(columns).with_columns(pl.col("f").cast(pl.Categorical)),
    ]
    for frame in frames:
        design = build_design("y ~ k", frame, Gaussian())
        assert design.omitted.tolist() == [True, False, False, False, False]
        assert design.X[:, 1].tolist() == [1, 2, 3, 5]
        assert build_design("y ~ f", frame, Gaussian()).omitted.tolist()[1]
        logical = build_design("y ~ l", frame, Gaussian())
        assert logical.coef_names[1] == "lTRUE"
        assert logical.X[:, 1].tolist() == [1, 0, 1, 0]


def test_data_and_arguments_are_not_modified(cbpp):
    weights, offset = np.ones(56), np.zeros(56)
    before = cbpp.copy(deep=True)
    design = build_design(FORMULA, cbpp, Binomial(), weights=None, offset=offset)
    plain = build_design("x ~ x", cbpp, Gaussian(), weights=weights)
    for array in (design.X, design.response.y, design.offset, plain.response.weights, plain.X):
        array += 1.0
    plain.response.y[:] = 7.0
    design.factors[0].codes[:] = 0
    pd.testing.assert_frame_equal(cbpp, before)
    assert (weights == 1).all()
    assert (offset == 0).all()


def test_row_labels_are_kept(cbpp):
    cbpp.index = [f"cow{k}" for k in range(56)]
    assert build_design(FORMULA, cbpp, Binomial()).index.equals(cbpp.index)


def test_what_is_no_table_is_refused():
    with pytest.raises(ArgumentError, match="data is a ndarray; give a pandas or polars DataFrame"):
        build_design("y ~ x", np.ones((3, 2)), Gaussian())
    with pytest.raises(ArgumentError, match="data is a LazyFrame"):
        build_design("y ~ x", pl.LazyFrame({"y": [1]}), Gaussian())
    with pytest.raises(DataError, match="the columns do not make a table"):
        build_design("y ~ x", {"y": [1, 2], "x": [1, 2, 3]}, Gaussian())
    twice = pd.DataFrame(np.ones((2, 2)), columns=["y", "y"])
    with pytest.raises(DataError, match="the data have 2 columns named 'y'"):
        build_design("y ~ 1", twice, Gaussian())
