"""Arrays that begin at a cache line, so that no vector of theirs lies across two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""


def aligned_empty(shape: Sequence[int], dtype: Any = np.uint8) -> np.ndarray:
    """An array of unset elements whose first lies at a multiple of 64 bytes.

    Example:
        >>> aligned_empty((3, 5), "float32").ctypes.data % 64
        0
    """
    kind = np.dtype(dtype)
    size = kind.itemsize
    for dim in shape:
        size *= dim
    raw = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(kind).reshape(shape)
