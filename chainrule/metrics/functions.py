"""Metrics as functions ``(y_true, y_pred)``: accuracies, 1 where a prediction is right and else 0, and correlations."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.metrics.accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from chainrule.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Whether each prediction lies on its target's side of the threshold.

    Example:
        >>> binary_accuracy([1.0, 0.0, 0.0], [0.9, 0.2, 0.6])
        array([1., 1., 0.], dtype=float32)
    """
    return ops.cast(BinaryAccuracy(threshold=threshold).values(y_true, y_pred), "float32")


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest prediction is at the largest target, for each sample."""
    return ops.cast(CategoricalAccuracy().values(y_true, y_pred), "float32")


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest prediction is at the class that the target names, for each sample."""
    return ops.cast(SparseCategoricalAccuracy().values(y_true, y_pred), "float32")


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether fewer than k classes have a larger prediction than the largest target's, for each sample."""
    return ops.cast(TopKCategoricalAccuracy(k=k).values(y_true, y_pred), "float32")


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """Whether fewer than k classes have a larger prediction than the one that the target names, for each sample."""
    metric = SparseTopKCategoricalAccuracy(k=k, from_sorted_ids=from_sorted_ids)
    return ops.cast(metric.values(y_true, y_pred), "float32")


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Pearson's correlation of targets and predictions along `axis`; NaN where one of them is constant."""
    return PearsonCorrelation(axis=axis).values(y_true, y_pred)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Lin's concordance of targets and predictions along `axis`."""
    return ConcordanceCorrelation(axis=axis).values(y_true, y_pred)
