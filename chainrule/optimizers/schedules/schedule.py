"""`LearningRateSchedule`, the table of schedules, and how one is made from a name or a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError

CLASSES: dict[str, type[LearningRateSchedule]] = {}
"""Names to schedules, filled by the package."""


class LearningRateSchedule(registry.Configured):
    """Called with the number of steps done it gives the learning rate of the next.

    It is traced into the compiled step: what depends on the step is made of `ops`, never of Python's ``if``.

    Example:
        >>> class Halving(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return ops.power(0.5, as_float(step))
        >>> float(Halving()(3))
        0.125
    """

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError


def require_positive(where: str, name: str, value: Any) -> float:
    """`value`, if it is a number above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise ChainruleError(f"{name} is not positive", where=where, expected="a number above 0", got=repr(value))
    return value


def as_float(step: Any) -> Any:
    """The number of steps as float32."""
    return ops.cast(step, "float32")


def get(identifier: Any) -> Any:
    """The schedule of this name, class or config, or the one that is given."""
    return registry.resolve("schedule", identifier, CLASSES)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The description from which `deserialize` makes an equal schedule."""
    description: dict[str, Any] = registry.describe(learning_rate_schedule)
    return description


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule of a description.

    Example:
        >>> from chainrule.optimizers import schedules
        >>> again = schedules.deserialize(schedules.serialize(schedules.FlatCos(0.5, 10)))
        >>> float(again(0))
        0.5
    """
    with registry.custom_object_scope(custom_objects):
        return get(config)
