"""Activations: values and gradients, compiled, against Keras; what it lacks or has wrong against PyTorch and Optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch
from case import Case

import chainrule as cr

GENERATOR = np.random.Generator(np.random.Philox(key=3))
SPREAD = GENERATOR.uniform(-8, 8, (6, 10)).astype("float32")
NEAR = GENERATOR.uniform(-1.2, 1.2, (4, 3, 6)).astype("float32")
FAR = np.array([[-90.0, -20.0, -6.0, -3.0, 3.0, 6.0, 20.0, 60.0]], "float32")
KINKS = np.array([[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0]], "float32")
DRAWS = 200_000


def probe(x: np.ndarray) -> np.ndarray:
    """Weights that make a number of a result, so that its gradient tells all elements apart."""
    return np.cos(np.arange(x.size, dtype="float32")).reshape(x.shape)


def ours(function: Callable[[Any], Any], x: np.ndarray, slopes: bool = True) -> Callable[[], Any]:
    """Results and gradient, in machine code."""

    def compute() -> list[Any]:
        result = cr.jit(function)(x)
        if not slopes:
            return [result]
        weights = probe(result)
        return [result, cr.jit(cr.grad(lambda x: cr.ops.sum(function(x) * weights)))(x)]

    return compute


def by_jax(function: Callable[[Any], Any], x: np.ndarray, slopes: bool = True) -> Callable[[], Any]:
    """Results and gradient of a function of jax's, in double precision: in single its own rounding comes to 1e-6."""

    def compute() -> list[Any]:
        with jax.enable_x64(True):
            given = jnp.asarray(x.astype("float64"))
            result = function(given)
            if not slopes:
                return [np.asarray(result)]
            weights = probe(np.asarray(result))
            return [np.asarray(result), np.asarray(jax.grad(lambda x: jnp.sum(function(x) * weights))(given))]

    return compute


def of_keras(name: str, what: str = "", **options: Any) -> list[Case]:
    """A name at several inputs; where slopes jump, values only."""

    def mine(x: Any) -> Any:
        return getattr(cr.activations, name)(x, **options)

    def theirs(x: Any) -> Any:
        return getattr(keras.activations, name)(x, **options)

    inputs = {"spread": (SPREAD, True), "near": (NEAR, True), "far": (FAR, False), "kinks": (KINKS, False)}
    shown = what or ", ".join(f"{key}={value}" for key, value in options.items())
    return [
        Case(name, ours(mine, x, slopes), by_jax(theirs, x, slopes), f"{shown} {place}".strip())
        for place, (x, slopes) in inputs.items()
        if not (name == "exponential" and place == "far")
    ]


VARIANTS: dict[str, list[dict[str, Any]]] = {
    "relu": [
        {"negative_slope": 0.1},
        {"max_value": 6},
        {"max_value": 2.5},
        {"threshold": 1.5},
        {"negative_slope": 0.2, "max_value": 3.0, "threshold": 0.7},
        {"negative_slope": 0.2, "max_value": 3.0},
        {"negative_slope": 0.3, "threshold": 1.0},
    ],
    "leaky_relu": [{"negative_slope": 0.01}],
    "elu": [{"alpha": 0.5}],
    "celu": [{"alpha": 2.0}],
    "squareplus": [{"b": 1.5}],
    "soft_shrink": [{"threshold": 1.0}],
    "hard_shrink": [{"threshold": 1.0}],
    "gelu": [{"approximate": True}],
    "softmax": [{"axis": 0}],
    "log_softmax": [{"axis": 0}],
    "glu": [{"axis": -2}],
}

NAMES = """
    relu leaky_relu relu6 softmax celu elu selu softplus softsign squareplus soft_shrink sparse_plus silu gelu glu tanh
    tanh_shrink sigmoid sparse_sigmoid exponential hard_sigmoid hard_silu hard_tanh hard_shrink linear mish log_softmax
    log_sigmoid
"""


def cases_of_keras() -> list[Case]:
    found: list[Case] = []
    for name in NAMES.split():
        found += of_keras(name)
        for options in VARIANTS.get(name, []):
            even = name != "glu"
            found += (
                of_keras(name, **options) if even else [case for case in of_keras(name, **options) if is_even(case)]
            )
    return found + of_keras("threshold", threshold=0.3, default_value=-7.0)


def is_even(case: Case) -> bool:
    """Whether the second last axis of the case's input can be halved."""
    return "spread" in case.what


def serialized(name: str) -> Case:
    """The name that a configuration holds."""

    def agrees() -> Any:
        mine = cr.activations.serialize(cr.activations.get(name))
        return mine == keras.activations.serialize(keras.activations.get(name))

    return Case(name, agrees, lambda: True, "serialized")


def projection(x: Any) -> Any:
    return jax.vmap(optax.projections.projection_simplex)(x.reshape(-1, x.shape[-1])).reshape(x.shape)


def sparsemax_cases() -> list[Case]:
    """Optax's projection onto the simplex is what sparsemax is; Keras agrees where one element takes all."""
    narrow = NEAR * 0.3
    apart = np.array([[4.0, 0.0, -1.0, 2.5], [0.0, 9.0, 1.0, -3.0]], "float32")
    ties = np.array([[1.0, 1.0, 1.0, 0.0], [0.25, 0.25, 0.25, 0.25]], "float32")
    first = [
        Case("sparsemax", ours(cr.activations.sparsemax, x), by_jax(projection, x), what)
        for what, x in (("spread", SPREAD), ("near", NEAR), ("narrow", narrow))
    ]

    def along_first(x: Any) -> Any:
        return cr.activations.sparsemax(x, axis=0)

    def projected_along_first(x: Any) -> Any:
        return projection(x.T).T

    return [
        *first,
        Case("sparsemax", ours(along_first, SPREAD), by_jax(projected_along_first, SPREAD), "axis=0"),
        Case("sparsemax", ours(cr.activations.sparsemax, ties, False), by_jax(projection, ties, False), "ties"),
        Case("sparsemax", ours(cr.activations.sparsemax, apart), by_jax(keras.activations.sparsemax, apart), "Keras"),
    ]


def rrelu_cases() -> list[Case]:
    """Without training PyTorch's numbers; in training slopes whose quantiles are those of PyTorch's distribution."""
    lower, upper = 0.1, 0.5

    def theirs() -> list[Any]:
        x = torch.tensor(SPREAD, requires_grad=True)
        result = torch.nn.functional.rrelu(x, lower, upper, training=False)
        (result * torch.tensor(probe(SPREAD))).sum().backward()
        return [result.detach().numpy(), x.grad.numpy()]

    def slopes() -> Any:
        drawn = cr.activations.rrelu(np.full(DRAWS, -1.0, "float32"), lower, upper, training=True, seed=5)
        return np.quantile(-np.asarray(drawn), np.linspace(0.01, 0.99, 25))

    def evenly_spread() -> Any:
        return lower + (upper - lower) * np.linspace(0.01, 0.99, 25)

    def positive() -> Any:
        return cr.activations.rrelu(np.abs(SPREAD), lower, upper, training=True, seed=5)

    return [
        Case("rrelu", ours(lambda x: cr.activations.rrelu(x, lower, upper), SPREAD), theirs, "without training"),
        Case("rrelu", positive, lambda: np.abs(SPREAD), "positive, training"),
        # A quantile of n evenly spread draws is off by less than 5 * sqrt(0.25 / n) of their width.
        Case("rrelu", slopes, evenly_spread, "quantiles of the slopes", limit=5 * np.sqrt(0.25 / DRAWS)),
    ]


CASES = [
    *cases_of_keras(),
    *[serialized(name) for name in [*NAMES.split(), "threshold", "sparsemax"]],
    *sparsemax_cases(),
    *rrelu_cases(),
]
