"""Activations that look at a whole axis: each result depends on all elements along it."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.ops import log_softmax, softmax


def glu(x: Any, axis: int = -1) -> Any:
    """``a * sigmoid(b)`` with a and b the two halves of x along `axis`.

    Raises:
        ChainruleError: where the size of `axis` is odd.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017.
    """
    size = ops.shape(x)[axis]
    if not isinstance(size, int) or size % 2:
        raise ChainruleError("the axis cannot be halved", where="glu", expected="an even size", got=size)
    first, second = ops.split(x, 2, axis)
    return ops.multiply(first, ops.sigmoid(second))


def sparsemax(x: Any, axis: int = -1) -> Any:
    """``max(x - tau, 0)`` with the tau for which the results along `axis` add up to 1.

    It is the point of the simplex that is nearest to x, and is zero wherever x is far below its largest element.
    An element z is not zero where ``1 + k z > S``, with k the number and S the sum of those that are at least z. All
    pairs are compared, so that n elements cost n**2.

    Keras adds up partial sums where the sum of the chosen elements is meant; its results do not add up to 1.

    Example:
        >>> import numpy as np
        >>> sparsemax(np.array([1.0, 0.5, -1.0]))
        array([0.75, 0.25, 0.  ])

    Source: Martins and Astudillo, "From softmax to sparsemax", 2016.
    """
    z = ops.moveaxis(x, axis, -1)
    # The largest element moves all others by the same amount and keeps their sums small.
    z = ops.subtract(z, ops.stop_gradient(ops.max(z, -1, keepdims=True)))
    fixed = ops.stop_gradient(z)
    mine, other = ops.expand_dims(fixed, -1), ops.expand_dims(fixed, -2)
    at_least = ops.greater_equal(other, mine)
    number = ops.sum(ops.cast(at_least, fixed.dtype), -1)
    total = ops.sum(ops.where(at_least, other, 0.0), -1)
    chosen = ops.greater(ops.add(ops.multiply(fixed, number), 1.0), total)
    kept = ops.where(chosen, z, 0.0)
    size = ops.sum(ops.cast(chosen, fixed.dtype), -1, keepdims=True)
    tau = ops.divide(ops.subtract(ops.sum(kept, -1, keepdims=True), 1.0), size)
    return ops.moveaxis(ops.relu(ops.subtract(z, tau)), -1, axis)


__all__ = ["glu", "log_softmax", "softmax", "sparsemax"]
