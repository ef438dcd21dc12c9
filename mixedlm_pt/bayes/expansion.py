"""From draws of coordinates to the variables of the model, as ArviZ's data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.replace import vectorize_graph

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.coordinates import Coordinates
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.priors import has_correlations
from mixedlm_pt.bayes.pymc_model import coordinates as labels_of
from mixedlm_pt.bayes.pymc_model import term_columns
from mixedlm_pt.compile.rewriting import NUMPY

if TYPE_CHECKING:
    import xarray as xr


class Expansion:
    """The variables of `to_pymc` as functions of draws of (x, u)."""

    def __init__(self, coordinates: Coordinates) -> None:
        self.coordinates, self.model = coordinates, coordinates.model

    @cached_property
    def parameters(self) -> pytensor.compile.Function:
        """``x (S, n_x) -> beta, sds by factor, Cholesky factors by term, dispersion``."""
        c = self.coordinates
        outputs = [c.beta, *c.sds, *c.cholesky, *([] if c.dispersion is None else [c.dispersion])]
        x = pt.matrix("x", dtype="float64", shape=(None, c.n_x))
        # What does not depend on x is the same for all draws.
        many = [vectorize_graph(output, {c.x: x}) for output in outputs]
        return pytensor.function([x], many, mode=NUMPY, on_unused_input="ignore")

    def variables(self, x: FloatArray, u: FloatArray) -> dict[str, tuple[tuple[str, ...], Any]]:
        """Dimensions and values of every variable; x (S, n_x), u (S, q)."""
        model, n = self.model, len(x)
        values = [np.asarray(value) for value in self.parameters(x)]
        beta, values = values[0], values[1:]
        n_factors, n_terms = len(model.design.factors), len(model.design.terms)
        sds, cholesky = values[:n_factors], values[n_factors : n_factors + n_terms]
        result: dict[str, tuple[tuple[str, ...], Any]] = {"beta": (("coefficient",), beta)}
        for f, factor in enumerate(model.design.factors):
            level, term = f"level_{factor.name}", f"term_{factor.name}"
            result[f"sd_{factor.name}"] = ((term,), sds[f])
            R = np.zeros((n, sds[f].shape[1], sds[f].shape[1]))
            by_level = u[:, model.u_slices[f]].reshape(n, factor.n_levels, -1)
            b = np.empty_like(by_level)
            for t, columns in term_columns(model, f):
                L = np.broadcast_to(cholesky[t], (n, *cholesky[t].shape[-2:]))
                R[:, columns, columns] = L @ L.transpose(0, 2, 1)
                Lambda = sds[f][:, columns, None] * L
                b[..., columns] = by_level[..., columns] @ Lambda.transpose(0, 2, 1)
                if model.term_widths[t] > 1:
                    name = f"cholesky[{model.design.terms[t].label}]"
                    result[name] = ((f"{name}_dim_0", f"{name}_dim_1"), L)
            if has_correlations(model)[f]:
                result[f"corr_{factor.name}"] = ((term, f"{term}_"), R)
            result[f"u_{factor.name}"] = ((level, term), by_level)
            result[f"b_{factor.name}"] = ((level, term), b)
        dispersion = Dispersion.of(model)
        if dispersion is not None:
            result[dispersion.name] = ((), values[-1])
        return result

    def dataset(self, x: FloatArray, u: FloatArray) -> xr.Dataset:
        """The group ``posterior``; x (chains, draws, n_x), u (chains, draws, q)."""
        import xarray as xr

        sizes = x.shape[:2]
        n = sizes[0] * sizes[1]
        variables = self.variables(x.reshape(n, x.shape[2]), u.reshape(n, u.shape[2]))
        labels: Mapping[str, Any] = labels_of(self.model)
        used = {dim for dims, _ in variables.values() for dim in dims}
        return xr.Dataset(
            {
                name: (("chain", "draw", *dims), value.reshape(*sizes, *value.shape[1:]))
                for name, (dims, value) in variables.items()
            },
            coords={
                "chain": np.arange(sizes[0]),
                "draw": np.arange(sizes[1]),
                **{dim: label for dim, label in labels.items() if dim in used},
            },
        )
