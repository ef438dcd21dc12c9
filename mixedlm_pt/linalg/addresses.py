"""Where arrays are, for code that does not know Python."""

from ctypes import addressof, c_char
from typing import Any


def address(array: Any) -> int:
    """Where an array's first number is.

    NumPy's own ways to ask take four times as long, which counts where all of a call takes ten
    microseconds.
    """
    try:
        return addressof(c_char.from_buffer(array))
    except (TypeError, ValueError):
        # Read-only, not in one piece, or empty.
        where: int = array.__array_interface__["data"][0]
        return where
