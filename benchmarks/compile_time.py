"""How long the user waits before anything runs: `import`, and compiling a training step.

    python benchmarks/compile_time.py [--rounds 5] [--json FILE]

Compiling is the first `fit` on one batch less the second. Every figure comes from a fresh process; "cold" has an empty
cache on disk, "warm" the cache that the process before it left.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from common import Child, print_table, spread, tell, write_json

BATCH = 128


def measure_import() -> None:
    """`import chainrule` and its networks, in a process that has imported numpy for this script."""
    started = perf_counter()
    import chainrule

    assert chainrule.Sequential  # a name is imported when it is asked for
    tell(seconds=perf_counter() - started)


def measure_whole_import() -> None:
    """`import chainrule` and its networks from nothing, numpy included."""
    import subprocess

    code = (
        "import time; t = time.perf_counter(); import chainrule; chainrule.Sequential; print(time.perf_counter() - t)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    tell(seconds=float(printed))


def measure_digits() -> None:
    """The digits step, 784-512-512-10."""
    import chainrule as cr

    model = cr.Sequential(
        [
            cr.Input((28, 28), dtype="uint8"),
            cr.layers.Rescaling(1 / 255),
            cr.layers.Flatten(),
            cr.layers.Dense(512, activation="relu"),
            cr.layers.Dense(512, activation="relu"),
            cr.layers.Dense(10),
        ]
    )
    rng = np.random.default_rng(0)
    measure_step(cr, model, rng.integers(0, 256, (BATCH, 28, 28)).astype("uint8"))


def measure_layers(count: int) -> None:
    """`count` equal layers of 32 neurons."""
    import chainrule as cr

    model = cr.Sequential(
        [cr.Input((32,)), *(cr.layers.Dense(32, activation="relu") for _ in range(count)), cr.layers.Dense(10)]
    )
    measure_step(cr, model, np.random.default_rng(0).standard_normal((BATCH, 32)).astype("float32"))


def measure_deep() -> None:
    """The workload `deep500`: 500 residual layers of 64."""
    from frameworks.ours import make_model
    from workloads import WORKLOADS, make_data

    workload = WORKLOADS["deep500"]
    x, y = (array[: workload.batch] for array in make_data(workload))
    time_fits(make_model(workload), x, y, workload.batch)


def measure_step(cr, model, x: np.ndarray) -> None:
    """Time to trace, compile and load the training step of `model`."""
    y = (np.arange(len(x)) % 10).astype("uint8")
    model.compile(
        optimizer=cr.optimizers.Adam(1e-3),
        loss=cr.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    time_fits(model, x, y, BATCH)


def time_fits(model, x: np.ndarray, y: np.ndarray, batch: int) -> None:
    """Tell how much longer the first step takes than the second."""
    times = []
    for _ in range(2):
        started = perf_counter()
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        times.append(perf_counter() - started)
    tell(seconds=times[0] - times[1])


def serve(name: str) -> None:
    """A child: one measurement."""
    if name == "import":
        measure_import()
    elif name == "import with numpy":
        measure_whole_import()
    elif name.startswith("digits"):
        measure_digits()
    elif name.startswith("deep500"):
        measure_deep()
    else:
        measure_layers(int(name.split()[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child)
        return

    names = ("import", "import with numpy", "digits, cold", "digits, warm")
    layers = (
        "5 layers, cold", "200 layers, cold", "deep500, cold", "5 layers, warm", "200 layers, warm", "deep500, warm"
    )  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in (*names, *layers)}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as caches:
            for name in seconds:
                cache = Path(caches) / name.split()[0].strip(",")
                child = Child(__file__, name, {"CHAINRULE_CACHE": str(cache)})
                seconds[name].append(child.answer()["seconds"])
                child.close()
    print_table("importing, and compiling the digits step", {name: seconds[name] for name in names}, names[2])
    print_table("compiling equal layers", {name: seconds[name] for name in layers}, layers[0])
    write_json(options.json, {"compile_time": {name: spread(values) for name, values in seconds.items()}})


if __name__ == "__main__":
    main()
