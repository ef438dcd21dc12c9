"""From LLVM's text to functions of this processor."""

from functools import cache
from threading import Lock
from typing import Any

# LLVM's engine is one for the process and takes one module at a time.
_lock = Lock()


@cache
def compiler() -> tuple[Any, Any]:
    """What optimises code for this processor, with all that it can do, and what holds it."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()

    def machine() -> Any:
        return binding.Target.from_default_triple().create_target_machine(
            opt=3,
            cpu=binding.get_host_cpu_name(),
            features=binding.get_host_cpu_features().flatten(),
        )

    tuning = binding.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = True
    # The engine owns the machine that it is given.
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine())
    return binding.create_pass_builder(machine(), tuning), engine


def machine_code(text: str, name: str) -> int:
    """Address of function ``name`` of a module; no other module may have one of this name."""
    from llvmlite import binding

    with _lock:
        passes, engine = compiler()
        module = binding.parse_assembly(text)
        passes.getModulePassManager().run(module, passes)
        engine.add_module(module)
        engine.finalize_object()
        return int(engine.get_function_address(name))
