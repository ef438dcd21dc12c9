"""One way to read columns from pandas, polars and other frames, and from mappings of arrays."""

import difflib
from collections.abc import Hashable, Mapping, Sized
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedlm_pt._typing import BoolArray
from mixedlm_pt.design.values import Factor, Value, factor_from
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError

if TYPE_CHECKING:
    import narwhals as nw

_NUMERIC_OBJECTS = frozenset({"integer", "floating", "mixed-integer-float", "decimal"})


class Table:
    """Read access to the columns of a data set, which is never modified.

    Parameters
    ----------
    data : pandas.DataFrame, any eager frame that narwhals knows (polars, pyarrow), or a mapping
        of names to one-dimensional arrays
    """

    def __init__(self, data: object) -> None:
        self._series: dict[str, pd.Series] = {}
        self._factors: dict[str, Factor] = {}
        self._source: pd.DataFrame | nw.DataFrame[Any]
        if isinstance(data, pd.DataFrame):
            self._source = data
        elif isinstance(data, Mapping):
            self._source = _from_mapping(data)
        else:
            self._source = _from_frame(data)
        source = self._source
        self.index = (
            source.index if isinstance(source, pd.DataFrame) else pd.RangeIndex(len(source))
        )
        self.names = [name for name in source.columns if isinstance(name, str)]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.index)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def series(self, name: str) -> pd.Series:
        """A column as a pandas Series.

        Raises
        ------
        ColumnNotFoundError
            Suggests the nearest name.
        DataError
            When the data have two columns of that name.
        """
        if name not in self._series:
            if name not in self.names:
                raise self._not_found(name)
            if self.names.count(name) > 1:
                count = self.names.count(name)
                raise DataError(f"the data have {count} columns named {name!r}; rename all but one")
            column = self._source[name]
            self._series[name] = column if isinstance(column, pd.Series) else _to_pandas(column)
        return self._series[name]

    def missing(self, name: str) -> BoolArray | None:
        """Where a column has no value, shape (n,); None where it has all."""
        series = self.series(name)
        dtype = series.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "biu":
            return None
        # Strings have to be looked up once, not twice.
        is_factor = isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)
        mask = self.factor(name).codes < 0 if is_factor else np.asarray(series.isna(), dtype=bool)
        return mask if mask.any() else None

    def factor(self, name: str) -> Factor:
        """A column as a factor, whatever its type."""
        if name not in self._factors:
            series = self.series(name)
            try:
                self._factors[name] = factor_from(series)
            except TypeError:
                raise _several_values(name, series) from None
        return self._factors[name]

    def value(self, name: str) -> Value:
        """A column as numbers (missing as NaN), truth values or a factor, by its type.

        Numbers are the user's own where they are float64 already: never change them.

        Raises
        ------
        DataError
            For dates, complex numbers and the like, which no model matrix can hold.
        """
        series = self.series(name)
        dtype = series.dtype
        if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
            return self.factor(name)
        if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
            return np.asarray(series, dtype=np.float64)
        if pd.api.types.is_bool_dtype(dtype):
            return series.to_numpy(dtype=bool, na_value=False)
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_string_dtype(dtype) or pd.api.types.is_object_dtype(dtype):
            kind = pd.api.types.infer_dtype(series, skipna=True)
            if kind in _NUMERIC_OBJECTS:
                try:
                    return series.to_numpy(dtype=np.float64, na_value=np.nan)
                except OverflowError:
                    raise DataError(
                        f"column {name!r} holds an integer above {np.finfo(np.float64).max:.1e}; "
                        "rescale it"
                    ) from None
            if kind == "boolean":
                return np.array([item is True or item is np.True_ for item in series])
            return self.factor(name)
        raise DataError(
            f"column {name!r} has type {dtype}; convert it to numbers or to a categorical first"
        )

    def _not_found(self, name: str) -> ColumnNotFoundError:
        if not self.names:
            return ColumnNotFoundError(
                f"the data have no column {name!r}: they have none whose name is a text"
            )
        near = difflib.get_close_matches(name, self.names, n=1, cutoff=0.65)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        shown = ", ".join(self.names[:12]) + (", ..." if len(self.names) > 12 else "")
        return ColumnNotFoundError(f"the data have no column {name!r}; they have {shown}.{hint}")


def _several_values(name: str, series: pd.Series) -> DataError:
    """The error for cells that hold lists, arrays and the like, which cannot be compared."""
    row = next(i for i, cell in enumerate(series) if not isinstance(cell, Hashable))
    return DataError(
        f"column {name!r} holds a {type(series.iloc[row]).__name__} at row {series.index[row]}; a "
        "column has one number, text or truth value a row"
    )


def _from_mapping(data: Mapping[str, object]) -> pd.DataFrame:
    try:
        return pd.DataFrame(dict(data), copy=False)
    except ValueError as error:
        sizes = {
            name: len(column)
            for name, column in data.items()
            if isinstance(column, Sized) and not isinstance(column, str)
        }
        reason = str(error)
        if not sizes:
            reason = "they are single values. Give lists, such as {'x': [1.5]}."
        elif len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name!r} has {size:,}" for name, size in sizes.items())
            reason = f"their numbers of rows differ: {listed}."
        raise DataError(f"the columns do not make a table: {reason}") from error


def _from_frame(data: object) -> "nw.DataFrame[Any]":
    import narwhals as nw

    try:
        frame: nw.DataFrame[Any] = nw.from_native(data, eager_only=True)
    except TypeError:
        raise ArgumentError(
            f"data is a {type(data).__name__}; give a pandas or polars DataFrame or a dict of "
            "columns"
        ) from None
    return frame


def _to_pandas(column: "nw.Series[Any]") -> pd.Series:
    import narwhals as nw

    # A polars Categorical numbers its levels by first appearance, which is no order; an Enum's is.
    if isinstance(column.dtype, nw.Enum):
        return pd.Series(pd.Categorical(column.to_list(), categories=list(column.dtype.categories)))
    if column.dtype in (nw.Categorical, nw.String, nw.Boolean):
        return pd.Series(column.to_list(), dtype=object)
    return pd.Series(column.to_numpy())
