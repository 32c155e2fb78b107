"""Activations made of straight pieces, or bent on one side only: what is cheap to compute and to differentiate."""

from __future__ import annotations

from typing import Any

from chainrule import ops, random, registry
from chainrule.ops import leaky_relu, relu6, selu


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """``max(x, 0)``, and its variants.

    ``min(x, max_value)`` where x is above `threshold`, else ``negative_slope * (x - threshold)``.

    Args:
        x: an array.
        negative_slope: the slope below `threshold`.
        max_value: the largest result; no limit by default.
        threshold: below it the unit is off.

    Example:
        >>> import numpy as np
        >>> relu(np.array([-2.0, 0.5, 9.0]), negative_slope=0.1, max_value=6)
        array([-0.2,  0.5,  6. ])
    """
    if not negative_slope and max_value is None and not threshold:
        return ops.relu(x)
    if negative_slope and max_value is None and not threshold:
        return leaky_relu(x, negative_slope)
    above = ops.where(ops.greater(x, threshold), x, 0.0) if threshold else ops.relu(x)
    if max_value is not None:
        above = ops.clip(above, 0.0, max_value)
    if not negative_slope:
        return above
    return ops.subtract(above, ops.multiply(ops.relu(ops.subtract(threshold, x)), negative_slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha * (exp(x) - 1)``.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2016.
    """
    return ops.elu(x, alpha)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha * (exp(x / alpha) - 1)``: an elu whose slope does not jump.

    Source: Barron, "Continuously differentiable exponential linear units", 2017.
    """
    return ops.where(ops.greater(x, 0.0), x, ops.multiply(ops.expm1(ops.divide(ops.minimum(x, 0.0), alpha)), alpha))


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above `threshold`, else `default_value`."""
    return ops.where(ops.greater(x, threshold), x, default_value)


def hard_tanh(x: Any) -> Any:
    """x, but no less than -1 and no more than 1."""
    return ops.where(ops.greater(x, 1.0), 1.0, ops.where(ops.less(x, -1.0), -1.0, x))


def hard_silu(x: Any) -> Any:
    """``x * relu6(x + 3) / 6``.

    Source: Howard et al., "Searching for MobileNetV3", 2019.
    """
    return ops.multiply(x, ops.hard_sigmoid(x))


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where ``|x|`` is above `threshold`, else 0."""
    return ops.where(ops.greater(ops.absolute(x), threshold), x, 0.0)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by `threshold`; 0 where it is nearer than that."""
    below = ops.where(ops.less(x, -threshold), ops.add(x, threshold), 0.0)
    return ops.where(ops.greater(x, threshold), ops.subtract(x, threshold), below)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, ``(x + 1)**2 / 4`` up to 1, then x: a softplus that reaches its asymptotes."""
    bend = ops.multiply(ops.square(ops.add(x, 1.0)), 0.25)
    return ops.where(ops.less_equal(x, -1.0), 0.0, ops.where(ops.greater_equal(x, 1.0), x, bend))


def sparse_sigmoid(x: Any) -> Any:
    """``(x + 1) / 2``, but no less than 0 and no more than 1.

    Source: Blondel, Martins and Niculae, "Learning with Fenchel-Young losses", 2020.
    """
    return ops.multiply(ops.clip(ops.add(x, 1.0), 0.0, 2.0), 0.5)


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, seed: Any = None) -> Any:
    """x where it is positive, else ``slope * x`` with a slope drawn for each element in training.

    Args:
        x: an array.
        lower, upper: the limits of the slopes, which are drawn evenly between them.
        training: whether slopes are drawn; else each is the mean, ``(lower + upper) / 2``.
        seed: a number or a `SeedGenerator`; the layer `RReLU` keeps one and knows whether it is in training.

    Source: Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.
    """
    registry.require_number("rrelu", "lower", lower, 0.0, 1.0)
    registry.require_number("rrelu", "upper", upper, lower, 1.0)
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    slopes = random.uniform(ops.shape(x), lower, upper, seed=seed)
    return ops.where(ops.greater(x, 0.0), x, ops.multiply(x, slopes))


__all__ = [
    "celu",
    "elu",
    "hard_shrink",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "threshold",
]
