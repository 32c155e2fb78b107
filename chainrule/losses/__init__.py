"""Losses, by Keras's names, semantics and numbers.

Each maps ``(y_true, y_pred)`` to one number a sample (`per_sample`), and those, times the sample weights, to their mean
over the batch. Targets of shape (n,) and predictions of shape (n, 1) are lined up element by element.
"""

from __future__ import annotations

from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import as_operand
from chainrule.ops import take_along_axis
from chainrule.ops.movement import expand_dims, squeeze

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1."""


def line_up(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both as floats of one shape: (n,) and (n, 1) meet, anything else that differs is refused."""
    true, pred = as_operand(y_true), as_operand(y_pred)
    true = ops.cast(true, pred.dtype)
    if len(true.shape) == len(pred.shape) - 1 and pred.shape[-1] == 1:
        true = expand_dims(true, -1)
    elif len(true.shape) == len(pred.shape) + 1 and true.shape[-1] == 1:
        true = squeeze(true, -1)
    if tuple(true.shape) != tuple(pred.shape):
        raise ChainruleError(
            "targets and predictions differ in shape",
            where=name,
            expected=f"targets of shape {format_shape(pred.shape)}",
            got=format_shape(true.shape),
            fix="reshape the targets, or change the units of the last layer",
        )
    return true, pred


class Loss(registry.Configured):
    """A loss.

    Args:
        reduction: ``sum_over_batch_size`` (the mean), ``sum``, ``mean_with_sample_weight`` or ``none``.
        name: for logs.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str | None = None):
        known = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)
        if reduction not in known:
            raise ChainruleError(
                "unknown reduction", where=type(self).__name__, expected=known[:-1], got=repr(reduction)
            )
        self.reduction, self.name = reduction, name or type(self).__name__

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        """One number a sample."""
        raise NotImplementedError

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        values = self.per_sample(y_true, y_pred)
        weights = None
        if sample_weight is not None:
            weights = ops.cast(as_operand(sample_weight), values.dtype)
            if len(weights.shape) == len(values.shape) + 1 and weights.shape[-1] == 1:
                weights = squeeze(weights, -1)
            while len(weights.shape) < len(values.shape):
                weights = expand_dims(weights, -1)
            values = ops.multiply(values, weights)
        if self.reduction in ("none", None):
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            return ops.divide(ops.sum(values), ops.sum(ops.broadcast_to(weights, values.shape)))
        return ops.mean(values)

    def get_config(self) -> dict[str, Any]:
        return {"reduction": self.reduction, "name": self.name}


def _mean_last(values: Any) -> Any:
    return ops.mean(values, axis=-1) if len(values.shape) > 1 else values


class MeanSquaredError(Loss):
    """``mean((y_true - y_pred)**2)``."""

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return _mean_last(ops.square(ops.subtract(pred, true)))


class MeanAbsoluteError(Loss):
    """``mean(|y_true - y_pred|)``."""

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        return _mean_last(ops.absolute(ops.subtract(pred, true)))


class Huber(Loss):
    """``e**2 / 2`` where ``|e| <= delta``, else ``delta * |e| - delta**2 / 2``, for ``e = y_true - y_pred``.

    Source: Huber 1964.
    """

    def __init__(self, delta: float = 1.0, reduction: str = "sum_over_batch_size", name: str | None = None):
        super().__init__(reduction, name)
        self.delta = registry.require_number(self.name, "delta", delta, 0.0, float("inf"))

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        error = ops.subtract(pred, true)
        size = ops.absolute(error)
        inner = ops.multiply(ops.square(error), 0.5)
        outer = ops.subtract(ops.multiply(size, self.delta), 0.5 * self.delta**2)
        return _mean_last(ops.where(ops.less_equal(size, self.delta), inner, outer))

    def get_config(self) -> dict[str, Any]:
        return {"delta": self.delta, **super().get_config()}


class _Crossentropy(Loss):
    """What the cross-entropies share.

    Args:
        from_logits: whether predictions are numbers before the softmax or sigmoid.
        label_smoothing: how far targets are moved from 0 and 1.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ):
        super().__init__(reduction, name)
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = registry.require_number(self.name, "label_smoothing", label_smoothing, 0.0, 1.0)

    def log_probabilities(self, y_pred: Any) -> Any:
        """``log_softmax`` of logits, or the logarithm of probabilities made to add up to 1."""
        if self.from_logits:
            return ops.log_softmax(y_pred, self.axis)
        sums = ops.divide(y_pred, ops.sum(y_pred, self.axis, keepdims=True))
        return ops.log(ops.clip(sums, EPSILON, 1 - EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
            **super().get_config(),
        }


class BinaryCrossentropy(_Crossentropy):
    """``-(y log p + (1 - y) log(1 - p))``, the mean over the last axis."""

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        if self.label_smoothing:
            true = ops.add(ops.multiply(true, 1 - self.label_smoothing), 0.5 * self.label_smoothing)
        if self.from_logits:
            # -(y log s(x) + (1 - y) log(1 - s(x))) = softplus(x) - x y, without overflow.
            values = ops.subtract(ops.softplus(pred), ops.multiply(pred, true))
        else:
            p = ops.clip(pred, EPSILON, 1 - EPSILON)
            both = ops.add(
                ops.multiply(true, ops.log(p)), ops.multiply(ops.subtract(1.0, true), ops.log(ops.subtract(1.0, p)))
            )
            values = ops.negative(both)
        return _mean_last(values)


class CategoricalCrossentropy(_Crossentropy):
    """``-sum(y log p)`` over the classes, for targets that are one number a class."""

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, y_pred)
        if self.label_smoothing:
            classes = pred.shape[self.axis]
            true = ops.add(ops.multiply(true, 1 - self.label_smoothing), self.label_smoothing / classes)
        return ops.negative(ops.sum(ops.multiply(true, self.log_probabilities(pred)), self.axis))


class SparseCategoricalCrossentropy(_Crossentropy):
    """``-log p[y]`` for targets that are the number of the class.

    Args:
        ignore_class: a label whose samples count as zero.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
    ):
        super().__init__(from_logits, 0.0, axis, reduction, name)
        self.ignore_class = ignore_class

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        pred, labels = as_operand(y_pred), as_operand(y_true)
        if len(labels.shape) == len(pred.shape) and labels.shape[-1] == 1:
            labels = squeeze(labels, -1)
        if len(labels.shape) != len(pred.shape) - 1:
            raise ChainruleError(
                "the labels do not fit the predictions",
                where=self.name,
                expected=f"one whole number a sample, shape {format_shape(pred.shape[:-1])}",
                got=format_shape(labels.shape),
                fix="use CategoricalCrossentropy for targets with one number a class",
            )
        labels = ops.cast(labels, "int32")
        chosen = take_along_axis(self.log_probabilities(pred), expand_dims(labels, -1), self.axis)
        values = ops.negative(squeeze(chosen, -1))
        if self.ignore_class is not None:
            values = ops.where(ops.equal(labels, self.ignore_class), 0.0, values)
        return values

    def get_config(self) -> dict[str, Any]:
        return {
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
            "reduction": self.reduction,
            "name": self.name,
        }


CLASSES: dict[str, type[Loss]] = {
    "MeanSquaredError": MeanSquaredError,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "MeanAbsoluteError": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "Huber": Huber,
    "huber": Huber,
    "BinaryCrossentropy": BinaryCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
    "CategoricalCrossentropy": CategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "SparseCategoricalCrossentropy": SparseCategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


class _FunctionLoss(Loss):
    """A user's function ``(y_true, y_pred) -> one number a sample``."""

    def __init__(self, function: Any):
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)


def get(identifier: Any) -> Loss:
    """The loss of this name, class or config; a function ``(y_true, y_pred)`` becomes a loss."""
    found = registry.resolve("loss", identifier, CLASSES)
    return found if isinstance(found, Loss) else _FunctionLoss(found)


__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
    "line_up",
]
