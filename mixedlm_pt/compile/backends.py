"""Names of backends and the PyTensor modes behind them."""

from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

from mixedlm_pt.errors import unknown_name

# NumPy thunks: nothing is compiled, so the first fit waits for no compiler. Canonicalisation alone
# halves the graph as `fast_compile` does, in half the time, and brings in no Op that needs C.
NUMPY = Mode(linker="py", optimizer=RewriteDatabaseQuery(include=["canonicalize"]))

MODES: dict[str, Mode | str] = {"auto": NUMPY, "numpy": NUMPY, "numba": "NUMBA"}


def mode_of(backend: str) -> Mode | str:
    """PyTensor mode of a backend; ``"auto"`` compiles nothing.

    Raises
    ------
    ArgumentError
        If the backend is unknown.
    """
    if backend not in MODES:
        raise unknown_name("backend", backend, MODES)
    if backend == "numba":
        register_numba()
    return MODES[backend]


def register_numba() -> None:
    """Tell PyTensor how numba runs our Ops: without it they would run as Python objects."""
    from mixedlm_pt.linalg import dispatch_numba  # noqa: F401 (the import registers)
