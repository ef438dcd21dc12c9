"""Functions of loops, compiled to machine code when they are first called."""

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_double, c_int64, c_void_p
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir

from mixedlm_pt.linalg.addresses import address
from mixedlm_pt.linalg.machine_code import machine_code
from mixedlm_pt.linalg.translation import FLOAT, INT, ArgumentType, ArrayType, Translation

# Sizes of trailing dimensions up to SMALL are part of the compiled type, which unrolls the loops
# over the few columns of a term; but not for arrays of less than MANY rows, where that is no gain.
SMALL, MANY = 4, 32
C_TYPES: dict[Any, Any] = {INT: c_int64, FLOAT: c_double}


class Loop[**Arguments, Value]:
    """A function of loops that is compiled when it is first called, for the types it is given.

    Its arguments are C-contiguous arrays of float64 or int64, integers and floats. Arrays that it
    writes share no memory with its other arguments. A call releases Python's lock. See
    `translation` for what a function may contain.
    """

    def __init__(self, function: Callable[Arguments, Value]) -> None:
        assert isinstance(function, FunctionType)
        self.function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self.compiled: dict[tuple[Any, ...], Callable[..., Value]] = {}

    @cached_property
    def numba(self) -> Callable[Arguments, Value]:
        """The function compiled by numba, for graphs that numba compiles."""
        import numba

        jit = numba.njit(cache=True, error_model="numpy")
        compiled: Callable[Arguments, Value] = jit(self.function)
        return compiled

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        """Call the compiled function."""
        types: list[Any] = []
        flat: list[Any] = []
        for argument in args:
            if isinstance(argument, np.ndarray):
                assert argument.flags.c_contiguous, f"{self.__name__} needs contiguous arrays"
                shape = argument.shape
                small = SMALL if shape[0] >= MANY else -1
                types.append((argument.dtype, *[d if d <= small else -1 for d in shape[1:]]))
                flat.append(address(argument))
                flat += shape
            else:
                types.append(type(argument))
                flat.append(argument)
        key = tuple(types)
        if key not in self.compiled:
            self.compiled[key] = compile_loops(self.function, key)
        return self.compiled[key](*flat)


def compile_loops(function: FunctionType, key: tuple[Any, ...]) -> Callable[..., Any]:
    """Machine code of a function of loops for arguments of these types."""
    name = function.__name__
    module = ir.Module(name)
    kinds = [argument_type(part) for part in key]
    code = Translation(module, function, kinds, name, source_of).code
    signature = code.function_type
    arguments = [C_TYPES.get(t, c_void_p) for t in signature.args]
    prototype = CFUNCTYPE(C_TYPES.get(signature.return_type), *arguments)
    return prototype(*machine_code(str(module), name))


def argument_type(part: Any) -> ArgumentType:
    """What a part of a key says: a number's type, or an array's dtype and known sizes."""
    if isinstance(part, tuple):
        assert part[0] in (np.float64, np.int64), part
        return ArrayType(part[0] == np.float64, (-1, *part[1:]))
    assert part in (int, float), part
    return int if part is int else float


def source_of(loop: Any) -> FunctionType:
    """The Python function of a loop that another one calls."""
    assert isinstance(loop, Loop)
    return loop.function
