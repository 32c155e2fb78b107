"""How fast large matrix products are: GFLOP/s, beside NumPy, PyTorch and JAX and the machine's measured peak.

Three ways to lie in memory, as in a layer: ``x @ w`` forward, ``dy @ w.T`` for the inputs' gradient, ``x.T @ dy`` for
the weights'. A few elements of each result must agree with sums in float64. A round's figure is its median call.

    python benchmarks/products.py [--frameworks ours,jax] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from common import Child, measure_peak, print_table, spreads, take_turns, tell, write_json

SECONDS = 0.3
"""How long a round is, and at least three calls."""
AGREEMENT = 1e-3

Product = Callable[[np.ndarray, np.ndarray, str], Callable[[], Any]]


class Shape(NamedTuple):
    """Rows and columns of the result, terms of each sum, and which factor is turned: ``left``, ``right`` or neither."""

    rows: int
    terms: int
    columns: int
    turned: str = ""

    def __str__(self) -> str:
        return f"{self.rows}x{self.terms}x{self.columns}{f', {self.turned} turned' if self.turned else ''}"


SHAPES = [
    Shape(*sizes, turned)
    for sizes in ((128, 4096, 4096), (512, 2048, 2048), (2048, 512, 2048), (2048, 2048, 2048), (4096, 4096, 4096))
    for turned in ("", "right", "left")
]


def turn(a: Any, b: Any, turned: str) -> tuple[Any, Any]:
    """The factors as the product takes them."""
    return (a.T if turned == "left" else a), (b.T if turned == "right" else b)


def make_ours(a: np.ndarray, b: np.ndarray, turned: str) -> Callable[[], Any]:
    import chainrule as cr

    def product(a: Any, b: Any) -> Any:
        left, right = turn(a, b, turned)
        return left @ right

    compiled = cr.jit(product)
    return lambda: compiled(a, b)


def make_numpy(a: np.ndarray, b: np.ndarray, turned: str) -> Callable[[], Any]:
    left, right = turn(a, b, turned)
    return lambda: left @ right


def make_torch(a: np.ndarray, b: np.ndarray, turned: str) -> Callable[[], Any]:
    import torch

    left, right = turn(torch.from_numpy(a), torch.from_numpy(b), turned)
    return lambda: torch.matmul(left, right)


def make_jax(a: np.ndarray, b: np.ndarray, turned: str) -> Callable[[], Any]:
    import jax

    compiled = jax.jit(lambda a, b: jax.numpy.matmul(*turn(a, b, turned)))
    x, y = jax.device_put(a), jax.device_put(b)
    return lambda: compiled(x, y).block_until_ready()


MAKERS: Mapping[str, Product] = {"ours": make_ours, "jax": make_jax, "torch": make_torch, "numpy": make_numpy}


def serve(name: str) -> None:
    """A process: for each line, the number of a shape, the median seconds a call."""
    for line in sys.stdin:
        shape = SHAPES[int(line)]
        rng = np.random.default_rng(0)
        a, b = rng.random((shape.rows, shape.terms), np.float32), rng.random((shape.terms, shape.columns), np.float32)
        given = [np.ascontiguousarray(factor) for factor in turn(a, b, shape.turned)]
        product = MAKERS[name](given[0], given[1], shape.turned)
        last = float(np.asarray(product())[-1, -1])
        expected = float(a[-1].astype(np.float64) @ b[:, -1])
        if not abs(last - expected) <= AGREEMENT * expected:
            raise SystemExit(f"{name}, {shape}: an element is {last}, not {expected}")
        seconds: list[float] = []
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or len(seconds) < 3:
            started = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - started)
        tell(seconds=statistics.median(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frameworks", default=",".join(MAKERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", choices=MAKERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child)
        return

    peak = measure_peak()
    if peak is not None:
        print(f"the machine's peak: {peak['gflops']:.0f} GFLOP/s", flush=True)
    children = {name: Child(__file__, name) for name in options.frameworks.split(",")}
    report: dict[str, Any] = {}
    for number, shape in enumerate(SHAPES):
        measured: dict[str, list[float]] = {name: [] for name in children}
        for turn_number in range(options.rounds):
            for name, child in take_turns(children, turn_number):
                measured[name].append(child.ask(str(number))["seconds"] * 1e3)
        work = 2e-6 * shape.rows * shape.terms * shape.columns
        rows: dict[str, dict[str, Any]] = {}
        for name, row in spreads(measured, "ours").items():
            rows[name] = {**row, "gflops": work / row["median"]}
            if peak is not None:
                rows[name]["of_peak"] = rows[name]["gflops"] / peak["gflops"]
        columns = {
            "GFLOP/s": {name: f"{row['gflops']:.0f}" for name, row in rows.items()},
            "of peak": {name: f"{row['of_peak']:.0%}" for name, row in rows.items() if "of_peak" in row},
        }
        print_table(str(shape), measured, "ours", "ms", columns)
        report[str(shape)] = rows
    for child in children.values():
        child.close()
    write_json(options.json, {"products": report, "peak": peak})


if __name__ == "__main__":
    main()
