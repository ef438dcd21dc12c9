"""From LLVM's text to functions of this processor, kept on disk for other processes."""

import re
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

import llvmlite

from mixedlm_pt.linalg.object_store import ObjectStore

# Of what is done to the text; code that was made otherwise is not found on disk.
PASSES = {False: "speed 2, vectorised, not interleaved, opt 3", True: "opt 1"}
# LLVM's engine is one for the process and takes one module at a time.
_lock = Lock()
_addresses: dict[str, list[int]] = {}


class Compiler:
    """What makes code for this processor, with all that it can do, and what holds it.

    Parameters
    ----------
    is_quick : bool
        Whether to do with little optimisation: code in a third of the time that takes four times
        as long for many rows.
    """

    def __init__(self, *, is_quick: bool) -> None:
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        cpu, features = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
        triple = binding.get_default_triple()

        def machine() -> Any:
            target = binding.Target.from_default_triple()
            return target.create_target_machine(
                opt=1 if is_quick else 3, cpu=cpu, features=features
            )

        tuning = binding.create_pipeline_tuning_options(speed_level=0 if is_quick else 2)
        tuning.loop_vectorization = not is_quick
        # Longer code, and no faster.
        tuning.loop_interleaving = tuning.slp_vectorization = False
        self.passes = binding.create_pass_builder(machine(), tuning)
        empty = binding.parse_assembly("")
        empty.name = "empty"
        # The engine owns the machine that it is given.
        self.engine = binding.create_mcjit_compiler(empty, machine())
        kind = f"{PASSES[is_quick]} {llvmlite.__version__} {triple} {cpu} {features}"
        self.store = ObjectStore(kind)
        self.engine.set_object_cache(
            lambda module, code: self.store.write(module.name, code),
            lambda module: self.store.read(module.name),
        )

    def addresses(self, text: str, key: str, names: list[str]) -> list[int]:
        """Where the functions of a module are."""
        from llvmlite import binding

        module = binding.parse_assembly(text)
        module.name = key
        if self.store.read(key) is None:
            self.passes.getModulePassManager().run(module, self.passes)
        self.engine.add_module(module)
        self.engine.finalize_object()
        return [int(self.engine.get_function_address(name)) for name in names]


@cache
def compiler(*, is_quick: bool) -> Compiler:
    """The compiler, made when it is first needed."""
    return Compiler(is_quick=is_quick)


def machine_code(text: str, *names: str, is_quick: bool = False) -> list[int]:
    """Addresses of the functions ``names`` of a module.

    Modules of the same text share one code, here and in other processes. For ``is_quick`` see
    `Compiler`.
    """
    key = sha256((text + PASSES[is_quick]).encode()).hexdigest()
    with _lock:
        if key not in _addresses:
            # No two modules of the engine may have functions of one name.
            own = [f"{name}.{key}" for name in names]
            for name, new in zip(names, own, strict=True):
                text = re.sub(rf'@"?{re.escape(name)}"?\(', f'@"{new}"(', text)
            _addresses[key] = compiler(is_quick=is_quick).addresses(text, key, own)
        return _addresses[key]
