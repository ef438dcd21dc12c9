"""Names of backends and how each of them runs a graph."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import pytensor
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Variable
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

from mixedlm_pt.compile.tape import Known, Tape
from mixedlm_pt.errors import unknown_name

# Canonicalisation alone halves the graph as `fast_compile` does, in half the time, and brings in no
# Op that needs C. These rewrites of it take a third of its time and find nothing in our graphs.
FRUITLESS = [
    "dot_diag_to_elemwise",
    "selection_dot_to_indexing",
    "local_greedy_distributor",
    "local_merge_switch_same_cond",
]
NUMPY = Mode(
    linker="py", optimizer=RewriteDatabaseQuery(include=["canonicalize"], exclude=FRUITLESS)
)
# A loop takes 0.02 s to compile. With fewer rows the calls of many fits do not save that.
LOOPS_FROM = 2000


type BoundFunction = Callable[..., list[Any]]


class Function(Protocol):
    """A compiled graph."""

    def __call__(self, *arguments: Any) -> list[Any]:
        """Values of the outputs."""
        ...

    def bind(self, *arguments: Any, known: Known | None = None) -> BoundFunction:
        """The function of the other arguments when these are the first ones; see `Tape.bind`."""
        ...


class NumbaFunction:
    """A graph compiled by numba."""

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        register_numba()
        self._function = pytensor.function(
            list(inputs), list(outputs), mode="NUMBA", trust_input=True, on_unused_input="ignore"
        )

    def __call__(self, *arguments: Any) -> list[Any]:
        values: list[Any] = self._function(*arguments)
        return values

    def bind(self, *arguments: Any, known: Known | None = None) -> BoundFunction:
        """The function of the other arguments."""
        return partial(self, *arguments)


def looped_function(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Tape:
    """A graph run by NumPy, and for many rows by loops of machine code."""
    return Tape(inputs, outputs, NUMPY.optimizer, loops_from=LOOPS_FROM)


def numpy_function(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Tape:
    """A graph run by NumPy alone."""
    return Tape(inputs, outputs, NUMPY.optimizer)


BACKENDS: dict[str, Callable[[Sequence[Variable], Sequence[Variable]], Function]] = {
    "auto": looped_function,
    "numpy": numpy_function,
    "numba": NumbaFunction,
}


def check_backend(backend: str) -> None:
    """Refuse an unknown backend.

    Raises
    ------
    ArgumentError
    """
    if backend not in BACKENDS:
        raise unknown_name("backend", backend, BACKENDS)


def register_numba() -> None:
    """Tell PyTensor how numba runs our Ops: without it they would run as Python objects."""
    from mixedlm_pt.linalg import dispatch_numba  # noqa: F401 (the import registers)
