"""BLAS on one thread: its threads wait for each other longer than our matrices take."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def libraries() -> Any:
    """The BLAS libraries of the process, NumPy's and SciPy's."""
    return ThreadpoolController()


def on_one_thread[**Arguments, Value](
    function: Callable[Arguments, Value],
) -> Callable[Arguments, Value]:
    """The function with BLAS on one thread while it runs, so that its results are those of one.

    On two threads a crossed fit of 10,000 rows takes three times as long, InstEval half as long
    again.
    """

    @wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        with libraries().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return run
