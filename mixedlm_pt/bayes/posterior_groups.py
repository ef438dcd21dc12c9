"""Groups of ArviZ's data: copies with further ones, and the data of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mixedlm_pt.model import GLMM

if TYPE_CHECKING:
    import xarray as xr


def with_groups(data: xr.DataTree, groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """The same data with further groups, or others of these names; arrays are shared."""
    copy = data.copy()
    for name, dataset in groups.items():
        copy[name] = type(data)(dataset)
    return copy


def with_observed_data(model: GLMM, data: xr.DataTree) -> xr.DataTree:
    """The data with the groups ``observed_data`` and ``constant_data``, unless it has them.

    The response ``y`` (obs), and ``weights``, ``offset`` (obs) and ``X`` (obs, coefficient).
    """
    import xarray as xr

    design = model.design
    index = design.index.to_numpy()
    # A row named by several columns has one name here.
    obs = np.fromiter(index, dtype=object, count=len(index)) if index.dtype == object else index
    coords = {"obs": ("obs", obs)}
    coefficient = {"coefficient": np.array(design.coef_names, dtype=object)}
    groups = {
        "observed_data": xr.Dataset({"y": ("obs", design.response.y)}, coords),
        "constant_data": xr.Dataset(
            {
                "weights": ("obs", design.response.weights),
                "offset": ("obs", design.offset),
                "X": (("obs", "coefficient"), design.X),
            },
            coords | coefficient,
        ),
    }
    absent = {name: group for name, group in groups.items() if name not in data.children}
    return with_groups(data, absent) if absent else data
