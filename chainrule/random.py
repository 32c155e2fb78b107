"""Random numbers that are a pure function of a seed and a counter, in eager and compiled code the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph.tracing import as_operand
from chainrule.graph.types import Shape, float32
from chainrule.graph.variable import Variable
from chainrule.ops import add, cast, cos, log, multiply, random_bits, sqrt, subtract, where
from chainrule.ops.elementwise import less
from chainrule.ops.movement import concatenate, select_index
from chainrule.seeds import next_seed


class SeedGenerator:
    """A counter of random draws. Each draw reads the state and moves it on, so no two are alike.

    Args:
        seed: a whole number; a new one by default.
    """

    def __init__(self, seed: int | None = None, name: str = "seed_generator"):
        self.seed = next_seed() if seed is None else seed
        words = [self.seed & 0xFFFFFFFF, self.seed >> 32 & 0xFFFFFFFF, 0, 0]
        self.state = Variable(np.array(words, dtype=np.uint32), name=name, trainable=False)

    def draw(self, shape: Shape) -> Any:
        """Uniform 32-bit words of this shape."""
        state = as_operand(self.state)
        words = [select_index(state, place) for place in range(4)]
        bits = random_bits(words[0], words[1], words[2], words[3], shape=shape)
        following = add(select_index(state, slice(3, 4)), np.uint32(1))
        self.state.assign(concatenate([select_index(state, slice(0, 3)), following], 0))
        return bits


def _generator(seed: Any) -> SeedGenerator:
    return seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)


def uniform(shape: Shape, minval: float = 0.0, maxval: float = 1.0, seed: Any = None) -> Any:
    """float32 numbers from `minval` up to but not including `maxval`: the upper 24 bits of each word."""
    bits = _generator(seed).draw(shape)
    unit = multiply(cast(divide_bits(bits), float32), 2.0**-24)
    return add(multiply(unit, maxval - minval), minval)


def divide_bits(bits: Any) -> Any:
    """The upper 24 bits of 32, as whole numbers."""
    from chainrule.ops.elementwise import floor

    return floor(multiply(cast(bits, "float64"), 1 / 256.0))


def normal(shape: Shape, mean: float = 0.0, stddev: float = 1.0, seed: Any = None) -> Any:
    """float32 numbers of a normal distribution, by Box and Muller's transformation."""
    source = _generator(seed)
    radius = sqrt(multiply(log(subtract(1.0, uniform(shape, seed=source))), -2.0))
    angle = multiply(uniform(shape, seed=source), 2 * math.pi)
    return add(multiply(multiply(radius, cos(angle)), stddev), mean)


def bernoulli(shape: Shape, p: float = 0.5, seed: Any = None) -> Any:
    """True with probability `p`."""
    limit = min(int(p * 2**32), 2**32 - 1)
    return less(_generator(seed).draw(shape), np.uint32(limit))


def dropout(x: Any, rate: float, seed: Any = None) -> Any:
    """Zero with probability `rate`, else ``x / (1 - rate)``, so that the mean stays."""
    operand = as_operand(x)
    kept = bernoulli(tuple(operand.shape), 1.0 - rate, seed)
    return where(kept, multiply(operand, 1.0 / (1.0 - rate)), 0.0)


__all__ = ["SeedGenerator", "bernoulli", "dropout", "normal", "uniform"]
