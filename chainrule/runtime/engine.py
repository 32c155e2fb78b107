"""From LLVM text to addresses of functions in this process.

`functions_for` takes (name, text-maker) pairs: what the cache holds is loaded, the rest is written, optimized and
compiled, on as many threads as there are workers.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chainrule import settings
from chainrule.compiler.target import Target
from chainrule.runtime import cache

_lock = threading.Lock()
_loaded: dict[str, int] = {}  # address by name: a kernel is loaded once a process
_keep: list[Any] = []  # engines own the machine code


def compile_text(text: str, target: Target) -> bytes:
    """Machine code, as an object file, of a module in LLVM's text form."""
    from llvmlite import binding

    # Everything that this thread's module touches is its own, so that several threads can compile at once.
    module = binding.parse_assembly(text, binding.create_context())
    module.verify()
    machine = _machine(target)
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=1))
    manager = binding.create_new_function_pass_manager()
    manager.add_sroa_pass()
    manager.add_instruction_combine_pass()
    run = _unlocked("LLVMPY_RunNewFunctionPassManager")
    for function in module.functions:
        if not function.is_declaration:
            if run is None:
                manager.run(function, builder)
            else:
                run(manager, function, builder)
    return _emit_object(machine, module)


def _emit_object(machine: Any, module: Any) -> bytes:
    from llvmlite.binding import ffi

    emit = _unlocked("LLVMPY_TargetMachineEmitToMemory")
    if emit is None:
        code: bytes = machine.emit_object(module)
        return code
    with ffi.OutputString() as message:
        buffer = emit(machine, module, 1, message)
        if not buffer:
            raise RuntimeError(f"LLVM could not make machine code: {message}")
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _unlocked(name: str) -> Any:
    """A function of llvmlite's library without the lock that llvmlite puts around each, or None if it has changed.

    The lock lets one thread at a time into LLVM; LLVM itself asks only that threads share no context.
    """
    from llvmlite.binding import ffi

    return getattr(getattr(ffi.lib, name), "_cfn", None)


def _machine(target: Target) -> Any:
    from llvmlite import binding

    found = binding.Target.from_triple(target.triple)
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="jitdefault", jit=True
    )


def assembly(text: str, target: Target) -> str:
    """The processor's own language, for people."""
    from llvmlite import binding

    return _machine(target).emit_assembly(binding.parse_assembly(text))


def functions_for(entries: Sequence[tuple[str, Callable[[], str]]], target: Target) -> list[int]:
    """The address of each named function; `entries` pairs a name with what writes its module."""
    from llvmlite import binding

    with _lock:
        missing = {name: write for name, write in entries if name not in _loaded}
        if missing:
            objects = {name: cache.load(name) for name in missing}
            todo = [name for name, code in objects.items() if code is None]

            def build(name: str) -> tuple[str, bytes]:
                return name, compile_text(missing[name](), target)

            if len(todo) == 1:
                objects.update([build(todo[0])])
            elif todo:
                with ThreadPoolExecutor(settings.count_workers()) as pool:
                    objects.update(pool.map(build, todo))
            for name in todo:
                code = objects[name]
                assert code is not None
                cache.store(name, code)
            engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine(target))
            for code in objects.values():
                engine.add_object_file(binding.ObjectFileRef.from_data(code))
            engine.finalize_object()
            _keep.append(engine)
            for name in missing:
                _loaded[name] = engine.get_function_address(f"k_{name}")
        return [_loaded[name] for name, _ in entries]
