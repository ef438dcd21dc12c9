"""From symbolic graphs to functions."""

from mixedlm_pt.compile.backends import BoundFunction, Function
from mixedlm_pt.compile.functions import Approximation, CompiledModel, compile_model

__all__ = ["Approximation", "BoundFunction", "CompiledModel", "Function", "compile_model"]
