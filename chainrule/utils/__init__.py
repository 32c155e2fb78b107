"""Small things for users: seeds, arrays, a drawing of a network, data sets of batches, names for files."""

from chainrule.backend import clear_session
from chainrule.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from chainrule.seeds import set_random_seed
from chainrule.utils.arrays import (
    normalize,
    pack_x_y_sample_weight,
    to_categorical,
    unpack_x_y_sample_weight,
)
from chainrule.utils.dataset import PyDataset
from chainrule.utils.drawing import plot_model

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "pack_x_y_sample_weight",
    "plot_model",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
