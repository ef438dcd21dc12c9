"""From LLVM's text to functions of this processor, kept on disk for other processes."""

import re
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

import llvmlite

from mixedlm_pt.linalg.object_store import ObjectStore

# Of what is done to the text; code that was made otherwise is not found on disk.
PASSES = "speed 2, vectorised, opt 3"
# LLVM's engine is one for the process and takes one module at a time.
_lock = Lock()
_addresses: dict[str, list[int]] = {}


class Compiler:
    """What optimises code for this processor, with all that it can do, and what holds it."""

    def __init__(self) -> None:
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        cpu, features = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
        triple = binding.get_default_triple()

        def machine() -> Any:
            target = binding.Target.from_default_triple()
            return target.create_target_machine(opt=3, cpu=cpu, features=features)

        tuning = binding.create_pipeline_tuning_options(speed_level=2)
        tuning.loop_vectorization = True
        self.passes = binding.create_pass_builder(machine(), tuning)
        empty = binding.parse_assembly("")
        empty.name = "empty"
        # The engine owns the machine that it is given.
        self.engine = binding.create_mcjit_compiler(empty, machine())
        kind = f"{PASSES} {llvmlite.__version__} {triple} {cpu} {features}"
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
def compiler() -> Compiler:
    """The compiler, made when it is first needed."""
    return Compiler()


def machine_code(text: str, *names: str) -> list[int]:
    """Addresses of the functions ``names`` of a module.

    Modules of the same text share one code, here and in other processes.
    """
    key = sha256(text.encode()).hexdigest()
    with _lock:
        if key not in _addresses:
            # No two modules of the engine may have functions of one name.
            own = [f"{name}.{key}" for name in names]
            for name, new in zip(names, own, strict=True):
                text = re.sub(rf'@"?{re.escape(name)}"?\(', f'@"{new}"(', text)
            _addresses[key] = compiler().addresses(text, key, own)
        return _addresses[key]
