"""Batch normalization: every channel with the mean and variance that it has over the batch.

In training the batch's own statistics are used, and moving averages of them are kept; in inference those averages.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule import initializers, ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import normalize_axis
from chainrule.graph.types import as_dtype
from chainrule.graph.variable import Variable
from chainrule.layers.core import as_float
from chainrule.layers.scaled import Moments, Scaled, sizes_along, spread

_FUZZ = 1e-7  # added to the number of positions that a mask keeps, as in Keras


class BatchNormalization(Scaled):
    """``gamma * (x - mean) / sqrt(var + epsilon) + beta``, for each channel.

    In training mean and variance are those of the batch, and
    ``moving_mean = momentum * moving_mean + (1 - momentum) * mean``, likewise `moving_variance`; in inference these
    averages are used. With ``trainable = False`` the layer computes as in inference always, as in Keras.

    Args:
        axis: the axis of the channels.
        momentum: how slowly the averages follow.
        epsilon, center, scale, …: as in `Scaled`.
        moving_mean_initializer, moving_variance_initializer: initial averages; zeros and ones.
        renorm: whether the batch's statistics are corrected towards averages in training (Ioffe 2017):
            ``r = sqrt(var + epsilon) / renorm_stddev``, ``d = (mean - renorm_mean) / renorm_stddev``, both constants to
            the chain rule, and ``(normalized * r + d) * gamma + beta``.
        renorm_clipping: limits ``rmin`` and ``rmax`` of r and ``dmax`` of ``|d|``.
        renorm_momentum: how slowly those averages follow.
        synchronized: accepted for Keras's sake: one machine holds the whole batch.

    Shapes: x (batch, …), all weights (channels,), result as x. A `mask` has x's shape without the last axis; where it
    is False, positions do not count for the statistics.

    Example:
        >>> import numpy as np
        >>> layer = BatchNormalization(epsilon=0.0)
        >>> layer(np.array([[1.0], [3.0]], "float32"), training=True)
        array([[-1.],
               [ 1.]], dtype=float32)
        >>> layer.moving_mean.numpy()
        array([0.02], dtype=float32)

    Source: Ioffe and Szegedy, "Batch normalization", 2015.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, name, trainable, dtype,
        )  # fmt: skip
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise ChainruleError(
                "not an axis", where="BatchNormalization, axis", expected="a whole number", got=repr(axis)
            )
        self.axis = axis
        self.momentum = registry.require_number("BatchNormalization", "momentum", momentum, 0.0, 1.0)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm, self.synchronized = bool(renorm), bool(synchronized)
        self.renorm_clipping = check_clipping(renorm_clipping)
        self.renorm_momentum = registry.require_number(
            "BatchNormalization", "renorm_momentum", renorm_momentum, 0.0, 1.0
        )

    def build(self, input_shape: Any) -> None:
        shape = sizes_along(input_shape, self.axis, "axis")
        self.add_scale_and_center(shape)
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        if self.renorm:
            self.moving_stddev = self.add_weight(shape, "ones", trainable=False, name="moving_stddev")
            self.renorm_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="renorm_mean")
            self.renorm_stddev = self.add_weight(shape, "ones", trainable=False, name="renorm_stddev")
            for deviation in (self.moving_stddev, self.renorm_stddev):
                deviation.assign(ops.sqrt(self.moving_variance.numpy()))

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        x = as_float(x)
        rank = len(x.shape)
        at = normalize_axis(self.axis, rank, "axis")
        axes = tuple(axis for axis in range(rank) if axis != at)
        if mask is not None and len(mask.shape) != rank - 1:
            raise ChainruleError("the mask does not fit", expected=f"an array like {x.shape[:-1]}", got=mask.shape)
        gamma = None if self.gamma is None else spread(self.gamma, (at,), rank)
        beta = None if self.beta is None else spread(self.beta, (at,), rank)
        if not (training and self.trainable):
            inverse = self.invert(spread(self.moving_variance, (at,), rank))
            factor = inverse if gamma is None else ops.multiply(inverse, gamma)
            moved = ops.multiply(spread(self.moving_mean, (at,), rank), factor)
            constant = ops.negative(moved) if beta is None else ops.subtract(beta, moved)
            return ops.add(ops.multiply(x, factor), constant)
        moments = Moments(x, axes) if mask is None else MaskedMoments(x, axes, mask)
        if self.renorm:
            gamma, beta = self.correct(moments, gamma, beta, at)
        self.follow(moments)
        inverse = self.invert(moments.variance)
        return moments.normalized(inverse if gamma is None else ops.multiply(inverse, gamma), beta)

    def invert(self, variance: Any) -> Any:
        return ops.rsqrt(ops.add(variance, self.epsilon))

    def follow(self, moments: Moments) -> None:
        """Move the averages towards the batch's statistics."""
        follow(self.moving_mean, moments.mean, self.momentum)
        if not self.renorm:
            follow(self.moving_variance, moments.variance, self.momentum)
            return
        deviation = ops.sqrt(ops.add(moments.variance, self.epsilon))
        follow(self.renorm_mean, moments.mean, self.renorm_momentum)
        follow(self.renorm_stddev, deviation, self.renorm_momentum)
        follow(self.moving_stddev, deviation, self.momentum)
        variance = ops.subtract(ops.square(self.moving_stddev), self.epsilon)
        self.moving_variance.assign(ops.relu(variance))  # rounding may bring it below zero

    def correct(self, moments: Moments, gamma: Any, beta: Any, at: int) -> tuple[Any, Any]:
        """`gamma` and `beta` with the correction towards the averages in them: ``r * gamma``, ``d * gamma + beta``."""
        rank = len(moments.mean.shape)
        deviation = ops.sqrt(ops.add(moments.variance, self.epsilon))
        average = ops.maximum(spread(self.renorm_stddev, (at,), rank), math.sqrt(self.epsilon))
        r = ops.divide(deviation, average)
        d = ops.divide(ops.subtract(moments.mean, spread(self.renorm_mean, (at,), rank)), average)
        limits = self.renorm_clipping or {}
        if limits.get("rmin") is not None:
            r = ops.maximum(r, limits["rmin"])
        if limits.get("rmax") is not None:
            r = ops.minimum(r, limits["rmax"])
        if limits.get("dmax") is not None:
            d = ops.clip(d, -limits["dmax"], limits["dmax"])
        r, d = ops.stop_gradient(r), ops.stop_gradient(d)
        if gamma is not None:
            r, d = ops.multiply(r, gamma), ops.multiply(d, gamma)
        return r, d if beta is None else ops.add(d, beta)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            **self.scale_config(),
            "moving_mean_initializer": registry.describe(self.moving_mean_initializer),
            "moving_variance_initializer": registry.describe(self.moving_variance_initializer),
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": self.synchronized,
        }


class MaskedMoments(Moments):
    """The same of the positions that a mask keeps."""

    def __init__(self, x: Any, axes: tuple[int, ...], mask: Any):
        kept = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), x.shape)
        count = ops.add(ops.sum(ops.cast(kept, as_dtype(x.dtype)), axes, keepdims=True), _FUZZ)
        self.mean = ops.divide(ops.sum(ops.where(kept, x, 0.0), axes, keepdims=True), count)
        self.rest, self.shift = x, self.mean
        squares = ops.where(kept, ops.square(ops.subtract(x, self.mean)), 0.0)
        self.variance = ops.divide(ops.sum(squares, axes, keepdims=True), count)


def follow(average: Variable, value: Any, momentum: float) -> None:
    """``average = momentum * average + (1 - momentum) * value``."""
    new = ops.cast(ops.reshape(value, average.shape), average.dtype)
    average.assign(ops.add(ops.multiply(average, momentum), ops.multiply(new, 1.0 - momentum)))


def check_clipping(limits: Any) -> dict[str, float] | None:
    """The limits of the correction, or None."""
    if limits is None:
        return None
    known = {"rmin", "rmax", "dmax"}
    if not isinstance(limits, dict) or set(limits) - known:
        raise ChainruleError(
            "not limits of the correction",
            where="BatchNormalization, renorm_clipping",
            expected="a dict with keys among rmin, rmax, dmax",
            got=repr(limits),
        )
    if limits.get("rmin", -math.inf) > limits.get("rmax", math.inf) or limits.get("dmax", 0.0) < 0:
        raise ChainruleError(
            "the limits contradict each other",
            where="BatchNormalization, renorm_clipping",
            expected="rmin <= rmax and dmax >= 0",
            got=repr(limits),
        )
    return dict(limits)
