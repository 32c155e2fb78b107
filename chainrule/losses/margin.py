"""Losses that ask for a margin between right and wrong; with 0 beyond it."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.losses.loss import Loss, line_up_floats, mean_of_last

# -- functions ----------------------------------------------------------------------------------------------------


def as_signs(true: Any) -> Any:
    """Targets that all are 0 or 1 as -1 and 1; others as they are."""
    binary = ops.all(ops.logical_or(ops.equal(true, 0.0), ops.equal(true, 1.0)))
    return ops.where(binary, ops.subtract(ops.multiply(true, 2.0), 1.0), true)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y * p, 0))`` over the last axis, for y of -1 and 1; where all are 0 or 1, 0 means -1.

    Example:
        >>> hinge([[0.0, 1.0]], [[0.5, 0.5]])
        array([1.], dtype=float32)
    """
    true, pred = line_up_floats("hinge", y_true, y_pred)
    return mean_of_last(ops.maximum(ops.subtract(1.0, ops.multiply(as_signs(true), pred)), 0.0))


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y * p, 0)**2)`` over the last axis, for y of -1 and 1; where all are 0 or 1, 0 means -1."""
    true, pred = line_up_floats("squared_hinge", y_true, y_pred)
    return mean_of_last(ops.square(ops.maximum(ops.subtract(1.0, ops.multiply(as_signs(true), pred)), 0.0)))


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(wrong - right + 1, 0)`` with ``right = sum(y * p)`` and ``wrong = max((1 - y) * p)`` over the last axis."""
    true, pred = line_up_floats("categorical_hinge", y_true, y_pred)
    right = ops.sum(ops.multiply(true, pred), axis=-1)
    wrong = ops.max(ops.multiply(ops.subtract(1.0, true), pred), axis=-1)
    return ops.maximum(ops.add(ops.subtract(wrong, right), 1.0), 0.0)


# -- classes ------------------------------------------------------------------------------------------------------


class Hinge(Loss):
    """``mean(max(1 - y * p, 0))``, for y of -1 and 1; where all targets of a batch are 0 or 1, 0 means -1."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return hinge(y_true, y_pred)


class SquaredHinge(Loss):
    """``mean(max(1 - y * p, 0)**2)``, for y of -1 and 1; where all targets of a batch are 0 or 1, 0 means -1."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return squared_hinge(y_true, y_pred)


class CategoricalHinge(Loss):
    """``max(wrong - right + 1, 0)``: the right class is to lie 1 above the best of the others.

    Here ``right = sum(y * p)`` and ``wrong = max((1 - y) * p)``, for targets with one number a class.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_hinge(y_true, y_pred)
