"""Initial weights whose variance follows from the size of the layer, so that signals neither grow nor fade with depth.

fan_in, fan_out   the sums that a neuron adds up, and those it is a part of
Glorot            variance 2 / (fan_in + fan_out)
He                variance 2 / fan_in
LeCun             variance 1 / fan_in
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import registry
from chainrule.errors import ChainruleError
from chainrule.initializers.base import Initializer, as_numbers, check_seed
from chainrule.initializers.random import draw_normal, draw_truncated_normal, draw_uniform, refuse_unknown

_TRUNCATED = 0.87962566103423978
"""The deviation of a standard normal distribution that is cut off at -2 and 2."""


def count_fans(
    shape: tuple[int, ...], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """fan_in and fan_out of a kernel: the sizes of its last two axes times the area before them, or of those named.

    Example:
        >>> count_fans((784, 512)), count_fans((3, 3, 16, 32)), count_fans((8, 4, 2), (0,), (1, 2))
        ((784, 512), (144, 288), (8, 8))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    area = math.prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


class VarianceScaling(Initializer):
    """Variance ``scale / n`` with n = fan_in, fan_out, or their mean (fan_avg).

    Args:
        scale: as in the formula.
        mode: ``fan_in``, ``fan_out`` or ``fan_avg``.
        distribution: ``truncated_normal`` (or ``normal``), ``untruncated_normal``, ``uniform``.
        seed: a whole number; new numbers at every call by default.
        input_axes, output_axes: the axes that count for fan_in and fan_out; the last two by default.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010;
    He et al., "Delving deep into rectifiers", 2015.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        where = type(self).__name__
        self.scale = registry.require_number(where, "scale", scale, 0.0, 1e30)
        if not self.scale:
            raise ChainruleError("scale is out of range", where=where, expected="a number above 0", got=scale)
        refuse_unknown(where, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
        distribution = str(distribution).lower()
        self.distribution = "truncated_normal" if distribution == "normal" else distribution
        refuse_unknown(where, "distribution", self.distribution, ("uniform", "truncated_normal", "untruncated_normal"))
        self.mode, self.seed = mode, check_seed(where, seed)
        self.input_axes = None if input_axes is None else list(input_axes)
        self.output_axes = None if output_axes is None else list(output_axes)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        fan_in, fan_out = count_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return as_numbers(draw_uniform(shape, -limit, limit, self.seed), dtype)
        if self.distribution == "truncated_normal":
            return as_numbers(math.sqrt(variance) / _TRUNCATED * draw_truncated_normal(shape, self.seed), dtype)
        return as_numbers(math.sqrt(variance) * draw_normal(shape, self.seed), dtype)

    def with_axes(self, input_axes: Sequence[int], output_axes: Sequence[int]) -> VarianceScaling:
        """The same with the axes of a kernel named, unless they are named already."""
        if self.input_axes is not None and self.output_axes is not None:
            return self
        return VarianceScaling(self.scale, self.mode, self.distribution, self.seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Named(VarianceScaling):
    """A VarianceScaling with its numbers fixed; the seed and the axes are left."""

    numbers: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(*self.numbers, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_Named):
    """Uniform within ``sqrt(6 / (fan_in + fan_out))``."""

    numbers = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance ``2 / (fan_in + fan_out)``."""

    numbers = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Named):
    """Uniform within ``sqrt(6 / fan_in)``."""

    numbers = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance ``2 / fan_in``."""

    numbers = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform within ``sqrt(3 / fan_in)``."""

    numbers = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance ``1 / fan_in``."""

    numbers = (1.0, "fan_in", "truncated_normal")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What PyTorch multiplies deviations by for layers that are followed by this activation.

    ``VarianceScaling(calculate_gain("leaky_relu", 0.2) ** 2, "fan_in", "untruncated_normal")`` is `kaiming_normal_`.

    Args:
        nonlinearity: ``linear``, ``sigmoid``, ``tanh``, ``relu``, ``leaky_relu`` or ``selu``.
        param: the slope of a leaky_relu, 0.01 by default.

    Example:
        >>> round(calculate_gain("leaky_relu", 1.0), 6)
        1.0
    """
    slope = registry.require_number("calculate_gain", "param", 0.01 if param is None else param, -1e30, 1e30)
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2 / (1 + slope**2)),
        "selu": 0.75,
    }
    refuse_unknown("calculate_gain", "nonlinearity", nonlinearity, tuple(gains))
    return gains[nonlinearity]
