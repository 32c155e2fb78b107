"""What normalizations share: exact moments, and the weights `gamma` and `beta` that scale and move the results."""

from __future__ import annotations

import math
from typing import Any

from chainrule import constraints, initializers, ops, registry, regularizers
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import normalize_axes
from chainrule.layers.layer import Layer


class Moments:
    """Mean and variance of x over some axes, exact and written so that the chain rule needs few passes over x.

    Attributes:
        mean, variance: with the axes kept at size 1.
        rest: ``x - c``, where c is the mean as it was rounded, a constant to the chain rule.
        shift: ``mean(x - c)``: what rounding left of the mean, nearly 0; it carries the derivative of the mean.

    ``variance = mean((x - c)**2) - shift**2`` holds for every constant c; with this one nothing cancels. As
    ``x - mean = rest - shift``, the cotangent of x is made of sums that are needed anyway.

    Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983: the corrected two-pass one.
    """

    def __init__(self, x: Any, axes: tuple[int, ...]):
        rounded = ops.stop_gradient(ops.mean(x, axes, keepdims=True))
        self.rest = ops.subtract(x, rounded)
        self.shift = ops.mean(self.rest, axes, keepdims=True)
        self.mean = ops.add(rounded, self.shift)
        self.variance = ops.subtract(ops.mean(ops.square(self.rest), axes, keepdims=True), ops.square(self.shift))

    def normalized(self, factor: Any, offset: Any = None) -> Any:
        """``(x - mean) * factor + offset``."""
        moved = ops.multiply(self.shift, factor)
        constant = ops.negative(moved) if offset is None else ops.subtract(offset, moved)
        return ops.add(ops.multiply(self.rest, factor), constant)


def spread(weight: Any, axes: tuple[int, ...], rank: int) -> Any:
    """A weight of the sizes of `axes` as an array of this rank, of size 1 along the other axes."""
    if axes == tuple(range(rank - len(axes), rank)):
        return weight
    sizes = dict(zip(axes, weight.shape, strict=True))
    return ops.reshape(weight, tuple(sizes.get(axis, 1) for axis in range(rank)))


def check_axis(where: str, axis: Any) -> int | list[int]:
    """An axis, or a list of them."""
    listed = list(axis) if isinstance(axis, tuple | list) else [axis]
    if not listed or not all(isinstance(at, int) and not isinstance(at, bool) for at in listed):
        raise ChainruleError("not an axis", where=where, expected="a whole number, or a list of them", got=repr(axis))
    return listed if isinstance(axis, tuple | list) else int(axis)


def sizes_along(input_shape: Any, axis: Any, where: str) -> tuple[int, ...]:
    """The sizes of the axes, none of which may be the batch."""
    shape = tuple(input_shape)
    axes = normalize_axes(axis, len(shape), where)
    if 0 in axes:
        raise ChainruleError(
            "the axis is the batch", where=where, expected=f"axes of {shape} after the first", got=axis
        )
    return tuple(int(shape[at]) for at in axes)


class Scaled(Layer):
    """Abstract: a normalization whose results are multiplied by a weight `gamma` and moved by a weight `beta`.

    Args:
        epsilon: added to the variance, so that nothing is divided by zero.
        center: whether `beta` is added.
        scale: whether the result is multiplied by `gamma`.
        beta_initializer, gamma_initializer: initial weights; zeros and ones.
        beta_regularizer, gamma_regularizer: penalties on the weights, added to the loss.
        beta_constraint, gamma_constraint: what the weights are projected to after each update.
    """

    supports_masking = True

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        name: str | None,
        trainable: bool,
        dtype: str | None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        self.epsilon = registry.require_number(type(self).__name__, "epsilon", epsilon, 0.0, math.inf)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def add_scale_and_center(self, shape: tuple[int, ...]) -> None:
        """Make `gamma` and `beta`, where they are wanted."""
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def scale_config(self) -> dict[str, Any]:
        """The part of the configuration that these layers share."""
        return {
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": registry.describe(self.beta_initializer),
            "gamma_initializer": registry.describe(self.gamma_initializer),
            "beta_regularizer": registry.describe(self.beta_regularizer),
            "gamma_regularizer": registry.describe(self.gamma_regularizer),
            "beta_constraint": registry.describe(self.beta_constraint),
            "gamma_constraint": registry.describe(self.gamma_constraint),
            "dtype": self.dtype_policy,
        }
