"""Metrics, by Keras's names: running means held in Variables, updated inside the compiled step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import losses, ops, registry
from chainrule.graph.shapes import Shape
from chainrule.graph.tracing import as_operand
from chainrule.graph.variable import Variable
from chainrule.losses import line_up
from chainrule.ops.movement import squeeze


class Metric(registry.Configured):
    """A running weighted mean of one value a sample; subclasses give the value.

    The sums are float64, so that they stay exact over millions of samples.
    """

    default_name = "metric"

    def __init__(self, name: str | None = None):
        self.name = name or self.default_name
        self.total = Variable(np.zeros((), "float64"), name=f"{self.name}/total", trainable=False)
        self.count = Variable(np.zeros((), "float64"), name=f"{self.name}/count", trainable=False)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """One number a sample."""
        raise NotImplementedError

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into the mean."""
        self.add_values(self.values(y_true, y_pred), sample_weight)

    update_state = update

    def add_values(self, values: Any, sample_weight: Any = None) -> None:
        """Take one number a sample into the mean."""
        values = as_operand(values)
        if sample_weight is not None:
            weights = as_operand(sample_weight)
            if len(weights.shape) > len(values.shape):
                weights = squeeze(weights, -1)
            weights = ops.broadcast_to(ops.cast(weights, values.dtype), values.shape)
            total, count = ops.sum(ops.multiply(values, weights)), ops.sum(weights)
        else:
            total, count = ops.sum(values), ops.sum(ops.ones_like(values))
        self.total.assign(ops.add(self.total, ops.cast(total, "float64")))
        self.count.assign(ops.add(self.count, ops.cast(count, "float64")))

    def result(self) -> float:
        """The mean so far, 0 of nothing."""
        count = float(self.count.numpy())
        return float(self.total.numpy()) / count if count else 0.0

    def reset(self) -> None:
        """Forget all batches."""
        self.total.assign(0.0)
        self.count.assign(0.0)

    reset_state = reset

    @property
    def variables(self) -> list[Variable]:
        return [self.total, self.count]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Mean(Metric):
    """The mean of the values it is given."""

    default_name = "mean"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return y_true


def _flat_mean(hits: Any) -> Any:
    return ops.mean(hits, axis=-1) if len(hits.shape) > 1 else hits


class Accuracy(Metric):
    """How often prediction and target are equal."""

    default_name = "accuracy"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return _flat_mean(ops.cast(ops.equal(true, pred), "float32"))


class BinaryAccuracy(Metric):
    """How often a prediction lies on the target's side of the threshold."""

    default_name = "binary_accuracy"

    def __init__(self, name: str | None = None, threshold: float = 0.5):
        super().__init__(name)
        self.threshold = threshold

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return _flat_mean(ops.cast(ops.equal(true, ops.cast(ops.greater(pred, self.threshold), pred.dtype)), "float32"))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "threshold": self.threshold}


class CategoricalAccuracy(Metric):
    """How often the largest prediction is at the largest target."""

    default_name = "categorical_accuracy"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return ops.cast(ops.equal(ops.argmax(true, -1), ops.argmax(pred, -1)), "float32")


class SparseCategoricalAccuracy(Metric):
    """How often the largest prediction is at the class that the target names."""

    default_name = "sparse_categorical_accuracy"

    def values(self, y_true: Any, y_pred: Any) -> Any:
        labels, pred = as_operand(y_true), as_operand(y_pred)
        if len(labels.shape) == len(pred.shape) and labels.shape[-1] == 1:
            labels = squeeze(labels, -1)
        return ops.cast(ops.equal(ops.cast(labels, "int32"), ops.argmax(pred, -1)), "float32")


class _LossMetric(Metric):
    """The running mean of a loss."""

    loss_class: type[losses.Loss]

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return self.loss_class().per_sample(y_true, y_pred)


class MeanSquaredError(_LossMetric):
    """``mean((y_true - y_pred)**2)``."""

    default_name = "mean_squared_error"
    loss_class = losses.MeanSquaredError


class MeanAbsoluteError(_LossMetric):
    """``mean(|y_true - y_pred|)``."""

    default_name = "mean_absolute_error"
    loss_class = losses.MeanAbsoluteError


class RootMeanSquaredError(MeanSquaredError):
    """``sqrt(mean((y_true - y_pred)**2))``."""

    default_name = "root_mean_squared_error"

    def result(self) -> float:
        return math.sqrt(super().result())


CLASSES: dict[str, type[Metric]] = {
    "Mean": Mean,
    "Accuracy": Accuracy,
    "BinaryAccuracy": BinaryAccuracy,
    "binary_accuracy": BinaryAccuracy,
    "CategoricalAccuracy": CategoricalAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "SparseCategoricalAccuracy": SparseCategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "MeanSquaredError": MeanSquaredError,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "MeanAbsoluteError": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "RootMeanSquaredError": RootMeanSquaredError,
    "root_mean_squared_error": RootMeanSquaredError,
    "rmse": RootMeanSquaredError,
}
_ACCURACY = ("accuracy", "acc")


def get(identifier: Any) -> Metric:
    """The metric of this name, class or config."""
    if isinstance(identifier, str) and identifier not in _ACCURACY and identifier in CLASSES:
        return CLASSES[identifier](name=identifier)
    return registry.resolve("metric", identifier, {**CLASSES, **dict.fromkeys(_ACCURACY, Accuracy)})


def resolve(identifier: Any, loss: losses.Loss | None, true_shape: Shape, pred_shape: Shape) -> Metric:
    """As `get`, but "accuracy" becomes the one that fits the loss and the shapes, as in Keras."""
    if not isinstance(identifier, str) or identifier not in _ACCURACY:
        return get(identifier)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return SparseCategoricalAccuracy(identifier)
    if pred_shape[-1] == 1 or isinstance(loss, losses.BinaryCrossentropy):
        return BinaryAccuracy(identifier)
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return SparseCategoricalAccuracy(identifier)
    return CategoricalAccuracy(identifier)
