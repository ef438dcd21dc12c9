"""BLAS on one thread: its threads wait for each other longer than our matrices take."""

from collections.abc import Callable
from functools import cache, wraps
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def libraries() -> Any:
    """The BLAS libraries of the process, NumPy's and SciPy's."""
    return ThreadpoolController()


class OneThread:
    """A context with BLAS on one thread, which several threads may be in at the same time.

    The limit is one for the process: the first sets it and the last to leave takes it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = libraries().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                disown()
                self._limit.restore_original_limits()
                disown()


one_thread = OneThread()


def disown() -> None:
    """Let any thread set the limits: of some versions only the one that did so first may."""
    for library in libraries().lib_controllers:
        clear = getattr(library, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)


def on_one_thread[**Arguments, Value](
    function: Callable[Arguments, Value],
) -> Callable[Arguments, Value]:
    """The function with BLAS on one thread while it runs, so that its results are those of one.

    On two threads a crossed fit of 10,000 rows takes three times as long, InstEval half as long
    again.
    """

    @wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        with one_thread:
            return function(*args, **kwargs)

    return run
