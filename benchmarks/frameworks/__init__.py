"""One module a framework, each with ``trainer(workload)``: a function that trains epochs and gives their mean losses.

`start` runs one in a process of its own, `serve` is that process's side. A module is imported only there, so no
framework pays for another.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from common import Child, tell
from workloads import Workload, from_json

FRAMEWORKS: Mapping[str, str] = {
    "ours": "chainrule",
    "ours_bfloat16": "chainrule, mixed_bfloat16",
    "jax_scan": "JAX, the epoch in one lax.scan",
    "jax_step": "JAX, a compiled step",
    "torch_eager": "PyTorch, eager",
    "keras_jax": "Keras on JAX",
    "sklearn_mlp": "scikit-learn",
}
"""Modules of this folder, and what a reader calls them."""


def reason_to_skip(framework: str, workload: Workload) -> str | None:
    """Why a framework cannot express a workload, or None."""
    if framework == "sklearn_mlp" and workload.residual:
        return "its networks have no residuals"
    if framework == "ours_bfloat16":
        from chainrule.compiler.target import choose_target

        if workload.name not in ("digits", "wide"):
            return "its products are too small to gain from it"
        if not choose_target().has_bfloat16:
            return "this processor has no products of bfloat16"
    return None


def trainer(framework: str, workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs of a workload in a framework, with their losses."""
    train: Callable[[int], list[float]] = importlib.import_module(f"frameworks.{framework}").trainer(workload)
    return train


def one_by_one(epochs: Iterator[float]) -> Callable[[int], list[float]]:
    """A trainer from a generator that trains one epoch at each `next`."""
    return lambda count: [next(epochs) for _ in range(count)]


def start(
    script: str, framework: str, workload: Workload, environment: Mapping[str, str] | None = None, cpus: int = 0
) -> Child:
    """A process that trains `workload`; ``ask("3")`` trains three epochs.

    The answer has ``seconds`` of them together, their ``losses``, and ``peak_mb``, the most memory the process had so
    far. With `cpus`, the process keeps to that many.
    """
    argument = json.dumps({"framework": framework, "workload": dataclasses.asdict(workload), "cpus": cpus})
    return Child(script, framework, environment, argument)


def serve(argument: str) -> None:
    """The process's side: as many epochs as each line says."""
    given = json.loads(argument)
    if given["cpus"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given["cpus"]])
    train = trainer(given["framework"], from_json(given["workload"]))
    for line in sys.stdin:
        started = time.perf_counter()
        losses = train(int(line))
        tell(seconds=time.perf_counter() - started, losses=losses, peak_mb=peak_megabytes())


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20) if sys.platform == "darwin" else size / (1 << 10)
