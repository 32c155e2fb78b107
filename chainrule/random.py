"""Random numbers that are a pure function of a seed and a counter, in eager and compiled code the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.tracing import as_operand
from chainrule.graph.types import Shape, as_dtype, float32
from chainrule.graph.variable import Variable
from chainrule.ops import (
    add,
    argmax,
    cast,
    cos,
    expand_dims,
    floor,
    less,
    log,
    maximum,
    multiply,
    negative,
    random_bits,
    sqrt,
    subtract,
    where,
)
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


def _as_float(values: Any, dtype: Any, where: str) -> Any:
    target = float32 if dtype is None else as_dtype(dtype)
    if not target.is_float:
        raise ChainruleError("these numbers are no whole ones", where=where, expected="a float dtype", got=target)
    return values if target == float32 else cast(values, target)


def uniform(shape: Shape, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from `minval` up to but not including `maxval`, drawn in float32: the upper 24 bits of each word."""
    bits = _generator(seed).draw(shape)
    unit = multiply(cast(divide_bits(bits), float32), 2.0**-24)
    return _as_float(add(multiply(unit, maxval - minval), minval), dtype, "random.uniform")


def divide_bits(bits: Any) -> Any:
    """The upper 24 bits of 32, as whole numbers."""
    return floor(multiply(cast(bits, "float64"), 1 / 256.0))


def normal(shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of a normal distribution, drawn in float32 by Box and Muller's transformation."""
    source = _generator(seed)
    radius = sqrt(multiply(log(subtract(1.0, uniform(shape, seed=source))), -2.0))
    angle = multiply(uniform(shape, seed=source), 2 * math.pi)
    return _as_float(add(multiply(multiply(radius, cos(angle)), stddev), mean), dtype, "random.normal")


def randint(shape: Shape, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Whole numbers from `minval` up to but not including `maxval`.

    Example:
        >>> drawn = randint((100,), 3, 5, seed=1)
        >>> int(drawn.min()), int(drawn.max())
        (3, 4)
    """
    if as_dtype(dtype).kind not in ("int", "uint"):
        raise ChainruleError("not a type of whole numbers", where="random.randint", expected="int32, …", got=dtype)
    if not 0 < maxval - minval <= 2**32:
        raise ChainruleError(
            "no numbers to draw from", where="random.randint", expected="1 to 2**32 numbers", got=(minval, maxval)
        )
    share = multiply(cast(_generator(seed).draw(shape), "float64"), (maxval - minval) * 2.0**-32)
    return cast(add(floor(share), float(minval)), dtype)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Numbers of classes for each row of `logits`, with the probabilities ``softmax(logits)``; (rows, num_samples).

    Each class has a waiting time of mean ``exp(-logit)``, and the first to come is drawn.
    """
    operand = as_operand(logits)
    if len(operand.shape) != 2:
        raise ChainruleError(
            "not rows of logits", where="random.categorical", expected="2 axes", got=len(operand.shape)
        )
    rows, classes = operand.shape
    waiting = negative(log(subtract(1.0, uniform((rows, num_samples, classes), seed=seed))))
    # A time of 0, drawn once in 2**24 times, would let a class of probability 0 come first.
    score = subtract(expand_dims(operand, 1), log(maximum(waiting, 2.0**-25)))
    return cast(argmax(score, -1), dtype)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> np.ndarray:
    """An array's parts along `axis` in a random order; not within a compiled function."""
    operand = as_operand(x)
    if isinstance(operand, Node):
        raise ChainruleError("a traced array cannot be shuffled", where="random.shuffle", fix="shuffle it before")
    keys = _generator(seed).draw((operand.shape[axis],))
    if isinstance(keys, Node):
        raise ChainruleError("no order is drawn within a traced function", where="random.shuffle")
    return np.take(operand, np.argsort(keys, kind="stable"), axis)


def bernoulli(shape: Shape, p: float = 0.5, seed: Any = None) -> Any:
    """True with probability `p`."""
    limit = min(int(p * 2**32), 2**32 - 1)
    return less(_generator(seed).draw(shape), np.uint32(limit))


def dropout(x: Any, rate: float, seed: Any = None) -> Any:
    """Zero with probability `rate`, else ``x / (1 - rate)``, so that the mean stays."""
    operand = as_operand(x)
    kept = bernoulli(tuple(operand.shape), 1.0 - rate, seed)
    return where(kept, multiply(operand, 1.0 / (1.0 - rate)), 0.0)


__all__ = ["SeedGenerator", "bernoulli", "categorical", "dropout", "normal", "randint", "shuffle", "uniform"]
