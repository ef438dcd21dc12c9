"""Every number in a thing that a method returned, by its place."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt.fit import Fit

# Seconds are no result.
CLOCK = "time"


def numbers(thing: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Places and values; text and truth values are left out."""
    if isinstance(thing, np.ndarray | pd.Series):
        values = np.asarray(thing)
        if values.dtype.kind in "fiu":
            yield from ((f"{place}[{k}]", float(v)) for k, v in enumerate(values.ravel()))
    elif isinstance(thing, int | float | np.number) and not isinstance(thing, bool):
        yield place, float(thing)
    else:
        for name, part in parts(thing):
            if name != CLOCK:
                yield from numbers(part, f"{place}.{name}")


def parts(thing: Any) -> list[tuple[str, Any]]:
    """What a container holds, by name."""
    if isinstance(thing, pd.DataFrame):
        columns = [(str(thing.columns[j]), thing.iloc[:, j]) for j in range(thing.shape[1])]
        return [(name, c) for name, c in columns if pd.api.types.is_numeric_dtype(c.dtype)]
    if isinstance(thing, Mapping):
        return [(str(key), thing[key]) for key in thing]
    if isinstance(thing, list | tuple):
        return [(str(k), part) for k, part in enumerate(thing)]
    if isinstance(thing, Fit):
        return [(name, getattr(thing, name)) for name in ("beta", "theta", "u", "phi")]
    if not type(thing).__module__.startswith("mixedlm_pt"):
        return []
    if hasattr(thing, "to_frame"):
        return [("frame", thing.to_frame())]
    if dataclasses.is_dataclass(thing):
        return [(field.name, getattr(thing, field.name)) for field in dataclasses.fields(thing)]
    return []


def assert_same_numbers(one: Any, other: Any, rtol: float = 1e-7) -> None:
    """The same numbers in the same places."""
    a, b = dict(numbers(one)), dict(numbers(other))
    assert a.keys() == b.keys()
    assert a, "nothing to compare"
    np.testing.assert_allclose(list(a.values()), list(b.values()), rtol=rtol, atol=1e-8)
