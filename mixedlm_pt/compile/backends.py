"""Names of backends and how each of them runs a graph."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import pytensor
from pytensor.graph.basic import Variable

from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.tape import Known, Tape
from mixedlm_pt.errors import unknown_name

# A loop takes 0.02 s to compile. With fewer rows the calls of many fits do not save that.
LOOPS_FROM = 2000
# A program has no results between its steps that leave the processor's cache, but one core: with
# more rows than this the steps one by one, in parts on several cores, are faster.
PROGRAM_BELOW = 200_000


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


def programmed_function(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Tape:
    """A graph that for few rows is one function of machine code, else as `looped_function`."""
    optimizer, below = NUMPY.optimizer, PROGRAM_BELOW
    return Tape(inputs, outputs, optimizer, loops_from=LOOPS_FROM, program_below=below)


def numpy_function(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Tape:
    """A graph run by NumPy alone."""
    return Tape(inputs, outputs, NUMPY.optimizer)


type Backend = Callable[[Sequence[Variable], Sequence[Variable]], Function]

# How a graph is run, and how one is that a fit runs some ten times or more.
BACKENDS: dict[str, tuple[Backend, Backend]] = {
    "auto": (looped_function, programmed_function),
    "numpy": (numpy_function, numpy_function),
    "numba": (NumbaFunction, NumbaFunction),
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
