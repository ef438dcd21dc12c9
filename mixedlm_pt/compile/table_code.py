"""C functions that call loops one after the other on arrays whose addresses a table holds."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from mixedlm_pt.linalg.loops import Loop, source_of
from mixedlm_pt.linalg.translation import FLOAT, INT, ArgumentType, ArrayType, Translation

POINTER_TYPE, C_INT = ir.PointerType(), ir.IntType(32)
# Trailing dimensions up to this size are written into the code.
SMALL = 4


class TableCode[Entry]:
    """A module under construction.

    Its functions read addresses and sizes from a table, so the code depends on the structure alone.

    Attributes
    ----------
    entries : list
        What stands in the table, or what says it.
    operands : dict
        Type and registers of every array or number that has a name.
    """

    def __init__(self, name: str) -> None:
        self.module = ir.Module(name)
        self.entries: list[Entry] = []
        self.operands: dict[str, tuple[ArgumentType, list[ir.Value]]] = {}
        self._loops: dict[Any, ir.Function] = {}

    def start(self, name: str, arguments: Sequence[ir.Type], returns: ir.Type) -> list[ir.Value]:
        """Begin a C function whose last argument is the table; the arguments before it."""
        signature = ir.FunctionType(returns, [*arguments, POINTER_TYPE])
        function = ir.Function(self.module, signature, name)
        given: list[ir.Value]
        *given, self.address = function.args
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.operands = {}
        return given

    def load(self, entry: Entry, kind: ir.Type = INT) -> ir.Value:
        """A new entry of the table."""
        self.entries.append(entry)
        place = INT(len(self.entries) - 1)
        at = self.builder.gep(self.address, [place], source_etype=INT)
        return self.builder.load(at, typ=kind)

    def define(
        self, name: str, pointer: ir.Value, sizes: Sequence[ir.Value | int], is_float: bool
    ) -> None:
        """Make an array at an address known by its name; trailing integers are part of its type."""
        known = [size if isinstance(size, int) else -1 for size in sizes[1:]]
        kind = ArrayType(is_float, (-1, *known))
        values = [INT(size) if isinstance(size, int) else size for size in sizes]
        self.operands[name] = kind, [pointer, *values]

    def call(self, loop: Loop[..., Any], *names: str) -> ir.Value:
        """Call a function of loops with these arrays."""
        kinds, values = [], []
        for name in names:
            kind, operand = self.operands[name]
            kinds.append(kind)
            values += operand
        key = loop, *kinds
        if key not in self._loops:
            name = f"{loop.__name__}.{len(self.module.globals)}"
            self._loops[key] = Translation(self.module, loop.function, kinds, name, source_of).code
            self._loops[key].linkage = "internal"
            # One long function takes much longer to compile than many short ones.
            self._loops[key].attributes.add("noinline")
        return self.builder.call(self._loops[key], values)

    def call_text(self, name: str, *arguments: ir.Value) -> None:
        """Call a function whose text is added to the module."""
        if name not in self.module.globals:
            signature = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
            ir.Function(self.module, signature, name)
        self.builder.call(self.module.globals[name], arguments)

    def outside(self, name: str, returns: ir.Type, *arguments: ir.Type) -> ir.Function:
        """A function of the C library."""
        if name not in self.module.globals:
            ir.Function(self.module, ir.FunctionType(returns, arguments), name)
        return self.module.globals[name]

    def clear(self, pointer: ir.Value, n: ir.Value) -> None:
        """Set so many doubles to zero."""
        memset = self.outside("memset", POINTER_TYPE, POINTER_TYPE, C_INT, INT)
        self.builder.call(memset, [pointer, C_INT(0), self.builder.mul(n, INT(8))])

    def copy(self, source: ir.Value, target: ir.Value, n: ir.Value) -> None:
        """Copy so many doubles."""
        memcpy = self.outside("memcpy", POINTER_TYPE, POINTER_TYPE, POINTER_TYPE, INT)
        self.builder.call(memcpy, [target, source, self.builder.mul(n, INT(8))])

    def pointer(self, name: str) -> ir.Value:
        """Address of an array."""
        return self.operands[name][1][0]

    def at(self, pointer: ir.Value, place: ir.Value) -> ir.Value:
        """Address of an entry of an array of doubles."""
        return self.builder.gep(pointer, [place], source_etype=FLOAT)

    def addresses(self, pointers: Sequence[ir.Value]) -> ir.Value:
        """Address of an array of addresses."""
        array = self.builder.alloca(INT, len(pointers))
        for k, pointer in enumerate(pointers):
            place = self.builder.gep(array, [INT(k)], source_etype=INT)
            self.builder.store(self.builder.ptrtoint(pointer, INT), place)
        return array


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
