"""Layers that bring each sample to a common scale: layer, group, root mean square and unit normalization.

All divide by a deviation of the sample itself, so they compute the same in training and in inference;
`batch_normalization` holds the layer that learns from the whole batch.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import normalize_axes, normalize_axis
from chainrule.layers.core import as_float
from chainrule.layers.layer import Layer
from chainrule.layers.scaled import Moments, Scaled, check_axis, sizes_along, spread

_SMALLEST_NORM = 1e-12


class LayerNormalization(Scaled):
    """``gamma * (x - mean(x)) / sqrt(var(x) + epsilon) + beta``, with the mean and variance of each sample.

    Args:
        axis: the axis or axes over which mean and variance are taken.
        epsilon, center, scale, …: as in `Scaled`.

    Shapes: x (batch, …), gamma and beta the sizes of `axis`, result as x.

    Example:
        >>> import numpy as np
        >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0], [40.0, 20.0]], "float32"))
        array([[-1.,  1.],
               [ 1., -1.]], dtype=float32)

    Source: Ba et al., "Layer normalization", 2016.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, name, trainable, dtype,
        )  # fmt: skip
        self.axis = check_axis("LayerNormalization, axis", axis)

    def build(self, input_shape: Any) -> None:
        self.add_scale_and_center(sizes_along(input_shape, self.axis, "axis"))

    def call(self, x: Any) -> Any:
        x = as_float(x)
        rank = len(x.shape)
        axes = normalize_axes(self.axis, rank, "axis")
        moments = Moments(x, axes)
        result = moments.normalized(ops.rsqrt(ops.add(moments.variance, self.epsilon)))
        if self.gamma is not None:
            result = ops.multiply(result, spread(self.gamma, axes, rank))
        return result if self.beta is None else ops.add(result, spread(self.beta, axes, rank))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, **self.scale_config()}


class GroupNormalization(Scaled):
    """Layer normalization within groups of neighbouring channels.

    Args:
        groups: into how many groups the channels are divided, a divisor of their number; -1 for one a channel.
        axis: the axis of the channels.
        epsilon, center, scale, …: as in `Scaled`.

    Mean and variance are taken over the channels of a group and over all axes but the batch.

    Shapes: x (batch, …), gamma and beta (channels,), result as x.

    Source: Wu and He, "Group normalization", 2018.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, name, trainable, dtype,
        )  # fmt: skip
        if not isinstance(groups, int) or isinstance(groups, bool) or (groups < 1 and groups != -1):
            raise ChainruleError(
                "not a number of groups", where="GroupNormalization", expected="1 or more, or -1", got=repr(groups)
            )
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise ChainruleError(
                "not an axis", where="GroupNormalization, axis", expected="a whole number", got=repr(axis)
            )
        self.groups, self.axis = groups, axis

    def count_groups(self, channels: int) -> int:
        return channels if self.groups == -1 else self.groups

    def build(self, input_shape: Any) -> None:
        (channels,) = sizes_along(input_shape, self.axis, "axis")
        if channels % self.count_groups(channels):
            raise ChainruleError(
                "the channels cannot be divided evenly",
                expected=f"groups that divide {channels} channels",
                got=self.groups,
            )
        self.add_scale_and_center((channels,))

    def call(self, x: Any) -> Any:
        x = as_float(x)
        shape, rank = tuple(x.shape), len(x.shape)
        at = normalize_axis(self.axis, rank, "axis")
        groups = self.count_groups(shape[at])
        size = shape[at] // groups
        grouped = ops.reshape(x, (*shape[:at], groups, size, *shape[at + 1 :]))
        axes = tuple(axis for axis in range(1, rank + 1) if axis != at)
        moments = Moments(grouped, axes)
        result = ops.reshape(moments.normalized(ops.rsqrt(ops.add(moments.variance, self.epsilon))), shape)
        if self.gamma is not None:
            result = ops.multiply(result, spread(self.gamma, (at,), rank))
        return result if self.beta is None else ops.add(result, spread(self.beta, (at,), rank))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis, **self.scale_config()}


class RMSNormalization(Layer):
    """``scale * x / sqrt(mean(x**2) + epsilon)``: each sample divided by its root mean square.

    Args:
        axis: the axis or axes over which the mean is taken.
        epsilon: added to the mean, so that nothing is divided by zero.

    Shapes: x (batch, …), scale the sizes of `axis`, result as x.

    Example:
        >>> import numpy as np
        >>> RMSNormalization()(np.array([[3.0, -3.0]], "float32")).round(3)
        array([[ 1., -1.]], dtype=float32)

    Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-6,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        self.axis = check_axis("RMSNormalization, axis", axis)
        self.epsilon = registry.require_number("RMSNormalization", "epsilon", epsilon, 0.0, math.inf)

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(sizes_along(input_shape, self.axis, "axis"), "ones", name="scale")

    def call(self, x: Any) -> Any:
        x = as_float(x)
        rank = len(x.shape)
        axes = normalize_axes(self.axis, rank, "axis")
        mean = ops.mean(ops.square(x), axes, keepdims=True)
        result = ops.multiply(x, ops.rsqrt(ops.add(mean, self.epsilon)))
        return ops.multiply(result, spread(self.scale, axes, rank))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon, "dtype": self.dtype_policy}


class UnitNormalization(Layer):
    """``x / max(norm(x), 1e-12)``: each sample with a Euclidean norm of 1.

    Args:
        axis: the axis or axes over which the norm is taken.

    Example:
        >>> import numpy as np
        >>> UnitNormalization()(np.array([[3.0, 4.0]], "float32"))
        array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype=dtype)
        self.axis = check_axis("UnitNormalization, axis", axis)

    def call(self, x: Any) -> Any:
        x = as_float(x)
        total = ops.sum(ops.square(x), normalize_axes(self.axis, len(x.shape), "axis"), keepdims=True)
        # The limit is put on the square, so that the derivative at zero is a number.
        return ops.multiply(x, ops.rsqrt(ops.maximum(total, _SMALLEST_NORM**2)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "dtype": self.dtype_policy}
