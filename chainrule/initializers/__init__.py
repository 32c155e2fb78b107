"""Initial weights, by Keras's names: each is called with a shape and returns an array.

fan_in, fan_out   the sums that a neuron adds up, and those it is a part of
Glorot            variance 2 / (fan_in + fan_out)
He                variance 2 / fan_in
LeCun             variance 1 / fan_in
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import registry, seeds
from chainrule.errors import ChainruleError
from chainrule.graph.types import as_dtype

# A normal distribution cut off at two deviations has this deviation.
_TRUNCATED = 0.87962566103423978


class Initializer(registry.Configured):
    """Called with a shape it returns an array of initial values."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        raise NotImplementedError


class Zeros(Initializer):
    """All zero."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return np.zeros(shape, as_dtype(dtype).numpy)


class Ones(Initializer):
    """All one."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return np.ones(shape, as_dtype(dtype).numpy)


class Constant(Initializer):
    """All one value."""

    def __init__(self, value: float = 0.0):
        self.value = value

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return np.full(shape, self.value, as_dtype(dtype).numpy)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class RandomUniform(Initializer):
    """Evenly spread between two limits."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        unit = seeds.generator(self.seed).random(shape, dtype=np.float32)
        return (self.minval + (self.maxval - self.minval) * unit).astype(as_dtype(dtype).numpy)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class RandomNormal(Initializer):
    """Normally distributed."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        drawn = seeds.generator(self.seed).standard_normal(shape, dtype=np.float32)
        return (self.mean + self.stddev * drawn).astype(as_dtype(dtype).numpy)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """Normally distributed, what lies beyond two deviations drawn again."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        generator = seeds.generator(self.seed)
        drawn = generator.standard_normal(shape, dtype=np.float32)
        while (far := np.abs(drawn) > 2).any():
            drawn[far] = generator.standard_normal(int(far.sum()), dtype=np.float32)
        return (self.mean + self.stddev * drawn).astype(as_dtype(dtype).numpy)


def count_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out of a kernel: its last two axes times the area before them."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    area = math.prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


class VarianceScaling(Initializer):
    """Variance ``scale / n`` with n = fan_in, fan_out, or their mean (fan_avg).

    Source: Glorot and Bengio 2010; He et al. 2015.
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
    ):
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ChainruleError(
                "unknown mode", where=type(self).__name__, expected="fan_in, fan_out, fan_avg", got=mode
            )
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ChainruleError(
                "unknown distribution",
                where=type(self).__name__,
                got=distribution,
                expected="uniform, truncated_normal, untruncated_normal",
            )
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        fan_in, fan_out = count_fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return RandomUniform(-limit, limit, self.seed)(shape, dtype)
        if self.distribution == "truncated_normal":
            return TruncatedNormal(0.0, math.sqrt(variance) / _TRUNCATED, self.seed)(shape, dtype)
        return RandomNormal(0.0, math.sqrt(variance), self.seed)(shape, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


class _Named(VarianceScaling):
    """A VarianceScaling with its numbers fixed; only the seed is left."""

    numbers: tuple[float, str, str]

    def __init__(self, seed: int | None = None):
        super().__init__(*self.numbers, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


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


CLASSES: dict[str, type[Initializer]] = {
    "Zeros": Zeros,
    "zeros": Zeros,
    "Ones": Ones,
    "ones": Ones,
    "Constant": Constant,
    "constant": Constant,
    "RandomUniform": RandomUniform,
    "random_uniform": RandomUniform,
    "uniform": RandomUniform,
    "RandomNormal": RandomNormal,
    "random_normal": RandomNormal,
    "normal": RandomNormal,
    "TruncatedNormal": TruncatedNormal,
    "truncated_normal": TruncatedNormal,
    "VarianceScaling": VarianceScaling,
    "variance_scaling": VarianceScaling,
    "GlorotUniform": GlorotUniform,
    "glorot_uniform": GlorotUniform,
    "GlorotNormal": GlorotNormal,
    "glorot_normal": GlorotNormal,
    "HeUniform": HeUniform,
    "he_uniform": HeUniform,
    "HeNormal": HeNormal,
    "he_normal": HeNormal,
    "LecunUniform": LecunUniform,
    "lecun_uniform": LecunUniform,
    "LecunNormal": LecunNormal,
    "lecun_normal": LecunNormal,
}


def get(identifier: Any) -> Any:
    """The initializer of this name, class or config; an object stands for itself."""
    return registry.resolve("initializer", identifier, CLASSES)
