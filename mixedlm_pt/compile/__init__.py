"""From symbolic graphs to functions."""

from mixedlm_pt.compile.functions import Approximation, CompiledModel, compile_model

__all__ = ["Approximation", "CompiledModel", "compile_model"]
