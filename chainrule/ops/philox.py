"""Philox4x32-10 in NumPy: ten rounds of multiply and exclusive or on a counter of four words with a key of two.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
_WORD = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox_numpy(key0: int, key1: int, stream: int, draw: int, index: np.ndarray) -> np.ndarray:
    """Word 0 of Philox4x32-10 for the key (key0, key1) and the counters (index, draw, stream).

    Args:
        index: uint64 numbers; each fills the first two words of a counter.

    Returns:
        uint32 array of index's shape.

    Example:
        >>> hex(int(philox_numpy(0, 0, 0, 0, np.zeros(1, "uint64"))[0]))
        '0x6627e8d5'
    """
    c0, c1 = index & _WORD, index >> _HALF
    c2, c3 = np.full_like(index, draw & 0xFFFFFFFF), np.full_like(index, stream & 0xFFFFFFFF)
    k0, k1 = key0 & 0xFFFFFFFF, key1 & 0xFFFFFFFF
    for _ in range(ROUNDS):
        first, second = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (second >> _HALF) ^ c1 ^ np.uint64(k0),
            second & _WORD,
            (first >> _HALF) ^ c3 ^ np.uint64(k1),
            first & _WORD,
        )
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    return c0.astype(np.uint32)
