"""Models and objects in files and configs, by the names of `keras.saving`.

What a file names must be chainrule's own, registered by the program (`register_keras_serializable`), or passed in:
nothing is ever imported because a file says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import constraints, initializers, layers, losses, metrics, optimizers, registry, regularizers
from chainrule.errors import ChainruleError
from chainrule.models.saving import load_model, load_weights, save_model, save_weights
from chainrule.optimizers import schedules
from chainrule.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

_KINDS: dict[str, tuple[type, Mapping[str, Any]]] = {
    "layer": (layers.Layer, layers.known_layers()),
    "loss": (losses.Loss, losses.CLASSES),
    "metric": (metrics.Metric, metrics.CLASSES),
    "optimizer": (optimizers.Optimizer, optimizers.CLASSES),
    "schedule": (schedules.LearningRateSchedule, schedules.CLASSES),
    "initializer": (initializers.Initializer, initializers.CLASSES),
    "regularizer": (regularizers.Regularizer, regularizers.CLASSES),
    "constraint": (constraints.Constraint, constraints.CLASSES),
}
"""Kinds of objects: their class, and the names of that kind. One name may stand for a loss and for a metric."""


def serialize_keras_object(obj: Any) -> Any:
    """An object, or a list or dict of objects, as what `deserialize_keras_object` makes it from again.

    Example:
        >>> serialize_keras_object(regularizers.L2(0.5))
        {'class_name': 'L2', 'config': {'l2': 0.5}, 'kind': 'regularizer'}
    """
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    if isinstance(obj, list | tuple):
        return [serialize_keras_object(item) for item in obj]
    if isinstance(obj, Mapping):
        return {name: serialize_keras_object(value) for name, value in obj.items()}
    for kind, (base, _) in _KINDS.items():
        if isinstance(obj, base):
            return {**registry.describe(obj), "kind": kind}
    if hasattr(obj, "get_config"):
        return {**registry.describe(obj), "kind": "object"}
    raise ChainruleError(
        "it has no configuration", where="serialize_keras_object", expected="get_config()", got=f"{obj!r:.60}"
    )


def deserialize_keras_object(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What `serialize_keras_object` described; `custom_objects` are your own classes by name.

    Example:
        >>> deserialize_keras_object(serialize_keras_object([1, regularizers.L2(0.5)]))[1].l2
        0.5
    """
    if isinstance(config, list):
        return [deserialize_keras_object(item, custom_objects) for item in config]
    if not isinstance(config, Mapping):
        return config
    if "class_name" not in config:
        return {name: deserialize_keras_object(value, custom_objects) for name, value in config.items()}
    _, table = _KINDS.get(config.get("kind", ""), (object, {}))
    return registry.resolve(str(config.get("kind", "object")), config, table, custom_objects)


__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
