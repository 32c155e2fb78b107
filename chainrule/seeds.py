"""Where seeds come from when none is given: one counter, started by `set_random_seed`, else by the system."""

from __future__ import annotations

import os

import numpy as np

from chainrule.errors import ChainruleError


class _Source:
    """A start and how many seeds were drawn; draws are words of Philox, so they never collide by arithmetic."""

    def __init__(self) -> None:
        self.restart(int.from_bytes(os.urandom(8), "little"))

    def restart(self, seed: int, drawn: int = 0) -> None:
        self.seed, self.drawn = seed, drawn
        self.bits = np.random.Philox(key=seed)
        self.bits.random_raw(drawn)

    def draw(self) -> int:
        self.drawn += 1
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


def get_state() -> tuple[int, int]:
    """Where the source of seeds stands: what it was started with, and how many seeds were drawn since."""
    return _source.seed, _source.drawn


def set_state(state: tuple[int, int]) -> None:
    """Go on from where `get_state` found the source.

    Example:
        >>> state = get_state(); drawn = next_seed(); set_state(state); drawn == next_seed()
        True
    """
    _source.restart(*state)


def generator(seed: int | None = None, stream: int = 0) -> np.random.Generator:
    """NumPy's generator on a counter-based source, from this seed or a new one; each stream of a seed is another."""
    key = next_seed() if seed is None else seed
    return np.random.Generator(np.random.Philox(key=key + (stream << 64)))
