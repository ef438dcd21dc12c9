"""The joint posterior density of parameters and random effects, with gradient, in machine code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import grad

from mixedlm_pt._typing import FloatArray, Scalar
from mixedlm_pt.bayes.coordinates import Coordinates, n_parameters, parameter_vector
from mixedlm_pt.bayes.joint_code import JointCode
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.whitening import Whitening
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.compile.row_loop import FUNCTION
from mixedlm_pt.compile.table_code import merged
from mixedlm_pt.compile.written_out import vector_function
from mixedlm_pt.linalg.machine_code import machine_code
from mixedlm_pt.linalg.threads import on_one_thread
from mixedlm_pt.model import GLMM

# Arrays of `Levels` that the loops read.
OF_LEVELS = ("blocks", "pulls", "by_beta", "inner")

type DensityFunction = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, eq=False)
class JointTarget:
    """Log density of z, `Whitening`'s coordinates of all parameters and effects, and its gradient.

    The density is that of the model that `to_pymc` builds, in other coordinates: the same prior
    densities and the same family. The code is a C function without allocation in Python, so chains
    run in threads of their own.

    Attributes
    ----------
    coordinates : Coordinates
    whitening : Whitening
    address : int
        Of the C function ``(n, z, gradient, value, table) -> 0 if finite``.
    expand_address : int
        Of the C function ``(n, n, z, (x, u), table) -> 0``.
    table : array of int64
        Addresses and sizes of the data.
    held : sequence of arrays
        What the table points to.
    """

    coordinates: Coordinates
    whitening: Whitening
    address: int
    expand_address: int
    table: np.ndarray
    held: Sequence[np.ndarray]

    @classmethod
    @on_one_thread
    def of(cls, density: MarginalDensity) -> JointTarget:
        """The target of the model and priors of a marginal density.

        Raises
        ------
        NotCompilableError
            If the family or a prior needs a function for which there are no instructions.
        """
        model, coordinates = density.fit.model, density.coordinates
        loop = compile_model(model, Approximation()).density_loop
        (parameters, priors), (pullback, slopes) = small_functions(coordinates)
        whitening = Whitening.of(density)
        arrays = data_arrays(model, whitening)
        response = model.design.response
        arrays |= {"numbers": priors, "slopes_numbers": slopes}
        arrays["columns"] = loop.columns(response.y, response.weights)
        code = JointCode(model, arrays, scratch_shapes(model, whitening))
        code.write()
        internal = loop.text.replace(
            f"define void {FUNCTION}(", f"define internal void {FUNCTION}("
        )
        text = merged([str(code.module), internal, parameters, pullback])
        address, expand_address = machine_code(text, "joint_target", "expand")
        held = tuple(arrays.values())
        return cls(coordinates, whitening, address, expand_address, code.table, held)

    @property
    def n(self) -> int:
        """Length of z."""
        return self.whitening.n

    def expand(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """x (n_x,) and u (q,) of z (n,)."""
        double = POINTER(c_double)
        function = CFUNCTYPE(c_int64, c_uint64, c_uint64, double, double, c_void_p)
        z, out = np.ascontiguousarray(z, np.float64), np.empty(self.n)
        pointers = (a.ctypes.data_as(double) for a in (z, out))
        function(self.expand_address)(self.n, self.n, *pointers, self.table.ctypes.data)
        n_x = len(self.whitening.centre)
        return out[:n_x], out[n_x:]

    @cached_property
    def value_and_gradient(self) -> DensityFunction:
        """``z -> (log density, gradient)``; NaN where it is not finite."""
        double = POINTER(c_double)
        function = CFUNCTYPE(c_int64, c_uint64, double, double, double, c_void_p)(self.address)

        def call(z: FloatArray) -> tuple[float, FloatArray]:
            z = np.ascontiguousarray(z, np.float64)
            gradient, value = np.empty(self.n), np.empty(1)
            pointers = (a.ctypes.data_as(double) for a in (z, gradient, value))
            failed = function(self.n, *pointers, self.table.ctypes.data)
            return (np.nan if failed else float(value[0])), gradient

        return call


def small_functions(coordinates: Coordinates) -> list[tuple[str, FloatArray]]:
    """``x -> (parameters, log prior)`` and ``(x, slopes) -> slopes in x``: code and numbers."""
    parameters = parameter_vector(coordinates)
    log_prior: Scalar = coordinates.log_prior + coordinates.log_jacobian
    slopes = pt.vector("slopes", dtype="float64", shape=(n_parameters(coordinates.model),))
    gradient = grad(log_prior + (slopes * parameters).sum(), coordinates.x)
    return [
        vector_function("parameters", [coordinates.x], [parameters, log_prior]),
        vector_function("pullback", [coordinates.x, slopes], [gradient]),
    ]


def data_arrays(model: GLMM, whitening: Whitening) -> dict[str, np.ndarray]:
    """Everything that does not move, by the names of `joint_loops`; by factor for its effects."""
    design, structure = model.design, model.structure
    arrays: dict[str, np.ndarray] = {
        "centre": whitening.centre,
        "scale": whitening.scale,
        "outer": whitening.outer,
        "X": design.X,
        "Z": model.Z_by_row(),
        "cols": np.zeros((model.n, 0), np.int64) if structure is None else structure.cols,
        "offset": design.offset,
    }
    for f, (part, levels) in enumerate(zip(model.u_slices, whitening.levels, strict=False)):
        shape = levels.pulls.shape
        arrays |= {f"{name}{f}": getattr(levels, name) for name in OF_LEVELS}
        arrays[f"slope{f}"] = whitening.slope[part].reshape(*shape, len(whitening.centre))
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def scratch_shapes(model: GLMM, whitening: Whitening) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that each evaluation fills."""
    n_x, n_par = len(whitening.centre), n_parameters(model)
    shapes: dict[str, tuple[int, ...]] = {
        "x": (n_x,),
        "x_slopes": (n_x,),
        "moves": (n_x,),
        "moves_slopes": (n_x,),
        "u": (model.q,),
        "b": (model.q,),
        "b_slopes": (model.q,),
        "noises": (model.q,),
        "eta": (model.n,),
        "score": (model.n,),
        "parameters": (n_par + 1,),
        "slopes": (n_par,),
        "totals": (2,),
    }
    for f, levels in enumerate(whitening.levels):
        k = levels.pulls.shape[1]
        shapes |= {f"{name}{f}": levels.pulls.shape for name in ("pulled", "shifts", "means")}
        shapes |= {f"{name}{f}": levels.blocks.shape for name in ("products", "roots")}
        shapes |= {f"root_slopes{f}": (k * k,), f"solved{f}": (k,)}
    return shapes
