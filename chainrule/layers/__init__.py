"""Layers, by Keras's names. Reading order: `layer`, `core`, `shaping`."""

from chainrule.layers.core import Activation, Dense, Input, InputLayer
from chainrule.layers.layer import Layer
from chainrule.layers.shaping import Dropout, Flatten, Rescaling, Reshape

CLASSES: dict[str, type[Layer]] = {
    kind.__name__: kind for kind in (Activation, Dense, Dropout, Flatten, InputLayer, Rescaling, Reshape)
}
"""Every layer by name: what a saved model may name."""


def known_layers() -> dict[str, type[Layer]]:
    """The table `CLASSES`; models, which are layers too, enter themselves there."""
    return CLASSES


__all__ = [
    "CLASSES",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "Rescaling",
    "Reshape",
    "known_layers",
]
