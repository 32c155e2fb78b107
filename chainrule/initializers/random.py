"""Initial values drawn by chance: from one distribution, or as an orthogonal or a sparse matrix.

A seed makes every call return the same numbers; without one each call draws new ones, which `set_random_seed` makes
repeatable. Numbers are drawn as float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import registry, seeds
from chainrule.errors import ChainruleError
from chainrule.initializers.base import Initializer, as_numbers, check_seed, require_matrix


class RandomUniform(Initializer):
    """Evenly spread from `minval` to `maxval`."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        self.minval = registry.require_number("RandomUniform", "minval", minval, -1e30, 1e30)
        self.maxval = registry.require_number("RandomUniform", "maxval", maxval, self.minval, 1e30)
        self.seed = check_seed("RandomUniform", seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return as_numbers(draw_uniform(shape, self.minval, self.maxval, self.seed), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class RandomNormal(Initializer):
    """Normally distributed."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean = registry.require_number("RandomNormal", "mean", mean, -1e30, 1e30)
        self.stddev = registry.require_number("RandomNormal", "stddev", stddev, 0.0, 1e30)
        self.seed = check_seed("RandomNormal", seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return as_numbers(self.mean + self.stddev * draw_normal(shape, self.seed), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(Initializer):
    """Normally distributed, what lies beyond two deviations drawn again."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean = registry.require_number("TruncatedNormal", "mean", mean, -1e30, 1e30)
        self.stddev = registry.require_number("TruncatedNormal", "stddev", stddev, 0.0, 1e30)
        self.seed = check_seed("TruncatedNormal", seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return as_numbers(self.mean + self.stddev * draw_truncated_normal(shape, self.seed), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class Orthogonal(Initializer):
    """A matrix Q with ``Q'Q = gain**2 I``, or ``QQ'`` where it is wider than high; all such are equally likely.

    Leading axes count as rows: shape (a, b, n) is filled as (a * b, n).

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2014;
    Mezzadri, "How to generate random matrices from the classical compact groups", 2007.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None):
        self.gain = registry.require_number("Orthogonal", "gain", gain, -1e30, 1e30)
        self.seed = check_seed("Orthogonal", seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        require_matrix("Orthogonal", shape)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = draw_normal((max(rows, columns), min(rows, columns)), self.seed).astype("float64")
        q, r = np.linalg.qr(drawn)
        # The factorization fixes signs by its own rule; with those of R's diagonal no Q is more likely than another.
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return as_numbers(self.gain * (q.T if rows < columns else q).reshape(shape), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


class Sparse(Initializer):
    """Normally distributed with a share of zeros in each column: of a kernel (in, out), among a neuron's inputs.

    Args:
        sparsity: the share of zeros, rounded up.
        stddev: the deviation of the others.

    Source: Martens, "Deep learning via Hessian-free optimization", 2010; `torch.nn.init.sparse_`.
    """

    def __init__(self, sparsity: float = 0.1, stddev: float = 0.01, seed: int | None = None):
        self.sparsity = registry.require_number("Sparse", "sparsity", sparsity, 0.0, 1.0)
        self.stddev = registry.require_number("Sparse", "stddev", stddev, 0.0, 1e30)
        self.seed = check_seed("Sparse", seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        require_matrix("Sparse", shape, exactly=True)
        generator = seeds.generator(self.seed)
        values = self.stddev * generator.standard_normal(shape, dtype=np.float32)
        order = np.argsort(generator.random(shape, dtype=np.float32), axis=0)
        np.put_along_axis(values, order[: math.ceil(self.sparsity * shape[0])], 0.0, axis=0)
        return as_numbers(values, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"sparsity": self.sparsity, "stddev": self.stddev, "seed": self.seed}


# -- drawing ------------------------------------------------------------------------------------------------------


def draw_uniform(shape: tuple[int, ...], low: float, high: float, seed: int | None) -> np.ndarray:
    """Numbers evenly spread from `low` to `high`."""
    unit: np.ndarray = seeds.generator(seed).random(shape, dtype=np.float32)
    return low + (high - low) * unit


def draw_normal(shape: tuple[int, ...], seed: int | None) -> np.ndarray:
    """Numbers of the standard normal distribution."""
    return seeds.generator(seed).standard_normal(shape, dtype=np.float32)


def draw_truncated_normal(shape: tuple[int, ...], seed: int | None) -> np.ndarray:
    """Numbers of the standard normal distribution that lie between -2 and 2."""
    generator = seeds.generator(seed)
    drawn = np.asarray(generator.standard_normal(shape, dtype=np.float32))
    far = np.abs(drawn) > 2
    while far.any():
        drawn[far] = generator.standard_normal(int(far.sum()), dtype=np.float32)
        far = np.abs(drawn) > 2
    return drawn


def refuse_unknown(where: str, name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuse a value that is not among those known."""
    if value not in known:
        raise ChainruleError(f"unknown {name}", where=where, expected=", ".join(known), got=repr(value))
