"""The target: what the compiler must know of a processor, as numbers.

The emitter reads vector width, registers and features from here, so processors differ in numbers, not in code.
A weaker target than the host can be asked for by name, and tests run on them.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

from chainrule.errors import ChainruleError, unknown_name
from chainrule.graph.types import DType


@dataclass(frozen=True)
class Target:
    """A processor to generate code for.

    Args:
        name: avx512, avx2, sse2 or neon.
        triple: LLVM's name for machine and system.
        cpu: LLVM's name for the processor.
        features: LLVM's feature string.
        vector_bits: width of a vector register.
        registers: number of vector registers.
        has_fma: whether multiply and add round once. Without it both round, everywhere the same.
        has_masks: whether loads and stores of a part of a vector are cheap.
        has_bfloat16: whether an instruction multiplies pairs of bfloat16 and adds to float32.
    """

    name: str
    triple: str
    cpu: str
    features: str
    vector_bits: int
    registers: int
    has_fma: bool
    has_masks: bool
    has_bfloat16: bool = False

    def lanes(self, dtype: DType) -> int:
        """Elements of `dtype` in one vector register."""
        return self.vector_bits // dtype.bits


TARGETS = ("avx512", "avx2", "sse2", "neon")

_X86 = {
    # name: (cpu, features, vector bits, registers, fma, masks)
    "avx2": ("x86-64-v3", "", 256, 16, True, True),
    "sse2": ("x86-64", "", 128, 16, False, False),
}


@functools.cache
def host_targets() -> dict[str, Target]:
    """The targets this machine can run, best first."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = binding.get_process_triple()
    features = binding.get_host_cpu_features()
    if triple.startswith(("aarch64", "arm64")):
        cpu, text = binding.get_host_cpu_name(), features.flatten()
        return {"neon": Target("neon", triple, cpu, text, 128, 32, True, False)}
    if not triple.startswith("x86_64"):
        raise ChainruleError("there is no code generator for this processor", expected="x86-64 or arm64", got=triple)
    found: dict[str, Target] = {}
    if all(features.get(name) for name in ("avx512f", "avx512vl", "avx512bw", "avx512dq")):
        # Without the last feature LLVM holds back to 256-bit vectors on some processors.
        text = features.flatten() + ",-prefer-256-bit"
        found["avx512"] = Target(
            "avx512", triple, binding.get_host_cpu_name(), text, 512, 32, True, True, bool(features.get("avx512bf16"))
        )
    for name, (cpu, text, bits, registers, fma, masks) in _X86.items():
        if name == "sse2" or (features.get("avx2") and features.get("fma")):
            found[name] = Target(name, triple, cpu, text, bits, registers, fma, masks)
    return found


def choose_target(name: str | None = None) -> Target:
    """The target of this name, by default the one in CHAINRULE_TARGET, else the best that the host has."""
    targets = host_targets()
    wanted = name or os.environ.get("CHAINRULE_TARGET")
    if not wanted:
        return next(iter(targets.values()))
    if wanted not in targets:
        raise unknown_name("target", wanted, targets, where="this machine")
    return targets[wanted]
