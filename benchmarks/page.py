"""Put what `all.py` measured into the tables of the documents.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; what is between is replaced.

    python benchmarks/page.py benchmarks/results.json docs/performance.md README.md
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import format_figure

Report = Mapping[str, Any]


def name_of(key: str) -> str:
    """What a reader calls a framework, with what follows the comma: ``ours, warm cache``."""
    name, comma, rest = key.partition(", ")
    return NAMES.get(name, name) + comma + rest


NAMES = {
    "ours": "chainrule",
    "ours_bfloat16": "chainrule, `mixed_bfloat16`",
    "jax_scan": "JAX, the epoch in one `lax.scan`",
    "jax_step": "JAX, a compiled step",
    "torch_eager": "PyTorch, eager",
    "keras_jax": "Keras on JAX",
    "sklearn_mlp": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
    "torch": "PyTorch, eager",
    "jax": "JAX, compiled",
    "keras": "Keras on JAX",
    "numpy": "NumPy",
}
"""What a reader calls the frameworks."""


def make_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def training(report: Report) -> str:
    """A row a workload: ours, the fastest peer, the share of the peak, and how many times as long the others take."""
    rows = []
    others = ("torch_eager", "keras_jax", "sklearn_mlp")
    for name, found in report["train"].items():
        times = found["microseconds_a_step"]
        fastest = found["fastest_peer"]
        ratios = [f"{times[other]['ratio']:.1f}" if other in times else "" for other in others]
        rows.append(
            [
                f"`{name}`",
                format_figure(times["ours"]["median"]),
                f"{times['ours'].get('share_of_peak', 0):.0%}",
                format_figure(times[fastest]["median"]),
                f"**{found['fastest_peer_ratio']:.2f}**",
                *ratios,
            ]
        )
    head = [
        "",
        "chainrule, µs a step",
        "of the peak",
        "fastest peer (JAX)",
        "ratio",
        "PyTorch",
        "Keras",
        "scikit-learn",
    ]
    return make_table(head, rows)


def digits(report: Report) -> str:
    """The first workload, a row a framework, in seconds an epoch."""
    found = report["train"]["digits"]
    steps = 469
    times = found["microseconds_a_step"]
    rows = [
        [NAMES[name], f"{times[name]['median'] * steps / 1e6:.2f} s", f"{times[name]['ratio']:.2f}"]
        for name in ("ours", "jax_scan", "keras_jax", "torch_eager", "sklearn_mlp")
        if name in times
    ]
    return make_table(["", "median", "ratio"], rows)


def narrow(report: Report) -> str:
    """float32 against bfloat16 products."""
    rows = []
    for name, found in report["train"].items():
        times = found["microseconds_a_step"]
        if "ours_bfloat16" in times:
            ours, other = times["ours"], times["ours_bfloat16"]
            rows.append(
                [
                    f"`{name}`",
                    format_figure(ours["median"]),
                    format_figure(other["median"]),
                    f"{1 / other['ratio']:.2f}",
                ]
            )
    return make_table(["", "float32, µs a step", "bfloat16, µs a step", "ratio"], rows)


def predicting(report: Report) -> str:
    """One row and many rows, a row a framework."""
    one, many = report["predict"].values()
    rows = [
        [NAMES[name], format_figure(one[name]["median"]), f"{one[name]['ratio']:.2f}", f"{many[name]['median']:.1f}",
         f"{many[name]['ratio']:.2f}"]
        for name in one
    ]  # fmt: skip
    return make_table(["", "one row, µs", "ratio", "10,000 rows, ms", "ratio"], rows)


def products(report: Report) -> str:
    """A row a shape: GFLOP/s of ours and of JAX, the share of the peak, the ratio."""
    rows = [
        [f"`{shape}`", f"{found['ours']['gflops']:.0f}", f"{found['ours']['of_peak']:.0%}",
         f"{found['jax']['gflops']:.0f}", f"{found['jax']['ratio']:.2f}"]
        for shape, found in report["products"].items()
    ]  # fmt: skip
    return make_table(["", "chainrule, GFLOP/s", "of the peak", "JAX, GFLOP/s", "ratio"], rows)


def seconds(of: str) -> Callable[[Report], str]:
    """A table of one part of `cold_start.py`."""

    def table(report: Report) -> str:
        rows = [
            [name_of(name), f"{row['median']:.2f} s", f"{row['ratio']:.2f}"]
            for name, row in report["cold_start"][of].items()
        ]
        return make_table(["", "median", "ratio"], rows)

    return table


def memory(report: Report) -> str:
    """Peak memory, a row a framework."""
    rows = [[NAMES[name], f"{row['median']:.0f} MB", f"{row['ratio']:.1f}"] for name, row in report["memory"].items()]
    return make_table(["", "median", "ratio"], rows)


def compiling(report: Report) -> str:
    """Import and compile times."""
    rows = [[name, f"{row['median']:.2f} s"] for name, row in report["compile_time"].items()]
    return make_table(["", "median"], rows)


def machine(report: Report) -> str:
    """Where and with what it was measured."""
    host, peak, versions = report["machine"], report["peak"], report["versions"]
    against = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "chainrule")
    return (
        f"{host['cpus']} cores ({host['cpu']}), {host['system']}, Python {host['python']}; measured peak "
        f"{peak['gflops']:.0f} GFLOP/s in float32, {peak['bandwidth_gbs']:.0f} GB/s from memory. {against}."
    )


TABLES: Mapping[str, Callable[[Report], str]] = {
    "machine": machine,
    "training": training,
    "digits": digits,
    "narrow": narrow,
    "predicting": predicting,
    "products": products,
    "epoch": seconds("one epoch"),
    "goal": seconds("98 %"),
    "memory": memory,
    "compiling": compiling,
}

PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(text: str, report: Report) -> str:
    """A document with its tables made anew."""
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]](report)}\n{found[3]}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("documents", nargs="+")
    options = parser.parse_args()
    report = json.loads(Path(options.results).read_text("utf-8"))
    for document in map(Path, options.documents):
        document.write_text(fill(document.read_text("utf-8"), report), "utf-8")
        print(f"filled: {document}")


if __name__ == "__main__":
    main()
