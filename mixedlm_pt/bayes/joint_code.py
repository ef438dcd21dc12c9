"""The C functions of a `JointTarget`: loops over arrays, called one after the other."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from llvmlite import ir

from mixedlm_pt.bayes import joint_loops
from mixedlm_pt.bayes.coordinates import lambda_slices
from mixedlm_pt.compile.row_loop import FUNCTION
from mixedlm_pt.compile.table_code import POINTER_TYPE, SMALL, TableCode
from mixedlm_pt.linalg.translation import FLOAT, INT
from mixedlm_pt.model import GLMM

# What the function returns: as nutpie expects of a density that is not finite.
NOT_FINITE = 4

# Arguments of the loops that run over the levels of a factor; with a star those of all factors.
PLACE = (
    "parameters* first blocks pulls by_beta inner other_b slope moves* noises products roots "
    "pulled shifts means u b"
)
PULL = (
    "parameters* first by_beta inner slope products roots pulled shifts means u b_slopes noises "
    "root_slopes solved slopes* other_b_slopes moves_slopes*"
)


class JointCode(TableCode[int]):
    """The C functions that call the loops one after the other.

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
        super().__init__("joint_target")
        self.model, self.arrays, self.scratch = model, arrays, scratch

    @property
    def table(self) -> np.ndarray:
        """What the functions read."""
        return np.array(self.entries, np.int64)

    def enter(self, name: str, pointer: ir.Value, shape: Sequence[int], is_float: bool) -> None:
        """Make an array at an address known by its name; its sizes are in the table."""
        rest = (d if d <= SMALL else self.load(d) for d in shape[1:])
        self.define(name, pointer, [self.load(shape[0]), *rest], is_float)

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
            self.enter(name, self.at(memory, self.load(first)), shape, True)
            first += size
        self.enter("z", z, (self.n,), True)
        self.operands["first_bent"] = int, [self.load(self.model.p)]
        starts = [part.start for part in lambda_slices(self.model)]
        for f in self.factors:
            part, shape = self.model.u_slices[f], self.arrays[f"pulls{f}"].shape
            for name in ("u", "b", "b_slopes", "noises"):
                self.enter(f"{name}{f}", self.entry_of(name, part.start), shape, True)
            self.operands[f"first{f}"] = int, [self.load(starts[f])]
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

    def entry_of(self, name: str, place: int) -> ir.Value:
        """Address of an entry of a vector."""
        return self.at(self.pointer(name), self.load(place))

    def length(self, name: str) -> ir.Value:
        """Number of rows of an array."""
        return self.operands[name][1][1]

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
        _, z, gradient, value = self.start("joint_target", [INT, *[POINTER_TYPE] * 3], INT)
        memory = self.enter_all(z)
        self.enter("gradient", gradient, (self.n,), True)
        self.enter("value", value, (1,), True)
        self.write_density()
        is_finite = self.call(joint_loops.finite, "value", "gradient")
        codes = [ir.Constant(INT, code) for code in (0, NOT_FINITE)]
        equal = self.builder.icmp_signed("==", is_finite, INT(1))
        self.finish(memory, self.builder.select(equal, *codes))
        _, _, z, out = self.start("expand", [INT, INT, *[POINTER_TYPE] * 2], INT)
        memory = self.enter_all(z)
        self.place()
        for name, at in (("x", 0), ("u", self.n - self.model.q)):
            self.copy(self.pointer(name), self.at(out, self.load(at)), self.length(name))
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
        rest = [self.pointer(name) for name in ("columns", "eta", "score", "totals")]
        addresses = self.addresses([self.entry_of("parameters", n_parameters - 1), *rest])
        self.call_text(FUNCTION.removeprefix("@"), self.length("eta"), addresses)
        self.call(loops.pull_predictor, "score", *data, "slopes", "b_slopes")
        self.clear(self.pointer("moves_slopes"), self.length("moves_slopes"))
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
