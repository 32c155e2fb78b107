"""What the benchmarks share: processes that answer line by line, medians, tables."""

from __future__ import annotations

import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (784, 512, 512, 10)
BATCH = 128
ROWS = 60_000


class Child:
    """A framework's process: a script started with ``--child NAME`` that answers each line with a line of JSON."""

    def __init__(self, script: str, name: str, environment: Mapping[str, str] | None = None):
        self.name = name
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, script, "--child", name],
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
            raise SystemExit(f"{self.name} ended without an answer (status {self.process.wait()})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, question: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def tell(**values: Any) -> None:
    """A child's answer."""
    print(json.dumps(values), flush=True)


def initial_weights(seed: int = 0) -> list[np.ndarray]:
    """Glorot-uniform kernels and zero biases, the same in every process."""
    rng = np.random.default_rng(seed)
    weights = []
    for rows, columns in itertools.pairwise(SIZES):
        limit = np.sqrt(6 / (rows + columns))
        weights += [rng.uniform(-limit, limit, (rows, columns)).astype("float32"), np.zeros(columns, "float32")]
    return weights


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(seconds), "least": min(seconds), "greatest": max(seconds)}


def print_table(title: str, measured: Mapping[str, Sequence[float]], baseline: str, unit: str = "s") -> None:
    """A row a name: the median, the range, and how many times the baseline's median that is."""
    base = statistics.median(measured[baseline])
    print(f"\n{title}\n{'':<24}{'median':>10}{'least':>10}{'greatest':>10}{f'/ {baseline}':>16}")
    for name, seconds in measured.items():
        figures = "".join(f"{value:>8.3f} {unit}" for value in spread(seconds).values())
        print(f"{name:<24}{figures}{statistics.median(seconds) / base:>15.2f}×")


def describe_machine() -> dict[str, Any]:
    """Where the figures were taken."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {"cpu": model, "cpus": cpus, "python": platform.python_version()}


def write_json(path: str | None, report: Mapping[str, Any]) -> None:
    """Write the report where one was asked for."""
    if path:
        Path(path).write_text(json.dumps({"machine": describe_machine(), **report}, indent=2) + "\n", "utf-8")
        print(f"\nwritten to {path}")
