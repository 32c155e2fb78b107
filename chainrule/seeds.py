"""Where seeds come from when none is given: one counter, started by `set_random_seed`, else by the system."""

from __future__ import annotations

import os

import numpy as np

from chainrule.errors import ChainruleError


class _Source:
    """A start and how many seeds were drawn; draws are words of Philox, so they never collide by arithmetic."""

    def __init__(self) -> None:
        self.restart(int.from_bytes(os.urandom(8), "little"))

    def restart(self, seed: int) -> None:
        self.bits = np.random.Philox(key=seed)

    def draw(self) -> int:
        return int(self.bits.random_raw()) >> 1


_source = _Source()


def set_random_seed(seed: int) -> None:
    """Make everything random from here on repeatable: initial weights, dropout, the order of the data.

    Example:
        >>> set_random_seed(1); first = next_seed(); set_random_seed(1); first == next_seed()
        True
    """
    if not isinstance(seed, int) or seed < 0:
        raise ChainruleError("not a seed", where="set_random_seed", expected="a whole number from 0", got=repr(seed))
    _source.restart(seed)


def next_seed() -> int:
    """A new seed."""
    return _source.draw()


def generator(seed: int | None = None) -> np.random.Generator:
    """NumPy's generator on a counter-based source, from this seed or a new one."""
    return np.random.Generator(np.random.Philox(key=next_seed() if seed is None else seed))
