"""Arrays before training: classes as vectors, vectors of length 1, and batches as tuples."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import DataError


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Numbers of classes as vectors with 1 at the class and 0 elsewhere; a last axis of size 1 is taken off.

    Args:
        x: whole numbers from 0.
        num_classes: how many classes there are; one more than the largest number by default.

    Example:
        >>> to_categorical([2, 0])
        array([[0., 0., 1.],
               [1., 0., 0.]])
    """
    numbers = np.asarray(x).astype(np.int64)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    if num_classes is None:
        if numbers.size == 0:
            raise DataError(
                "no number of a class says how many there are", where="to_categorical", fix="pass num_classes"
            )
        num_classes = int(numbers.max()) + 1
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < num_classes:
        raise DataError(
            "a number is no class",
            where="to_categorical",
            expected=f"0 to {num_classes - 1}",
            got=f"{numbers.min()} to {numbers.max()}",
        )
    return (numbers[..., None] == np.arange(num_classes)).astype(np.float64)


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """``x / norm`` along `axis`; where the norm is 0, x as it is.

    Example:
        >>> normalize([[3.0, 4.0], [0.0, 0.0]])
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return np.asarray(x / np.where(norm == 0, 1.0, norm))


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """``(x, y, sample_weight)`` without what is None at its end; x alone where it is neither tuple nor list."""
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, tuple | list) else x


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of a batch, None for what it does not have.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, tuple | list) else (data,)
    if not 1 <= len(parts) <= 3:
        raise DataError(
            "not a batch",
            where="unpack_x_y_sample_weight",
            expected="x, (x, y) or (x, y, sample_weight)",
            got=len(parts),
        )
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight
