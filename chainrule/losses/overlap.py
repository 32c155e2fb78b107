"""Losses of overlap between what is marked in the targets and in the predictions: over a whole batch, or some axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import ops
from chainrule.config import EPSILON
from chainrule.errors import ChainruleError
from chainrule.losses.loss import Loss, line_up_floats
from chainrule.registry import require_number

Axes = int | Sequence[int] | None


def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> Any:
    """``1 - 2 * sum(y * p) / (sum(y) + sum(p) + 1e-7)`` over `axis`, all axes by default.

    Example:
        >>> float(dice([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 1.0, 0.0]]))
        0.5
    """
    true, pred = line_up_floats("dice", y_true, y_pred)
    both = ops.sum(ops.multiply(true, pred), axis=axis)
    each = ops.add(ops.add(ops.sum(true, axis=axis), ops.sum(pred, axis=axis)), EPSILON)
    return ops.subtract(1.0, ops.divide(ops.multiply(both, 2.0), each))


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None) -> Any:
    """``1 - both / (both + alpha * missed + beta * extra + 1e-7)`` over `axis`, all axes by default.

    Here ``both = sum(y * p)``, ``missed = sum(y * (1 - p))`` and ``extra = sum((1 - y) * p)``.
    """
    true, pred = line_up_floats("tversky", y_true, y_pred)
    both = ops.sum(ops.multiply(true, pred), axis=axis)
    missed = ops.sum(ops.multiply(true, ops.subtract(1.0, pred)), axis=axis)
    extra = ops.sum(ops.multiply(ops.subtract(1.0, true), pred), axis=axis)
    whole = ops.add(ops.add(both, ops.multiply(missed, alpha)), ops.multiply(extra, beta))
    return ops.subtract(1.0, ops.divide(both, ops.add(whole, EPSILON)))


def require_axes(where: str, axis: Any) -> int | tuple[int, ...] | None:
    """One axis, several as a tuple, or None for all."""
    listed = [axis] if axis is None or not isinstance(axis, list | tuple) else axis
    if not all(item is None or (isinstance(item, int) and not isinstance(item, bool)) for item in listed) or (
        isinstance(axis, list | tuple) and (not axis or None in axis)
    ):
        raise ChainruleError("not axes", where=where, expected="a whole number, several, or None", got=repr(axis))
    return tuple(axis) if isinstance(axis, list | tuple) else axis


class Dice(Loss):
    """``1 - 2 * sum(y * p) / (sum(y) + sum(p) + 1e-7)``, from 0 for the same to 1 for nothing in common.

    Args:
        axis: the axes that are added up; None for all, so that a batch has one number.

    Source: Milletari et al., "V-Net", 2016.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axes = None,
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.axis = require_axes(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return dice(y_true, y_pred, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis, **super().get_config()}


class Tversky(Loss):
    """``1 - both / (both + alpha * missed + beta * extra + 1e-7)``: `Dice` with prices for the two kinds of mistake.

    Args:
        alpha: the price of what is marked in the targets alone.
        beta: the price of what is marked in the predictions alone.
        axis: the axes that are added up; None for all, so that a batch has one number.

    Source: Salehi et al., "Tversky loss function for image segmentation", 2017.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axes = None,
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.alpha = require_number(self.name, "alpha", alpha, 0.0, float("inf"), open_high=True)
        self.beta = require_number(self.name, "beta", beta, 0.0, float("inf"), open_high=True)
        self.axis = require_axes(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return tversky(y_true, y_pred, self.alpha, self.beta, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "beta": self.beta, "axis": self.axis, **super().get_config()}
