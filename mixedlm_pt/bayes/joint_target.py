"""The joint posterior density of parameters and random effects, with gradient, in machine code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from ctypes import CFUNCTYPE, POINTER, c_double, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from llvmlite import ir
from pytensor.gradient import grad

from mixedlm_pt._typing import FloatArray, Scalar
from mixedlm_pt.bayes import joint_loops
from mixedlm_pt.bayes.coordinates import Coordinates, n_parameters, parameter_vector
from mixedlm_pt.bayes.marginal import MarginalDensity
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

# Arguments of the loops that run over the levels of a factor; with a star those of all factors.
OF_LEVELS = ("blocks", "pulls", "by_beta", "inner")
PLACE = (
    "parameters* first blocks pulls by_beta inner other_b slope moves* noises products roots "
    "pulled shifts means u b"
)
PULL = (
    "parameters* first by_beta inner slope products roots pulled shifts means u b_slopes noises "
    "root_slopes solved slopes* other_b_slopes moves_slopes*"
)

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
        code = Entry(model, arrays, scratch_shapes(model, whitening))
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
    order = [t for terms in model.factor_terms for t in terms]
    Z = [np.asarray(design.terms[t].Z).reshape(model.n, -1) for t in order]
    nothing = np.zeros((model.n, 0))
    arrays: dict[str, np.ndarray] = {
        "centre": whitening.centre,
        "scale": whitening.scale,
        "outer": whitening.outer,
        "X": design.X,
        "Z": np.hstack([nothing, *Z]),
        "cols": np.asarray(nothing if structure is None else structure.cols, np.int64),
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


class Entry:
    """The C functions that call the loops one after the other.

    They read addresses and sizes from a table, so the code depends on the structure alone.

    Parameters
    ----------
    model : GLMM
    arrays : mapping of arrays
        Data.
    scratch : mapping of tuples
        Shapes of arrays that it allocates.
    """

    def __init__(
        self,
        model: GLMM,
        arrays: Mapping[str, np.ndarray],
        scratch: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.model, self.arrays, self.scratch = model, arrays, scratch
        self.module = ir.Module("joint_target")
        self.entries: list[int] = []

    @property
    def table(self) -> np.ndarray:
        """What the functions read."""
        return np.array(self.entries, np.int64)

    def start(self, name: str, arguments: Sequence[ir.Type]) -> tuple[ir.Value, ...]:
        """Begin a C function whose last argument is the table; the arguments before it."""
        signature = ir.FunctionType(INT, [*arguments, POINTER_TYPE])
        function = ir.Function(self.module, signature, name)
        *given, self.address = function.args
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.operands: dict[str, tuple[ArgumentType, list[ir.Value]]] = {}
        return tuple(given)

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
        name = f"{function.__name__}.{len(self.module.globals)}"
        code = Translation(self.module, function, kinds, name, source_of).code
        code.linkage = "internal"
        return self.builder.call(code, values)

    def call_text(self, name: str, *arguments: ir.Value) -> None:
        """Call a function whose text is added to the module."""
        if name not in self.module.globals:
            signature = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
            ir.Function(self.module, signature, name)
        self.builder.call(self.module.globals[name], arguments)

    def pointer(self, name: str) -> ir.Value:
        """Address of an array."""
        return self.operands[name][1][0]

    def enter(self, name: str, pointer: ir.Value, shape: Sequence[int], is_float: bool) -> None:
        """Make an array at an address known by its name; its sizes are in the table."""
        known = tuple(d if d <= SMALL else -1 for d in shape[1:])
        sizes = [self.load(d) for d in shape]
        self.operands[name] = ArrayType(is_float, (-1, *known)), [pointer, *sizes]

    def enter_all(self, z: ir.Value) -> ir.Value:
        """Load all addresses and sizes; the allocated memory."""
        for name, array in self.arrays.items():
            pointer = self.load(array.ctypes.data, POINTER_TYPE)
            self.enter(name, pointer, array.shape, array.dtype == np.float64)
        sizes = [math.prod(shape) for shape in self.scratch.values()]
        malloc = self.outside("malloc", POINTER_TYPE, INT)
        memory = self.builder.call(malloc, [self.load(8 * sum(sizes))])
        first = 0
        for (name, shape), size in zip(self.scratch.items(), sizes, strict=True):
            at = self.builder.gep(memory, [self.load(first)], source_etype=FLOAT)
            self.enter(name, at, shape, True)
            first += size
        self.enter("z", z, (self.n,), True)
        self.operands["first_bent"] = int, [self.load(self.model.p)]
        place = self.model.p
        for f in self.factors:
            part, shape = self.model.u_slices[f], self.arrays[f"pulls{f}"].shape
            for name in ("u", "b", "b_slopes", "noises"):
                self.enter(f"{name}{f}", self.entry_of(name, part.start), shape, True)
            self.operands[f"first{f}"] = int, [self.load(place)]
            place += shape[1] ** 2
            n_others = self.arrays[f"inner{f}"].shape[2]
            for name in ("b", "b_slopes"):
                at = self.entry_of(name, self.model.q - n_others)
                self.enter(f"other_{name}{f}", at, (n_others,), True)
        return memory

    @property
    def n(self) -> int:
        """Length of z."""
        return self.scratch["x"][0] + self.model.q

    @property
    def factors(self) -> range:
        """Numbers of the grouping factors."""
        return range(len(self.model.u_slices) if self.model.q else 0)

    def outside(self, name: str, returns: ir.Type, *arguments: ir.Type) -> ir.Function:
        """A function of the C library."""
        if name not in self.module.globals:
            ir.Function(self.module, ir.FunctionType(returns, arguments), name)
        return self.module.globals[name]

    def entry_of(self, name: str, place: int) -> ir.Value:
        """Address of an entry of a vector."""
        return self.builder.gep(self.pointer(name), [self.load(place)], source_etype=FLOAT)

    def place(self) -> list[ir.Value]:
        """From z to x, the parameters, u and b; log determinants."""
        loops = joint_loops
        self.call(loops.move_parameters, "z", "centre", "scale", "first_bent", "x", "moves")
        names = ("x", "numbers", "parameters")
        self.call_text("parameters", *(self.pointer(name) for name in names))
        self.call(loops.make_noises, "z", "outer", "moves", "noises")
        # The effects of the first factor move with those of the others.
        return [self.call(loops.place_effects, *self.own(PLACE, f)) for f in reversed(self.factors)]

    def own(self, names: str, f: int) -> list[str]:
        """Names of a factor's arrays; those with a star are everybody's."""
        return [name[:-1] if name.endswith("*") else f"{name}{f}" for name in names.split()]

    def write(self) -> None:
        """Both functions."""
        _, z, gradient, value = self.start("joint_target", [INT, *[POINTER_TYPE] * 3])
        memory = self.enter_all(z)
        self.enter("gradient", gradient, (self.n,), True)
        self.enter("value", value, (1,), True)
        self.write_density()
        is_finite = self.call(joint_loops.finite, "value", "gradient")
        codes = [ir.Constant(INT, code) for code in (0, NOT_FINITE)]
        equal = self.builder.icmp_signed("==", is_finite, INT(1))
        self.finish(memory, self.builder.select(equal, *codes))
        _, _, z, out = self.start("expand", [INT, INT, *[POINTER_TYPE] * 2])
        memory = self.enter_all(z)
        self.place()
        for name, at in (("x", 0), ("u", self.n - self.model.q)):
            target = self.builder.gep(out, [self.load(at)], source_etype=FLOAT)
            self.enter("out", target, self.scratch[name], True)
            self.call(joint_loops.copied, name, "out")
        self.finish(memory, ir.Constant(INT, 0))

    def finish(self, memory: ir.Value, code: ir.Value) -> None:
        """Give the memory back and return."""
        self.builder.call(self.outside("free", ir.VoidType(), POINTER_TYPE), [memory])
        self.builder.ret(code)

    def write_density(self) -> None:
        """Log density and gradient."""
        builder, loops = self.builder, joint_loops
        values = self.place()
        data = ("X", "Z", "cols")
        self.call(loops.predictor, "parameters", *data, "offset", "b", "eta")
        n_parameters = self.scratch["slopes"][0]
        addresses = builder.alloca(POINTER_TYPE, 5)
        rest = [self.pointer(name) for name in ("columns", "eta", "score", "totals")]
        for k, address in enumerate([self.entry_of("parameters", n_parameters - 1), *rest]):
            place = [ir.Constant(INT, k)]
            builder.store(address, builder.gep(addresses, place, source_etype=POINTER_TYPE))
        self.call_text(FUNCTION.removeprefix("@"), self.operands["eta"][1][1], addresses)
        self.call(loops.pull_predictor, "score", *data, "slopes", "b_slopes")
        self.call(loops.emptied, "moves_slopes")
        values += [self.call(loops.pull_effects, *self.own(PULL, f)) for f in self.factors]
        total, slope = (builder.load(self.entry_of("totals", k), typ=FLOAT) for k in range(2))
        builder.store(slope, self.entry_of("slopes", n_parameters - 1))
        pulled = ("x", "slopes", "slopes_numbers", "x_slopes")
        self.call_text("pullback", *(self.pointer(name) for name in pulled))
        self.call(loops.pull_noises, "noises", "outer", "moves", "gradient")
        self.call(
            loops.pull_parameters,
            *("x_slopes", "scale", "first_bent", "moves", "moves_slopes", "gradient"),
        )
        log_prior = builder.load(self.entry_of("parameters", n_parameters), typ=FLOAT)
        for value in [*values, log_prior]:
            total = builder.fadd(total, value)
        builder.store(total, self.pointer("value"))


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
