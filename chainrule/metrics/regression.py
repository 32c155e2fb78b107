"""Metrics of regression that are no plain mean of a loss: root mean squared error, cosine similarity, R²."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.losses import line_up
from chainrule.metrics.metric import MeanOverSamples, Metric, plain, spread_weights


class RootMeanSquaredError(MeanOverSamples):
    """``sqrt(mean((y_true - y_pred)**2))``.

    Example:
        >>> float(RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]]))
        3.0
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        return ops.square(ops.subtract(pred, true))

    def result(self) -> Any:
        return plain(ops.sqrt(super().result()))


class CosineSimilarity(MeanOverSamples):
    """``sum(y_true * y_pred) / (|y_true| * |y_pred|)``: 1 in one direction, -1 in opposite ones, 0 of a zero vector.

    Args:
        axis: along which a vector lies.

    Example:
        >>> round(float(CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])), 6)
        0.5
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(name, dtype)
        self.axis = axis

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        return ops.sum(ops.multiply(self._direction(true), self._direction(pred)), self.axis)

    def _direction(self, x: Any) -> Any:
        # A zero vector has no direction: its factor stays finite, and the result is 0.
        scale = ops.minimum(ops.rsqrt(ops.sum(ops.square(x), self.axis, keepdims=True)), 1e12)
        return ops.multiply(x, scale)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class R2Score(Metric):
    """``1 - sum(w * (y - p)**2) / sum(w * (y - mean(y))**2)`` for targets y, predictions p and weights w.

    The share of the variance that is explained: 1 is perfect, 0 as good as always predicting the mean.
    Targets and predictions have shape (n, outputs).

    Args:
        class_aggregation: how the outputs' scores become one: ``"uniform_average"``, ``"variance_weighted_average"``,
            or None for one score an output.
        num_regressors: the number p of inputs of the regression; if not 0, the score is adjusted for it,
            ``1 - (1 - r2) * (n - 1) / (n - p - 1)``, where there are enough samples.

    Example:
        >>> float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])).__round__(4)
        0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ChainruleError("unknown class_aggregation", where=self.name, expected=known, got=class_aggregation)
        if num_regressors < 0:
            raise ChainruleError("not a number of inputs", where=self.name, expected="0 or more", got=num_regressors)
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable(name="num_samples")
        self.built = False

    def build(self, outputs: int) -> None:
        """Make the sums, one an output."""
        self.sum = self.add_variable((outputs,), name="sum")
        self.squared_sum = self.add_variable((outputs,), name="squared_sum")
        self.residual = self.add_variable((outputs,), name="residual")
        self.count = self.add_variable((outputs,), name="count")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        if len(pred.shape) == 1:
            true, pred = ops.expand_dims(true, -1), ops.expand_dims(pred, -1)
        if len(pred.shape) != 2:
            raise ChainruleError(
                "not one row a sample", where=self.name, expected="(batch, outputs)", got=format_shape(pred.shape)
            )
        if not self.built:
            self.build(pred.shape[1])
        true, pred = ops.cast(true, "float64"), ops.cast(pred, "float64")
        weights = spread_weights(1.0 if sample_weight is None else sample_weight, pred.shape, "float64")
        weighted = ops.multiply(true, weights)
        self.sum.assign_add(ops.sum(weighted, 0))
        self.squared_sum.assign_add(ops.sum(ops.multiply(true, weighted), 0))
        self.residual.assign_add(ops.sum(ops.multiply(ops.square(ops.subtract(true, pred)), weights), 0))
        self.count.assign_add(ops.sum(weights, 0))
        self.num_samples.assign_add(ops.multiply(ops.size_of(pred, 0, "float64"), float(pred.shape[1])))

    def result(self) -> Any:
        require_batch(self)
        total = ops.subtract(self.squared_sum, ops.divide(ops.square(self.sum), self.count))
        ratio = ops.divide(self.residual, total)
        score = ops.where(ops.isinf(ratio), 0.0, ops.subtract(1.0, ratio))
        if self.class_aggregation == "uniform_average":
            score = ops.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = ops.divide(ops.sum(ops.multiply(total, score)), ops.sum(total))
        if self.num_regressors:
            left = ops.subtract(self.num_samples, float(self.num_regressors + 1))
            enough = ops.greater(left, 0.0)
            lost = ops.multiply(ops.subtract(1.0, score), ops.subtract(self.num_samples, 1.0))
            score = ops.where(enough, ops.subtract(1.0, ops.divide(lost, ops.where(enough, left, 1.0))), score)
        return plain(score)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


def require_batch(metric: Any) -> None:
    """Refuse to give a result of nothing where its shape is not known."""
    if not metric.built:
        raise ChainruleError(
            "no batch was taken in", where=metric.name, fix="call update_state(y_true, y_pred) before result()"
        )
