"""Layers that disturb their input at random in training, and leave it as it is in inference.

Every draw is a pure function of the layer's seed and of how many draws came before (`chainrule.random`).
"""

from __future__ import annotations

import math
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.types import as_dtype
from chainrule.graph.variable import Variable
from chainrule.layers.core import as_float
from chainrule.layers.layer import Layer
from chainrule.random import SeedGenerator, bernoulli, normal

# The negative saturation of SELU: -scale * alpha.
_SATURATION = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def check_noise_shape(where: str, shape: Any) -> tuple[int | None, ...] | None:
    """A shape of draws: positive sizes, or None for the input's."""
    if shape is None:
        return None
    listed = tuple(shape) if isinstance(shape, tuple | list) else None
    if listed is None or not all(
        size is None or (isinstance(size, int) and not isinstance(size, bool) and size > 0) for size in listed
    ):
        raise ChainruleError(
            "not a shape of draws", where=f"{where}, noise_shape", expected="positive sizes, or None", got=repr(shape)
        )
    return listed


class Noise(Layer):
    """Abstract: a layer that draws random numbers.

    Args:
        seed: a whole number; a new one by default.
    """

    supports_masking = True

    def __init__(self, seed: int | None, name: str | None, trainable: bool, dtype: str | None):
        super().__init__(name, trainable, dtype=dtype)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    @property
    def state(self) -> list[Variable]:
        return [self.seed_generator.state]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def keep(self, x: Any, probability: float, noise_shape: tuple[int | None, ...] | None) -> Any:
        """True with this probability for each element of x; for all elements along an axis of size 1 together."""
        shape = tuple(x.shape)
        if noise_shape is not None:
            if len(noise_shape) != len(shape):
                raise ChainruleError(
                    "the shape of draws does not fit the input",
                    expected=f"noise_shape with {len(shape)} sizes",
                    got=noise_shape,
                )
            shape = tuple(size or dim for size, dim in zip(noise_shape, shape, strict=True))
        return ops.broadcast_to(bernoulli(shape, probability, self.seed_generator), x.shape)


class Dropout(Noise):
    """In training each element is zero with probability `rate`, the others grow by ``1 / (1 - rate)``.

    Args:
        rate: from 0 to 1.
        noise_shape: the shape of the draws, None for the input's size: along an axis of size 1 all elements are
            dropped together.
        seed: a whole number; a new one by default.

    Example:
        >>> import numpy as np
        >>> x = np.ones((2, 3), "float32")
        >>> np.array_equal(Dropout(0.5)(x), x)
        True
        >>> set(Dropout(0.5, seed=1)(x, training=True).ravel()) <= {0.0, 2.0}
        True

    Source: Srivastava et al., "Dropout", 2014.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Any = None,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(seed, name, trainable, dtype)
        self.rate = registry.require_number("Dropout", "rate", rate, 0.0, 1.0)
        self.noise_shape = check_noise_shape("Dropout", noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or not self.rate:
            return x
        x = as_float(x)
        if self.rate == 1.0:
            return ops.zeros_like(x)
        kept = self.keep(x, 1.0 - self.rate, self.noise_shape)
        return ops.where(kept, ops.multiply(x, 1.0 / (1.0 - self.rate)), 0.0)

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": shape, "seed": self.seed}


class AlphaDropout(Noise):
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs.

    With probability `rate` an element becomes SELU's negative saturation s; then all are mapped to ``a * x + b`` with
    ``a = ((1 - rate) * (1 + rate * s**2))**-0.5`` and ``b = -a * s * rate``.

    Args:
        rate: from 0 up to but not including 1.
        noise_shape, seed: as in `Dropout`.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Any = None,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(seed, name, trainable, dtype)
        self.rate = registry.require_number("AlphaDropout", "rate", rate, 0.0, 1.0, open_high=True)
        self.noise_shape = check_noise_shape("AlphaDropout", noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or not self.rate:
            return x
        x = as_float(x)
        a = ((1.0 - self.rate) * (1.0 + self.rate * _SATURATION**2)) ** -0.5
        b = -a * _SATURATION * self.rate
        kept = self.keep(x, 1.0 - self.rate, self.noise_shape)
        return ops.add(ops.multiply(ops.where(kept, x, _SATURATION), a), b)

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": shape, "seed": self.seed}


class GaussianDropout(Noise):
    """In training each element is multiplied by a normal number of mean 1, deviation ``sqrt(rate / (1 - rate))``.

    Args:
        rate: from 0 up to but not including 1.
        seed: a whole number; a new one by default.

    Source: Srivastava et al., "Dropout", 2014, section 10.
    """

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(seed, name, trainable, dtype)
        self.rate = registry.require_number("GaussianDropout", "rate", rate, 0.0, 1.0, open_high=True)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or not self.rate:
            return x
        x = as_float(x)
        noise = normal(tuple(x.shape), 1.0, math.sqrt(self.rate / (1.0 - self.rate)), seed=self.seed_generator)
        return ops.multiply(x, ops.cast(noise, as_dtype(x.dtype)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class GaussianNoise(Noise):
    """In training a normal number of mean 0 is added to each element.

    Args:
        stddev: the deviation of the noise, from 0 to 1.
        seed: a whole number; a new one by default.
    """

    def __init__(
        self,
        stddev: float,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(seed, name, trainable, dtype)
        self.stddev = registry.require_number("GaussianNoise", "stddev", stddev, 0.0, 1.0)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or not self.stddev:
            return x
        x = as_float(x)
        noise = normal(tuple(x.shape), 0.0, self.stddev, seed=self.seed_generator)
        return ops.add(x, ops.cast(noise, as_dtype(x.dtype)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}
