"""What the benchmarks share: processes that answer line by line, medians, tables, the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PAUSE = 0.15
"""Seconds between turns, in which a framework's waiting threads fall asleep; OpenBLAS's spin for 2**26 ticks."""


class ChildEnded(RuntimeError):
    """A framework's process ended without an answer."""


class Child:
    """A framework's process: a script started with ``--child ARGUMENT`` that answers with lines of JSON.

    Args:
        script: the file to run.
        name: for tables.
        environment: variables added to this process's own.
        argument: what follows ``--child``; the name by default.
    """

    def __init__(
        self, script: str, name: str, environment: Mapping[str, str] | None = None, argument: str | None = None
    ):
        self.name = name
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, script, "--child", name if argument is None else argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def answer(self) -> dict[str, Any]:
        """The next line that the process prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ChildEnded(f"{self.name} ended without an answer (status {self.process.wait()})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, question: str) -> dict[str, Any]:
        """Its answer to one line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise ChildEnded(f"{self.name} ended (status {self.process.wait()})") from None
        return self.answer()

    def close(self) -> None:
        """End it and wait."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def take_turns(running: Mapping[str, Child], turn: int) -> Iterator[tuple[str, Child]]:
    """Each process once, after a pause, beginning with another one each turn."""
    names = list(running)
    for name in names[turn % max(1, len(names)) :] + names[: turn % max(1, len(names))]:
        time.sleep(PAUSE)
        yield name, running[name]


def tell(**values: Any) -> None:
    """A child's answer."""
    print(json.dumps(values), flush=True)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def spreads(measured: Mapping[str, Sequence[float]], baseline: str) -> dict[str, dict[str, float]]:
    """The spread of each, with the ratio of its median to the baseline's."""
    if baseline not in measured:
        return {name: spread(values) for name, values in measured.items()}
    base = statistics.median(measured[baseline])
    return {name: {**spread(values), "ratio": statistics.median(values) / base} for name, values in measured.items()}


def print_table(
    title: str,
    measured: Mapping[str, Sequence[float]],
    baseline: str,
    unit: str = "s",
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """A row a name: the median, the range, how many times the baseline's median that is, and columns of `more`."""
    extra = "".join(f"  {column:>16}" for column in more or {})
    print(f"\n{title}\n{'':<24}{'median':>13}{'least':>13}{'greatest':>13}{f'/ {baseline}':>26}{extra}")
    for name, row in spreads(measured, baseline).items():
        figures = "".join(f"{format_figure(row[key]) + ' ' + unit:>13}" for key in ("median", "least", "greatest"))
        ratio = f"{row['ratio']:>25.2f}×" if "ratio" in row else f"{'':>26}"
        extra = "".join(f"  {column.get(name, ''):>16}" for column in (more or {}).values())
        print(f"{name:<24}{figures}{ratio}{extra}", flush=True)


def format_figure(value: float) -> str:
    """Four digits, without an exponent."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{3 if value < 10 else 2 if value < 100 else 1}f}"


def describe_machine() -> dict[str, Any]:
    """Where the figures were taken."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {"cpu": model, "cpus": cpus, "system": platform.system(), "python": platform.python_version()}


def describe_versions() -> dict[str, str]:
    """The versions of everything compared."""
    versions = {}
    for package in ("chainrule", "numpy", "llvmlite", "jax", "torch", "keras", "scikit-learn", "onnxruntime"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed as a package"
    return versions


def measure_peak() -> dict[str, float] | None:
    """GFLOP/s of all workers together and GB/s of memory: the best of some tries; None where that is not available."""
    try:
        from chainrule.runtime.machine import measure_machine
    except ImportError:
        return None
    gflops, bandwidth = 0.0, 0.0
    for _ in range(5):
        machine = measure_machine()
        gflops, bandwidth = max(gflops, machine.peak_gflops), max(bandwidth, machine.bandwidth_gbs)
        time.sleep(PAUSE)
    return {"gflops": gflops, "bandwidth_gbs": bandwidth}


def write_json(path: str | None, report: Mapping[str, Any]) -> None:
    """Write the report where one was asked for."""
    if path:
        whole = {"machine": describe_machine(), "versions": describe_versions(), **report}
        Path(path).write_text(json.dumps(whole, indent=2) + "\n", "utf-8")
        print(f"\nwritten to {path}")
