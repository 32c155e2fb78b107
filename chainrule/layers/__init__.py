"""Layers, by Keras's names.

Reading order: `layer`, `core`, `shaping`; `scaled`, `normalization`, `batch_normalization`; `regularization`;
`preprocessing`, `categories`, `fingerprints`, `hashing`, `vocabulary`, `lookup`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import registry
from chainrule.errors import unknown_name
from chainrule.layers.activation import ELU, LeakyReLU, PReLU, ReLU, RReLU, Softmax
from chainrule.layers.batch_normalization import BatchNormalization
from chainrule.layers.categories import CategoryEncoding, Discretization
from chainrule.layers.core import (
    Activation,
    ActivityRegularization,
    Dense,
    Identity,
    Input,
    InputLayer,
    Lambda,
    Masking,
)
from chainrule.layers.einsum import EinsumDense
from chainrule.layers.embedding import Embedding
from chainrule.layers.hashing import HashedCrossing, Hashing
from chainrule.layers.layer import Layer
from chainrule.layers.lookup import IntegerLookup, StringLookup
from chainrule.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from chainrule.layers.normalization import GroupNormalization, LayerNormalization, RMSNormalization, UnitNormalization
from chainrule.layers.preprocessing import Normalization, Rescaling
from chainrule.layers.regularization import AlphaDropout, Dropout, GaussianDropout, GaussianNoise
from chainrule.layers.shaping import Flatten, Permute, RepeatVector, Reshape
from chainrule.layers.spectral_normalization import SpectralNormalization

CLASSES: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Activation,
        ActivityRegularization,
        Add,
        AlphaDropout,
        Average,
        BatchNormalization,
        CategoryEncoding,
        Concatenate,
        Dense,
        Discretization,
        Dot,
        Dropout,
        ELU,
        EinsumDense,
        Embedding,
        Flatten,
        GaussianDropout,
        GaussianNoise,
        GroupNormalization,
        HashedCrossing,
        Hashing,
        Identity,
        InputLayer,
        IntegerLookup,
        Lambda,
        LayerNormalization,
        LeakyReLU,
        Masking,
        Maximum,
        Minimum,
        Multiply,
        Normalization,
        PReLU,
        Permute,
        RMSNormalization,
        RReLU,
        ReLU,
        RepeatVector,
        Rescaling,
        Reshape,
        Softmax,
        SpectralNormalization,
        StringLookup,
        Subtract,
        UnitNormalization,
    )
}
"""Every layer by name: what a saved model may name."""


def known_layers() -> dict[str, type[Layer]]:
    """The table `CLASSES`; models, which are layers too, enter themselves there."""
    return CLASSES


def serialize(layer: Any) -> Any:
    """What `deserialize` makes the layer from again: its class and config, or its name."""
    return registry.describe(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer that `serialize` described; `custom_objects` are your own by name."""
    with registry.custom_object_scope(custom_objects):
        return registry.resolve("layer", config, CLASSES)


__all__ = [
    "CLASSES",
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "IntegerLookup",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "RReLU",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpectralNormalization",
    "StringLookup",
    "Subtract",
    "UnitNormalization",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "known_layers",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]


def __getattr__(name: str) -> Any:
    """A name that is not here: the nearest that are, and which kinds of layers there are none of."""
    raise AttributeError(
        f"{unknown_name('layer', name, __all__)}\n"
        "  note:     dense networks only; there is no convolution, recurrence or attention"
    )
