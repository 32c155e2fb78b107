"""Mistakes that would train, but not what was meant: found before the first step, named by layer."""

from __future__ import annotations

from typing import Any

from chainrule.errors import ChainruleError

_SQUASHED = {"softmax": "probabilities", "sigmoid": "probabilities", "log_softmax": "log-probabilities"}


def activation_of(layer: Any) -> str | None:
    """The name of a layer's activation, where it has one."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


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
