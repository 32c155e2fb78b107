"""The table of optimizers, and how one is made from a name or a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import registry
from chainrule.errors import ChainruleError
from chainrule.optimizers.optimizer import Optimizer

CLASSES: dict[str, type[Optimizer]] = {}
"""Names to optimizers, filled by the package."""


def get(identifier: Any) -> Optimizer:
    """The optimizer of this name, class or config, or the one that is given.

    Example:
        >>> from chainrule import optimizers
        >>> optimizers.get("adam").beta_1
        0.9
    """
    found = registry.resolve("optimizer", identifier, CLASSES)
    if not isinstance(found, Optimizer):
        raise ChainruleError("not an optimizer", expected="a name or an optimizer", got=repr(identifier))
    return found


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The description from which `deserialize` makes an equal optimizer, without its state."""
    description: dict[str, Any] = registry.describe(optimizer)
    return description


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """The optimizer of a description.

    Example:
        >>> from chainrule import optimizers
        >>> optimizers.deserialize(optimizers.serialize(optimizers.SGD(0.5))).get_config()["learning_rate"]
        0.5
    """
    with registry.custom_object_scope(custom_objects):
        return get(config)
