"""What the environment may set; everything else is an argument.

CHAINRULE_CACHE    folder of compiled code; "off" keeps nothing on disk
CHAINRULE_WORKERS  number of worker threads
CHAINRULE_TARGET   avx512, avx2, sse2 or neon: a weaker target than the host has
CHAINRULE_TILE     rows x vectors of the products' register tiles, such as 12x2, in place of the fastest by count
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.errors import ChainruleError


def count_workers() -> int:
    """CHAINRULE_WORKERS, else the CPUs that this process may use."""
    text = os.environ.get("CHAINRULE_WORKERS")
    if text:
        if not text.isdigit() or int(text) < 1:
            raise ChainruleError("not a number of workers", where="CHAINRULE_WORKERS", expected="1, 2, 3, …", got=text)
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def register_tile(known: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """CHAINRULE_TILE, which must be one of the tiles that fit the registers; None if it is not set."""
    text = os.environ.get("CHAINRULE_TILE")
    if not text:
        return None
    tiles = {f"{rows}x{vectors}": (rows, vectors) for rows, vectors in known}
    if text not in tiles:
        raise ChainruleError("not a tile", where="CHAINRULE_TILE", expected=" or ".join(tiles), got=text)
    return tiles[text]


def cache_folder() -> Path | None:
    """The folder for compiled code, or None where nothing is to be kept."""
    text = os.environ.get("CHAINRULE_CACHE")
    if text == "off":
        return None
    if text:
        return Path(text)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "chainrule"
