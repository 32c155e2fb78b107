"""Activation functions, by Keras's names. `get` turns a name into a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import registry
from chainrule.ops import (
    elu as _elu,
)
from chainrule.ops import (
    exp as exponential,
)
from chainrule.ops import (
    gelu as _gelu,
)
from chainrule.ops import (
    hard_sigmoid,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)


def linear(x: Any) -> Any:
    """x."""
    return x


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha * (exp(x) - 1)``."""
    return _elu(x, alpha)


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x * P(X <= x)`` for a standard normal X; exact by default, as in Keras."""
    return _gelu(x, approximate)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        elu,
        gelu,
        hard_sigmoid,
        leaky_relu,
        linear,
        log_sigmoid,
        log_softmax,
        relu,
        relu6,
        selu,
        sigmoid,
        silu,
        softmax,
        softplus,
        softsign,
        tanh,
    )
} | {"swish": silu, "exponential": exponential}
"""Every activation by name."""


def get(identifier: Any) -> Callable[..., Any]:
    """The activation of this name; None is linear; a function stands for itself.

    Example:
        >>> get("relu").__name__
        'relu'
    """
    found: Callable[..., Any] = linear if identifier is None else registry.resolve("activation", identifier, FUNCTIONS)
    return found


def serialize(function: Callable[..., Any]) -> str:
    """The name that `get` takes."""
    return "exponential" if function is exponential else function.__name__


__all__ = [
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]
