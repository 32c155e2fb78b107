"""Random bits: a pure function of a key and a counter, so that they are the same for any number of workers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.primitive import Example, Formula, Notation, Primitive
from chainrule.graph.tracing import apply
from chainrule.graph.types import ArrayType, Shape, uint32
from chainrule.ops.philox import philox_numpy


def _bits_rule(key0: ArrayType, key1: ArrayType, stream: ArrayType, draw: ArrayType, shape: Shape) -> ArrayType:
    for operand in (key0, key1, stream, draw):
        if operand != ArrayType(uint32, ()):
            raise ChainruleError("wrong operand", where="random_bits", expected="uint32 scalars", got=operand)
    return ArrayType(uint32, shape)


def _evaluate_bits(key0: Any, key1: Any, stream: Any, draw: Any, shape: tuple[int, ...]) -> np.ndarray:
    index = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64)
    return philox_numpy(int(key0), int(key1), int(stream), int(draw), index).reshape(shape)


def _bits_examples() -> tuple[Example, ...]:
    words = tuple(np.asarray(word, dtype=np.uint32) for word in (1, 2, 3, 4))
    return Example(words, {"shape": (3, 7)}), Example(words, {"shape": ()}), Example(words, {"shape": (0, 2)})


RANDOM_BITS = Primitive(
    name="random_bits",
    family="random",
    type_rule=_bits_rule,
    evaluate=_evaluate_bits,
    notation=Notation(Formula("bits($x, $y, $z, $w)", r"\operatorname{bits}($x, $y, $z, $w)")),
    cost=60,
    examples=_bits_examples,
)


def random_bits(key0: Any, key1: Any, stream: Any, draw: Any, shape: Shape) -> Any:
    """Uniform 32-bit words: element i is word 0 of Philox4x32-10 for the counter (i, draw, stream).

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    return apply(RANDOM_BITS, key0, key1, stream, draw, shape=shape)
