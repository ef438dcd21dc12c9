"""The joint posterior density of parameters and random effects, with gradient, in machine code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from llvmlite import ir
from pytensor.gradient import grad

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.bayes import joint_loops
from mixedlm_pt.bayes.coordinates import Coordinates
from mixedlm_pt.bayes.marginal import MarginalDensity
from mixedlm_pt.bayes.pymc_model import join, term_columns
from mixedlm_pt.bayes.whitening import Whitening
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.compile.row_loop import FUNCTION
from mixedlm_pt.compile.written_out import vector_function
from mixedlm_pt.linalg.loops import source_of
from mixedlm_pt.linalg.machine_code import machine_code
from mixedlm_pt.linalg.threads import on_one_thread
from mixedlm_pt.linalg.translation import FLOAT, INT, ArgumentType, ArrayType, Translation
from mixedlm_pt.model import GLMM

POINTER_TYPE = ir.PointerType()
# Trailing dimensions up to this size are written into the code.
SMALL = 8
# What the function returns: as nutpie expects of a density that is not finite.
NOT_FINITE = 4

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
    copy_address : int
        Of the C function ``(n, n, z, out, table) -> 0``.
    table : array of int64
        Addresses and sizes of the data.
    held : sequence of arrays
        What the table points to.
    """

    coordinates: Coordinates
    whitening: Whitening
    address: int
    copy_address: int
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
        shapes = scratch_shapes(model, coordinates)
        code = Entry(arrays, shapes)
        code.write(n_parameters(model), model.p)
        internal = loop.text.replace(
            f"define void {FUNCTION}(", f"define internal void {FUNCTION}("
        )
        text = merged([str(code.module), internal, parameters, pullback])
        address, copy_address = machine_code(text, "joint_target", "copy")
        return cls(
            coordinates, whitening, address, copy_address, code.table(), tuple(arrays.values())
        )

    @property
    def n(self) -> int:
        """Length of z."""
        return self.whitening.n

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


def parameter_vector(coordinates: Coordinates) -> Vector:
    """beta, the entries of every factor's Lambda, and log phi, as `joint_loops` has them."""
    model, parts = coordinates.model, [coordinates.beta]
    for f, width in enumerate(factor_widths(model)):
        Lambda = pt.zeros((width, width))
        for t, columns in term_columns(model, f):
            block = coordinates.sds[f][columns, None] * coordinates.cholesky[t]
            Lambda = pt.set_subtensor(Lambda[columns, columns], block)
        parts.append(Lambda.ravel())
    return join([*parts, coordinates.log_phi.reshape((1,))])


def factor_widths(model: GLMM) -> list[int]:
    """Number of effects a level of every grouping factor."""
    return [sum(model.term_widths[t] for t in terms) for terms in model.factor_terms]


def n_parameters(model: GLMM) -> int:
    """Length of the parameter vector."""
    return model.p + sum(width**2 for width in factor_widths(model)) + 1


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
    """Everything that does not move, by the names of `joint_loops`."""
    design, structure = model.design, model.structure
    widths = factor_widths(model)
    starts = model.p + np.cumsum([0, *(width**2 for width in widths)])
    rows = [
        [part.start, factor.n_levels, width, start]
        for part, factor, width, start in zip(
            model.u_slices, design.factors, widths, starts, strict=False
        )
    ]
    order = [t for terms in model.factor_terms for t in terms]
    Z = [np.asarray(design.terms[t].Z).reshape(model.n, -1) for t in order]
    nothing = np.zeros((model.n, 0))
    return {
        "centre": whitening.centre,
        "scale": np.ascontiguousarray(whitening.scale),
        "modes": whitening.modes,
        "slope": whitening.slope,
        "blocks": np.ascontiguousarray(whitening.blocks),
        "inner": whitening.inner,
        "outer": whitening.outer,
        "excess": whitening.excess,
        "log_sd": whitening.log_sd,
        "layout": np.array(rows, np.int64).reshape(-1, 4),
        "X": np.ascontiguousarray(design.X, np.float64),
        "Z": np.ascontiguousarray(np.hstack([nothing, *Z])),
        "cols": np.ascontiguousarray(nothing if structure is None else structure.cols, np.int64),
        "offset": np.ascontiguousarray(design.offset, np.float64),
    }


def scratch_shapes(model: GLMM, coordinates: Coordinates) -> dict[str, int]:
    """Lengths of the arrays that each evaluation fills."""
    n_par = n_parameters(model)
    return {
        "x": coordinates.n_x,
        "u": model.q,
        "growth": coordinates.n_x + 1,
        "moves": coordinates.n_x,
        "moves_slopes": coordinates.n_x,
        "means": model.q,
        "noises": model.q,
        "shared": model.q,
        "growth_slopes": coordinates.n_x + 1,
        "b": model.q,
        "eta": model.n,
        "score": model.n,
        "parameters": n_par + 1,
        "slopes": n_par,
        "b_slopes": model.q,
        "u_slopes": model.q,
        "x_slopes": coordinates.n_x,
        "totals": 2,
    }


class Entry:
    """The C function that calls the loops one after the other.

    It reads addresses and sizes from a table, so the code depends on the structure alone.

    Parameters
    ----------
    arrays : mapping of arrays
        Data.
    scratch : mapping of int
        Lengths of arrays that it allocates.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], scratch: Mapping[str, int]) -> None:
        self.arrays, self.scratch = arrays, scratch
        self.module = ir.Module("joint_target")
        self.entries: list[int] = []
        signature = ir.FunctionType(INT, [INT, *[POINTER_TYPE] * 4])
        self.code = ir.Function(self.module, signature, "joint_target")
        self.n, self.z, self.gradient, self.value, self.address = self.code.args
        self.builder = ir.IRBuilder(self.code.append_basic_block("entry"))
        self.operands: dict[str, tuple[ArgumentType, list[ir.Value]]] = {}

    def table(self) -> np.ndarray:
        """What the function reads."""
        return np.array(self.entries, np.int64)

    def load(self, entry: int, kind: ir.Type = INT) -> ir.Value:
        """A new entry of the table."""
        self.entries.append(entry)
        place = ir.Constant(INT, len(self.entries) - 1)
        at = self.builder.gep(self.address, [place], source_etype=INT)
        return self.builder.load(at, typ=kind)

    def call(self, function: Callable[..., Any], *names: str) -> ir.Value:
        """Call a loop with these arrays."""
        kinds, values = [], []
        for name in names:
            kind, operand = self.operands[name]
            kinds.append(kind)
            values += operand
        code = Translation(self.module, function, kinds, function.__name__, source_of).code
        code.linkage = "internal"
        return self.builder.call(code, values)

    def call_text(self, name: str, *arguments: ir.Value) -> None:
        """Call a function whose text is added to the module."""
        signature = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        self.builder.call(ir.Function(self.module, signature, name), arguments)

    def pointer(self, name: str) -> ir.Value:
        """Address of an array."""
        return self.operands[name][1][0]

    def enter(self, first_bent: int) -> ir.Value:
        """Load all addresses and sizes; the allocated memory."""
        for name, array in self.arrays.items():
            known = tuple(d if d <= SMALL else -1 for d in array.shape[1:])
            address = self.load(array.ctypes.data, POINTER_TYPE)
            sizes = [self.load(d) for d in array.shape]
            self.operands[name] = (
                ArrayType(array.dtype == np.float64, (-1, *known)),
                [address, *sizes],
            )
        malloc = ir.Function(self.module, ir.FunctionType(POINTER_TYPE, [INT]), "malloc")
        memory = self.builder.call(malloc, [self.load(8 * sum(self.scratch.values()))])
        first = 0
        vector = ArrayType(True, (-1,))
        for name, length in self.scratch.items():
            at = self.builder.gep(memory, [self.load(first)], source_etype=FLOAT)
            self.operands[name] = (vector, [at, self.load(length)])
            first += length
        self.operands["first_bent"] = (int, [self.load(first_bent)])
        self.operands["z"] = (vector, [self.z, self.n])
        self.operands["gradient"] = (vector, [self.gradient, self.n])
        return memory

    def entry_of(self, name: str, place: int) -> ir.Value:
        """Address of an entry of a vector."""
        return self.builder.gep(self.pointer(name), [ir.Constant(INT, place)], source_etype=FLOAT)

    def write(self, n_parameters: int, first_bent: int) -> None:
        """The calls, in order."""
        builder, loops = self.builder, joint_loops
        memory = self.enter(first_bent)
        of_sds = ("excess", "log_sd", "growth")
        self.call(
            loops.move_parameters,
            *("z", "centre", "scale", "first_bent", "x", "growth", "moves"),
        )
        self.call(loops.make_noises, "z", "blocks", "outer", *of_sds, "noises", "shared")
        of_z = self.call(
            loops.join_noises,
            *("modes", "slope", "inner", *of_sds, "moves", "noises", "shared", "means", "u"),
        )
        names = ("x", "numbers", "parameters")
        self.call_text("parameters", *(self.pointer(name) for name in names))
        self.call(loops.effects, "parameters", "layout", "u", "b")
        data = ("X", "Z", "cols")
        self.call(loops.predictor, "parameters", *data, "offset", "b", "eta")
        log_phi = self.entry_of("parameters", n_parameters - 1)
        addresses = builder.alloca(POINTER_TYPE, 5)
        rest = ("columns", "eta", "score", "totals")
        for k, address in enumerate([log_phi, *(self.pointer(name) for name in rest)]):
            place = [ir.Constant(INT, k)]
            builder.store(address, builder.gep(addresses, place, source_etype=POINTER_TYPE))
        self.call_text(FUNCTION.removeprefix("@"), self.operands["eta"][1][1], addresses)
        self.call(loops.pull_predictor, "score", *data, "slopes", "b_slopes")
        of_u = self.call(
            loops.pull_effects, "parameters", "layout", "u", "b_slopes", "slopes", "u_slopes"
        )
        total, slope = (builder.load(self.entry_of("totals", k), typ=FLOAT) for k in range(2))
        builder.store(slope, self.entry_of("slopes", n_parameters - 1))
        pulled = ("x", "slopes", "slopes_numbers", "x_slopes")
        self.call_text("pullback", *(self.pointer(name) for name in pulled))
        self.call(
            loops.part_noises,
            *("u_slopes", "slope", "inner", *of_sds, "means", "noises", "shared"),
            *("growth_slopes", "moves_slopes"),
        )
        self.call(loops.pull_noises, "noises", "blocks", "outer", "growth", "gradient")
        self.call(
            loops.pull_parameters,
            *("x_slopes", "scale", "first_bent", "moves", "growth_slopes", "moves_slopes"),
            "gradient",
        )
        log_prior = builder.load(self.entry_of("parameters", n_parameters), typ=FLOAT)
        value = builder.fadd(builder.fadd(total, of_u), builder.fadd(log_prior, of_z))
        builder.store(value, self.value)
        self.operands["value"] = (ArrayType(True, (-1,)), [self.value, ir.Constant(INT, 1)])
        is_finite = self.call(loops.finite, "value", "gradient")
        free = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [POINTER_TYPE]), "free")
        builder.call(free, [memory])
        codes = [ir.Constant(INT, code) for code in (0, NOT_FINITE)]
        builder.ret(builder.select(builder.icmp_signed("==", is_finite, INT(1)), *codes))
        self.write_copy()

    def write_copy(self) -> None:
        """The C function that hands z over as it is."""
        signature = ir.FunctionType(INT, [INT, INT, *[POINTER_TYPE] * 3])
        copy = ir.Function(self.module, signature, "copy")
        builder = ir.IRBuilder(copy.append_basic_block("entry"))
        vector = ArrayType(True, (-1,))
        code = Translation(
            self.module, joint_loops.copied, [vector, vector], "copied", source_of
        ).code
        n, _, z, out, _ = copy.args
        builder.call(code, [z, n, out, n])
        builder.ret(INT(0))


def merged(texts: Sequence[str]) -> str:
    """One module; functions that one text defines are not declared by the others."""
    lines = [line for text in texts for line in text.splitlines()]
    defined = {name_in(line) for line in lines if line.startswith("define")}
    seen: set[str] = set()
    kept = []
    for line in lines:
        if line.startswith("declare"):
            name = name_in(line)
            if name in seen or name in defined:
                continue
            seen.add(name)
        if not line.startswith(("target ", "; ModuleID", "source_filename")):
            kept.append(line)
    return "\n".join(kept)


def name_in(line: str) -> str:
    """Name of the function that a line declares or defines."""
    return line.split("@", 1)[1].split("(", 1)[0].strip('"')
