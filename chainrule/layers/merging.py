"""Layers that make one array of several: they are called on a list.

Elementwise layers broadcast; of inputs with fewer axes, the missing ones come behind the batch. A position counts in
the result where it counts in any input; a position that does not count in one input takes no part in products, maxima
and minima.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import broadcast_shapes, multiply_dims, normalize_axis
from chainrule.graph.types import bool_
from chainrule.layers.layer import Layer, is_shape

_SMALLEST_SQUARE = 1e-14
"""What a vector's squared length is at least taken for, so that one of zeros can be divided by it."""


class Merge(Layer):
    """Abstract: elementwise, of a list of arrays."""

    supports_masking = True

    def __init__(self, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype=dtype)

    def merge(self, arrays: list[Any]) -> Any:
        """The result, of arrays with equally many axes."""
        raise NotImplementedError

    def absent(self, x: Any, counts: Any) -> Any:
        """x with something in place of what does not count; left as it is by default."""
        return x

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        rank = max(len(x.shape) for x in inputs)
        return self.merge([with_axes(x, rank) for x in inputs])

    def compute_output_shape(self, input_shape: Any) -> Any:
        rank = max(len(shape) for shape in require_list(self, input_shape))
        aligned = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in input_shape]
        return broadcast_shapes(*aligned, where=type(self).__name__)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None or any(mask is None for mask in previous_mask):
            return None
        result = previous_mask[0]
        for mask in previous_mask[1:]:
            result = ops.logical_or(result, mask)
        return result


def require_list(layer: Layer, input_shape: Any, exactly: int | None = None) -> Any:
    """The shapes of a list of inputs; refuse a single array, and another number of them."""
    if is_shape(input_shape) or isinstance(input_shape, dict):
        raise ChainruleError(
            "it merges several arrays",
            expected="a list of them",
            got="one array" if is_shape(input_shape) else "a dict",
            fix=f"call {type(layer).__name__}()([a, b])",
        )
    if exactly is not None and len(input_shape) != exactly:
        raise ChainruleError("wrong number of inputs", expected=exactly, got=len(input_shape))
    return input_shape


def with_axes(x: Any, rank: int) -> Any:
    """x with axes of size 1 behind the batch, so that it has as many as the others."""
    missing = rank - len(x.shape)
    return ops.expand_dims(x, tuple(range(1, 1 + missing))) if missing else x


def spread(mask: Any, x: Any) -> Any:
    """A mask of the first axes of x as an array of its shape."""
    behind = (1,) * (len(x.shape) - len(mask.shape))
    return ops.broadcast_to(ops.reshape(mask, (*mask.shape, *behind)), tuple(x.shape))


def chained(operation: Callable[[Any, Any], Any], arrays: Sequence[Any]) -> Any:
    """``operation(operation(a, b), c)`` and so on."""
    result = arrays[0]
    for other in arrays[1:]:
        result = operation(result, other)
    return result


class Add(Merge):
    """``a + b + …``.

    Example:
        >>> import numpy as np
        >>> Add()([np.ones((1, 2), "float32"), np.ones((1, 2), "float32")])
        array([[2., 2.]], dtype=float32)
    """

    def merge(self, arrays: list[Any]) -> Any:
        return chained(ops.add, arrays)


class Average(Merge):
    """``(a + b + …) / n``."""

    def merge(self, arrays: list[Any]) -> Any:
        return ops.divide(chained(ops.add, arrays), len(arrays))


class Subtract(Merge):
    """``a - b``, of exactly two."""

    def build(self, input_shape: Any) -> None:
        require_list(self, input_shape, exactly=2)
        super().build(input_shape)

    def merge(self, arrays: list[Any]) -> Any:
        return ops.subtract(arrays[0], arrays[1])


class Multiply(Merge):
    """``a * b * …``; what does not count in one input is 1 there, and 0 in the result where it counts in none."""

    def merge(self, arrays: list[Any]) -> Any:
        return chained(ops.multiply, arrays)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        masks = usable_masks(inputs, mask)
        if masks is None:
            return super().call(inputs)
        factors = [
            x if counts is None else ops.where(spread(counts, x), x, 1.0)
            for x, counts in zip(inputs, masks, strict=True)
        ]
        result = self.merge(factors)
        counted = self.compute_mask(inputs, masks)
        return result if counted is None else ops.where(spread(counted, result), result, 0.0)


class _Extreme(Merge):
    """Abstract: the largest or smallest element; where one input does not count it is the others'."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        masks = usable_masks(inputs, mask)
        if masks is None:
            return super().call(inputs)
        result, counted = inputs[0], masks[0]
        for x, counts in zip(inputs[1:], masks[1:], strict=True):
            other = x if counts is None else ops.where(spread(counts, x), x, result)
            result = result if counted is None else ops.where(spread(counted, result), result, other)
            counted = None if counted is None or counts is None else ops.logical_or(counted, counts)
            result = self.merge([result, other])
        return result


class Maximum(_Extreme):
    """``max(a, b, …)``."""

    def merge(self, arrays: list[Any]) -> Any:
        return chained(ops.maximum, arrays)


class Minimum(_Extreme):
    """``min(a, b, …)``."""

    def merge(self, arrays: list[Any]) -> Any:
        return chained(ops.minimum, arrays)


def usable_masks(inputs: Sequence[Any], mask: Any) -> list[Any] | None:
    """A mask or None for each input; None where there is none at all, or where inputs are stretched."""
    if mask is None or all(one is None for one in mask) or len({tuple(x.shape) for x in inputs}) > 1:
        return None
    return list(mask)


class Concatenate(Merge):
    """The arrays joined along an axis, which is not the batch; their other sizes are equal.

    Example:
        >>> import numpy as np
        >>> Concatenate()([np.zeros((1, 2), "float32"), np.ones((1, 1), "float32")])
        array([[0., 0., 1.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype)
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise ChainruleError("not an axis", where="Concatenate, axis", expected="a whole number", got=repr(axis))
        self.axis = axis

    def merge(self, arrays: list[Any]) -> Any:
        return ops.concatenate(arrays, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first, *others = [tuple(shape) for shape in require_list(self, input_shape)]
        at = normalize_axis(self.axis, len(first), "Concatenate")
        if at == 0:
            raise ChainruleError("the axis is the batch", expected="an axis behind it", got=self.axis)
        for other in others:
            if len(other) != len(first) or (*other[:at], *other[at + 1 :]) != (*first[:at], *first[at + 1 :]):
                raise ChainruleError(
                    "the arrays do not fit together", expected=f"{first} but for axis {self.axis}", got=other
                )
        return (*first[:at], first[at] + sum(other[at] for other in others), *first[at + 1 :])

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None or all(mask is None for mask in previous_mask):
            return None
        spreads = [
            ops.full(tuple(x.shape), True, bool_) if mask is None else spread(mask, x)
            for x, mask in zip(inputs, previous_mask, strict=True)
        ]
        return ops.any(ops.concatenate(spreads, self.axis), axis=-1)

    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        return self.merge(list(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Merge):
    """The sum of products of two arrays along an axis of each, sample by sample.

    Args:
        axes: the axis of both, or a pair; not the batch.
        normalize: whether vectors are brought to length 1 first; the result is then the cosine between them.

    Shapes: (batch, …a, n, …b) and (batch, …c, n, …d) give (batch, …a, …b, …c, …d); (batch, 1) where nothing is left.

    Example:
        >>> import numpy as np
        >>> Dot(axes=1)([np.array([[1.0, 2.0]], "float32"), np.array([[3.0, 4.0]], "float32")])
        array([[11.]], dtype=float32)
    """

    def __init__(
        self,
        axes: int | Sequence[int],
        normalize: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype)
        pair = [axes, axes] if isinstance(axes, int) else list(axes)
        if len(pair) != 2 or not all(isinstance(axis, int) and not isinstance(axis, bool) for axis in pair):
            raise ChainruleError(
                "not axes of two arrays", where="Dot, axes", expected="a whole number, or two", got=repr(axes)
            )
        self.axes = axes if isinstance(axes, int) else pair
        self.normalize = bool(normalize)

    def places(self, ranks: Sequence[int]) -> list[int]:
        """The axes counted from the front."""
        pair = [self.axes, self.axes] if isinstance(self.axes, int) else self.axes
        found = [normalize_axis(axis, rank, "Dot") for axis, rank in zip(pair, ranks, strict=True)]
        if 0 in found:
            raise ChainruleError("the axis is the batch", expected="axes behind it", got=self.axes)
        return found

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = require_list(self, input_shape, exactly=2)
        first, second = self.places([len(shape) for shape in shapes])
        a, b = (tuple(shape) for shape in shapes)
        if a[first] != b[second]:
            raise ChainruleError("the axes differ in size", expected=a[first], got=b[second])
        shape = (*a[:first], *a[first + 1 :], *b[1:second], *b[second + 1 :])
        return shape if len(shape) > 1 else (*shape, 1)

    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        first, second = self.places([len(x.shape) for x in inputs])
        a, b = ops.moveaxis(inputs[0], first, -1), ops.moveaxis(inputs[1], second, 1)
        if self.normalize:
            a, b = to_length_one(a, -1), to_length_one(b, 1)
        left, right = tuple(a.shape[1:-1]), tuple(b.shape[2:])
        rows = ops.reshape(a, (a.shape[0], multiply_dims(left), a.shape[-1]))
        columns = ops.reshape(b, (b.shape[0], b.shape[1], multiply_dims(right)))
        return ops.reshape(ops.matmul(rows, columns), (a.shape[0], *(left + right or (1,))))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def to_length_one(x: Any, axis: int) -> Any:
    """Vectors along an axis divided by their length."""
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    return ops.divide(x, ops.sqrt(ops.maximum(squares, _SMALLEST_SQUARE)))


# -- the same as functions ----------------------------------------------------------------------------------------


def add(inputs: Sequence[Any], name: str | None = None) -> Any:
    """``Add()(inputs)``."""
    return Add(name)(inputs)


def average(inputs: Sequence[Any], name: str | None = None) -> Any:
    """``Average()(inputs)``."""
    return Average(name)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, name: str | None = None) -> Any:
    """``Concatenate(axis)(inputs)``."""
    return Concatenate(axis, name)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, normalize: bool = False, name: str | None = None) -> Any:
    """``Dot(axes, normalize)(inputs)``."""
    return Dot(axes, normalize, name)(inputs)


def maximum(inputs: Sequence[Any], name: str | None = None) -> Any:
    """``Maximum()(inputs)``."""
    return Maximum(name)(inputs)


def minimum(inputs: Sequence[Any], name: str | None = None) -> Any:
    """``Minimum()(inputs)``."""
    return Minimum(name)(inputs)


def multiply(inputs: Sequence[Any], name: str | None = None) -> Any:
    """``Multiply()(inputs)``."""
    return Multiply(name)(inputs)


def subtract(inputs: Sequence[Any], name: str | None = None) -> Any:
    """``Subtract()(inputs)``."""
    return Subtract(name)(inputs)
