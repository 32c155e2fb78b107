"""Mistakes that would train, but not what was meant: found before the first step, named by layer."""

from __future__ import annotations

import math
from typing import Any

from chainrule.errors import ChainruleError

_SQUASHED = {"softmax": "probabilities", "sigmoid": "probabilities", "log_softmax": "log-probabilities"}


def activation_of(layer: Any) -> str | None:
    """The name of a layer's activation, where it has one."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def suggest_shape(given: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What to do about samples of another shape than the model's Input.

    Example:
        >>> suggest_shape((783,), (784,))
        'Input((784,)) is for samples of shape (784,): give x that shape, or write Input((783,))'
        >>> suggest_shape((28, 28), (784,))
        'x = x.reshape(-1, 784), or Input((28, 28)) with cr.layers.Flatten() behind it'
    """
    given, expected = tuple(map(int, given)), tuple(expected)
    known = all(isinstance(size, int) for size in expected)
    if known and len(given) > len(expected) == 1 and math.prod(given) == expected[0]:
        return f"x = x.reshape(-1, {expected[0]}), or Input({given}) with cr.layers.Flatten() behind it"
    return f"Input({expected}) is for samples of shape {expected}: give x that shape, or write Input({given})"


def check_last_activation(loss: Any, layers: list[Any]) -> None:
    """Refuse a loss that takes the softmax or sigmoid of what is one already, and a softmax of a softmax.

    Args:
        loss: of one output.
        layers: that give this output, the last first.
    """
    if not layers:
        return
    last = activation_of(layers[0])
    if getattr(loss, "from_logits", False) and last in _SQUASHED:
        raise ChainruleError(
            "the loss takes the softmax or sigmoid of what is one already",
            where=f"layer '{layers[0].name}'",
            expected=f"logits for {loss.name}(from_logits=True)",
            got=f"{_SQUASHED[last]}, as the activation is '{last}'",
            fix="leave the activation out, or from_logits=True",
        )
    if last == "softmax" and len(layers) > 1 and activation_of(layers[1]) == "softmax":
        raise ChainruleError(
            "a softmax of a softmax",
            where=f"layer '{layers[0].name}'",
            expected="logits",
            got=f"probabilities, from layer '{layers[1].name}'",
            fix="leave one of the two out",
        )
