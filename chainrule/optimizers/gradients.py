"""Limits on gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import ops


def global_norm(arrays: Sequence[Any]) -> Any:
    """``sqrt(sum of all squares)``."""
    total: Any = 0.0
    for array in arrays:
        total = ops.add(ops.sum(ops.square(array)), total)
    return ops.sqrt(total)


def limit_gradients(
    gradients: list[Any], clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None
) -> list[Any]:
    """The gradients within the limit that is set; None and 0 are none.

    Args:
        clipnorm: the largest norm of each.
        clipvalue: the largest size of each element.
        global_clipnorm: the largest norm of all together.

    Example:
        >>> limit_gradients([ops.ones((4,))], 1.0, None, None)
        [array([0.5, 0.5, 0.5, 0.5], dtype=float32)]
    """
    if clipnorm:
        return [_shorten(gradient, ops.norm(gradient), clipnorm) for gradient in gradients]
    if global_clipnorm:
        length = global_norm(gradients)
        return [_shorten(gradient, length, global_clipnorm) for gradient in gradients]
    if clipvalue:
        return [ops.clip(gradient, -clipvalue, clipvalue) for gradient in gradients]
    return gradients


def _shorten(gradient: Any, length: Any, limit: float) -> Any:
    return ops.multiply(gradient, ops.divide(limit, ops.maximum(length, limit)))
