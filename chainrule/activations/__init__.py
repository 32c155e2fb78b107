"""Activation functions, by Keras's names. `get` turns a name into a function.

Reading order: `rectified` (straight pieces), `smooth`, `normalized` (a whole axis at once).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chainrule import registry
from chainrule.activations.normalized import glu, log_softmax, softmax, sparsemax
from chainrule.activations.rectified import (
    celu,
    elu,
    hard_shrink,
    hard_silu,
    hard_tanh,
    leaky_relu,
    relu,
    relu6,
    rrelu,
    selu,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    threshold,
)
from chainrule.activations.smooth import (
    exponential,
    gelu,
    hard_sigmoid,
    linear,
    log_sigmoid,
    mish,
    sigmoid,
    silu,
    softplus,
    softsign,
    squareplus,
    tanh,
    tanh_shrink,
)

swish, hard_swish = silu, hard_silu

FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        celu,
        elu,
        exponential,
        gelu,
        glu,
        hard_shrink,
        hard_sigmoid,
        hard_silu,
        hard_tanh,
        leaky_relu,
        linear,
        log_sigmoid,
        log_softmax,
        mish,
        relu,
        relu6,
        rrelu,
        selu,
        sigmoid,
        silu,
        soft_shrink,
        softmax,
        softplus,
        softsign,
        sparse_plus,
        sparse_sigmoid,
        sparsemax,
        squareplus,
        tanh,
        tanh_shrink,
        threshold,
    )
} | {"swish": silu, "hard_swish": hard_silu}
"""Every activation by name."""

LAYERS: dict[str, type] = {}
"""Layers that may stand where an activation is wanted, such as `LeakyReLU`: `chainrule.layers` enters them."""


def get(identifier: Any) -> Callable[..., Any]:
    """The activation of this name or config; None is linear; a function or a layer stands for itself.

    Example:
        >>> get("relu").__name__
        'relu'
    """
    if identifier is None:
        return linear
    found: Callable[..., Any] = registry.resolve("activation", identifier, {**LAYERS, **FUNCTIONS})
    return found


def serialize(function: Callable[..., Any]) -> Any:
    """The name, or the config of a layer, that `get` takes."""
    return registry.describe(function)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """The activation that `serialize` described; `custom_objects` are your own by name."""
    with registry.custom_object_scope(custom_objects):
        return get(config)


__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]
