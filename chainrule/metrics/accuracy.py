"""Accuracies: how often predictions are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import as_operand
from chainrule.losses import line_up
from chainrule.metrics.metric import MeanOverSamples


class Accuracy(MeanOverSamples):
    """How often prediction and target are equal.

    Example:
        >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
        0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(name, dtype)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return ops.equal(true, pred)


class BinaryAccuracy(MeanOverSamples):
    """How often a prediction lies on the target's side of the threshold.

    Args:
        threshold: predictions above it are 1, others 0.

    Example:
        >>> float(BinaryAccuracy()([1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6]))
        0.75
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(name, dtype)
        self.threshold = threshold

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        return ops.equal(true, ops.cast(ops.greater(pred, self.threshold), pred.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanOverSamples):
    """How often the largest prediction is at the largest target, for targets that are one number a class.

    Example:
        >>> float(CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]))
        0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(name, dtype)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return ops.equal(ops.argmax(true, -1), ops.argmax(pred, -1))


class SparseCategoricalAccuracy(MeanOverSamples):
    """How often the largest prediction is at the class that the target names.

    Example:
        >>> float(SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]))
        0.5
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(name, dtype)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        labels, pred = line_up_labels(self.name, y_true, y_pred)
        return ops.equal(labels, ops.argmax(pred, -1))


class TopKCategoricalAccuracy(MeanOverSamples):
    """How often fewer than k classes have a larger prediction than the target's class; targets one number a class.

    Args:
        k: how many predictions count as right.

    Example:
        >>> float(TopKCategoricalAccuracy(k=1)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]))
        0.5
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(name, dtype)
        self.k = check_k(self.name, k)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        return is_in_top_k(ops.argmax(true, -1), pred, self.k)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(MeanOverSamples):
    """How often fewer than k classes have a larger prediction than the class that the target names.

    Args:
        k: how many predictions count as right.
        from_sorted_ids: whether predictions are not scores but the numbers of classes, the best first.

    Example:
        >>> float(SparseTopKCategoricalAccuracy(k=1)([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]))
        0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = check_k(self.name, k), from_sorted_ids

    def values(self, y_true: Any, y_pred: Any) -> Any:
        labels, pred = line_up_labels(self.name, y_true, y_pred)
        if not self.from_sorted_ids:
            return is_in_top_k(labels, ops.cast(pred, self.dtype), self.k)
        place = ops.arange(pred.shape[-1], dtype="int32")
        hit = ops.logical_and(
            ops.equal(ops.cast(pred, "int32"), ops.expand_dims(labels, -1)), ops.less(place, np.int32(self.k))
        )
        return ops.any(hit, -1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k, "from_sorted_ids": self.from_sorted_ids}


def check_k(where: str, k: Any) -> int:
    """`k` as a whole number above 0."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ChainruleError("not a number of classes", where=f"{where}, k", expected="1 or more", got=repr(k))
    return k


def line_up_labels(where: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels as int32 with one axis less than the predictions; (n, 1) becomes (n,)."""
    labels, pred = as_operand(y_true), as_operand(y_pred)
    if len(labels.shape) == len(pred.shape) and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    if len(labels.shape) != len(pred.shape) - 1:
        raise ChainruleError(
            "the labels do not fit the predictions",
            where=where,
            expected=f"one whole number a sample, shape {format_shape(pred.shape[:-1])}",
            got=format_shape(labels.shape),
            fix="for targets with one number per class, use the metric without 'sparse' in its name",
        )
    return ops.cast(labels, "int32"), pred


def is_in_top_k(labels: Any, scores: Any, k: int) -> Any:
    """Whether fewer than k scores are larger than the label's; not where that is NaN or missing."""
    classes = ops.arange(scores.shape[-1], dtype="int32")
    of_label = ops.max(ops.where(ops.equal(ops.expand_dims(labels, -1), classes), scores, -np.inf), -1)
    of_label = ops.where(ops.isnan(of_label), -np.inf, of_label)
    larger = ops.greater(scores, ops.expand_dims(of_label, -1))
    return ops.less(ops.sum(ops.cast(larger, "int32"), -1), np.int32(k))
