"""A case: two functions, chainrule's and the peer's, that must give the same arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

VALUES = 1e-6
"""Limit for what is computed once: layers, losses, metrics."""

STEPS = 1e-5
"""Limit for what a hundred steps have led to."""


@dataclass(frozen=True)
class Case:
    """Something computed twice.

    Args:
        name: as in `names.py`.
        ours, theirs: give an array, or a sequence of arrays.
        what: which variant of the name, for messages.
        limit: the largest difference, relative to the largest number of their array.
    """

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    what: str = ""
    limit: float = VALUES


def as_arrays(given: Any) -> list[np.ndarray]:
    """One array or several, as float64."""
    parts = given if isinstance(given, list | tuple) else [given]
    return [np.asarray(part, dtype=np.float64) for part in parts]


def difference(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """The largest difference of any array, relative to its largest number.

    Raises:
        ValueError: where the numbers of arrays or their shapes differ.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} arrays, theirs are {len(theirs)}")
    worst = 0.0
    for mine, other in zip(ours, theirs, strict=True):
        if mine.shape != other.shape:
            raise ValueError(f"shape {mine.shape}, theirs is {other.shape}")
        if not np.array_equal(np.isfinite(mine), np.isfinite(other)):
            raise ValueError("other elements are finite than theirs")
        if not mine.size:
            continue
        finite = np.isfinite(other)
        scale = max(float(np.abs(other[finite]).max(initial=0.0)), 1e-30)
        worst = max(worst, float(np.abs(mine[finite] - other[finite]).max(initial=0.0)) / scale)
    return worst


def run_case(case: Case) -> tuple[float, str]:
    """The difference, and what went wrong ("" where nothing did)."""
    try:
        worst = difference(as_arrays(case.ours()), as_arrays(case.theirs()))
    except Exception as error:  # whatever it is, it belongs in the table
        message = " ".join(str(error).split())
        return float("inf"), f"{case.what + ': ' if case.what else ''}{type(error).__name__}: {message}"
    if worst <= case.limit:
        return worst, ""
    return worst, f"{case.what + ': ' if case.what else ''}off by {worst:.2g}"
