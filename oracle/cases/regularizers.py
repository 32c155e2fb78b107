"""Regularizers: the penalty on a weight and its gradient, compiled, against Keras."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from case import Case

import chainrule as cr

GENERATOR = np.random.Generator(np.random.Philox(key=11))
KERNEL = GENERATOR.normal(0, 1, (7, 5)).astype("float32")
BIAS = GENERATOR.normal(0, 1, (6,)).astype("float32")


def penalty(name: str, x: np.ndarray, **options: Any) -> Case:
    def ours() -> Any:
        return list(cr.jit(cr.value_and_grad(getattr(cr.regularizers, name)(**options)))(x))

    def theirs() -> Any:
        regularizer = getattr(keras.regularizers, name)(**options)
        return list(jax.value_and_grad(lambda x: jnp.asarray(regularizer(x)))(jnp.asarray(x)))

    return Case(name, ours, theirs, f"{options or ''} {x.shape}")


def by_name(string: str) -> Case:
    """A regularizer from its string."""
    kind = type(keras.regularizers.get(string)).__name__
    return Case(
        kind,
        lambda: cr.regularizers.get(string)(KERNEL),
        lambda: keras.regularizers.get(string)(jnp.asarray(KERNEL)),
        string,
    )


CASES = [
    *[penalty(name, x) for name in ("L1", "L2", "L1L2") for x in (KERNEL, BIAS)],
    penalty("L1", KERNEL, l1=0.3),
    penalty("L2", KERNEL, l2=0.3),
    penalty("L1L2", KERNEL, l1=0.2, l2=0.1),
    penalty("L1L2", KERNEL, l2=0.1),
    penalty("OrthogonalRegularizer", KERNEL),
    penalty("OrthogonalRegularizer", KERNEL, factor=0.5, mode="columns"),
    penalty("OrthogonalRegularizer", KERNEL.T.copy(), factor=2.0),
    penalty("OrthogonalRegularizer", KERNEL * np.float32(1e-8)),
    *[by_name(string) for string in ("l1", "l2", "l1l2", "L1", "L2", "L1L2", "orthogonal_regularizer")],
]
