"""Constraints, by Keras's names: each maps a weight to the nearest one allowed, after every update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import ops, registry

_EPSILON = 1e-7


class Constraint(registry.Configured):
    """Called with a weight it returns the weight that takes its place."""

    def __call__(self, w: Any) -> Any:
        raise NotImplementedError


def _norm(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """``w * clip(norm, 0, max_value) / norm``, the norm along `axis`: of each neuron's weights at axis 0.

    Source: Srivastava et al. 2014.
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value, self.axis = registry.require_number("MaxNorm", "max_value", max_value, 0.0, 1e30), axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        return ops.multiply(w, ops.divide(ops.clip(norm, 0.0, self.max_value), ops.add(norm, _EPSILON)))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """``max(w, 0)``.

    Example:
        >>> NonNeg()([1.0, -2.0])
        array([1., 0.])
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0.0)


class UnitNorm(Constraint):
    """``w / norm``, the norm along `axis`."""

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return ops.divide(w, ops.add(_norm(w, self.axis), _EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """``w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / norm``, the norm along `axis`."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value = registry.require_number("MinMaxNorm", "min_value", min_value, 0.0, 1e30)
        self.max_value = registry.require_number("MinMaxNorm", "max_value", max_value, self.min_value, 1e30)
        self.rate = registry.require_number("MinMaxNorm", "rate", rate, 0.0, 1.0)
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        within = ops.multiply(ops.clip(norm, self.min_value, self.max_value), self.rate)
        wanted = ops.add(within, ops.multiply(norm, 1 - self.rate))
        return ops.multiply(w, ops.divide(wanted, ops.add(norm, _EPSILON)))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

CLASSES: dict[str, type[Constraint]] = {
    "MaxNorm": MaxNorm,
    "max_norm": MaxNorm,
    "NonNeg": NonNeg,
    "non_neg": NonNeg,
    "UnitNorm": UnitNorm,
    "unit_norm": UnitNorm,
    "MinMaxNorm": MinMaxNorm,
    "min_max_norm": MinMaxNorm,
}


def get(identifier: Any) -> Any:
    """The constraint of this name, class or config; None is none.

    Example:
        >>> get("max_norm").max_value
        2.0
    """
    return None if identifier is None else registry.resolve("constraint", identifier, CLASSES)


def serialize(constraint: Any) -> Any:
    """What `deserialize` makes the constraint from again: its class and config, or its name."""
    return registry.describe(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The constraint that `serialize` described; `custom_objects` are your own by name."""
    with registry.custom_object_scope(custom_objects):
        return get(config)


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]
