"""Correlations of targets and predictions, along an axis of each sample."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.losses import EPSILON, line_up
from chainrule.metrics.metric import MeanOverSamples


class PearsonCorrelation(MeanOverSamples):
    """``mean((y - mean(y)) * (p - mean(p))) / (std(y) * std(p))`` for targets y and predictions p, along `axis`.

    Where one of them is constant there is no correlation, and the result is NaN.

    Args:
        axis: along which means are taken; with -1 each sample has its own correlation, with 0 each column of a batch.

    Example:
        >>> pearson = PearsonCorrelation()
        >>> round(float(pearson([[0.0, 1.0, 0.5], [1.0, 1.0, 0.2]], [[0.1, 0.9, 0.5], [1.0, 0.9, 0.2]])), 4)
        0.9967
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(name, dtype)
        self.axis = axis

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        product = ops.multiply(self._standardize(true), self._standardize(pred))
        return ops.mean(product, self.axis)

    def _standardize(self, x: Any) -> Any:
        centered = ops.subtract(x, ops.mean(x, self.axis, keepdims=True))
        return ops.divide(centered, ops.std(centered, self.axis, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class ConcordanceCorrelation(MeanOverSamples):
    """``2 * cov(y, p) / (var(y) + var(p) + (mean(y) - mean(p))**2)`` for targets y and predictions p, along `axis`.

    As Pearson's, but less than 1 where predictions are shifted or scaled.

    Args:
        axis: along which means are taken.

    Example:
        >>> concordance = ConcordanceCorrelation()
        >>> round(float(concordance([[0.0, 1.0, 0.5], [1.0, 1.0, 0.2]], [[0.1, 0.9, 0.5], [1.0, 0.9, 0.2]])), 4)
        0.9816

    Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", 1989.
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(name, dtype)
        self.axis = axis

    def values(self, y_true: Any, y_pred: Any) -> Any:
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        mean_true, mean_pred = (ops.mean(x, self.axis, keepdims=True) for x in (true, pred))
        centered = ops.subtract(pred, mean_pred)
        spread = ops.add(ops.var(true, self.axis, keepdims=True), ops.var(pred, self.axis, keepdims=True))
        norm = ops.add(spread, ops.square(ops.subtract(mean_true, mean_pred)))
        # The mean of the targets may be left out of the covariance: the other factor has mean 0.
        product = ops.multiply(ops.multiply(ops.subtract(true, mean_pred), centered), 2.0)
        return ops.mean(ops.divide(product, ops.add(norm, EPSILON)), self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
