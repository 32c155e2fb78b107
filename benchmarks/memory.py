"""How much memory a training takes: the peak of the process after one epoch of the digits, everything included.

The images themselves are 47 MB as the bytes they are and 188 MB as the float32 that the peers are given.

    python benchmarks/memory.py [--frameworks ours,torch_eager] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse

from common import print_table, spreads, write_json
from frameworks import serve, start
from workloads import WORKLOADS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frameworks", default="ours,jax_scan,torch_eager,keras_jax,sklearn_mlp")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child)
        return

    megabytes: dict[str, list[float]] = {name: [] for name in options.frameworks.split(",")}
    for _ in range(options.rounds):
        for name, values in megabytes.items():
            child = start(__file__, name, WORKLOADS["digits"])
            values.append(child.ask("1")["peak_mb"])
            child.close()
    print_table("peak memory after an epoch of digits", megabytes, "ours", "MB")
    write_json(options.json, {"memory": spreads(megabytes, "ours")})


if __name__ == "__main__":
    main()
