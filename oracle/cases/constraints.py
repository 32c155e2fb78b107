"""Constraints: the projected weight, compiled, against Keras."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
from case import Case

import chainrule as cr

GENERATOR = np.random.Generator(np.random.Philox(key=13))
KERNEL = GENERATOR.normal(0, 1.5, (6, 5)).astype("float32")
KERNEL[:, 2] = 0.0
SMALL = KERNEL * 0.1
CUBE = GENERATOR.normal(0, 1, (3, 4, 5)).astype("float32")


def projected(name: str, w: np.ndarray, **options: Any) -> Case:
    return Case(
        name,
        lambda: cr.jit(getattr(cr.constraints, name)(**options))(w),
        lambda: getattr(keras.constraints, name)(**options)(jnp.asarray(w)),
        f"{options or ''} {w.shape}",
    )


def by_name(string: str) -> Case:
    """A constraint from its string."""
    kind = type(keras.constraints.get(string)).__name__
    return Case(
        kind,
        lambda: cr.constraints.get(string)(KERNEL),
        lambda: keras.constraints.get(string)(jnp.asarray(KERNEL)),
        string,
    )


CASES = [
    *[projected(name, w) for name in ("MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm") for w in (KERNEL, SMALL, CUBE)],
    projected("MaxNorm", KERNEL, max_value=0.7),
    projected("MaxNorm", KERNEL, max_value=1.5, axis=1),
    projected("MaxNorm", CUBE, max_value=1, axis=[0, 1]),
    projected("UnitNorm", KERNEL, axis=1),
    projected("UnitNorm", CUBE, axis=[0, 1]),
    projected("MinMaxNorm", SMALL, min_value=0.5, max_value=2.0),
    projected("MinMaxNorm", KERNEL, min_value=0.5, max_value=2.0, rate=0.3, axis=1),
    projected("MinMaxNorm", CUBE, min_value=0.1, max_value=0.9, rate=0.5, axis=[0, 1]),
    *[by_name(string) for string in ("max_norm", "non_neg", "unit_norm", "min_max_norm", "MaxNorm", "NonNeg")],
]
