"""What it costs to be able to explain a NaN: training with and without what keeps the last steps (a `Rewind`).

    python benchmarks/rewind_cost.py [--rounds 15] [--json FILE]

Both take turns in one process. A figure is the median over turns of the ratio of two neighbours; the time of a turn is
that of its thread in ``own time``, which other processes do not disturb, and that of the clock in ``time``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from common import write_json
from frameworks.ours import make_model
from workloads import WORKLOADS, make_data

import chainrule as cr
from chainrule.training import loop, rewind


class Without:
    """In place of a `Rewind`: nothing is kept."""

    def __init__(self, model: Any, run: Any = None):
        pass

    def begin_epoch(self, run: Any, epoch: int) -> None:
        run.begin_epoch(epoch)

    def before(self, *what: Any) -> None:
        pass


def batches(x: np.ndarray, y: np.ndarray, size: int, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Fresh arrays, as a data loader gives them."""
    for step in range(steps):
        start = step * size % (len(x) - size)
        yield x[start : start + size].copy(), y[start : start + size].copy()


def cases() -> dict[str, tuple[int, Callable[[], Any]]]:
    """What is timed: how many steps, and a function that trains them."""
    found: dict[str, tuple[int, Callable[[], Any]]] = {}
    (images, labels), _ = cr.datasets.mnist.load_data()
    digits = make_model(WORKLOADS["digits"])
    found["digits, arrays"] = (234, lambda: digits.fit(images[:30000], labels[:30000], batch_size=128, verbose=0))
    found["digits, batches"] = (100, lambda: digits.fit(batches(images, labels, 128, 100), verbose=0))
    x, y = make_data(WORKLOADS["tiny"])
    tiny = make_model(WORKLOADS["tiny"])
    found["tiny, arrays"] = (100_000, lambda: tiny.fit(x, y, batch_size=32, epochs=10, shuffle=False, verbose=0))
    found["tiny, batches"] = (2000, lambda: tiny.fit(batches(x, y, 32, 2000), verbose=0))
    found["tiny, epochs of a step"] = (2000, lambda: tiny.fit(x[:32], y[:32], epochs=2000, verbose=0))

    def by_hand() -> None:
        tiny.batch_rewind = None
        for x_batch, y_batch in batches(x, y, 32, 2000):
            tiny.train_on_batch(x_batch, y_batch)

    found["tiny, train_on_batch"] = (2000, by_hand)
    return found


def measure(train: Callable[[], Any], kind: Any) -> tuple[float, float]:
    """Seconds of a training, by the clock and of this thread."""
    loop.Rewind = kind  # type: ignore[misc]
    clock, own = time.perf_counter(), time.thread_time()
    train()
    return time.perf_counter() - clock, time.thread_time() - own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()

    report: dict[str, Any] = {}
    print(f"{'':<24}{'µs a step':>12}{'time':>10}{'own time':>10}{'µs more a step':>16}")
    for name, (steps, train) in cases().items():
        train()
        turns = []
        for turn in range(options.rounds):
            kinds = [rewind.Rewind, Without] if turn % 2 else [Without, rewind.Rewind]
            seconds = {kind: measure(train, kind) for kind in kinds}
            turns.append((seconds[rewind.Rewind], seconds[Without]))
        clock = statistics.median(kept[0] / without[0] for kept, without in turns)
        own = statistics.median(kept[1] / without[1] for kept, without in turns)
        more = statistics.median(kept[1] - without[1] for kept, without in turns) / steps * 1e6
        step = statistics.median(without[0] for _, without in turns) / steps * 1e6
        report[name] = {"microseconds": step, "ratio": clock, "ratio_own_time": own, "more_microseconds": more}
        print(f"{name:<24}{step:>12.2f}{clock - 1:>+10.2%}{own - 1:>+10.2%}{more:>16.3f}", flush=True)
    write_json(options.json, {"rewind_cost": report})


if __name__ == "__main__":
    main()
