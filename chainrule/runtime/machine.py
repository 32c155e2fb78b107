"""The machine's measured limits: multiply-adds a second in registers, bytes a second from memory.

A figure such as "80 % of the peak" means of these numbers, taken on this machine just before or after.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule import settings
from chainrule.compiler.target import Target, choose_target
from chainrule.graph.memory import aligned_empty
from chainrule.runtime import cache, engine
from chainrule.runtime.workers import pool_for

_CHAINS = 24  # independent sums: more than latency times units of any processor, fewer than its registers
_STREAM = 64 << 20  # bytes each worker reads from memory: more than a cache holds
_CACHED = 256 << 10  # bytes each worker reads again and again: less than its second cache holds


@dataclass(frozen=True)
class Machine:
    """What was measured, all workers together.

    Args:
        processor: its name.
        target: whose instructions were used.
        workers: threads that ran at once.
        peak_gflops: float32 operations a second, in 10**9, a multiply-add being two.
        bandwidth_gbs: bytes a second read from memory, in 10**9.
        cache_gbs: bytes a second read from the second cache, in 10**9.
    """

    processor: str
    target: str
    workers: int
    peak_gflops: float
    bandwidth_gbs: float
    cache_gbs: float

    def describe(self) -> str:
        """One line for people."""
        threads = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return (
            f"{self.processor}, {self.target}, {threads}: "
            f"{self.peak_gflops:.0f} GFLOP/s, {self.bandwidth_gbs:.0f} GB/s memory, {self.cache_gbs:.0f} GB/s cache"
        )


def processor_name() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measure_machine(worker_count: int | None = None, rounds: int = 7) -> Machine:
    """Measure for about a tenth of a second: the best of some rounds, since only disturbance makes a round slower."""
    target = choose_target()
    count = worker_count or settings.count_workers()
    key = cache.make_key("machine", target.cpu, target.features, cache.compiler_version())
    address = engine.functions_for([(key, lambda: _limits_text(target, f"k_{key}"))], target)[0]
    pool = pool_for(target)
    lanes = target.vector_bits // 32
    sums = np.zeros((count, _CHAINS * lanes), np.float32)
    data = aligned_empty((count, _STREAM // 4), np.float32)
    data[:] = 1.0  # pages that were never written are all one page of zeros
    control = np.zeros((count, 4), dtype=np.int64)

    def best(stream: int, turns: int) -> float:
        """Seconds for so many turns of multiply-adds, or of reading `stream` bytes."""
        for worker in range(count):
            source = data[worker].ctypes.data if stream else 0
            control[worker] = (sums[worker].ctypes.data, source, stream * 8 // target.vector_bits, turns)
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            pool.run(address, control.ctypes.data, control.strides[0], count)
            times.append(time.perf_counter() - began)
        return min(times)

    repeats, again = 1_000_000, 400
    flops = 2.0 * _CHAINS * lanes * repeats * count / best(0, repeats)
    memory = float(_STREAM) * count / best(_STREAM, 1)
    cached = float(_CACHED) * again * count / best(_CACHED, again)
    return Machine(processor_name(), target.name, count, flops / 1e9, memory / 1e9, cached / 1e9)


def _limits_text(target: Target, name: str) -> str:
    """``NAME(control, worker)``, control being sums, data, vectors, turns: multiply-adds, or sums over the data."""
    lanes = target.vector_bits // 32
    kind = f"<{lanes} x float>"
    half = ", ".join(["float 0.5"] * lanes)

    def accumulate(chain: int, left: str, right: str) -> str:
        if target.has_fma:
            return f"  %n{chain} = call {kind} @llvm.fma.v{lanes}f32({kind} {left}, {kind} {right}, {kind} %s{chain})"
        return f"  %m{chain} = fmul {kind} {left}, {right}\n  %n{chain} = fadd {kind} %m{chain}, %s{chain}"

    chains = range(_CHAINS if target.registers >= 32 else 12)
    phis = [f"  %s{c} = phi {kind} [ zeroinitializer, %entry ], [ %n{c}, %multiply ]" for c in chains]
    sums = [accumulate(c, "%x", "%y") for c in chains]
    scale = _CHAINS // len(chains)
    streams = range(8)
    reads = []
    for stream in streams:
        reads.append(f"  %p{stream} = getelementptr {kind}, ptr %at, i64 {stream}")
        reads.append(f"  %v{stream} = load {kind}, ptr %p{stream}, align 4")
        reads.append(f"  %r{stream} = fadd {kind} %t{stream}, %v{stream}")
    keep = [
        f"  %k{c} = getelementptr {kind}, ptr %sums, i64 {c}\n  store {kind} %n{c}, ptr %k{c}, align 4" for c in chains
    ]
    heads = [f"  %t{c} = phi {kind} [ zeroinitializer, %pass ], [ %r{c}, %read ]" for c in streams]
    ends = [
        f"  %e{c} = getelementptr {kind}, ptr %sums, i64 {c}\n  store {kind} %r{c}, ptr %e{c}, align 4" for c in streams
    ]
    return "\n".join(
        [
            f'target triple = "{target.triple}"',
            f"declare {kind} @llvm.fma.v{lanes}f32({kind}, {kind}, {kind})",
            f"define void @{name}(ptr %control, i64 %worker) {{",
            "entry:",
            "  %sums = load ptr, ptr %control, align 8",
            "  %data.at = getelementptr i64, ptr %control, i64 1",
            "  %data = load ptr, ptr %data.at, align 8",
            "  %vectors.at = getelementptr i64, ptr %control, i64 2",
            "  %vectors = load i64, ptr %vectors.at, align 8",
            "  %count.at = getelementptr i64, ptr %control, i64 3",
            "  %count = load i64, ptr %count.at, align 8",
            f"  %x = load {kind}, ptr %sums, align 4",
            f"  %y = fadd {kind} %x, <{half}>",
            f"  %turns = mul i64 %count, {scale}",
            "  %streaming = icmp ne ptr %data, null",
            "  br i1 %streaming, label %pass, label %multiply",
            "multiply:",
            "  %i = phi i64 [ 0, %entry ], [ %i.next, %multiply ]",
            *phis,
            *sums,
            "  %i.next = add i64 %i, 1",
            "  %more = icmp slt i64 %i.next, %turns",
            "  br i1 %more, label %multiply, label %kept",
            "kept:",
            *keep,
            "  ret void",
            "pass:",
            "  %turn = phi i64 [ 0, %entry ], [ %turn.next, %passed ]",
            "  br label %read",
            "read:",
            "  %j = phi i64 [ 0, %pass ], [ %j.next, %read ]",
            "  %at = phi ptr [ %data, %pass ], [ %at.next, %read ]",
            *heads,
            *reads,
            f"  %at.next = getelementptr {kind}, ptr %at, i64 {len(streams)}",
            f"  %j.next = add i64 %j, {len(streams)}",
            "  %further = icmp slt i64 %j.next, %vectors",
            "  br i1 %further, label %read, label %passed",
            "passed:",
            *ends,
            "  %turn.next = add i64 %turn, 1",
            "  %again = icmp slt i64 %turn.next, %count",
            "  br i1 %again, label %pass, label %ended",
            "ended:",
            "  ret void",
            "}",
        ]
    )
