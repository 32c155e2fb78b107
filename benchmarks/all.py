"""Every benchmark after the other, and one file of all that they measured: machine, versions, medians, ratios.

python benchmarks/all.py [--rounds 7] [--plots docs/images] [--json benchmarks/results.json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import write_json

FOLDER = Path(__file__).resolve().parent
ROUNDS = {
    "train": None,
    "predict": None,
    "products": 3,
    "cold_start": 5,
    "compile_time": 5,
    "memory": 3,
    "scaling": 3,
    "rewind_cost": None,
}
"""Scripts in the order they run, and their most rounds where a process is started for each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plots", metavar="FOLDER", help="where scaling.py draws")
    parser.add_argument("--json", metavar="FILE", default=str(FOLDER / "results.json"))
    options = parser.parse_args()

    report: dict[str, Any] = {}
    failed = []
    with tempfile.TemporaryDirectory() as parts:
        for name, most in ROUNDS.items():
            print(f"\n=== {name}.py", flush=True)
            part = Path(parts) / f"{name}.json"
            rounds = min(options.rounds, most or options.rounds)
            command = [sys.executable, str(FOLDER / f"{name}.py"), "--rounds", str(rounds), "--json", str(part)]
            if name == "scaling" and options.plots:
                command += ["--plots", options.plots]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
            if part.exists():
                report = json.loads(part.read_text("utf-8")) | report  # the first peak counts
    report["failed"] = failed
    write_json(options.json, report)
    if failed:
        raise SystemExit(f"not all went well: {', '.join(failed)}")


if __name__ == "__main__":
    main()
