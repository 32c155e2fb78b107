"""Activations without a kink."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.ops import hard_sigmoid, log_sigmoid, sigmoid, silu, softplus, softsign, tanh


def linear(x: Any) -> Any:
    """x."""
    return x


def exponential(x: Any) -> Any:
    """``exp(x)``."""
    return ops.exp(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x * P(X <= x)`` for a standard normal X; exact by default, as in Keras.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
    """
    return ops.gelu(x, approximate)


def mish(x: Any) -> Any:
    """``x * tanh(log(1 + exp(x)))``.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2019.
    """
    return ops.multiply(x, tanh(softplus(x)))


def squareplus(x: Any, b: float = 4) -> Any:
    """``(x + sqrt(x**2 + b)) / 2``: a softplus without exponentials; `b` is the width of its bend.

    Source: Barron, "Squareplus: a softplus-like algebraic rectifier", 2021.
    """
    return ops.multiply(ops.add(x, ops.sqrt(ops.add(ops.square(x), b))), 0.5)


def tanh_shrink(x: Any) -> Any:
    """``x - tanh(x)``."""
    return ops.subtract(x, tanh(x))


__all__ = [
    "exponential",
    "gelu",
    "hard_sigmoid",
    "linear",
    "log_sigmoid",
    "mish",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "squareplus",
    "tanh",
    "tanh_shrink",
]
