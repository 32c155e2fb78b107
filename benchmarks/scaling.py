"""How the time a step grows with width, depth, batch and workers, that of a prediction with its rows, and the compile
time with depth.

Squared error on random data, Adam, layers of equal width. A step's time is the least of the rounds' epochs, a
prediction's the least of the rounds' medians. The limit is the matrix products' operations by the machine's measured
peak. The compile time is the first epoch less a later one, with no cache on disk: data, model and compiling, without
imports.

    python benchmarks/scaling.py [--sweeps width,depth] [--rounds 3] [--plots docs/images] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from common import Child, ChildEnded, measure_peak, take_turns, write_json
from frameworks import serve, start
from workloads import Workload

COMPARED = {"ours": "chainrule", "jax_scan": "JAX, lax.scan", "torch_eager": "PyTorch, eager"}
PREDICTING = {"ours": "chainrule", "onnxruntime": "ONNX Runtime", "jax": "JAX", "torch": "PyTorch, eager"}
COLORS = {
    "ours": "#1f5fbf",
    "jax_scan": "#e07b00",
    "jax": "#e07b00",
    "torch_eager": "#8a8a8a",
    "torch": "#8a8a8a",
    "onnxruntime": "#2e8b57",
}
MARKERS = {"ours": "o", "jax_scan": "s", "jax": "s", "torch_eager": "^", "torch": "^", "onnxruntime": "D"}
LONG_ENOUGH = 10e9
"""Operations an epoch has about, so that it takes some hundredths of a second."""


@dataclass(frozen=True)
class Sweep:
    """One quantity going through some values.

    Args:
        label: of the horizontal axis.
        values: what the quantity goes through.
        fixed: the rest of the network, in words.
        compiles: whether the first epoch is timed with no cache.
        predicts: whether predictions are timed, not steps of training.
    """

    label: str
    values: tuple[int, ...]
    fixed: str
    compiles: bool = False
    predicts: bool = False

    @property
    def what(self) -> str:
        return "a prediction" if self.predicts else "a training step"


def all_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SWEEPS = {
    "width": Sweep("neurons a layer", (64, 128, 256, 512, 1024, 2048), "3 layers, batch 128"),
    "depth": Sweep("layers", (2, 4, 8, 16, 32, 64, 128, 256), "128 neurons a layer, batch 128", compiles=True),
    "batch": Sweep("rows a batch", tuple(4**power for power in range(7)), "3 layers of 256"),
    "workers": Sweep("workers", tuple(range(1, all_cpus() + 1)), "784-512-512-10, batch 128"),
    "rows": Sweep("rows to predict", (1, 4, 16, 64, 256, 1024, 10_000), "784-512-512-10", predicts=True),
}


def workload_at(sweep: str, value: int) -> Workload:
    """The network for one point."""
    sizes, batch = {
        "width": ((value,) * 4, 128),
        "depth": ((128,) * (value + 1), 128),
        "batch": ((256,) * 4, value),
        "workers": ((784, 512, 512, 10), 128),
        "rows": ((784, 512, 512, 10), value),
    }[sweep]
    one = Workload(f"{sweep} {value}", sizes, batch, batch, "mse", weights="he")
    steps = min(500, max(2, round(LONG_ENOUGH / one.flops)))
    return replace(one, rows=batch * steps)


def measure_point(sweep: str, value: int, names: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds a step, and the seconds the first epoch took longer, by framework."""
    workload = workload_at(sweep, value)
    workers = value if sweep == "workers" else 0
    environment = {"CHAINRULE_CACHE": "off"} if SWEEPS[sweep].compiles else {}
    if workers:
        environment |= {"CHAINRULE_WORKERS": str(workers), "OMP_NUM_THREADS": str(workers)}
    running: dict[str, Child] = {name: start(__file__, name, workload, environment, workers) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 2):
        for name, child in take_turns(running, turn):
            try:
                seconds[name].append(child.ask("1")["seconds"])
            except ChildEnded as ended:
                print(f"{workload.name}: {ended}", file=sys.stderr)
                del running[name], seconds[name]
    for child in running.values():
        child.close()
    flops = workload.flops / workload.steps
    return {
        name: {
            "microseconds_a_step": min(values[1:]) / workload.steps * 1e6,
            "gflops": flops / (min(values[1:]) / workload.steps) / 1e9,
            "compile_seconds": max(1e-3, values[0] - min(values[1:])),
        }
        for name, values in seconds.items()
    }


def measure_predictions(count: int, names: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds to predict so many rows, by framework."""
    script = str(Path(__file__).with_name("predict.py"))
    running = {name: Child(script, name) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name, child in take_turns(running, turn):
            seconds[name].append(child.ask(str(count))["seconds"])
    for child in running.values():
        child.close()
    return {name: {"microseconds_a_step": min(values) * 1e6} for name, values in seconds.items()}


def limits(sweep: str, peak: dict[str, float], values: Sequence[int]) -> list[float]:
    """Microseconds a step at the machine's peak; with fewer workers, their part of it."""
    found = []
    for value in values:
        workload = workload_at(sweep, value)
        if SWEEPS[sweep].predicts:
            forward = sum(2.0 * value * m * n for m, n in pairwise(workload.sizes))
            found.append(forward / peak["gflops"] / 1e3)
            continue
        share = value / all_cpus() if sweep == "workers" else 1.0
        found.append(workload.flops / workload.steps / (peak["gflops"] * share) / 1e3)
    return found


def draw(path: Path, title: str, label: str, values: Sequence[int], lines: dict[str, list[float]]) -> None:
    """One plot of logarithmic axes, a line a framework, each named where it ends."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "chainrule", "svg.fonttype": "none", "font.size": 11})
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullFormatter, NullLocator

    labels = COMPARED | PREDICTING
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    for name, heights in lines.items():
        if name == "limit":
            axes.plot(values, heights, color="#444444", linestyle=(0, (4, 3)), linewidth=1.2, label="the peak's limit")
        else:
            width = 2.4 if name == "ours" else 1.6
            axes.plot(
                values, heights, color=COLORS[name], marker=MARKERS[name], linewidth=width, label=labels[name], ms=5
            )
    axes.set(xscale="log" if values[-1] > 4 * values[0] else "linear", yscale="log", xlabel=label, ylabel="time")
    axes.set_title(title, loc="left", fontsize=11)
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{value:,}" for value in values])
    highest, lowest = max(map(max, lines.values())), min(map(min, lines.values()))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if highest > 30 * lowest else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(EngFormatter("s"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")
    pyplot.close(figure)
    print(f"drawn: {path}")


def draw_sweep(folder: Path, sweep: str, points: dict[int, Any], peak: dict[str, float] | None) -> None:
    """The sweep's plots: time a step, and for one that compiles, the compile time."""
    about = SWEEPS[sweep]
    values = list(points)
    compared = PREDICTING if about.predicts else COMPARED
    names = [name for name in compared if all(name in points[value] for value in values)]

    def line(name: str, quantity: str) -> list[float]:
        return [points[value][name][quantity] for value in values]

    steps = {name: [value / 1e6 for value in line(name, "microseconds_a_step")] for name in names}
    if peak:
        steps["limit"] = [value / 1e6 for value in limits(sweep, peak, values)]
    title = f"{about.what}: {about.fixed}"
    draw(folder / f"scaling_{sweep}.svg", title, about.label, values, steps)
    if about.compiles:
        compiled = {name: line(name, "compile_seconds") for name in names if name != "torch_eager"}
        title = f"compiling a training step: {about.fixed}"
        draw(folder / f"scaling_compile_{sweep}.svg", title, about.label, values, compiled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", default=",".join(SWEEPS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plots", metavar="FOLDER")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child)
        return

    peak = measure_peak()
    report: dict[str, Any] = {}
    for sweep in options.sweeps.split(","):
        about = SWEEPS[sweep]
        names = list(PREDICTING if about.predicts else COMPARED)
        print(f"\n{sweep}: µs {about.what}, {about.fixed}")
        print(f"{about.label:<18}" + "".join(f"{name:>14}" for name in names) + f"{'limit':>14}")
        points: dict[int, Any] = {}
        for value in about.values:
            if about.predicts:
                points[value] = measure_predictions(value, names, options.rounds)
            else:
                points[value] = measure_point(sweep, value, names, options.rounds)
            cells = [
                f"{points[value][name]['microseconds_a_step']:>14,.1f}" if name in points[value] else f"{'':>14}"
                for name in names
            ]
            limit = f"{limits(sweep, peak, [value])[0]:>14,.1f}" if peak else ""
            print(f"{value:<18}" + "".join(cells) + limit, flush=True)
        if about.compiles:
            print("seconds to compile")
            for value, found in points.items():
                cells = [f"{found[name]['compile_seconds']:>14.2f}" if name in found else f"{'':>14}" for name in names]
                print(f"{value:<18}" + "".join(cells), flush=True)
        report[sweep] = {"about": about.fixed, "points": points}
        if peak:
            report[sweep]["limit_microseconds"] = dict(
                zip(about.values, limits(sweep, peak, about.values), strict=True)
            )
        if options.plots:
            draw_sweep(Path(options.plots), sweep, points, peak)
    write_json(options.json, {"peak": peak, "scaling": report})


if __name__ == "__main__":
    main()
