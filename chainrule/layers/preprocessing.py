"""Layers that prepare numbers: scaling, and normalization by the data's statistics.

They compute on NumPy arrays before training, and as a part of a model in its compiled steps. What `adapt` learns from
data is kept in weights or in the configuration, so that a saved model holds it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.ir import Node
from chainrule.graph.shapes import normalize_axes
from chainrule.graph.tree import flatten
from chainrule.layers.core import as_float
from chainrule.layers.layer import Layer
from chainrule.layers.scaled import check_axis, spread

_SMALLEST_DEVIATION = 1e-7


class DataLayer(Layer):
    """Abstract: a layer that takes lists of numbers or strings as arrays."""

    def __call__(
        self, inputs: Any, *others: Any, training: bool | None = None, mask: Any = None, **options: Any
    ) -> Any:
        return super().__call__(as_array(inputs), *others, training=training, mask=mask, **options)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def as_array(values: Any) -> Any:
    """A nest of lists as an array; what is an array or symbolic stays."""
    if not isinstance(values, tuple | list) or any(isinstance(leaf, Node) for leaf in flatten(values)[0]):
        return values
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def batches_of(data: Any) -> Iterator[np.ndarray]:
    """The arrays that `adapt` is given: one array, a list of numbers, or an iterable of batches, which may be tuples.

    Raises:
        DataError: where there is nothing.
    """
    if isinstance(data, np.ndarray) or hasattr(data, "__array__"):
        yield np.asarray(data)
        return
    if isinstance(data, tuple | list) and not any(hasattr(item, "shape") for item in data):
        yield np.asarray(data)
        return
    empty = True
    for batch in data:
        empty = False
        yield np.asarray(batch[0] if isinstance(batch, tuple) else batch)
    if empty:
        raise DataError("there are no batches to learn from", where="adapt", expected="at least one array")


class Rescaling(DataLayer):
    """``x * scale + offset``; pixels of 8 bits become float32 inside the compiled step.

    Args:
        scale, offset: numbers, or arrays that fit the last axes.

    Example:
        >>> Rescaling(1 / 255)(np.array([[0, 255]], "uint8"))
        array([[0., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self, scale: Any, offset: Any = 0.0, name: str | None = None, trainable: bool = True, dtype: str | None = None
    ):
        super().__init__(name, trainable, dtype=dtype)
        self.scale, self.offset = read_factor("scale", scale), read_factor("offset", offset)

    def call(self, x: Any) -> Any:
        scaled = ops.multiply(as_float(x), self.scale)
        return scaled if isinstance(self.offset, float) and not self.offset else ops.add(scaled, self.offset)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale if isinstance(self.scale, float) else self.scale.tolist(),
            "offset": self.offset if isinstance(self.offset, float) else self.offset.tolist(),
        }


def read_factor(name: str, value: Any) -> float | np.ndarray:
    """A number as a float, a list or an array as float32."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise ChainruleError("not a number", where=f"Rescaling, {name}", expected="a number", got=repr(value))
    return float(array) if array.ndim == 0 else array.astype(np.float32)


class Normalization(DataLayer):
    """``(x - mean) / max(sqrt(variance), 1e-7)``, with statistics that `adapt` takes from data.

    Args:
        axis: the axis or axes along which each place has statistics of its own; None for one pair of numbers.
        mean, variance: the statistics, where they are known; they need no `adapt` then.
        invert: whether ``mean + x * sqrt(variance)`` is computed, which undoes it.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
        >>> layer(np.array([[2.0, 30.0]], "float32"))
        array([[0., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        if axis is None or (isinstance(axis, tuple | list) and not axis):
            self.axis: tuple[int, ...] = ()
        else:
            checked = check_axis("Normalization, axis", axis)
            self.axis = tuple(checked) if isinstance(checked, list) else (checked,)
        if (mean is None) != (variance is None) or np.shape(mean) != np.shape(variance):
            raise ChainruleError(
                "mean and variance belong together",
                where="Normalization",
                expected="both, of one shape, or neither",
                got=f"mean {mean!r}, variance {variance!r}",
            )
        if np.ndim(mean) > len(self.axis):
            raise ChainruleError(
                "mean has more axes than there are statistics",
                where="Normalization",
                expected=f"at most {len(self.axis)} axes",
                got=np.shape(mean),
            )
        self.input_mean = None if mean is None else np.asarray(mean, np.float32)
        self.input_variance = None if variance is None else np.asarray(variance, np.float32)
        self.invert = bool(invert)

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        kept = normalize_axes(self.axis, len(shape), "axis")
        if 0 in kept:
            raise ChainruleError(
                "the axis is the batch", expected=f"axes of {shape} after the first, or None", got=self.axis
            )
        self.kept_axes = kept
        sizes = tuple(int(shape[axis]) for axis in kept)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(sizes, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(sizes, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")  # Keras has it, too
        else:
            assert self.input_variance is not None
            self.given_mean = np.broadcast_to(self.input_mean, sizes)
            self.given_variance = np.broadcast_to(self.input_variance, sizes)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data.

        Args:
            data: an array, or an iterable of batches; of tuples their first part.
        """
        if self.input_mean is not None:
            raise ChainruleError("the statistics were given", where=f"layer '{self.name}'", fix="make it without mean")
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in batches_of(data):
            self.ensure_built(tuple(batch.shape[1:]))
            axes = tuple(axis for axis in range(batch.ndim) if axis not in self.kept_axes)
            size = math.prod(batch.shape[axis] for axis in axes)
            own_mean, own_variance = np.mean(batch, axes, np.float64), np.var(batch, axes, np.float64)
            # Of two parts: the mean of the variances, plus the variance of the means (Chan et al. 1979).
            share = size / max(count + size, 1)
            step = own_mean - mean
            variance = (1 - share) * variance + share * own_variance + share * (1 - share) * step**2
            mean, count = mean + share * step, count + size
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    @property
    def mean(self) -> np.ndarray:
        """The mean, one number for each place along `axis`."""
        return self.given_mean if self.input_mean is not None else self.adapt_mean.numpy()

    @property
    def variance(self) -> np.ndarray:
        """The variance, likewise."""
        return self.given_variance if self.input_mean is not None else self.adapt_variance.numpy()

    def call(self, x: Any) -> Any:
        x = as_float(x)
        rank = len(x.shape)
        given = self.input_mean is not None
        mean = spread(self.given_mean if given else self.adapt_mean, self.kept_axes, rank)
        variance = spread(self.given_variance if given else self.adapt_variance, self.kept_axes, rank)
        deviation = ops.maximum(ops.sqrt(variance), _SMALLEST_DEVIATION)
        if self.invert:
            return ops.add(ops.multiply(x, deviation), mean)
        return ops.divide(ops.subtract(x, mean), deviation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": list(self.axis),
            "mean": None if self.input_mean is None else self.input_mean.tolist(),
            "variance": None if self.input_variance is None else self.input_variance.tolist(),
            "invert": self.invert,
        }
