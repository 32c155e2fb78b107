"""Hold chainrule's numbers against its peers': a table with one row a name; any red row fails.

python oracle/run.py [KIND or NAME ...] [--verbose]
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).resolve().parent))

from case import Case, run_case
from names import expected
from rich.console import Console

KINDS = sorted({kind for kind, _ in expected()})


def load_cases(kind: str) -> dict[str, list[Case]]:
    """The cases of a kind by name."""
    if not (Path(__file__).parent / "cases" / f"{kind}.py").exists():
        return {}
    found: dict[str, list[Case]] = {}
    for case in importlib.import_module(f"cases.{kind}").CASES:
        found.setdefault(case.name, []).append(case)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="*", metavar="KIND or NAME")
    parser.add_argument("--verbose", action="store_true", help="print rows that agree, too, one a case")
    options = parser.parse_args()

    console = Console(highlight=False, soft_wrap=True)
    names = expected()
    red = green = 0
    console.print(f"{'kind':<14}{'name':<30}{'peer':<9}{'cases':>6}{'difference':>12}{'limit':>9}")
    for kind in KINDS:
        cases = load_cases(kind)
        unlisted = [name for name in cases if (kind, name) not in names]
        for name in [known for of, known in names if of == kind] + unlisted:
            if options.wanted and kind not in options.wanted and name not in options.wanted:
                continue
            results = [(case, *run_case(case)) for case in cases.get(name, [])]
            faults = [fault for _, _, fault in results if fault]
            if not results:
                faults = ["missing"]
            peer = names.get((kind, name), "not listed")
            worst, limit = max((worst / case.limit, case.limit) for case, worst, _ in results) if results else (0, 0)
            figures = f"{worst * limit:>12.1e}{limit:>9.0e}" if results else f"{'':>21}"
            color = "red" if faults else "green"
            red, green = red + bool(faults), green + (not faults)
            console.print(f"[{color}]{kind:<14}{name:<30}{peer:<9}{len(results):>6}{figures}[/]")
            for fault in faults:
                console.print(f"    {fault}", markup=False)
            if options.verbose:
                for case, worst, _ in results:
                    console.print(f"    {case.what or case.name}: {worst:.1e}", markup=False)
    console.print(f"\n{green} names agree, {red} do not")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
