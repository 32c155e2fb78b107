"""Focal cross-entropies: what is predicted well already counts little, so that the hard samples lead.

Source: Lin et al., "Focal loss for dense object detection", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.config import EPSILON
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import normalize_axis
from chainrule.losses.crossentropy import binary_terms, shares, smooth_binary, smooth_categorical
from chainrule.losses.loss import Loss, line_up_floats, mean_of_last, require_axis, require_flag
from chainrule.registry import require_number


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """The mean over `axis` of ``(1 - t)**gamma`` times the binary cross-entropy; ``t = y * p + (1 - y) * (1 - p)``.

    Args:
        apply_class_balancing: whether it is multiplied by ``alpha * y + (1 - alpha) * (1 - y)``.
        alpha: the weight of class 1.
        gamma: how little the well predicted count; 0 for the cross-entropy.
        from_logits: whether predictions are logits, of which p is the sigmoid.
        label_smoothing: s, for targets ``y * (1 - s) + s / 2``.
    """
    true, pred = line_up_floats("binary_focal_crossentropy", y_true, y_pred)
    true = smooth_binary(true, label_smoothing)
    if from_logits:
        pred = ops.sigmoid(pred)
    hit = ops.add(ops.multiply(true, pred), ops.multiply(ops.subtract(1.0, true), ops.subtract(1.0, pred)))
    # Not quite 0, where the slope of a power is infinite or 0 times infinity.
    factor = ops.power(ops.maximum(ops.subtract(1.0, hit), EPSILON), gamma)
    values = ops.multiply(factor, binary_terms(true, pred))
    if apply_class_balancing:
        balance = ops.add(ops.multiply(true, alpha), ops.multiply(ops.subtract(1.0, true), 1.0 - alpha))
        values = ops.multiply(balance, values)
    return mean_of_last(values, axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(alpha * (1 - p)**gamma * y * log(p))`` over the classes, for targets with one number a class.

    Args:
        alpha: a weight, or one a class.
        gamma: how little the well predicted count.
        from_logits: whether predictions are logits, of which p is the softmax; else p is what they are of their sum.
        label_smoothing: s, for targets ``y * (1 - s) + s / classes``.
        axis: the classes.
    """
    where = "categorical_focal_crossentropy"
    true, pred = line_up_floats(where, y_true, y_pred)
    true = smooth_categorical(where, true, label_smoothing, axis)
    p = shares(ops.softmax(pred, axis) if from_logits else pred, axis)
    factor = ops.multiply(ops.power(ops.subtract(1.0, p), gamma), class_weights(where, alpha, p, axis))
    return ops.negative(ops.sum(ops.multiply(factor, ops.multiply(true, ops.log(p))), axis))


def class_weights(where: str, alpha: float | Sequence[float], p: Any, axis: int) -> Any:
    """One weight as it is; one a class as an array along `axis` of p."""
    if isinstance(alpha, int | float):
        return alpha
    at = normalize_axis(axis, len(p.shape), where)
    weights = np.asarray(alpha, p.dtype.numpy if hasattr(p.dtype, "numpy") else p.dtype)
    if weights.shape != (p.shape[at],):
        raise ChainruleError(
            "alpha does not fit the classes", where=where, expected=f"{p.shape[at]} weights", got=len(weights)
        )
    return weights.reshape([-1 if place == at else 1 for place in range(len(p.shape))])


class BinaryFocalCrossentropy(Loss):
    """``(1 - t)**gamma`` times the binary cross-entropy, with ``t = y * p + (1 - y) * (1 - p)``.

    Args:
        apply_class_balancing: whether it is multiplied by ``alpha * y + (1 - alpha) * (1 - y)``.
        alpha: the weight of class 1, from 0 to 1.
        gamma: how little the well predicted count; 0 for the cross-entropy.
        from_logits: whether predictions are logits, of which p is the sigmoid.
        label_smoothing: s, for targets ``y * (1 - s) + s / 2``.
        axis: what the mean is taken over.
    """

    elementwise = True

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = require_flag(self.name, "apply_class_balancing", apply_class_balancing)
        self.alpha = require_number(self.name, "alpha", alpha, 0.0, 1.0)
        self.gamma = require_number(self.name, "gamma", gamma, 0.0, float("inf"), open_high=True)
        self.from_logits = require_flag(self.name, "from_logits", from_logits)
        self.label_smoothing = require_number(self.name, "label_smoothing", label_smoothing, 0.0, 1.0)
        self.axis = require_axis(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return binary_focal_crossentropy(
            y_true,
            y_pred,
            self.apply_class_balancing,
            self.alpha,
            self.gamma,
            self.from_logits,
            self.label_smoothing,
            self.axis,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "apply_class_balancing": self.apply_class_balancing,
            "alpha": self.alpha,
            "gamma": self.gamma,
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
            **super().get_config(),
        }


class CategoricalFocalCrossentropy(Loss):
    """``-sum(alpha * (1 - p)**gamma * y * log(p))`` over the classes, for targets with one number a class.

    Args:
        alpha: a weight, or one a class, such as one over how often it occurs.
        gamma: how little the well predicted count.
        from_logits: whether predictions are logits, of which p is the softmax; else p is what they are of their sum.
        label_smoothing: s, for targets ``y * (1 - s) + s / classes``.
        axis: the classes.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        weights = alpha if isinstance(alpha, list | tuple) else [alpha]
        checked = [require_number(self.name, "alpha", item, 0.0, float("inf"), open_high=True) for item in weights]
        self.alpha: float | list[float] = checked if isinstance(alpha, list | tuple) else checked[0]
        self.gamma = require_number(self.name, "gamma", gamma, 0.0, float("inf"), open_high=True)
        self.from_logits = require_flag(self.name, "from_logits", from_logits)
        self.label_smoothing = require_number(self.name, "label_smoothing", label_smoothing, 0.0, 1.0)
        self.axis = require_axis(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_focal_crossentropy(
            y_true, y_pred, self.alpha, self.gamma, self.from_logits, self.label_smoothing, self.axis
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "alpha": self.alpha,
            "gamma": self.gamma,
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
            **super().get_config(),
        }
