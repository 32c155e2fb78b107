"""Regularizers, by Keras's names: each is called with a weight and returns a penalty, one number added to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError


class Regularizer(registry.Configured):
    """Called with a weight it returns a penalty."""

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


class L1(Regularizer):
    """``l1 * sum(|x|)``.

    Example:
        >>> float(L1(0.5)([1.0, -3.0]))
        2.0
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = registry.require_number("L1", "l1", 0.01 if l1 is None else l1, 0.0, 1e30)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.absolute(x)), self.l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """``l2 * sum(x**2)``.

    Example:
        >>> float(L2(0.5)([1.0, -3.0]))
        5.0
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = registry.require_number("L2", "l2", 0.01 if l2 is None else l2, 0.0, 1e30)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(ops.sum(ops.square(x)), self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x**2)``."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1 = registry.require_number("L1L2", "l1", 0.0 if l1 is None else l1, 0.0, 1e30)
        self.l2 = registry.require_number("L1L2", "l2", 0.0 if l2 is None else l2, 0.0, 1e30)

    def __call__(self, x: Any) -> Any:
        total: Any = 0.0
        if self.l1:
            total = ops.add(total, ops.multiply(ops.sum(ops.absolute(x)), self.l1))
        if self.l2:
            total = ops.add(total, ops.multiply(ops.sum(ops.square(x)), self.l2))
        return total

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """``factor * mean |u_i · u_j|`` over the pairs of different rows (or columns) u, each of length 1.

    Args:
        factor: of the penalty.
        mode: ``rows`` or ``columns``.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        if mode not in ("rows", "columns"):
            raise ChainruleError(
                "unknown mode", where="OrthogonalRegularizer", expected="'rows' or 'columns'", got=repr(mode)
            )
        self.factor, self.mode = registry.require_number("OrthogonalRegularizer", "factor", factor, 0.0, 1e30), mode

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ChainruleError("not a matrix", where="OrthogonalRegularizer", expected="2 axes", got=x.shape)
        vectors = x if self.mode == "rows" else ops.transpose(x)
        length = ops.sqrt(ops.maximum(ops.sum(ops.square(vectors), axis=1, keepdims=True), 1e-14))
        unit = ops.divide(vectors, length)
        products = ops.matmul(unit, ops.transpose(unit))
        size = int(vectors.shape[0])
        others = ops.absolute(ops.multiply(products, ops.subtract(1.0, ops.eye(size))))
        pairs = size * (size - 1) / 2
        return ops.multiply(ops.divide(ops.sum(others), 2 * pairs), self.factor)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

CLASSES: dict[str, type[Regularizer]] = {
    "L1": L1,
    "l1": L1,
    "L2": L2,
    "l2": L2,
    "L1L2": L1L2,
    "l1l2": L1L2,
    "l1_l2": L1L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
    "orthogonal_regularizer": OrthogonalRegularizer,
}


def get(identifier: Any) -> Any:
    """The regularizer of this name, class or config; None is none.

    Example:
        >>> get("l2").l2
        0.01
    """
    return None if identifier is None else registry.resolve("regularizer", identifier, CLASSES)


def serialize(regularizer: Any) -> Any:
    """What `deserialize` makes the regularizer from again: its class and config, or its name."""
    return registry.describe(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` described; `custom_objects` are your own by name."""
    with registry.custom_object_scope(custom_objects):
        return get(config)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]
