"""Microseconds a training step: chainrule and its peers, on every workload of `workloads.py`.

The same network, initial weights, order of rows, batches, loss and Adam in each; the mean losses of the first two
epochs must agree, those in bfloat16 to 2 %. The peers get images as float32 scaled beforehand, chainrule as the uint8
they are. GFLOP/s count the matrix products alone (`Workload.flops`); the machine's peak is measured by a loop of
float32 multiply-adds on all workers.

    python benchmarks/train.py [--workloads digits,tiny] [--frameworks ours,jax_scan] [--rounds 7] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from common import Child, ChildEnded, measure_peak, print_table, spreads, take_turns, write_json
from frameworks import FRAMEWORKS, reason_to_skip, serve, start
from workloads import WORKLOADS, Workload

NARROW_AGREEMENT = 0.02
"""How far a loss may be off, as a part of it, where factors are rounded to 8 bits."""


def measure(workload: Workload, names: Sequence[str], rounds: int) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Seconds a step in each round, and the losses of the first epochs, by framework."""
    running: dict[str, Child] = {name: start(__file__, name, workload) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    losses: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name, child in take_turns(running, turn):
            epochs = workload.epochs if turn else 1  # the first epoch compiles
            try:
                answer = child.ask(str(epochs))
            except ChildEnded as ended:
                print(f"{workload.name}: {ended}", file=sys.stderr)
                child.close()
                del running[name], seconds[name], losses[name]
                continue
            losses[name] += answer["losses"]
            if turn:
                seconds[name].append(answer["seconds"] / epochs / workload.steps)
    for child in running.values():
        child.close()
    return seconds, {name: values[:2] for name, values in losses.items()}


def find_disagreements(workload: Workload, losses: dict[str, list[float]]) -> list[str]:
    """Sentences on the frameworks that do not train the same network as the first."""
    if not losses:
        return [f"{workload.name}: nothing was trained"]
    first = next(iter(losses))
    return [
        f"{workload.name}: {name} does not train the same network: loss {theirs:.6g} for {ours:.6g} in {first}"
        for name, values in losses.items()
        for ours, theirs in zip(losses[first], values, strict=True)
        if not abs(ours - theirs) <= (NARROW_AGREEMENT if "bfloat16" in name else workload.agreement) * abs(ours)
    ]


def report_on(
    workload: Workload, seconds: dict[str, list[float]], losses: dict[str, list[float]], peak: dict[str, float] | None
) -> dict[str, Any]:
    """Print the workload's table; what it holds, for the JSON."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    flops = workload.flops / workload.steps
    speeds = {name: flops / median / 1e9 for name, median in medians.items()}
    columns = {"GFLOP/s": {name: f"{speed:.1f}" for name, speed in speeds.items()}}
    if peak:
        columns["of peak"] = {name: f"{speed / peak['gflops']:.1%}" for name, speed in speeds.items()}
    columns["losses"] = {name: " ".join(f"{loss:.4g}" for loss in values) for name, values in losses.items()}
    micro = {name: [value * 1e6 for value in values] for name, values in seconds.items()}
    print_table(f"{workload.describe()}, {flops / 1e9:.4g} GFLOP a step", micro, "ours", "µs", columns)
    rows = spreads(micro, "ours")
    report: dict[str, Any] = {
        "workload": workload.describe(),
        "flops_a_step": flops,
        "microseconds_a_step": {
            name: {
                **rows[name],
                "gflops": speed,
                **({"share_of_peak": speed / peak["gflops"]} if peak else {}),
                "losses": losses[name],
            }
            for name, speed in speeds.items()
        },
    }
    peers = {name: median for name, median in medians.items() if not name.startswith("ours")}
    if peers and "ours" in medians:
        fastest = min(peers, key=peers.__getitem__)
        ratio = peers[fastest] / medians["ours"]
        print(f"fastest peer / ours: {ratio:.2f}× ({FRAMEWORKS[fastest]})", flush=True)
        report.update(fastest_peer=fastest, fastest_peer_ratio=ratio)
    return report


def choose(text: str, known: Sequence[str]) -> list[str]:
    """The names in `text`, each of them known."""
    names = text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"{name!r} is not one of {', '.join(known)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child)
        return

    workloads = [WORKLOADS[name] for name in choose(options.workloads, list(WORKLOADS))]
    frameworks = choose(options.frameworks, list(FRAMEWORKS))
    peak = measure_peak()
    if peak:
        print(f"the machine's peak: {peak['gflops']:.0f} GFLOP/s, {peak['bandwidth_gbs']:.0f} GB/s")
    report: dict[str, Any] = {"peak": peak, "train": {}}
    wrong: list[str] = []
    for workload in workloads:
        names = []
        for name in frameworks:
            reason = reason_to_skip(name, workload)
            if reason is None:
                names.append(name)
            else:
                print(f"\n{workload.name} without {FRAMEWORKS[name]}: {reason}")
        seconds, losses = measure(workload, names, options.rounds)
        report["train"][workload.name] = report_on(workload, seconds, losses, peak)
        wrong += find_disagreements(workload, losses)
    write_json(options.json, report)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
