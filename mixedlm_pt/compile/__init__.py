"""From symbolic graphs to functions."""

from mixedlm_pt.compile.backends import BoundFunction, Function
from mixedlm_pt.compile.functions import Approximation, CompiledModel, compile_model
from mixedlm_pt.compile.tape import Known

__all__ = [
    "Approximation",
    "BoundFunction",
    "CompiledModel",
    "Function",
    "Known",
    "compile_model",
]
