"""Metrics that are the weighted mean of a loss, one number a sample."""

from __future__ import annotations

from typing import Any

from chainrule import losses, ops
from chainrule.metrics.metric import MeanOverSamples, spread_weights


class MeanLoss(MeanOverSamples):
    """The weighted mean of what a loss gives for each sample."""

    def __init__(self, loss: losses.Loss, name: str | None, dtype: Any):
        super().__init__(name, dtype)
        self.loss = loss

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return self.loss.per_sample(y_true, ops.cast(y_pred, self.dtype))


class MeanSquaredError(MeanLoss):
    """``mean((y_true - y_pred)**2)``.

    Example:
        >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
        0.25
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.MeanSquaredError(), name, dtype)


class MeanAbsoluteError(MeanLoss):
    """``mean(|y_true - y_pred|)``.

    Example:
        >>> float(MeanAbsoluteError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
        0.25
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


class MeanAbsolutePercentageError(MeanLoss):
    """``100 * mean(|y_true - y_pred| / max(|y_true|, 1e-7))``."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


class MeanSquaredLogarithmicError(MeanLoss):
    """``mean((log(y_true + 1) - log(y_pred + 1))**2)``."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


class LogCoshError(MeanLoss):
    """``mean(log(cosh(y_pred - y_true)))``."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(losses.LogCosh(), name, dtype)


class Hinge(MeanLoss):
    """``mean(max(1 - y_true * y_pred, 0))``; where all targets of a batch are 0 or 1, 0 means -1."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(losses.Hinge(), name, dtype)


class SquaredHinge(MeanLoss):
    """``mean(max(1 - y_true * y_pred, 0)**2)``; where all targets of a batch are 0 or 1, 0 means -1."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(losses.SquaredHinge(), name, dtype)


class CategoricalHinge(MeanLoss):
    """``max(wrong - right + 1, 0)``, ``right = sum(y_true * y_pred)``, ``wrong = max((1 - y_true) * y_pred)``."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.CategoricalHinge(), name, dtype)


class KLDivergence(MeanLoss):
    """``sum(y_true * log(y_true / y_pred))``: how far the predicted distribution is from the target's."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(losses.KLDivergence(), name, dtype)


class Poisson(MeanLoss):
    """``mean(y_pred - y_true * log(y_pred))``."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(losses.Poisson(), name, dtype)


class BinaryCrossentropy(MeanLoss):
    """``-(y log p + (1 - y) log(1 - p))``, the mean over the last axis.

    Args:
        from_logits: whether predictions are numbers before the sigmoid.
        label_smoothing: how far targets are moved from 0 and 1 towards a half.

    Example:
        >>> float(BinaryCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])).__round__(4)
        0.8149
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        loss = losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing)
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "label_smoothing": self.label_smoothing}


class CategoricalCrossentropy(MeanLoss):
    """``-sum(y log p)`` over the classes, for targets that are one number a class.

    Args:
        from_logits: whether predictions are numbers before the softmax.
        label_smoothing: how far targets are moved towards the same number for each class.
        axis: of the classes.

    Example:
        >>> metric = CategoricalCrossentropy()
        >>> float(metric([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])).__round__(4)
        1.1769
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ):
        loss = losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class SparseCategoricalCrossentropy(MeanLoss):
    """``-log p[y]`` for targets that are the number of the class.

    Args:
        from_logits: whether predictions are numbers before the softmax.
        ignore_class: a label whose samples count as 0; where there are sample weights, they do not count, as in Keras.
        axis: of the classes.

    Example:
        >>> metric = SparseCategoricalCrossentropy()
        >>> float(metric([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])).__round__(4)
        1.1769
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        loss = losses.SparseCategoricalCrossentropy(from_logits=from_logits, ignore_class=ignore_class, axis=axis)
        super().__init__(loss, name, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take a batch in."""
        if self.ignore_class is not None and sample_weight is not None:
            counts = ops.not_equal(ops.cast(y_true, "int32"), self.ignore_class)
            rank = len(ops.shape(y_pred)) - 1
            if len(counts.shape) > rank:
                counts = ops.squeeze(counts, self.axis)
            weights = spread_weights(sample_weight, counts.shape, self.dtype)
            sample_weight = ops.multiply(weights, ops.cast(counts, self.dtype))
        super().update_state(y_true, y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
        }
