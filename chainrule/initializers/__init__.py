"""Initial weights, by Keras's names: each is called with a shape and returns an array.

Reading order: `base`, `constant`, `random`, `scaling` (what layers use).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import registry
from chainrule.initializers.base import Initializer
from chainrule.initializers.constant import Constant, Identity, Ones, Zeros
from chainrule.initializers.random import Orthogonal, RandomNormal, RandomUniform, Sparse, TruncatedNormal
from chainrule.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    calculate_gain,
)

constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

CLASSES: dict[str, type[Initializer]] = {
    "Constant": Constant,
    "constant": Constant,
    "GlorotNormal": GlorotNormal,
    "glorot_normal": GlorotNormal,
    "GlorotUniform": GlorotUniform,
    "glorot_uniform": GlorotUniform,
    "HeNormal": HeNormal,
    "he_normal": HeNormal,
    "HeUniform": HeUniform,
    "he_uniform": HeUniform,
    "Identity": Identity,
    "identity": Identity,
    "IdentityInitializer": Identity,
    "LecunNormal": LecunNormal,
    "lecun_normal": LecunNormal,
    "LecunUniform": LecunUniform,
    "lecun_uniform": LecunUniform,
    "Ones": Ones,
    "ones": Ones,
    "one": Ones,
    "Orthogonal": Orthogonal,
    "orthogonal": Orthogonal,
    "OrthogonalInitializer": Orthogonal,
    "RandomNormal": RandomNormal,
    "random_normal": RandomNormal,
    "normal": RandomNormal,
    "RandomUniform": RandomUniform,
    "random_uniform": RandomUniform,
    "uniform": RandomUniform,
    "Sparse": Sparse,
    "sparse": Sparse,
    "TruncatedNormal": TruncatedNormal,
    "truncated_normal": TruncatedNormal,
    "VarianceScaling": VarianceScaling,
    "variance_scaling": VarianceScaling,
    "Zeros": Zeros,
    "zeros": Zeros,
    "zero": Zeros,
}
"""Every initializer by name."""


def get(identifier: Any) -> Any:
    """The initializer of this name, class or config; an object stands for itself, an array for its values.

    Example:
        >>> get("ones")((2,))
        array([1., 1.], dtype=float32)
    """
    if identifier is None:
        return None
    if isinstance(identifier, np.ndarray | np.generic):
        return Constant(identifier)
    return registry.resolve("initializer", identifier, CLASSES)


def serialize(initializer: Any) -> Any:
    """What `deserialize` makes the initializer from again: its class and config, or its name."""
    return registry.describe(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The initializer that `serialize` described; `custom_objects` are your own by name."""
    with registry.custom_object_scope(custom_objects):
        return get(config)


__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "Sparse",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "calculate_gain",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
