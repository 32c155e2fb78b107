"""Initializers: what is certain exactly; what is drawn by its quantiles and extremes, against draws of Keras.

Different generators draw different numbers, so a difference remains that falls with the number of draws n. The quantile
at p of a density f is off by sqrt(p (1 - p) / n) / f. Relative to the largest, from p = 0.01 to 0.99, that is at most
1.6 / sqrt(n) for a normal distribution, whose tails are the worst case of those here; two samples differ by sqrt(2)
times that, and 5 deviations are allowed. Extremes of bounded distributions are nearer: within 20 / n of their range,
where the density at the bound is that of a truncated normal distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from case import Case

import chainrule as cr

SHAPE = (800, 1200)
PLACES = np.linspace(0.01, 0.99, 33)
DRAWS = SHAPE[0] * SHAPE[1]
QUANTILES = 5 * 1.6 * np.sqrt(2 / DRAWS)
EXTREMES = 10 * 20 / DRAWS


def quantiles(make: Callable[[], Any]) -> Callable[[], Any]:
    def compute() -> Any:
        return np.quantile(np.asarray(make()), PLACES)

    return compute


def extremes(make: Callable[[], Any]) -> Callable[[], Any]:
    def compute() -> Any:
        drawn = np.asarray(make())
        return np.array([drawn.min(), drawn.max()])

    return compute


def fixed(name: str, shape: tuple[int, ...], what: str = "", **options: Any) -> Case:
    """Values without chance."""
    return Case(
        name,
        lambda: getattr(cr.initializers, name)(**options)(shape),
        lambda: getattr(keras.initializers, name)(**options)(shape),
        what or f"{options} {shape}",
    )


def drawn(name: str, shape: tuple[int, ...] = SHAPE, bounded: bool = True, **options: Any) -> list[Case]:
    """Quantiles of many draws; and, of a bounded distribution, the extremes."""

    def mine() -> Any:
        return getattr(cr.initializers, name)(seed=1, **options)(shape)

    def theirs() -> Any:
        return getattr(keras.initializers, name)(seed=2, **options)(shape)

    what = f"{options or ''} {shape}"
    found = [Case(name, quantiles(mine), quantiles(theirs), f"{what} quantiles", limit=QUANTILES)]
    if bounded:
        found.append(Case(name, extremes(mine), extremes(theirs), f"{what} extremes", limit=EXTREMES))
    return found


def orthogonal(shape: tuple[int, ...], **options: Any) -> Case:
    """The products of columns, or of rows where there are fewer."""

    def products(values: Any) -> Any:
        matrix = np.asarray(values, "float64").reshape(-1, shape[-1])
        return matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T

    return Case(
        "Orthogonal",
        lambda: products(cr.initializers.Orthogonal(seed=1, **options)(shape)),
        lambda: products(keras.initializers.Orthogonal(seed=2, **options)(shape)),
        f"{options or ''} {shape}",
    )


def orthogonal_entries() -> Case:
    """Entries of orthogonal matrices are nearly normally distributed, with variance 1 / n."""
    shape = (300, 300)
    return Case(
        "Orthogonal",
        quantiles(lambda: cr.initializers.Orthogonal(seed=1)(shape)),
        quantiles(lambda: keras.initializers.Orthogonal(seed=2)(shape)),
        "quantiles",
        limit=5 * 1.6 * np.sqrt(2 / (300 * 300)),
    )


def variance_scaling() -> list[Case]:
    found: list[Case] = []
    for mode in ("fan_in", "fan_out", "fan_avg"):
        for distribution in ("uniform", "truncated_normal", "untruncated_normal", "normal"):
            bounded = distribution != "untruncated_normal"
            found += drawn("VarianceScaling", bounded=bounded, scale=1.7, mode=mode, distribution=distribution)
    return found + drawn("VarianceScaling", (20, 40, 1200), input_axes=[0, 1], output_axes=[2])


def sparse() -> list[Case]:
    """PyTorch's, with its columns: the number of zeros in each, and the quantiles of the rest."""

    def theirs() -> Any:
        torch.manual_seed(0)
        return torch.nn.init.sparse_(torch.empty(*SHAPE), sparsity=0.35, std=0.02).numpy()

    def mine() -> Any:
        return cr.initializers.Sparse(0.35, 0.02, seed=1)(SHAPE)

    def zeros(make: Callable[[], Any]) -> Callable[[], Any]:
        def count() -> Any:
            return (make() == 0).sum(axis=0)

        return count

    def others(make: Callable[[], Any]) -> Callable[[], Any]:
        def nonzero() -> Any:
            values = make()
            return values[values != 0]

        return quantiles(nonzero)

    return [
        Case("Sparse", zeros(mine), zeros(theirs), "zeros in each column"),
        Case("Sparse", others(mine), others(theirs), "quantiles", limit=QUANTILES / np.sqrt(0.65)),
    ]


def gains() -> Case:
    names = [("linear", None), ("sigmoid", None), ("tanh", None), ("relu", None), ("leaky_relu", 0.3), ("selu", None)]
    return Case(
        "calculate_gain",
        lambda: [cr.initializers.calculate_gain(*name) for name in names],
        lambda: [torch.nn.init.calculate_gain(*name) for name in names],
    )


def kaiming() -> Case:
    """PyTorch's kaiming_normal_ is a VarianceScaling by the squared gain."""

    def mine() -> Any:
        scale = cr.initializers.calculate_gain("leaky_relu", 0.2) ** 2
        return cr.initializers.VarianceScaling(scale, "fan_in", "untruncated_normal", seed=1)(SHAPE)

    def theirs() -> Any:
        torch.manual_seed(0)
        return torch.nn.init.kaiming_normal_(torch.empty(SHAPE[::-1]), a=0.2).numpy()

    return Case("VarianceScaling", quantiles(mine), quantiles(theirs), "kaiming_normal_", limit=QUANTILES)


STRINGS = """
    identity ones one zeros zero orthogonal normal uniform random_normal random_uniform truncated_normal
    variance_scaling glorot_normal glorot_uniform he_normal he_uniform lecun_normal lecun_uniform
    IdentityInitializer OrthogonalInitializer
"""


def aliases() -> list[Case]:
    """Every string that Keras takes, to the class of the same name."""

    def agrees(string: str) -> Callable[[], Any]:
        def compute() -> Any:
            return type(cr.initializers.get(string)).__name__ == type(keras.initializers.get(string)).__name__

        return compute

    return [
        Case(type(keras.initializers.get(string)).__name__, agrees(string), lambda: True, string)
        for string in STRINGS.split()
    ]


CASES = [
    fixed("Zeros", (3, 4)),
    fixed("Ones", (3, 4)),
    fixed("Constant", (3, 4)),
    fixed("Constant", (3, 4), value=2.5),
    fixed("Constant", (), value=-1),
    fixed("Identity", (4, 4)),
    fixed("Identity", (3, 5), gain=2.0),
    fixed("Identity", (5, 3), gain=-0.5),
    *drawn("GlorotNormal"),
    *drawn("GlorotNormal", (4, 200, 1200)),
    *drawn("GlorotUniform"),
    *drawn("GlorotUniform", (4, 200, 1200)),
    *drawn("GlorotUniform", (1200, 20, 40), input_axes=[0], output_axes=[1, 2]),
    *drawn("HeNormal"),
    *drawn("HeUniform"),
    *drawn("LecunNormal"),
    *drawn("LecunUniform"),
    *drawn("RandomNormal", bounded=False),
    *drawn("RandomNormal", bounded=False, mean=0.3, stddev=2.0),
    *drawn("RandomUniform"),
    *drawn("RandomUniform", minval=-1.0, maxval=3.0),
    *drawn("TruncatedNormal"),
    *drawn("TruncatedNormal", mean=-1.0, stddev=0.5),
    *variance_scaling(),
    kaiming(),
    orthogonal((40, 40)),
    orthogonal((60, 20)),
    orthogonal((20, 60), gain=1.7),
    orthogonal((3, 5, 10), gain=0.5),
    orthogonal_entries(),
    *sparse(),
    gains(),
    *aliases(),
]
