"""Losses whose predictions are a distribution of the target: its mean and variance, its rate, or its quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import as_operand
from chainrule.losses.loss import Loss, as_float, line_up, line_up_floats, mean_of_last, require_flag
from chainrule.registry import require_number

# -- functions ----------------------------------------------------------------------------------------------------


def gaussian_nll(
    y_true: Any, y_pred: Any, full: bool = False, epsilon: float = 1e-6, log_variance: bool = False
) -> Any:
    """``mean((log(v) + (y - m)**2 / v) / 2)`` over the last axis, for means m and variances v.

    The last axis of the predictions holds the n means, then the n variances. A variance below `epsilon` counts as that,
    but its gradient is as if it did not, so that training leads it back.

    Args:
        full: whether ``log(2 * pi) / 2`` is added.
        epsilon: the least variance.
        log_variance: whether the predictions hold the logarithms of the variances, which may be any number.

    Shapes: y_true (..., n), or (...) where n is 1; y_pred (..., 2 * n); result (...).

    Example:
        >>> gaussian_nll([[1.0]], [[0.0, 4.0]]).round(4)
        array([0.8181], dtype=float32)
    """
    pred = as_float(y_pred)
    size = pred.shape[-1] if pred.shape else 1
    if not isinstance(size, int) or size % 2:
        raise ChainruleError(
            "the predictions are not pairs of means and variances",
            where="gaussian_nll",
            expected="a last axis of 2 * n: n means, then n variances",
            got=format_shape(pred.shape),
            fix="give the last layer twice as many units as there are targets",
        )
    mean, spread = ops.split(pred, 2, axis=-1)
    true, mean = line_up("gaussian_nll", y_true, mean)
    variance = ops.exp(spread) if log_variance else spread
    small = ops.less(variance, epsilon)
    passed = ops.subtract(variance, ops.stop_gradient(variance))
    variance = ops.where(small, ops.add(passed, epsilon), variance)
    terms = ops.add(ops.log(variance), ops.divide(ops.square(ops.subtract(mean, true)), variance))
    values = mean_of_last(ops.multiply(terms, 0.5))
    return ops.add(values, 0.5 * math.log(2.0 * math.pi)) if full else values


def poisson_nll(y_true: Any, y_pred: Any, log_input: bool = True, full: bool = False, epsilon: float = 1e-8) -> Any:
    """``mean(exp(p) - y * p)`` over the last axis, for counts y and logarithms p of their rates.

    Args:
        log_input: whether predictions are logarithms; of rates themselves it is ``mean(p - y * log(p + epsilon))``.
        full: whether Stirling's approximation of ``log(y!)`` is added for counts above 1.
        epsilon: added to rates before the logarithm.
    """
    true, pred = line_up_floats("poisson_nll", y_true, y_pred)
    if log_input:
        values = ops.subtract(ops.exp(pred), ops.multiply(true, pred))
    else:
        values = ops.subtract(pred, ops.multiply(true, ops.log(ops.add(pred, epsilon))))
    if full:
        count = ops.maximum(true, 1.0)
        stirling = ops.subtract(ops.multiply(count, ops.log(count)), count)
        stirling = ops.add(stirling, ops.multiply(ops.log(ops.multiply(count, 2.0 * math.pi)), 0.5))
        values = ops.add(values, ops.where(ops.greater(true, 1.0), stirling, 0.0))
    return mean_of_last(values)


def quantile(y_true: Any, y_pred: Any, quantiles: float | Sequence[float] = 0.5) -> Any:
    """The mean over the last axis of ``max(q * e, (q - 1) * e)``, with ``e = y - p``: the pinball loss.

    Args:
        quantiles: q, the part of targets that is to lie below the prediction; or several, one for each number in the
            last axis of the predictions, over which the mean is taken first.

    Shapes: for one quantile, both (..., n); for several, y_true (..., n) and y_pred (..., n, quantiles), or y_true
    (...,) or (..., 1) and y_pred (..., quantiles).

    Example:
        >>> quantile([[10.0]], [[8.0, 12.0]], [0.1, 0.9]).round(4)
        array([0.2], dtype=float32)
    """
    if isinstance(quantiles, int | float):
        true, pred = line_up_floats("quantile", y_true, y_pred)
        return mean_of_last(pinball(ops.subtract(true, pred), quantiles))
    pred, true = as_float(y_pred), as_operand(y_true)
    if len(true.shape) == len(pred.shape) - 1:
        true = ops.expand_dims(true, -1)
    if pred.shape[-1:] != (len(quantiles),) or tuple(true.shape) != (*pred.shape[:-1], 1):
        raise ChainruleError(
            "the predictions are not quantiles of the targets",
            where="quantile",
            expected=f"targets (..., n) and predictions (..., n, {len(quantiles)}), one number a quantile",
            got=f"{format_shape(as_operand(y_true).shape)} and {format_shape(pred.shape)}",
            fix=f"give the last layer {len(quantiles)} units a target",
        )
    levels = ops.cast(np.asarray(quantiles, np.float64), pred.dtype)
    values = ops.mean(pinball(ops.subtract(ops.cast(true, pred.dtype), pred), levels), axis=-1)
    return mean_of_last(values) if len(as_operand(y_true).shape) == len(pred.shape) - 1 > 1 else values


def pinball(error: Any, level: Any) -> Any:
    """``max(q * e, (q - 1) * e)``."""
    return ops.maximum(ops.multiply(error, level), ops.multiply(error, ops.subtract(level, 1.0)))


# -- classes ------------------------------------------------------------------------------------------------------


class GaussianNLL(Loss):
    """``(log(v) + (y - m)**2 / v) / 2`` for predicted means m and variances v: PyTorch's GaussianNLLLoss.

    For n targets the model has 2 * n outputs: the n means first, then the n variances. They are to be positive, say by
    a softplus; with `log_variance` they may be any number, so that one Dense layer gives both.

    Args:
        full: whether ``log(2 * pi) / 2`` is added.
        epsilon: the least variance. One below counts as that, but its gradient is as if it did not.
        log_variance: whether the predictions hold the logarithms of the variances.

    Source: Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994.

    Example:
        >>> float(GaussianNLL(log_variance=True)([[1.0], [2.0]], [[0.0, 0.0], [2.0, 0.0]]))
        0.25
    """

    lines_up = False

    def __init__(
        self,
        full: bool = False,
        epsilon: float = 1e-6,
        log_variance: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "gaussian_nll",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.full = require_flag(self.name, "full", full)
        self.epsilon = require_number(self.name, "epsilon", epsilon, 1e-30, 1.0)
        self.log_variance = require_flag(self.name, "log_variance", log_variance)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return gaussian_nll(y_true, y_pred, self.full, self.epsilon, self.log_variance)

    def get_config(self) -> dict[str, Any]:
        own = {"full": self.full, "epsilon": self.epsilon, "log_variance": self.log_variance}
        return {**own, **super().get_config()}


class PoissonNLL(Loss):
    """``exp(p) - y * p`` for counts y and logarithms p of their rates: PyTorch's PoissonNLLLoss.

    Args:
        log_input: whether predictions are the logarithms of the rates; else the loss is ``p - y * log(p + epsilon)``.
        full: whether Stirling's approximation of ``log(y!)`` is added for counts above 1.
        epsilon: added to rates before the logarithm.
    """

    elementwise = True

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        epsilon: float = 1e-8,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson_nll",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.log_input = require_flag(self.name, "log_input", log_input)
        self.full = require_flag(self.name, "full", full)
        self.epsilon = require_number(self.name, "epsilon", epsilon, 1e-30, 1.0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return poisson_nll(y_true, y_pred, self.log_input, self.full, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        own = {"log_input": self.log_input, "full": self.full, "epsilon": self.epsilon}
        return {**own, **super().get_config()}


class Quantile(Loss):
    """``max(q * e, (q - 1) * e)`` with ``e = y - p``: a part q of the targets is to lie below the prediction.

    Args:
        quantiles: q, or several: then the last axis of the predictions holds one number for each.

    Source: Koenker and Bassett, "Regression quantiles", 1978.

    Example:
        >>> loss = Quantile([0.05, 0.5, 0.95])  # for a model that ends with Dense(3)
        >>> float(loss([[1.0]], [[0.0, 1.0, 2.0]]))
        0.03333333507180214
    """

    lines_up = False

    def __init__(
        self,
        quantiles: float | Sequence[float] = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "quantile",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        several = isinstance(quantiles, list | tuple)
        listed: Sequence[Any] = quantiles if isinstance(quantiles, list | tuple) else [quantiles]
        checked = [require_number(self.name, "quantiles", item, 0.0, 1.0) for item in listed]
        if not checked or not all(0.0 < item < 1.0 for item in checked):
            raise ChainruleError(
                "quantiles are parts", where=self.name, expected="above 0 and below 1", got=repr(quantiles)
            )
        self.quantiles: float | list[float] = checked if several else checked[0]
        # One quantile is a prediction for each target; several are an axis more.
        self.lines_up = self.elementwise = not several

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return quantile(y_true, y_pred, self.quantiles)

    def get_config(self) -> dict[str, Any]:
        return {"quantiles": self.quantiles, **super().get_config()}
