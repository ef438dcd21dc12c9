"""One pass over the rows: elementwise work, gathers and sums between two structured Ops.

The text of a loop is LLVM's. Rows come in blocks: within a block a first loop, which the processor
runs on vectors, computes all values; a second one adds what belongs to positions that several rows
may share.
"""

from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, c_int64, c_void_p
from functools import cache
from itertools import chain

from mixedlm_pt.compile.arithmetic import Code, Double
from mixedlm_pt.linalg.machine_code import machine_code

type RowFunction = Callable[[int, int], None]

FUNCTION = "@row_loop"
# Rows of a block; its buffers stay in the first-level cache.
BLOCK = 256
DECLARATIONS = [
    "declare double @llvm.fabs.f64(double)",
    "declare double @llvm.sqrt.f64(double)",
    "declare double @llvm.copysign.f64(double, double)",
    "declare double @llvm.fmuladd.f64(double, double, double)",
]


class RowLoop:
    """Text of one loop, written operand by operand.

    The compiled function takes the number of rows and a table of addresses: of the numbers that
    are the same for all rows, of the operands and of the results.
    """

    def __init__(self) -> None:
        self.n_numbers = self.n_operands = self.n_results = 0
        self.before, self.inside = Code("%s"), Code("%r")
        self.totals: list[tuple[str, int, str]] = []
        self.scattered: list[tuple[str, str, list[str]]] = []

    def new_operand(self) -> str:
        """Register with the address of a further operand."""
        self.n_operands += 1
        return f"%a{self.n_operands - 1}"

    def new_result(self) -> str:
        """Register with the address of a further result."""
        self.n_results += 1
        return f"%b{self.n_results - 1}"

    def number(self) -> Double:
        """A further number that is the same for all rows."""
        self.n_numbers += 1
        return self.entry("%numbers", self.n_numbers - 1)

    def entry(self, array: str, k: int) -> Double:
        """Entry k of an array, the same for all rows."""
        address = self.before.emit(f"getelementptr double, ptr {array}, i64 {k}")
        return Double(self.inside, self.before.emit(f"load double, ptr {address}"))

    def column(self, array: str, width: int, k: int, kind: str = "double") -> str:
        """The row's entry k in an array of so many columns."""
        position = self.position(width, k)
        address = self.inside.emit(f"getelementptr {kind}, ptr {array}, i64 {position}")
        return self.inside.emit(f"load {kind}, ptr {address}")

    def position(self, width: int, k: int) -> str:
        """Where the row's entry k is."""
        if width == 1:
            return "%row"
        start = self.inside.emit(f"mul nsw i64 %row, {width}")
        return self.inside.emit(f"add nsw i64 {start}, {k}")

    def doubles(self, array: str, width: int) -> list[Double]:
        """The row's entries in an array."""
        columns = (self.column(array, width, k) for k in range(width))
        return [Double(self.inside, name) for name in columns]

    def gather(self, array: str, positions: str, width: int) -> list[Double]:
        """Entries of an array at the row's positions."""
        values = []
        for k in range(width):
            position = self.column(positions, width, k, "i64")
            address = self.inside.emit(f"getelementptr double, ptr {array}, i64 {position}")
            values.append(Double(self.inside, self.inside.emit(f"load double, ptr {address}")))
        return values

    def store(self, array: str, values: Sequence[Double]) -> None:
        """Write the row of a result."""
        for k, value in enumerate(values):
            position = self.position(len(values), k)
            address = self.inside.emit(f"getelementptr double, ptr {array}, i64 {position}")
            self.inside.lines.append(f"store double {value.name}, ptr {address}")

    def total(self, array: str, k: int, value: Double) -> None:
        """Sum a value over all rows into entry k of a result."""
        self.totals.append((array, k, value.name))

    def scatter(self, array: str, positions: str, values: Sequence[Double]) -> None:
        """Add the row's values to a result at the row's positions."""
        self.scattered.append((array, positions, [value.name for value in values]))

    def compiled(self) -> RowFunction:
        """The function of the number of rows and the address of the table."""
        return compiled(self.text())

    def text(self) -> str:
        """The module, whose one function is `FUNCTION`."""
        addresses = ["%numbers"]
        addresses += [f"%a{k}" for k in range(self.n_operands)]
        addresses += [f"%b{k}" for k in range(self.n_results)]
        return "\n".join([*DECLARATIONS, *self._entry(addresses), *self._body(addresses)])

    @staticmethod
    def _entry(addresses: Sequence[str]) -> list[str]:
        """The function that finds the addresses in the table."""
        loads = [
            (f"%p{k} = getelementptr ptr, ptr %table, i64 {k}", f"{name} = load ptr, ptr %p{k}")
            for k, name in enumerate(addresses)
        ]
        passed = ", ".join(["i64 %n", *(f"ptr {name}" for name in addresses)])
        return [
            f"define void {FUNCTION}(i64 %n, ptr %table) {{",
            *chain.from_iterable(loads),
            f"call void @body({passed})",
            "ret void",
            "}",
        ]

    def _body(self, addresses: Sequence[str]) -> list[str]:
        """The blocks of rows; no two addresses are of the same memory."""
        arguments = ", ".join(f"ptr noalias {name}" for name in addresses)
        sums = range(len(self.totals))
        buffers = list(self._buffers())
        return [
            f"define internal void @body(i64 %n, {arguments}) noinline {{",
            "entry:",
            *self.before.lines,
            *(f"{name} = alloca [{BLOCK} x double], align 64" for name, _ in buffers),
            *(f"%total{s} = alloca double" for s in sums),
            *(f"store double 0.0, ptr %total{s}" for s in sums),
            "br label %blocks",
            "blocks:",
            "%start = phi i64 [0, %entry], [%stop, %next]",
            "%more = icmp slt i64 %start, %n",
            "br i1 %more, label %block, label %end",
            "block:",
            f"%full = add nsw i64 %start, {BLOCK}",
            "%is_full = icmp slt i64 %full, %n",
            "%stop = select i1 %is_full, i64 %full, i64 %n",
            "br label %rows",
            *self._vector_loop(buffers),
            *self._scatter_loop(),
            "next:",
            "br label %blocks",
            "end:",
            *chain.from_iterable(
                (
                    f"%end{s} = load double, ptr %total{s}",
                    f"%place{s} = getelementptr double, ptr {array}, i64 {k}",
                    f"store double %end{s}, ptr %place{s}",
                )
                for s, (array, k, _) in enumerate(self.totals)
            ),
            "ret void",
            "}",
        ]

    def _buffers(self) -> list[tuple[str, str]]:
        """Names of the buffers with the values that they hold."""
        values = chain.from_iterable(names for _, _, names in self.scattered)
        return [(f"%buffer{b}", value) for b, value in enumerate(values)]

    def _vector_loop(self, buffers: Sequence[tuple[str, str]]) -> list[str]:
        """The loop that computes."""
        lines = ["rows:", "%row = phi i64 [%start, %block], [%row_next, %rows]"]
        for s, _ in enumerate(self.totals):
            lines.append(f"%sum{s} = phi double [0.0, %block], [%sum_next{s}, %rows]")
        lines += self.inside.lines
        lines.append("%within = sub nsw i64 %row, %start")
        for b, (name, value) in enumerate(buffers):
            lines.append(f"%slot{b} = getelementptr double, ptr {name}, i64 %within")
            lines.append(f"store double {value}, ptr %slot{b}")
        for s, (_, _, value) in enumerate(self.totals):
            lines.append(f"%sum_next{s} = fadd reassoc nsz double %sum{s}, {value}")
        lines += [
            "%row_next = add nsw i64 %row, 1",
            "%row_more = icmp slt i64 %row_next, %stop",
            "br i1 %row_more, label %rows, label %summed",
            "summed:",
        ]
        for s, _ in enumerate(self.totals):
            lines.append(f"%so_far{s} = load double, ptr %total{s}")
            lines.append(f"%now{s} = fadd double %so_far{s}, %sum_next{s}")
            lines.append(f"store double %now{s}, ptr %total{s}")
        lines.append(f"br label %{'adding' if buffers else 'next'}")
        return lines

    def _scatter_loop(self) -> list[str]:
        """The loop that adds to shared positions."""
        if not self.scattered:
            return []
        lines = [
            "adding:",
            "%i = phi i64 [%start, %summed], [%i_next, %adding]",
            "%in = sub nsw i64 %i, %start",
        ]
        b = 0
        for array, positions, values in self.scattered:
            for k in range(len(values)):
                lines += [
                    f"%at{b} = getelementptr double, ptr %buffer{b}, i64 %in",
                    f"%value{b} = load double, ptr %at{b}",
                    f"%first{b} = mul nsw i64 %i, {len(values)}",
                    f"%entry{b} = add nsw i64 %first{b}, {k}",
                    f"%where{b} = getelementptr i64, ptr {positions}, i64 %entry{b}",
                    f"%position{b} = load i64, ptr %where{b}",
                    f"%target{b} = getelementptr double, ptr {array}, i64 %position{b}",
                    f"%old{b} = load double, ptr %target{b}",
                    f"%new{b} = fadd double %old{b}, %value{b}",
                    f"store double %new{b}, ptr %target{b}",
                ]
                b += 1
        return [
            *lines,
            "%i_next = add nsw i64 %i, 1",
            "%i_more = icmp slt i64 %i_next, %stop",
            "br i1 %i_more, label %adding, label %next",
        ]


@cache
def compiled(text: str) -> RowFunction:
    """Machine code of a module; a call releases Python's lock."""
    [address] = machine_code(text, FUNCTION.removeprefix("@"))
    function: RowFunction = CFUNCTYPE(None, c_int64, c_void_p)(address)
    return function
